"""The rows of a timeline: what stands under one another on a screen.

A row's `key` gives its place and never changes. `version` grows with every change of what it shows,
so that a screen may keep what it drew of (key, version). Only the timeline writes to them. Pure.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import NamedTuple

_ASIDES = 2**20
"""Rows that may stand behind one entry of the log and before the next."""


def key_at(seq: int, number: int = 0) -> int:
    """Return the key of the entry at `seq`, or of the `number`th row that stands behind it."""
    return seq * _ASIDES + number


class Reactions(NamedTuple):
    """One emoji on a message and who put it there, in the order they did."""

    emoji: str
    senders: tuple[bytes, ...]


class Post:
    """A message, as edits and deletions by its own sender left it."""

    __slots__ = (
        *("edit_seq", "is_action", "is_deleted", "key", "mine", "nick", "original", "re", "sender", "seq", "tag"),
        *("text", "time", "version"),
    )

    def __init__(
        self,
        seq: int,
        time: datetime,
        sender: bytes,
        nick: str,
        tag: str,
        text: str,
        *,
        mine: bool,
        re: int | None,
        is_action: bool,
    ) -> None:
        self.key = key_at(seq)
        self.seq = seq
        self.time = time
        """UTC, the server's."""
        self.sender = sender
        self.nick = nick
        """Safe to print; always shown with the tag of `Timeline.tag`."""
        self.tag = tag
        self.text = text
        """What it says now, not safe to print; empty if it was deleted."""
        self.original = text
        """What it said first."""
        self.mine = mine
        """Whether this very process sent it."""
        self.re = re
        """The seq of the message that it answers: `Timeline.post(re)` if that is loaded."""
        self.is_action = is_action
        self.edit_seq = 0
        """The seq of the edit that gave it its text; 0: none."""
        self.is_deleted = False
        self.version = 0

    @property
    def is_edited(self) -> bool:
        return self.edit_seq > 0


class About(enum.Enum):
    """What a note tells."""

    UNREADABLE = "unreadable"
    """Something stands there that does not open, or is not what the protocol has; `text` says why."""
    NEWER = "newer"
    """Somebody used a kind that this version does not know; `text` is that kind."""
    TOPIC = "topic"
    """Somebody changed the topic to `text`; empty: took it away."""
    NOTICE = "notice"
    """The room changed, in a sentence; or the messages from here to there are gone."""
    ASIDE = "aside"
    """A line of this device alone."""


class Note:
    """Something that is no message but has its place among them."""

    __slots__ = ("about", "key", "nick", "sender", "seq", "style", "tag", "text", "time", "version")

    def __init__(
        self,
        key: int,
        seq: int,
        about: About,
        text: str,
        *,
        time: datetime | None = None,
        sender: bytes = b"",
        nick: str = "",
        tag: str = "",
        style: str = "",
    ) -> None:
        self.key = key
        self.seq = seq
        """For an aside: the seq that it stands behind."""
        self.about = about
        self.text = text
        """Not safe to print."""
        self.time = time
        """None where the log gives none."""
        self.sender = sender
        """Whose doing; empty: nobody's."""
        self.nick = nick
        self.tag = tag
        self.style = style
        """The word that the program gave an aside with it."""
        self.version = 0


class State(enum.Enum):
    """What became of a message of one's own that did not come back yet."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    """It has its place, and will stand there as soon as the log was read that far."""
    FAILED = "failed"


class Draft:
    """A message of this program that did not come back yet: stands at the end, in the order of writing."""

    __slots__ = ("is_action", "key", "number", "re", "reason", "state", "text", "version", "written")

    def __init__(self, number: int, written: datetime, text: str, re: int | None, *, is_action: bool) -> None:
        self.key = -number
        self.number = number
        """What the program calls it; positive, ascending as written."""
        self.written = written
        self.text = text
        self.re = re
        self.is_action = is_action
        self.state = State.WAITING
        self.reason = ""
        """Why it failed, in a sentence."""
        self.version = 0


Row = Post | Note | Draft
