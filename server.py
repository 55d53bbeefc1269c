"""`python3 server.py`: the same as `sendall serve`, from a checkout in which nothing is installed.

`start` serves client.py too. Keeps to the syntax of old Pythons; see sendall/cli/__init__.py.
"""

import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VENV_PYTHON = os.path.join(HERE, ".venv", "bin", "python")


def start(command: str) -> None:
    """Run a command of this checkout's sendall and exit; in the .venv of `make run` if this Python lacks packages."""
    if importlib.util.find_spec("msgspec") is None and os.path.exists(VENV_PYTHON) and sys.prefix == sys.base_prefix:
        os.execv(VENV_PYTHON, [VENV_PYTHON, *sys.argv])
    sys.path.insert(0, os.path.join(HERE, "src"))
    from sendall.cli import main

    sys.exit(main([command, *sys.argv[1:]]))


if __name__ == "__main__":
    start("serve")
