"""Whom a command means: people by name, tag, or both."""

from __future__ import annotations

from typing import NamedTuple

from sendall.client.names import NO_NICK
from sendall.errors import UsageError
from sendall.tui.commands.desk import Desk
from sendall.tui.open_room import OpenRoom


class Known(NamedTuple):
    """Somebody who is here or said something."""

    id: bytes
    nick: str
    tag: str
    is_here: bool

    @property
    def label(self) -> str:
        return f"{self.nick}·{self.tag}"


def known_in(room: OpenRoom) -> list[Known]:
    """Return everybody of whom this device knows: those present first, this person among them."""
    here = {person.id: person.nick for person in room.room.members}
    here.setdefault(room.me, room.nick)
    people = [Known(each, nick, room.timeline.tag(each), is_here=True) for each, nick in here.items()]
    for sender in room.timeline.senders:
        if sender not in here:
            people.append(Known(sender, room.timeline.nick(sender), room.timeline.tag(sender), is_here=False))
    return people


def find(room: OpenRoom, words: str) -> Known:
    """Return whom `words` means: a name, a tag, or `name·tag`.

    Raises:
        UsageError: nobody, or several.
    """
    wanted = words.strip().removeprefix("@").rstrip(":").casefold()
    people = known_in(room)
    found = [each for each in people if wanted in (each.nick.casefold(), each.tag, each.label.casefold())]
    if len(found) == 1:
        return found[0]
    if found:
        labels = ", ".join(each.label for each in found)
        raise UsageError(f"{words} can be {labels}", hint="give the tag as well")
    raise UsageError(f"nobody here is called {words!r}", hint="/members lists them")


def labels(desk: Desk) -> list[str]:
    """Return how each person can be named in a command, without ambiguity."""
    people = [each for each in known_in(desk.room) if each.id != desk.room.me and each.nick != NO_NICK]
    names = [each.nick.casefold() for each in people]
    return [
        each.nick if names.count(each.nick.casefold()) == 1 and " " not in each.nick else each.label for each in people
    ]
