"""The entry: the one signed thing, as bytes and as fields.

An entry is a fixed 104-byte header, a body and a 64-byte signature; nothing is ever re-encoded, so
the signed bytes, the additional data of its sealing and the stored bytes are the same. This module
parses and builds that layout; the bodies of control entries are `protocol.bodies`'. It knows no keys and no state.
Source: docs/protocol.md, "Entry".
"""

from __future__ import annotations

import enum
import hashlib
import struct

import msgspec

from sendall.errors import Malformed

VERSION_TAG = b"sendall-v1 "
"""`V` of the specification: the prefix of everything hashed, derived or signed."""
HEADER_SIZE = 104
SIGNATURE_SIZE = 64
MIN_ENTRY = HEADER_SIZE + SIGNATURE_SIZE
MAX_ENTRY = 65_720
MIN_SEALED_BODY = 80
"""64 padded bytes and a 16-byte tag."""
MAX_SEQ = 2**53
"""seq, time_ms and head_seq stay below this, so that every JSON implementation holds them exactly."""
MAX_N = 2**32
ZERO_32 = bytes(32)

_HEADER = struct.Struct(">BBHI32s16sQQ32s")


class EntryType(enum.IntEnum):
    """Byte 1 of an entry. From 0x10 on: control entries, which are never pruned."""

    MESSAGE = 0x01
    SIGNAL = 0x02
    GENESIS = 0x10
    INVITE = 0x11
    JOIN = 0x12
    EPOCH = 0x13
    LEAVE = 0x14
    REKEY = 0x15
    REVOKE = 0x16
    ROLE = 0x17
    ADMIT = 0x18
    RESTART = 0x20


FIRST_CONTROL = 0x10


class Kind(enum.IntEnum):
    """Kind of a room, fixed by its genesis entry and so by its room_id."""

    OPEN = 0
    PRIVATE = 1


class Role(enum.IntEnum):
    MEMBER = 0
    ADMIN = 1
    READER = 2
    BANNED = 3


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A parsed entry. `raw` is the whole of it; the others are the fields of its header.

    A struct, because a server makes one per message: with `frames.Post`, 1.1 µs less than named tuples took.
    """

    raw: bytes
    type: int
    epoch: int
    sender: bytes
    session: bytes
    n: int
    head_seq: int
    head_hash: bytes

    @property
    def body(self) -> bytes:
        return self.raw[HEADER_SIZE:-SIGNATURE_SIZE]

    @property
    def is_control(self) -> bool:
        return self.type >= FIRST_CONTROL


def parse(raw: bytes) -> Entry:
    """Return the fields of `raw`.

    Raises:
        Malformed: wrong size, version, reserved bits, or a number out of range. The type is not judged
            here: whether it is allowed depends on the room.
    """
    if not MIN_ENTRY <= len(raw) <= MAX_ENTRY:
        raise Malformed(f"an entry has {MIN_ENTRY} to {MAX_ENTRY:,} bytes, this one {len(raw):,}")
    version, type_, reserved, epoch, sender, session, n, head_seq, head_hash = _HEADER.unpack_from(raw)
    if version != 1 or reserved:
        raise Malformed(
            f"entry of version {version} with reserved bits {reserved:#06x}; version 1 without any is known"
        )
    if n >= MAX_N or head_seq >= MAX_SEQ:
        raise Malformed(f"entry with n = {n} and head_seq = {head_seq}: a number is out of range")
    return Entry(raw, type_, epoch, sender, session, n, head_seq, head_hash)


def header(type_: int, *, epoch: int, sender: bytes, session: bytes, n: int, head_seq: int, head_hash: bytes) -> bytes:
    """Return the 104 header bytes."""
    return _HEADER.pack(1, type_, 0, epoch, sender, session, n, head_seq, head_hash)


def signed_context(room_id: bytes, unsigned: bytes) -> bytes:
    """Return what the sender signs: `unsigned` is the entry without its last 64 bytes."""
    return VERSION_TAG + b"entry\0" + room_id + unsigned


def entry_hash(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()
