"""How a command ends: the exit statuses, and what of an error a person gets to see.

Errors go to stderr as `error: what happened` and `hint: what to do next`; stdout is for messages.
"""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Sequence
from itertools import takewhile

from sendall.cli.notices import NotConfirmed, missing_package
from sendall.errors import SecurityAlarm, SendallError, UsageError

_GROUPS = ("room", "id")
"""Commands that have commands of their own."""


class Exit(enum.IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    """It worked; whatever was sent is confirmed."""
    FAILED = 1
    """It did not work: no server, refused, the disk, ..."""
    USAGE = 2
    """A wrong argument, setting or file; nothing was tried."""
    ALARM = 3
    """An identity, a history or a key is not what it was: look before trying again."""
    UNCONFIRMED = 4
    """Something was written and is not confirmed."""
    INTERRUPTED = 130
    """Ctrl-C, as a shell reports it."""
    NO_READER = 141
    """Nobody reads stdout any more (SIGPIPE), as a shell reports it."""


def ending(argv: Sequence[str]) -> int:
    """Run a command line; print what went wrong; return the exit status."""
    try:
        # Imported here, so that a missing package of theirs is an error like others.
        import typer

        from sendall.cli.app import app

        try:
            work = app(argv or ["--help"], prog_name="sendall", standalone_mode=False)
        except typer.TyperException as error:
            raise UsageError(error.format_message().rstrip("."), hint=_help_for(argv, error)) from None
        status = work() if callable(work) else Exit.DONE  # --help and --version have done all their work
        sys.stdout.flush()
        return int(status)
    except (KeyboardInterrupt, EOFError):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at its end; that must not fail aloud.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.NO_READER
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "sendall":
            raise
        return report(missing_package(error.name))
    except SendallError as error:
        return report(error)


def report(error: SendallError) -> Exit:
    """Print an error and its hint to stderr and return the status it ends with."""
    print(f"error: {error.explain()}", file=sys.stderr)
    match error:
        case UsageError():
            return Exit.USAGE
        case SecurityAlarm():
            return Exit.ALARM
        case NotConfirmed():
            return Exit.UNCONFIRMED
        case _:
            return Exit.FAILED


def _help_for(argv: Sequence[str], error: Exception) -> str:
    depth = 2 if argv[0] in _GROUPS else 1
    words = list(takewhile(lambda word: not word.startswith("-"), argv[:depth]))
    if "No such command" in str(error):
        words = words[:-1]
    return " ".join(["sendall", *words, "--help"])
