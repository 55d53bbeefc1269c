"""Sealing: plaintexts to signed entries under an epoch key, and back.

The message key comes from the committed epoch key and public header fields, the nonce is the
sender's counter, and the header is the additional data: one (epoch, session, n) has exactly one
ciphertext. The relay must never reach this module. Pure. Source: docs/protocol.md, "Keys", "Entry".
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable

from sendall.crypto.primitives import Aead, CannotOpen, hkdf
from sendall.protocol.entry import HEADER_SIZE, SIGNATURE_SIZE, VERSION_TAG, Entry, EntryType, header, signed_context

MAX_PLAINTEXT = 65_535
EPOCH_KEY_SIZE = 32
_PURPOSE = {EntryType.MESSAGE: b"msg", EntryType.SIGNAL: b"signal"}


def commitment(key: bytes, room_id: bytes, e: int) -> bytes:
    """Return what an epoch entry says of its key; it admits exactly one key."""
    return hkdf(key, salt=room_id, info=VERSION_TAG + b"commit" + struct.pack(">I", e))


def padded_size(length: int) -> int:
    """Return the size that `length` bytes (the 0x80 included) are padded to: 64, then Padmé."""
    if length <= 64:
        return 64
    e = length.bit_length() - 1
    drop = e - e.bit_length()
    mask = (1 << drop) - 1
    return (length + mask) & ~mask


def pad(plaintext: bytes) -> bytes:
    """Append 0x80 and zeros, so that only a length bucket shows."""
    return (plaintext + b"\x80").ljust(padded_size(len(plaintext) + 1), b"\0")


def unpad(padded: bytes) -> bytes:
    """Raises CannotOpen if there is no 0x80 before the zeros."""
    stripped = padded.rstrip(b"\0")
    if not stripped.endswith(b"\x80"):
        raise CannotOpen
    return stripped[:-1]


class Sealer:
    """Seals one sender's session under one epoch key."""

    def __init__(self, key: bytes, room_id: bytes, epoch: int, sender: bytes, session: bytes) -> None:
        self._keys = _Keys(key, room_id)
        self._room_id = room_id
        self._epoch = epoch
        self._sender = sender
        self._session = session

    def seal(
        self,
        type_: EntryType,
        n: int,
        plaintext: bytes,
        *,
        head_seq: int,
        head_hash: bytes,
        sign: Callable[[bytes], bytes],
    ) -> bytes:
        """Return the signed entry. The caller never seals two plaintexts under one (type, n).

        Raises:
            ValueError: more than 65,535 bytes of plaintext.
        """
        if len(plaintext) > MAX_PLAINTEXT:
            raise ValueError(f"a message has at most {MAX_PLAINTEXT:,} bytes, this one {len(plaintext):,}")
        head = header(
            type_,
            epoch=self._epoch,
            sender=self._sender,
            session=self._session,
            n=n,
            head_seq=head_seq,
            head_hash=head_hash,
        )
        aead = self._keys.aead(type_, self._epoch, self._sender, self._session)
        unsigned = head + aead.seal(_nonce(n), pad(plaintext), self._room_id + head)
        return unsigned + sign(signed_context(self._room_id, unsigned))


class Opener:
    """Opens what anybody sealed under one epoch key of one room."""

    def __init__(self, key: bytes, room_id: bytes) -> None:
        self._keys = _Keys(key, room_id)
        self._room_id = room_id

    def open(self, entry: Entry) -> bytes:
        """Return the plaintext of a message or signal whose signature was already checked.

        Raises:
            CannotOpen: another key, altered bytes, or padding that is none.
        """
        if entry.type not in _PURPOSE:
            raise CannotOpen
        aead = self._keys.aead(EntryType(entry.type), entry.epoch, entry.sender, entry.session)
        body = entry.raw[HEADER_SIZE:-SIGNATURE_SIZE]
        return unpad(aead.open(_nonce(entry.n), body, self._room_id + entry.raw[:HEADER_SIZE]))


class _Keys:
    """The message and signal keys under one epoch key, derived once per sender and session."""

    # Deriving costs about 12 µs; a room of many sessions must not hold them all for ever.
    LIMIT = 4096

    def __init__(self, key: bytes, room_id: bytes) -> None:
        self._key = key
        self._room_id = room_id
        self._made: OrderedDict[tuple[EntryType, int, bytes, bytes], Aead] = OrderedDict()

    def aead(self, type_: EntryType, epoch: int, sender: bytes, session: bytes) -> Aead:
        name = (type_, epoch, sender, session)
        aead = self._made.get(name)
        if aead is None:
            info = VERSION_TAG + _PURPOSE[type_] + struct.pack(">I", epoch) + sender + session
            aead = self._made[name] = Aead(hkdf(self._key, salt=self._room_id, info=info))
            if len(self._made) > self.LIMIT:
                self._made.popitem(last=False)
        return aead


def _nonce(n: int) -> bytes:
    return struct.pack(">4xQ", n)
