"""What a reader of a room is told, and how foreign text becomes safe to print.

Every type here is frozen and travels from the room to the screen. Texts and names come from other
people: printing code passes texts through `safe_text`; names were already through `safe_nick`. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b32encode
from collections.abc import Awaitable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from sendall.crypto.identity import person_fingerprint
from sendall.errors import Code, Refused, SecurityAlarm, SendallError

NO_NICK = "?"
MAX_NICK = 32
"""Characters of a name that are shown, marks on them not counted."""
NEWER_CLIENT = "needs a newer client"
"""The text of a message whose kind this version does not know."""

_MARKS_PER_CHARACTER = 2
_JOINERS = "\u200c\u200d"  # needed by several scripts and by emoji; they move nothing on a terminal
_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # control sequences
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # strings with an end
    r"|\x1b[ -/]*[0-~]?"
)
_SPACES = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")


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


class Message(_Event, frozen=True):
    """What somebody said. Its signature held and it opened under a committed key."""

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
    text: str
    """As sent: pass it through `safe_text` before it reaches a terminal."""
    mine: bool
    """Whether this very process sent it."""
    kind: str = "m"
    """"m", or a kind that this version does not know (`text` says so)."""


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


class Lost(_Event, frozen=True):
    """The connection ended; the next attempt is in `retry_s` seconds."""

    reason: str
    retry_s: float


class Back(_Event, frozen=True):
    """Connected again, and following the room."""


class ServerLost(_Event, frozen=True):
    """The server restarted without its newest entries, `count` of which this client had seen."""

    count: int


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


class Topic(_Event, frozen=True):
    """Somebody said what the room is called; an admin's word counts."""

    seq: int
    sender: bytes
    topic: str
    knock: bool = False
    """Whether the room's links open nothing while no member is online."""


class Removed(_Event, frozen=True):
    """This identity is in the room no more; `why` says whose doing it is."""

    why: Refused


class Pending(Protocol):
    """A message on its way: in the outbox until its own entry comes back."""

    text: str
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


Event = (
    Message
    | Came
    | Went
    | Presence
    | Signal
    | Lost
    | Back
    | ServerLost
    | Alarm
    | Unreadable
    | Notice
    | Topic
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


@lru_cache(4096)
def tag_of(id_pk: bytes) -> str:
    """Return four characters of a person's key fingerprint, to tell equal names apart."""
    return b32encode(person_fingerprint(id_pk)[:5]).decode().lower()[:4]


def safe_text(text: str) -> str:
    """Return `text` in one line, without anything that commands a terminal or reorders a line.

    Line ends and tabs become spaces; control, escape, format and bidi characters go; a lone surrogate
    becomes U+FFFD.
    """
    if text.isprintable():  # no control, format, surrogate or separator character in it
        return text
    kept = []
    for c in _ESCAPE_SEQUENCES.sub("", text.replace("\r\n", "\n")):
        category = unicodedata.category(c)
        if c in _SPACES:
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")
        elif category not in ("Cc", "Cf") or c in _JOINERS:
            kept.append(c)
    return "".join(kept)


@lru_cache(4096)
def safe_nick(nick: str) -> str:
    """Return a name that can stand in one line: NFKC, at most 32 characters, "?" if nothing is left."""
    flat = " ".join(safe_text(unicodedata.normalize("NFKC", nick[:1024])).split())
    kept: list[str] = []
    characters = marks = 0
    for c in flat:
        is_mark = unicodedata.category(c) in ("Mn", "Me") or c in _JOINERS
        marks = marks + 1 if is_mark else 0
        characters += not is_mark
        if characters > MAX_NICK:
            break
        if marks <= _MARKS_PER_CHARACTER and (kept or not is_mark):
            kept.append(c)
    return "".join(kept).strip() or NO_NICK
