"""Sentences about this machine and this person's doing: what happened, then the next command.

What goes wrong with a server or a room is said where it is found out (`sendall.client`,
`sendall.node`); here is the rest. Imports only the standard library and the errors, because it
also speaks where sendall's packages are missing.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from sendall.errors import SendallError, UsageError


class NotConfirmed(SendallError):
    """Some of what was written is not confirmed."""


def warn(sentence: str) -> None:
    """Print a warning to stderr."""
    print(f"warning: {sentence}", file=sys.stderr)


def missing_package(name: str) -> SendallError:
    """A package of requirements.txt is not installed for this Python."""
    install = "pip install -r requirements.txt"
    if is_externally_managed():
        # Debian, Homebrew and others refuse `pip install` outside of a venv (PEP 668).
        install = f"python3 -m venv .venv && .venv/bin/{install}, then .venv/bin/python {' '.join(sys.argv)}"
    return SendallError(f"the Python package {name} is not installed for {sys.executable}", hint=install)


def is_externally_managed() -> bool:
    """Whether pip refuses to install for this Python because the system looks after its packages."""
    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    return sys.prefix == sys.base_prefix and os.path.exists(marker)


def weak_token(where: str, size: int, least: int) -> UsageError:
    """A token is short enough to be found by trying."""
    return UsageError(
        f"{where} has {size} bytes; who records one handshake could find a token below {least} by trying",
        hint="sendall serve --token new makes a strong one",
    )


def unreadable_token(file: Path, reason: str) -> UsageError:
    """The file that should hold the token cannot be read."""
    return UsageError(
        f"cannot read the token file {file}: {reason}", hint="correct --token-file, or ask who runs the server"
    )


def token_on_command_line() -> str:
    """A token was given as an argument."""
    return "a token on the command line can be read by every user of this machine; use --token-file or SENDALL_TOKEN"


def token_file_open(file: Path) -> str:
    """Others may read the token file."""
    return f"other users of this machine can read {file}; chmod 600 {file}"


def kept_for_later(count: int, why: str = "") -> NotConfirmed:
    """Lines were written and their confirmation did not come in time; the outbox has them."""
    lines = "1 line is" if count == 1 else f"{count} lines are"
    return NotConfirmed(
        f"{lines} not confirmed{f': {why}' if why else ''}",
        hint="kept: sent when you join or send there again within 10 minutes, later only when you say so",
    )
