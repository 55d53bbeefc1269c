"""What could stand where the cursor is: commands and their arguments, names, emoji. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from sendall.tui import emoji

if TYPE_CHECKING:
    from sendall.tui.commands.desk import Desk
    from sendall.tui.commands.registry import Registry

LIMIT = 8
"""Choices that are offered at once."""
_EMOJI = re.compile(r"(?:^|(?<=\s)):([a-z0-9_+\-]{2,})$")
_NAME = re.compile(r"(?:^|(?<=\s))@?(\S*)$")


class Choice(NamedTuple):
    """One thing to choose."""

    text: str
    """What takes the place of what was begun."""
    label: str
    note: str = ""
    """What it is, in a few words."""


class Choices(NamedTuple):
    """What was begun at `start`, and what it can become."""

    start: int
    choices: list[Choice]


NONE = Choices(0, [])


def choices_at(before: str, registry: Registry, desk: Desk, *, is_asked: bool) -> Choices:
    """Return what can follow `before`, the text up to the cursor.

    Without being asked (Tab) only what is clearly meant is offered: after a slash, a colon with two
    letters, or an @.
    """
    if before.startswith("/") and not before.startswith("//") and "\n" not in before:
        return _of_command(before, registry, desk)
    if found := _EMOJI.search(before):
        named = emoji.matching(found[1], LIMIT)
        return Choices(found.start(), [Choice(sign, sign, f":{name}:") for name, sign in named])
    found = _NAME.search(before)
    if found is None or not (is_asked or (found[0].startswith("@") and found[1])):
        return NONE
    is_first = found.start() == 0 and not found[0].startswith("@")
    names = _beginning(desk.room.names(), found[1])
    at = "@" * found[0].startswith("@")
    return Choices(found.start(), [Choice(f"{at}{name}{':' * is_first} ", f"{at}{name}") for name in names])


def _of_command(before: str, registry: Registry, desk: Desk) -> Choices:
    name, space, rest = before[1:].partition(" ")
    if not space:
        begun = [command for command in registry if command.name.startswith(name.lower())]
        if [command.name for command in begun] == [name]:
            return NONE
        ordered = sorted(begun, key=lambda command: command.name)
        return Choices(0, [Choice(f"/{each.name} ", each.line, each.summary) for each in ordered])
    command = next((each for each in registry if each.name == name.lower()), None)
    if command is None or command.offers is None or " " in rest:
        return NONE
    found = _beginning(command.offers(desk), rest.removeprefix("@"))
    if found == [rest]:
        return NONE
    return Choices(len(before) - len(rest), [Choice(f"{each} ", each) for each in found])


def _beginning(words: Iterable[str], start: str) -> list[str]:
    start = start.casefold()
    return [word for word in dict.fromkeys(words) if word.casefold().startswith(start)][:LIMIT]
