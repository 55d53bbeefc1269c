"""What a reader of a room is told, and how foreign text becomes safe to print.

Every type here is frozen and travels from the room to the screen. Texts and names come from other
people: printing code passes texts through `safe_text`; names were already through `safe_nick`. Pure.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from sendall.client.conversation.kinds import Delete, Edit, Reaction, Spoken, Topic

# Whoever prints what these events hold needs them beside it.
from sendall.client.names import MAX_NICK as MAX_NICK
from sendall.client.names import NO_NICK as NO_NICK
from sendall.client.names import safe_nick as safe_nick
from sendall.client.names import safe_text as safe_text
from sendall.client.names import tag_of as tag_of
from sendall.errors import Code, Refused, SecurityAlarm, SendallError

NEWER_CLIENT = "needs a newer client"
"""The text of a message whose kind this version does not know."""


class NotKnown(SendallError):
    """Whether a message arrived can no longer be known: the part of the log that would tell is pruned."""

    hint = "look for it in the room, then send or discard it"

    def __init__(self) -> None:
        super().__init__("not known whether this message arrived: the server has pruned that part of the log")


class _Event(msgspec.Struct, frozen=True):
    """Base of what a room tells."""


class Receipt(msgspec.Struct, frozen=True):
    """The message is durable and has its place in the one order."""

    seq: int
    """Its place; 0 if it was accepted by the server's word and that part of the log is pruned."""
    time: datetime
    """UTC, the server's."""


class Said(_Event, frozen=True):
    """What somebody logged in the room. Its signature held and it opened under a committed key."""

    seq: int
    time: datetime
    """UTC, the server's; never descends within a room."""
    room: str
    sender: bytes
    session: bytes
    nick: str
    """The name the sender gave, made safe; "?" if none."""
    tag: str
    """Four characters of the sender's key: two people of one name differ in it."""
    mine: bool
    """Whether this very process sent it."""


class Message(Said, frozen=True):
    """A message."""

    text: str
    """As sent: pass it through `safe_text` or `conversation.markdown` before it reaches a terminal."""
    kind: str = "m"
    """"m", or a kind that this version does not know (`text` says so)."""
    re: int | None = None
    """The seq of the message that it answers."""
    is_action: bool = False
    """`/me waves`: what the sender does, not says."""


class Change(Said, frozen=True):
    """An edit, a deletion, a reaction or a new topic.

    Whether it counts depends on the message it names: an edit or a deletion does only if that is by the
    same sender. `conversation.timeline` decides.
    """

    what: Edit | Delete | Reaction | Topic


class Came(_Event, frozen=True):
    """Somebody is present now; the server's word."""

    id: bytes
    nick: str


class Went(_Event, frozen=True):
    """Somebody's last connection ended; the server's word."""

    id: bytes
    nick: str


class Presence(_Event, frozen=True):
    """How many identities are present; the server's word."""

    count: int


class Signal(_Event, frozen=True):
    """Something not logged: typing and the like."""

    sender: bytes
    nick: str
    content: dict[str, Any]  # Any: JSON of another client's making


class Typing(_Event, frozen=True):
    """Somebody is writing, for the next six seconds; or no more."""

    id: bytes
    nick: str
    is_over: bool = False


class SeenUpTo(_Event, frozen=True):
    """Somebody has seen everything up to `seq`; their own word."""

    id: bytes
    nick: str
    seq: int


class Named(_Event, frozen=True):
    """Somebody present has another name or colour than before, or one at last."""

    id: bytes
    nick: str
    hue: int | None
    """Degrees on the colour wheel; None: no wish."""


class Lost(_Event, frozen=True):
    """The connection ended; the next attempt is in `retry_s` seconds."""

    reason: str
    retry_s: float


class Back(_Event, frozen=True):
    """Connected again, and following the room."""


class ServerLost(_Event, frozen=True):
    """The server restarted without its newest entries, `count` of which this client had seen."""

    count: int
    kept: int
    """The last seq that is as it was: what was told of later ones is void."""
    was_before: bool = False
    """It was an earlier program of this user that had seen them: nothing that this one told is void."""


class Evidence(msgspec.Struct, frozen=True):
    """What raised a fork alarm: an entry, and the chain value that this client knows where it names another."""

    room_id: bytes
    seq: int
    entry: bytes
    head_seq: int
    known_h: bytes

    def text(self) -> str:
        """Return it as JSON, for a file."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()


class Alarm(_Event, frozen=True):
    """The room is not what it was: nothing is sent any more. The evidence is kept."""

    alarm: SecurityAlarm


class Unreadable(_Event, frozen=True):
    """An entry that does not open, or is no message when opened."""

    seq: int
    reason: str


class Notice(_Event, frozen=True):
    """Something about the room changed, in a sentence."""

    seq: int
    sentence: str


class Removed(_Event, frozen=True):
    """This identity is in the room no more; `why` says whose doing it is."""

    why: Refused


class Pending(Protocol):
    """A message, or a change of one, on its way: in the outbox until its own entry comes back."""

    what: Spoken
    text: str
    """The words in it; empty for a deletion."""
    written: datetime

    @property
    def is_confirmed(self) -> bool: ...

    @property
    def receipt(self) -> Awaitable[Receipt]:
        """Wait for the receipt; cancelling the wait does not unsend.

        Raises:
            Refused: given up, by the server's word; it may still appear.
            NotKnown: whether it arrived can no longer be known.
        """
        ...


class Held(_Event, frozen=True):
    """Messages of a program that ended, or of unknown fate, that go out only when the person says so."""

    pendings: tuple[Pending, ...]


class GivenUp(_Event, frozen=True):
    """The server declined a message for good; it may still appear."""

    pending: Pending
    code: Code


class InDoubt(_Event, frozen=True):
    """It is not known whether this message arrived; it is among the held ones now."""

    pending: Pending


class SlowDown(_Event, frozen=True):
    """The server asked this client to pace itself; what is written still goes out."""

    retry_s: float


Told = Message | Change | Unreadable
"""What a page of the log is read as."""

Event = (
    Message
    | Change
    | Came
    | Went
    | Presence
    | Signal
    | Typing
    | SeenUpTo
    | Named
    | Lost
    | Back
    | ServerLost
    | Alarm
    | Unreadable
    | Notice
    | Removed
    | Held
    | GivenUp
    | InDoubt
    | SlowDown
)


def utc(time_ms: int) -> datetime:
    """Return the server's milliseconds as a time; what no calendar holds becomes its last year."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)
