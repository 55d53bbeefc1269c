"""Tidings: what a control entry of a PRIVATE room means, as a sentence for people. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sendall.client.names import tag_of
from sendall.protocol import bodies as b
from sendall.protocol.entry import ZERO_32, Entry, Role
from sendall.protocol.members import Membership

_ROLES = {Role.ADMIN: "an admin", Role.READER: "a reader", Role.MEMBER: "a member"}


def tiding(entry: Entry, body: b.Body, membership: Membership, called: Callable[[bytes], str], me: bytes) -> str | None:
    """Return the sentence for an entry that was just applied; None if people need not be told."""

    def name(id_pk: bytes) -> str:
        return "you" if id_pk == me else called(id_pk)

    who = name(entry.sender)
    match body:
        case b.Join() if entry.sender in membership.pending:
            return f"{who} asked to join and waits: /admit {tag_of(entry.sender)}"
        case b.Join():
            return f"{who} joined by a link"
        case b.Admit():
            return f"{who} let {name(body.id_pk)} in"
        case b.Leave():
            return f"{who} left the room for good"
        case b.Epoch() if body.removed:
            gone = ", ".join(name(id_pk) for id_pk in body.removed)
            return f"{who} removed {gone}; the room has a new key, and all its links have ended"
        case b.RoleChange() if body.id_pk == ZERO_32:
            return f"{who} decided: whoever joins from now on is {_ROLES[body.role]}"
        case b.RoleChange():
            is_or_are = "are" if body.id_pk == me else "is"
            return f"{who} decided: {name(body.id_pk)} {is_or_are} {_ROLES[body.role]} now"
        case b.Invite():
            return f"{who} made a link into the room"
        case b.Revoke():
            return f"{who} revoked a link into the room"
        case _:
            return None
