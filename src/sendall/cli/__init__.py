"""What a person types: the command `sendall`, and server.py and client.py of a checkout.

One command a module; `app` knows them all, `exits` how each may end. Nothing here holds a rule of
the protocol or of a room: that is the library's. This file and sendall/__init__.py keep to the
syntax of old Pythons, so that one that is too old gets a sentence instead of a SyntaxError.
"""

import sys

OLDEST_PYTHON = (3, 11)


def main(argv: "list[str] | None" = None) -> int:
    """Run one command line (without the program's name) and return its exit status (see `exits`)."""
    if sys.version_info < OLDEST_PYTHON:
        sys.stderr.write("error: sendall needs Python 3.11 or newer, and this is " + sys.version.split()[0] + "\n")
        sys.stderr.write("hint: python3.11 " + " ".join(sys.argv) + "\n")
        return 2
    from sendall.cli.exits import ending

    return ending(sys.argv[1:] if argv is None else argv)
