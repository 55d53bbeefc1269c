"""The passphrase of an identity: asked for on the terminal, or taken from SENDALL_PASSPHRASE.

The variable is for programs that nobody watches, such as `sendall keep`.
"""

from __future__ import annotations

import getpass
import os
import sys

from sendall.errors import UsageError

VARIABLE = "SENDALL_PASSPHRASE"


def ask(prompt: str = "passphrase of your identity: ") -> str:
    """Return the passphrase that the variable has, else what a person types, unseen.

    Raises:
        UsageError: there is neither a variable nor a terminal.
    """
    return os.environ.get(VARIABLE) or typed(prompt)


def typed(prompt: str) -> str:
    """Return what a person types, unseen.

    Raises:
        UsageError: there is no terminal.
    """
    if not _has_terminal():
        raise UsageError(
            "your identity has a passphrase, and there is no terminal to ask for it",
            hint=f"run it in a terminal, or give the passphrase as {VARIABLE}",
        )
    return getpass.getpass(prompt, stream=sys.stderr)


def _has_terminal() -> bool:
    if sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
