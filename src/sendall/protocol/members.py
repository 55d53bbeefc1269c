"""Who is a member of a PRIVATE room: members with roles and keys, who waits, and the open invites.

The part of the one state machine that differs by the kind of room; `protocol.roles` is the same for
OPEN rooms. The admins among the members are the authority; the server has no say. Knows no chain and
no numbers. Pure; `verify` comes from the primitives. Source: docs/protocol.md, "The one state machine".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sendall.crypto.primitives import is_sane_public_key, sha256, spki_of, verify
from sendall.errors import Malformed
from sendall.protocol.bodies import (
    Admit,
    AuthorityBody,
    Body,
    Epoch,
    Genesis,
    Invite,
    Join,
    JudgedBody,
    Leave,
    Rekey,
    Revoke,
    RoleChange,
    join_context,
)
from sendall.protocol.entry import ZERO_32, Entry, Kind, Role, entry_hash
from sendall.protocol.verdict import Verdict

MAX_USES_HASHED = 65_535
"""More uses of an invite without a limit are hashed as this many."""
_ROLES_OF_MEMBERS = (Role.MEMBER, Role.ADMIN, Role.READER)
_USES = struct.Struct(">H")


class Member(NamedTuple):
    """Somebody who was let in, or who waits for it."""

    role: Role
    modulus: bytes
    """Of the RSA key that grants are sealed to; empty before the first rekey of who made the room."""
    spki_hash: bytes
    via: bytes
    """`invite_pk` of the invite they joined by; 32 zero bytes for who made the room."""


class OpenInvite(NamedTuple):
    """An invite by which somebody may still join; its expiry is looked at apart."""

    entry_hash: bytes
    door_pk: bytes
    max_uses: int
    expires_ms: int
    needs_admit: bool
    uses: int

    def is_expired(self, time_ms: int) -> bool:
        return bool(self.expires_ms) and time_ms > self.expires_ms

    @property
    def has_door(self) -> bool:
        """Whether room keys are sealed to it: not where an admin has to let newcomers in."""
        return self.door_pk != ZERO_32 and not self.needs_admit


class Membership:
    """Members and invites of one PRIVATE room."""

    def __init__(self, room_id: bytes, server_pk: bytes) -> None:
        self._room_id = room_id
        self._server_pk = server_pk
        self.default = Role.MEMBER
        """The role of members to come."""
        self.members: dict[bytes, Member] = {}
        self.pending: dict[bytes, Member] = {}
        self.invites: dict[bytes, OpenInvite] = {}
        self.used: set[bytes] = set()
        """Every `invite_pk` there ever was."""

    # -- asking -------------------------------------------------------------------------------

    def may_post(self, id_pk: bytes) -> bool:
        member = self.members.get(id_pk)
        return member is not None and member.role is not Role.READER

    def is_admin(self, id_pk: bytes) -> bool:
        member = self.members.get(id_pk)
        return member is not None and member.role is Role.ADMIN

    def is_last_admin(self, id_pk: bytes) -> bool:
        return self.is_admin(id_pk) and sum(m.role is Role.ADMIN for m in self.members.values()) == 1

    def _is_in_or_waits(self, id_pk: bytes) -> bool:
        return id_pk in self.members or id_pk in self.pending

    def members_hash(self, removed: Sequence[bytes] = ()) -> bytes:
        """Return what an epoch entry that removes these must say of who is left."""
        gone = frozenset(removed)
        members = (
            id_pk + bytes([member.role]) + member.spki_hash
            for id_pk, member in self.members.items()
            if id_pk not in gone
        )
        invites: Iterable[bytes] = ()
        if not removed:
            invites = (pk + _USES.pack(min(i.uses, MAX_USES_HASHED)) for pk, i in self.invites.items())
        return sha256(b"".join(sorted(members)) + b"".join(sorted(invites)))

    # -- judging ------------------------------------------------------------------------------

    def check_layout(self, entry: Entry, body: Body) -> None:
        match body:
            case Genesis():
                is_private = body.kind is Kind.PRIVATE and not body.name
                if not is_private or entry.sender == self._server_pk or not is_sane_public_key(entry.sender):
                    raise Malformed("a genesis entry of no PRIVATE room")
            case Join() if entry.sender == self._server_pk:
                raise Malformed("a server is a member of no PRIVATE room")
            case _:
                pass

    def judge(self, entry: Entry, body: JudgedBody, auth: bytes, time_ms: int) -> Verdict:
        match body:
            case Join():
                is_right = self._may_join(entry.sender, body, time_ms)
            case Rekey():
                is_right = entry.sender in self.members
            case Leave():
                is_right = entry.sender in self.members and not self.is_last_admin(entry.sender)
            case _:
                return self._judge_authority(entry, body, auth)
        return Verdict.OK if is_right else Verdict.DENIED

    def _may_join(self, sender: bytes, join: Join, time_ms: int) -> bool:
        invite = self.invites.get(join.invite_pk)
        return (
            invite is not None
            and not invite.is_expired(time_ms)
            and not self._is_in_or_waits(sender)
            # Grants are kept by the key they are for: an identity that is an invite's too could replace its grants.
            and sender not in self.used
            and verify(join.invite_pk, join_context(self._room_id, sender, join.modulus), join.invite_sig)
        )

    def _judge_authority(self, entry: Entry, body: AuthorityBody, auth: bytes) -> Verdict:
        if not self.is_admin(entry.sender):
            return Verdict.DENIED
        if body.prev_auth != auth:
            return Verdict.CONFLICT
        match body:
            case Epoch():
                if not all(map(self._is_in_or_waits, body.removed)):
                    return Verdict.CONFLICT
                if body.members_hash != self.members_hash(body.removed):
                    return Verdict.CONFLICT
                # Who made the key has it, and must not be out; so an admin remains, too.
                is_right = entry.sender not in body.removed
            case Invite():
                is_right = body.invite_pk not in self.used and not self._is_in_or_waits(body.invite_pk)
            case Revoke():
                is_right = body.invite_pk in self.invites
            case Admit():
                is_right = body.id_pk in self.pending
            case _:
                is_right = self._may_have(body.id_pk, body.role)
        return Verdict.OK if is_right else Verdict.DENIED

    def _may_have(self, id_pk: bytes, role: Role) -> bool:
        if id_pk == ZERO_32:
            return role in (Role.MEMBER, Role.READER)
        if id_pk not in self.members or role not in _ROLES_OF_MEMBERS:
            return False
        return role is Role.ADMIN or not self.is_last_admin(id_pk)

    # -- taking -------------------------------------------------------------------------------

    def take(self, entry: Entry, body: Body) -> None:
        match body:
            case Genesis():
                self.members[entry.sender] = Member(Role.ADMIN, b"", ZERO_32, ZERO_32)
            case Join():
                self._join(entry.sender, body)
            case Rekey():
                member = self.members[entry.sender]
                self.members[entry.sender] = member._replace(
                    modulus=body.modulus, spki_hash=sha256(spki_of(body.modulus))
                )
            case Leave():
                del self.members[entry.sender]
            case Epoch():
                self._remove(body.removed)
            case Invite():
                self.used.add(body.invite_pk)
                self.invites[body.invite_pk] = OpenInvite(
                    entry_hash(entry.raw), body.door_pk, body.max_uses, body.expires_ms, body.needs_admit, 0
                )
            case Revoke():
                del self.invites[body.invite_pk]
            case Admit():
                self.members[body.id_pk] = self.pending.pop(body.id_pk)
            case RoleChange() if body.id_pk == ZERO_32:
                self.default = body.role
            case RoleChange():
                self.members[body.id_pk] = self.members[body.id_pk]._replace(role=body.role)
            case _:
                pass

    def _join(self, sender: bytes, join: Join) -> None:
        invite = self.invites[join.invite_pk]
        joined = Member(self.default, join.modulus, sha256(spki_of(join.modulus)), join.invite_pk)
        (self.pending if invite.needs_admit else self.members)[sender] = joined
        if invite.uses + 1 == invite.max_uses:
            del self.invites[join.invite_pk]
        else:
            self.invites[join.invite_pk] = invite._replace(uses=invite.uses + 1)

    def _remove(self, removed: Sequence[bytes]) -> None:
        for id_pk in removed:
            self.members.pop(id_pk, None)
            self.pending.pop(id_pk, None)
        if removed:
            self.invites.clear()
