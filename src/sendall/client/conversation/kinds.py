"""The kinds of plaintext: what can be said in a room, and its strict reading.

A kind is the JSON object of docs/protocol.md, "Entry": member `t` names it, unknown members are
ignored, `null` is the same as absent. What is logged is `Spoken`, what is not is `Hint`. Other
messages are named by their seq; whether a reference counts decides the timeline. Names of senders
(`nick`) stand beside the kind, not in it. Pure.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, assert_never

import msgspec

from sendall.client.names import NO_NICK, safe_nick, safe_text
from sendall.errors import SendallError

Seq = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
"""The place of a message in the log."""
Hue = Annotated[int, msgspec.Meta(ge=0, lt=360)]
"""A colour as degrees on the colour wheel: each screen picks the lightness that its theme can show."""

MAX_EMOJI = 16
"""Code points of a reaction: the longest emoji of today has ten."""
MAX_TOPIC = 200
"""Code points of a topic."""


class NotOfItsKind(SendallError):
    """A known kind with members that it does not have: unreadable, for every client alike."""

    def __init__(self) -> None:
        super().__init__("its content is not what a message of its kind has")


class _Kind(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """Base of all kinds: declared as they travel."""


class Text(_Kind, frozen=True, tag="m", rename={"text": "x", "is_action": "me"}):
    """A message."""

    text: str
    """As sent, possibly with markdown: never printed without `conversation.markdown` or `safe_text`."""
    re: Seq | None = None
    """The seq of the message that it answers."""
    is_action: bool = False
    """`/me waves`: what the sender does, not says."""


class Edit(_Kind, frozen=True, tag="edit", rename={"text": "x"}):
    """Another text for a message of one's own."""

    re: Seq
    text: str


class Delete(_Kind, frozen=True, tag="del"):
    """A message of one's own shall not be shown any more. The log keeps it."""

    re: Seq


class Reaction(_Kind, frozen=True, tag="react", rename={"emoji": "x", "is_off": "off"}):
    """An emoji on a message; each person has each emoji once."""

    re: Seq
    emoji: str
    is_off: bool = False
    """Taken back."""


class Topic(_Kind, frozen=True, tag="topic", rename={"text": "x", "is_knock": "knock"}):
    """What the room is about, from now on; empty: nothing any more."""

    text: str
    is_knock: bool = False
    """PRIVATE rooms: its links open nothing while no member is online."""


class Newer(msgspec.Struct, frozen=True):
    """A kind that this version does not know; `file` is one that is reserved."""

    kind: str


Spoken = Text | Edit | Delete | Reaction | Topic | Newer
"""What a logged message can be."""


class Typing(_Kind, frozen=True, tag="typing", rename={"is_over": "off"}):
    """The sender is writing; holds for six seconds, or until something of theirs comes."""

    is_over: bool = False


class Seen(_Kind, frozen=True, tag="seen"):
    """The sender has seen everything up to `seq`."""

    seq: Seq


class Card(_Kind, frozen=True, tag="card"):
    """Who the sender is: a name, and the colour they like."""

    name: str
    hue: Hue | None = None


Hint = Typing | Seen | Card
"""What a signal or card can be."""

_SPOKEN = {"m": Text, "edit": Edit, "del": Delete, "react": Reaction, "topic": Topic}
_HINTS = {"typing": Typing, "seen": Seen}


def read_spoken(content: dict[str, Any]) -> Spoken:
    """Return what the plaintext of a message says.

    Emoji and topics are made safe to print; texts are as they were sent.

    Raises:
        NotOfItsKind: `t` is no text, or the members are not those of the kind.
    """
    tag = content.get("t")
    if type(tag) is not str:
        raise NotOfItsKind
    kind = _SPOKEN.get(tag)
    if kind is None:
        return Newer(tag)
    spoken: Spoken = _convert(content, kind)
    match spoken:
        case Reaction(re, emoji, is_off):
            if not (safe := safe_emoji(emoji)):
                raise NotOfItsKind
            return Reaction(re, safe, is_off)
        case Topic(text, is_knock):
            return Topic(safe_topic(text), is_knock)
        case _:
            return spoken


def read_hint(content: dict[str, Any]) -> Hint | None:
    """Return what a signal says; None for kinds that this version does not know, and for what is broken."""
    tag = content.get("t")
    if tag == "card":
        name, hue = content.get("name"), content.get("hue")
        is_hue = type(hue) is int and 0 <= hue < 360
        return Card(safe_nick(name) if type(name) is str else NO_NICK, hue if is_hue else None)
    kind = _HINTS.get(tag) if type(tag) is str else None
    if kind is None:
        return None
    try:
        hint: Hint = _convert(content, kind)
    except NotOfItsKind:
        return None
    return hint


def content_of(kind: Spoken | Hint, nick: str | None = None) -> dict[str, Any]:
    """Return the JSON object of a kind, with the sender's name beside it.

    Raises:
        ValueError: no emoji, too long a topic, a seq that is none, or a kind of newer clients.
    """
    match kind:
        case Newer():
            raise ValueError("what needs a newer client cannot be written by this one")
        case Reaction(re, emoji, is_off):
            if not (safe := safe_emoji(emoji)):
                raise ValueError(f"{emoji!r} is no emoji")
            kind = Reaction(re, safe, is_off)
        case Topic(text, is_knock):
            if len(text) > MAX_TOPIC:
                raise ValueError(f"a topic has at most {MAX_TOPIC} characters, this one {len(text)}")
            kind = Topic(safe_topic(text), is_knock)
        case _:
            pass
    for number in (getattr(kind, "re", None), getattr(kind, "seq", None)):
        if number is not None and not 0 < number < 2**53:
            raise ValueError(f"{number} is not the number of a message")
    content: dict[str, Any] = msgspec.to_builtins(kind)
    if nick is not None:
        content["nick"] = nick
    return content


def words_of(spoken: Spoken) -> str:
    """Return the words in it, not safe to print; empty where there are none."""
    match spoken:
        case Text(text) | Edit(_, text) | Reaction(_, text) | Topic(text):
            return text
        case Delete() | Newer():
            return ""
        case never:
            assert_never(never)


def safe_emoji(emoji: str) -> str:
    """Return a reaction in NFC, without what commands a terminal; empty if it is none: nothing, or too long."""
    safe = safe_text(unicodedata.normalize("NFC", emoji)).strip()
    return safe if len(safe) <= MAX_EMOJI else ""


def safe_topic(text: str) -> str:
    """Return a topic in one line, without what commands a terminal, cut at 200 code points."""
    return safe_text(text).strip()[:MAX_TOPIC].rstrip()


def _convert(content: dict[str, Any], kind: type[Any]) -> Any:  # Any: the struct named by `kind`
    # A number without a fraction is an integer however it was written: browsers cannot tell.
    members = {
        name: int(value) if type(value) is float and value.is_integer() else value
        for name, value in content.items()
        if value is not None
    }
    try:
        return msgspec.convert(members, kind)
    except msgspec.ValidationError:
        raise NotOfItsKind from None
