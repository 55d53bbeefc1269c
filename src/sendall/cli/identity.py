"""`sendall id`: who this device is; its passphrase; the identity as a line, to take it to another device."""

from __future__ import annotations

import sys
from pathlib import Path

from sendall.cli import passphrase
from sendall.cli.notices import warn
from sendall.client.events import tag_of
from sendall.client.keyring import Keyring
from sendall.crypto.identity import person_fingerprint
from sendall.errors import UsageError
from sendall.protocol.words import words_of


def show(state: Path | None) -> int:
    """Print tag, words, folder and whether a passphrase protects the identity; make one if there is none."""
    keyring = Keyring(state)
    me = keyring.identity(passphrase.ask)
    protected = [("passphrase", "yes")]
    if not keyring.has_passphrase():
        protected = [("passphrase", "no: whoever copies the folder is you"), ("", "(sendall id passphrase sets one)")]
    rows = [
        ("tag", tag_of(me.pk)),
        ("words", words_of(person_fingerprint(me.pk))),
        ("", "(others see the same eight with your name: /members in a private room)"),
        ("id", me.pk.hex()),
        ("folder", str(keyring.folder)),
        *protected,
    ]
    print("\n".join(f"{name:<11} {value}" for name, value in rows))
    return 0


def change_passphrase(state: Path | None, *, remove: bool) -> int:
    """Ask for the old passphrase, if there is one, and for the new one twice; or remove it.

    Raises:
        UsageError: the old one is wrong, the new ones differ or are empty, or nobody is there to type them.
    """
    keyring = Keyring(state)
    was_sealed = keyring.has_passphrase()
    if remove and not was_sealed:
        raise UsageError("the identity has no passphrase", hint="sendall id passphrase sets one")
    if was_sealed:
        old = passphrase.ask("passphrase now: ")
        keyring.identity(lambda: old)  # before the new one is asked for
    new = None if remove else _new_passphrase()
    keyring.set_passphrase(new, (lambda: old) if was_sealed else None)
    if remove:
        print("the passphrase is removed: whoever copies the folder is you")
    else:
        print("done; it is asked for when a program starts, and cannot be recovered if it is lost")
    return 0


def _new_passphrase() -> str:
    new = passphrase.typed("new passphrase: ")
    if passphrase.typed("the same again: ") != new:
        raise UsageError("the two are not the same", hint="sendall id passphrase, and type both slowly")
    return new


def export(state: Path | None) -> int:
    """Print the identity as one line; the line is the person unless a passphrase seals it.

    Raises:
        UsageError: there is no identity.
    """
    keyring = Keyring(state)
    print(keyring.export_identity())
    if not keyring.has_passphrase():
        warn("whoever has this line is you; sendall id passphrase would seal it")
    return 0


def take(state: Path | None, file: Path | None) -> int:
    """Make the exported identity in `file`, or on stdin, this device's.

    Raises:
        UsageError: the file cannot be read, holds no exported identity, or this device has another identity.
    """
    keyring = Keyring(state)
    keyring.import_identity(_line_in(file))
    print(f"this device is that person now: {keyring.folder}")
    print("its private rooms are not in the line: join them by their links, or let the first device make new ones")
    return 0


def _line_in(file: Path | None) -> str:
    if file is None:
        if sys.stdin.isatty():
            print("paste the line that `sendall id export` wrote:", file=sys.stderr)
        return sys.stdin.readline()
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"cannot read {file}: {reason}", hint="give the file that holds the exported line") from error
