"""The bodies of control entries: what makes a room's state, as bytes and as fields.

Parses and builds the fixed layouts, and refuses wrong lengths, flags, orders and keys that libraries
judge differently. Knows no state: whether an entry may stand where it stands is `protocol.room`'s.
Source: docs/protocol.md, "Entry".
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from sendall.crypto.primitives import RSA_BYTES, is_sane_modulus, is_sane_public_key, sha256, spki_of
from sendall.errors import Malformed
from sendall.protocol.entry import MAX_SEQ, SIGNATURE_SIZE, VERSION_TAG, Entry, EntryType, Kind, Role

NEEDS_ADMIT = 1
"""Flag of an invite: who joins by it waits for an admin."""

_INVITE = struct.Struct(">32s32s32sHQB")


class Genesis(NamedTuple):
    """The first entry of a room; its hash names the room."""

    kind: Kind
    history: int
    """1: newcomers get all retained epochs; 0: from their own epoch on."""
    salt: bytes
    name: str
    """Empty in a PRIVATE room: the server is not told."""

    def pack(self) -> bytes:
        name = self.name.encode()
        return struct.pack(">BB16sB", self.kind, self.history, self.salt, len(name)) + name


class Epoch(NamedTuple):
    """A new epoch key, named by its commitment; and who is a member no longer."""

    prev_auth: bytes
    e: int
    commit: bytes
    members_hash: bytes
    removed: tuple[bytes, ...]

    def pack(self) -> bytes:
        head = struct.pack(">32sI32s32sH", self.prev_auth, self.e, self.commit, self.members_hash, len(self.removed))
        return head + b"".join(self.removed)


class RoleChange(NamedTuple):
    """A role for one identity, or (id_pk of 32 zero bytes) the default."""

    prev_auth: bytes
    id_pk: bytes
    role: Role

    def pack(self) -> bytes:
        return self.prev_auth + self.id_pk + bytes([self.role])


class Invite(NamedTuple):
    """Lets whoever holds the secret of `invite_pk` join."""

    prev_auth: bytes
    invite_pk: bytes
    door_pk: bytes
    """X25519 key that room keys may be sealed to; 32 zero bytes: none."""
    max_uses: int
    """0: no limit."""
    expires_ms: int
    """0: never. Compared with the time of a join entry."""
    flags: int = 0

    @property
    def needs_admit(self) -> bool:
        return bool(self.flags & NEEDS_ADMIT)

    def pack(self) -> bytes:
        return _INVITE.pack(*self)


class Revoke(NamedTuple):
    """Ends an invite."""

    prev_auth: bytes
    invite_pk: bytes

    def pack(self) -> bytes:
        return self.prev_auth + self.invite_pk


class Admit(NamedTuple):
    """Makes a member of who is pending."""

    prev_auth: bytes
    id_pk: bytes

    def pack(self) -> bytes:
        return self.prev_auth + self.id_pk


class Join(NamedTuple):
    """The sender joins with this RSA modulus; signed by the invite's key."""

    modulus: bytes
    invite_pk: bytes
    invite_sig: bytes

    def pack(self) -> bytes:
        return self.modulus + self.invite_pk + self.invite_sig


class Rekey(NamedTuple):
    """The sender's new RSA modulus."""

    modulus: bytes

    def pack(self) -> bytes:
        return self.modulus


@dataclass(frozen=True, slots=True)
class Leave:
    """The sender is a member no longer."""

    def pack(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Restart:
    """The server lost what came after the head that this entry names."""

    def pack(self) -> bytes:
        return b""


AuthorityBody = Epoch | RoleChange | Invite | Revoke | Admit
"""What only the authority may say; each bears `prev_auth`."""
JudgedBody = AuthorityBody | Join | Rekey | Leave
"""What the kind of a room decides about; genesis and restart entries are alike in both."""
Body = Genesis | JudgedBody | Restart


def parse_body(entry: Entry) -> Body:
    """Return the body of a control entry.

    Raises:
        Malformed: a length, a flag, an order or a key is wrong, or the type is no control entry's.
    """
    body = entry.body
    match entry.type:
        case EntryType.GENESIS:
            return _parse_genesis(body)
        case EntryType.EPOCH:
            return _parse_epoch(entry.epoch, body)
        case EntryType.ROLE:
            if len(body) != 65 or body[64] > max(Role):
                raise Malformed("role entry with a wrong length or an unknown role")
            return RoleChange(body[:32], body[32:64], Role(body[64]))
        case EntryType.INVITE:
            return _parse_invite(body)
        case EntryType.REVOKE | EntryType.ADMIT:
            if len(body) != 64:
                raise Malformed("revoke or admit entry with a wrong length")
            return (Revoke if entry.type == EntryType.REVOKE else Admit)(body[:32], body[32:])
        case EntryType.JOIN:
            return _parse_join(entry.sender, body)
        case EntryType.REKEY:
            return Rekey(_sane_modulus(body))
        case EntryType.LEAVE | EntryType.RESTART:
            if body:
                raise Malformed("leave or restart entry with a body")
            return Leave() if entry.type == EntryType.LEAVE else Restart()
        case _:
            raise Malformed(f"type {entry.type:#04x} is no control entry of this version")


def _parse_genesis(body: bytes) -> Genesis:
    if len(body) < 19 or len(body) != 19 + body[18] or body[0] > 1 or body[1] > 1:
        raise Malformed("genesis entry with a wrong length or flag")
    try:
        name = body[19:].decode()
    except UnicodeDecodeError as error:
        raise Malformed("genesis entry whose room name is no UTF-8") from error
    return Genesis(Kind(body[0]), body[1], body[2:18], name)


def _parse_epoch(current: int, body: bytes) -> Epoch:
    if len(body) < 102:
        raise Malformed("epoch entry that is too short")
    prev_auth, e, commit, members_hash, k = struct.unpack_from(">32sI32s32sH", body)
    if len(body) != 102 + 32 * k:
        raise Malformed("epoch entry with a wrong length")
    if e != current + 1:
        raise Malformed(f"epoch entry that makes epoch {e} in epoch {current}")
    removed = tuple(body[102 + 32 * i : 134 + 32 * i] for i in range(k))
    if any(a >= b for a, b in pairwise(removed)):
        raise Malformed("epoch entry whose removed members are not ascending")
    return Epoch(prev_auth, e, commit, members_hash, removed)


def _parse_invite(body: bytes) -> Invite:
    if len(body) != _INVITE.size or body[-1] & ~NEEDS_ADMIT:
        raise Malformed("invite entry with a wrong length or flag")
    invite = Invite(*_INVITE.unpack(body))
    if invite.expires_ms >= MAX_SEQ:
        raise Malformed(f"invite entry that expires at {invite.expires_ms}: times are below 2^53")
    if not is_sane_public_key(invite.invite_pk):
        raise Malformed("invite entry whose key is none")
    return invite


def _parse_join(sender: bytes, body: bytes) -> Join:
    if len(body) != RSA_BYTES + 32 + SIGNATURE_SIZE or not is_sane_public_key(sender):
        raise Malformed("join entry with a wrong length, or of an identity that is none")
    modulus = _sane_modulus(body[:RSA_BYTES])
    return Join(modulus, body[RSA_BYTES : RSA_BYTES + 32], body[RSA_BYTES + 32 :])


def _sane_modulus(modulus: bytes) -> bytes:
    if not is_sane_modulus(modulus):
        raise Malformed("an RSA modulus that is none")
    return modulus


def room_id_of(genesis_entry: bytes) -> bytes:
    """Return the room_id: the hash of the whole genesis entry."""
    return hashlib.sha256(VERSION_TAG + b"room\0" + genesis_entry).digest()


def join_context(room_id: bytes, sender: bytes, modulus: bytes) -> bytes:
    """Return what the invite key signs in a join: both public keys of the joiner."""
    return VERSION_TAG + b"join\0" + room_id + sender + sha256(spki_of(modulus))
