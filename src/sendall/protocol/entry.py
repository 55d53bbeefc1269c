"""The entry: the one signed thing, as bytes and as fields.

An entry is a fixed 104-byte header, a body and a 64-byte signature; nothing is ever re-encoded, so
the signed bytes, the additional data of its sealing and the stored bytes are the same. This module
parses and builds the layout and the bodies that OPEN rooms use. It knows no keys and no state.
Source: docs/protocol.md, "Entry".
"""

from __future__ import annotations

import enum
import hashlib
import struct
from itertools import pairwise
from typing import NamedTuple

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
    EPOCH = 0x13
    ROLE = 0x17
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


class Genesis(NamedTuple):
    """The first entry of a room; its hash names the room."""

    kind: Kind
    history: int
    """1: newcomers get all retained epochs; 0: from their own epoch on."""
    salt: bytes
    name: str

    def pack(self) -> bytes:
        name = self.name.encode()
        return struct.pack(">BB16sB", self.kind, self.history, self.salt, len(name)) + name


class Epoch(NamedTuple):
    """A new epoch key, named by its commitment."""

    prev_auth: bytes
    e: int
    commit: bytes
    members_hash: bytes
    removed: tuple[bytes, ...]

    def pack(self) -> bytes:
        head = struct.pack(">32sI32s32sH", self.prev_auth, self.e, self.commit, self.members_hash, len(self.removed))
        return head + b"".join(self.removed)


class RoleChange(NamedTuple):
    """A role for one identity, or (id_pk of 32 zero bytes) the default of an OPEN room's members."""

    prev_auth: bytes
    id_pk: bytes
    role: Role

    def pack(self) -> bytes:
        return self.prev_auth + self.id_pk + bytes([self.role])


Body = Genesis | Epoch | RoleChange | None


def parse_body(entry: Entry) -> Body:
    """Return the body of a control entry of an OPEN room; None for a restart entry, which has none.

    Raises:
        Malformed: a length, a flag or an order is wrong, or the type has no body of an OPEN room.
    """
    body = entry.body
    match entry.type:
        case EntryType.GENESIS:
            return _parse_genesis(body)
        case EntryType.EPOCH:
            return _parse_epoch(body)
        case EntryType.ROLE:
            if len(body) != 65 or body[64] > max(Role):
                raise Malformed("role entry with a wrong length or an unknown role")
            return RoleChange(body[:32], body[32:64], Role(body[64]))
        case EntryType.RESTART:
            if body:
                raise Malformed("restart entry with a body")
            return None
        case _:
            raise Malformed(f"entries of type {entry.type:#04x} have no place in an OPEN room")


def _parse_genesis(body: bytes) -> Genesis:
    if len(body) < 19 or len(body) != 19 + body[18] or body[0] > 1 or body[1] > 1:
        raise Malformed("genesis entry with a wrong length or flag")
    try:
        name = body[19:].decode()
    except UnicodeDecodeError as error:
        raise Malformed("genesis entry whose room name is no UTF-8") from error
    return Genesis(Kind(body[0]), body[1], body[2:18], name)


def _parse_epoch(body: bytes) -> Epoch:
    if len(body) < 102:
        raise Malformed("epoch entry that is too short")
    prev_auth, e, commit, members_hash, k = struct.unpack_from(">32sI32s32sH", body)
    if len(body) != 102 + 32 * k:
        raise Malformed("epoch entry with a wrong length")
    removed = tuple(body[102 + 32 * i : 134 + 32 * i] for i in range(k))
    if any(a >= b for a, b in pairwise(removed)):
        raise Malformed("epoch entry whose removed members are not ascending")
    return Epoch(prev_auth, e, commit, members_hash, removed)


def room_id_of(genesis_entry: bytes) -> bytes:
    """Return the room_id: the hash of the whole genesis entry."""
    return hashlib.sha256(VERSION_TAG + b"room\0" + genesis_entry).digest()
