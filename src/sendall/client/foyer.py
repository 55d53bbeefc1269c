"""The door of a PRIVATE room: whether a link leads in, and if not, why.

A link pins the hash of one invite entry, so it pins the server, the room, and a point of its history.
What the server shows of the room must contain that entry. Pure. Source: docs/protocol.md, "Links".
"""

from __future__ import annotations

from typing import NamedTuple

from sendall.client.chronicle import Chronicle
from sendall.crypto.invites import InviteKeys
from sendall.errors import Code, Refused, SecurityAlarm
from sendall.protocol.room import RoomState

_ASK = "ask a member for a new link"
_ENDED = {
    "used up": "this link was used as often as it may be",
    "revoked": "this link was revoked by an admin of the room",
    "ended": "this link ended when somebody was removed from the room, as all links do then",
}


class Door(NamedTuple):
    """What a link says of the way in."""

    invite_hash: bytes
    keys: InviteKeys

    def check(self, state: RoomState, chronicle: Chronicle, now_ms: int) -> None:
        """Check that the link is one of this room, and that one may still join by it.

        Raises:
            SecurityAlarm: the room that the server shows is not the one the link was made for.
            Refused: the link leads nowhere any more.
        """
        invite_pk = chronicle.invites.get(self.invite_hash)
        if invite_pk is None:
            raise SecurityAlarm(
                "room",
                "the server shows a room in which this link was never made",
                hint="do not trust this server; ask whoever gave you the link, by another way",
            )
        if invite_pk != self.keys.invite_pk:
            raise Refused(
                Code.UNKNOWN_INVITE,
                "this link is damaged: its last part does not belong to its first",
                hint="ask for the link again, and copy all of it",
            )
        invite = state.membership.invites.get(invite_pk)
        if invite is None:
            raise Refused(Code.UNKNOWN_INVITE, _ENDED[chronicle.ends[invite_pk]], hint=_ASK)
        if invite.is_expired(now_ms):
            raise Refused(Code.UNKNOWN_INVITE, "this link has expired", hint=_ASK)
