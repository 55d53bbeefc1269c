"""The identity on disk: one file (0600) with the seed, or with the seed sealed under a passphrase.

Made once by exactly one of several programs, and replaced as a whole or not at all. Also its text form,
with which a person takes an identity to another device: one line of base64url with a checksum, sealed if
the file is. Source: docs/decisions/0019.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sendall.crypto.identity import Identity
from sendall.crypto.passphrase import COSTS, SEED_BYTES, Costs, costs_of, is_sealed, open_seed, seal_seed
from sendall.crypto.primitives import CannotOpen, sha256
from sendall.errors import UsageError
from sendall.protocol.base64url import from_base64, to_base64
from sendall.protocol.entry import VERSION_TAG

_MAX_FILE_BYTES = 4096
"""Far more than any identity has; whatever is there instead is not read into memory."""
_CHECKSUM_BYTES = 4
_RESTORE = "restore or remove it"

AskPassphrase = Callable[[], str]
"""Asks the person, each time it is called."""


class Change(NamedTuple):
    """What a file held, and what it shall hold."""

    before: bytes
    after: bytes


class IdentityFile:
    """The identity of one folder. All methods raise OSError where the disk does; the keyring tells it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, ask: AskPassphrase | None = None) -> Identity:
        """Return the identity, which is made if there is none. Asks only if the file is sealed; that takes 0.3 s.

        Raises:
            UsageError: the file is none, the passphrase is wrong, or there is one and nobody to ask.
        """
        if not self.path.exists():
            with suppress(FileExistsError):
                self._make(os.urandom(SEED_BYTES))
        return Identity(self._open(self._read(), ask))

    def has_passphrase(self) -> bool:
        """Return whether the file is sealed; not if there is none. Raises UsageError: the file is none."""
        return self.path.exists() and is_sealed(self._read())

    def with_passphrase(self, new: str | None, ask: AskPassphrase | None = None, costs: Costs = COSTS) -> Change:
        """Return what to `replace` so that the identity is sealed under `new`, or (None) not at all. Takes up to 1 s.

        `ask` asks for the present passphrase, if there is one.

        Raises:
            UsageError: as `load`; also an empty passphrase.
        """
        if new is not None and not new.strip():
            raise UsageError("an empty passphrase protects nothing", hint="type a longer one, or remove the passphrase")
        seed = self.load(ask).seed
        return Change(self._read(), seed if new is None else seal_seed(seed, new, costs))

    def replace(self, change: Change) -> None:
        """Replace the file in one step, then overwrite the old one as far as the disk does that.

        Only one program may be in here at a time.

        Raises:
            UsageError: it is not any more what the change was made from; nothing is changed.
        """
        if self._read() != change.before:
            raise UsageError(f"{self.path} was changed by another program meanwhile", hint="do it again")
        aside = self._aside(change.after)
        with open(self.path, "r+b") as old:
            aside.rename(self.path)
            _sync_folder(self.path.parent)
            old.write(os.urandom(len(change.before)))
            old.flush()
            os.fsync(old.fileno())

    def export(self) -> str:
        """Return the text form; whoever has it is this person, unless it is sealed.

        Raises:
            UsageError: there is no identity, or the file is none.
        """
        if not self.path.exists():
            raise UsageError(f"there is no identity yet: {self.path} does not exist", hint="join a room first")
        content = self._read()
        return to_base64(content + _checksum(content))

    def import_(self, text: str) -> None:
        """Make this device's identity the one of a text form. The same one again changes nothing.

        Raises:
            UsageError: not a whole text form, or this device has another identity.
        """
        content = _parse(text)
        try:
            self._make(content)
        except FileExistsError:
            if self._read() != content:
                raise UsageError(
                    f"this device has an identity already: {self.path}",
                    hint="move it and vault.db away first, or name another folder with `--state`",
                ) from None

    # -- the file -----------------------------------------------------------------------------

    def _read(self) -> bytes:
        """Return the content. Raises UsageError: it is no identity."""
        while True:
            with open(self.path, "rb") as file:
                content = file.read(_MAX_FILE_BYTES)
                # A file that was replaced is overwritten: what was read of it may be neither old nor new.
                if os.path.samestat(os.stat(self.path), os.fstat(file.fileno())):
                    break
        if len(content) != SEED_BYTES:
            try:
                costs_of(content)
            except ValueError as error:
                raise UsageError(f"{self.path} is no identity: {_why(content, error)}", hint=_RESTORE) from None
        return content

    def _open(self, content: bytes, ask: AskPassphrase | None) -> bytes:
        if len(content) == SEED_BYTES:
            return content
        if ask is None:
            raise UsageError(
                f"the identity {self.path} has a passphrase, and nobody can be asked for it",
                hint="run it in a terminal, or name another folder with `--state` or SENDALL_STATE",
            )
        try:
            return open_seed(content, ask())
        except CannotOpen:
            raise UsageError(
                "the passphrase is wrong",
                hint="type it again; if it is lost, move the identity away and join your private rooms by new links",
            ) from None

    def _make(self, content: bytes) -> None:
        """Raises FileExistsError: there is one, perhaps since a moment ago."""
        # Written aside and linked, which fails if another program was first: nobody ever sees half an identity.
        aside = self._aside(content)
        try:
            os.link(aside, self.path)
        finally:
            aside.unlink()

    def _aside(self, content: bytes) -> Path:
        aside = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        write_private(aside, content)
        return aside


def write_private(path: Path, content: bytes) -> None:
    """Make a new file that is this user's alone, on disk when this returns."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(content: bytes, error: ValueError) -> str:
    return str(error) if is_sealed(content) else f"{len(content)} bytes instead of {SEED_BYTES}"


def _checksum(content: bytes) -> bytes:
    return sha256(VERSION_TAG + b"export\0" + content)[:_CHECKSUM_BYTES]


def _parse(text: str) -> bytes:
    """Return what a text form holds. Raises UsageError, which never repeats the text: it may be a secret."""
    try:
        packed = bytes(from_base64(text.strip()))
        content, checksum = packed[:-_CHECKSUM_BYTES], packed[-_CHECKSUM_BYTES:]
        if checksum != _checksum(content):
            raise ValueError("a character is missing or changed")
        if len(content) != SEED_BYTES:
            costs_of(content)
    except ValueError:
        raise UsageError(
            "this is no exported identity: it is cut off, or a character of it is changed",
            hint="copy the whole line that `sendall id export` wrote",
        ) from None
    return content
