"""Who may do what in an OPEN room: roles by identity, given by the server, and a default for all others.

The part of the one state machine that differs by the kind of room; `protocol.members` is the same for
PRIVATE rooms. Knows no chain and no numbers. Pure. Source: docs/protocol.md, "The one state machine".
"""

from __future__ import annotations

import unicodedata
from typing import Protocol

from sendall.errors import Malformed
from sendall.protocol.bodies import Body, Epoch, Genesis, JudgedBody, Restart, RoleChange
from sendall.protocol.entry import ZERO_32, Entry, Kind, Role, entry_hash
from sendall.protocol.verdict import Verdict

MAX_ROOM_NAME = 64
"""Bytes of UTF-8."""
NO_MEMBERS_HASH = entry_hash(b"")
"""`members_hash` of an OPEN room's epoch entries."""
_SILENT = (Role.READER, Role.BANNED)


class Rights(Protocol):
    """What a kind of room adds to the one state machine."""

    def check_layout(self, entry: Entry, body: Body) -> None:
        """Raises Malformed: this entry has no place in a room of this kind."""
        ...

    def may_post(self, id_pk: bytes) -> bool: ...

    def judge(self, entry: Entry, body: JudgedBody, auth: bytes, time_ms: int) -> Verdict:
        """Return the verdict on a control entry whose signature and number are right.

        `auth`: hash of the last valid authority entry; `time_ms`: the time of this one in the log.
        """
        ...

    def take(self, entry: Entry, body: Body) -> None:
        """Take what `judge` found OK, also a genesis entry."""
        ...


def is_room_name(name: str) -> bool:
    """Return whether `name` is 1 to 64 bytes of NFC UTF-8 without control or format characters."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return (
        1 <= size <= MAX_ROOM_NAME
        and unicodedata.is_normalized("NFC", name)
        and not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in name)
    )


class Roles:
    """The roles of an OPEN room. The server's identity is the authority, and may always post."""

    def __init__(self, server_pk: bytes) -> None:
        self._server_pk = server_pk
        self.default = Role.MEMBER
        self.given: dict[bytes, Role] = {}

    def check_layout(self, entry: Entry, body: Body) -> None:
        match body:
            case Genesis():
                if body.kind is not Kind.OPEN or entry.sender != self._server_pk or not is_room_name(body.name):
                    raise Malformed("a genesis entry of no OPEN room of this server")
            case Epoch():
                if body.removed:
                    raise Malformed("an OPEN room removes nobody: a ban is a role")
            case RoleChange() | Restart():
                pass
            case _:
                raise Malformed(f"entries of type {entry.type:#04x} have no place in an OPEN room")

    def may_post(self, id_pk: bytes) -> bool:
        return id_pk == self._server_pk or self.role_of(id_pk) not in _SILENT

    def role_of(self, id_pk: bytes) -> Role:
        return self.given.get(id_pk, self.default)

    def judge(self, entry: Entry, body: JudgedBody, auth: bytes, time_ms: int) -> Verdict:
        if entry.sender != self._server_pk:
            return Verdict.DENIED
        match body:  # `check_layout` lets nothing else pass
            case Epoch() if body.prev_auth != auth or body.members_hash != NO_MEMBERS_HASH:
                return Verdict.CONFLICT
            case RoleChange() if body.prev_auth != auth:
                return Verdict.CONFLICT
            case RoleChange() if body.id_pk == ZERO_32 and body.role is Role.ADMIN:
                return Verdict.DENIED
            case _:
                return Verdict.OK

    def take(self, entry: Entry, body: Body) -> None:
        if isinstance(body, RoleChange):
            if body.id_pk == ZERO_32:
                self.default = body.role
            else:
                self.given[body.id_pk] = body.role
