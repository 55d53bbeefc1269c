"""The table of commands."""

from __future__ import annotations

import asyncio

import pytest

from sendall.errors import UsageError
from sendall.tui.commands.registry import Command, Registry
from sendall.tui.commands.table import all_commands


async def _nothing(_desk: object, _rest: str) -> None: ...


@pytest.mark.parametrize(
    ("typed", "name"),
    [("nick", "nick"), ("NICK", "nick"), ("ni", "nick"), ("j", "join"), ("exit", "quit"), ("q", "quit")],
)
def test_a_command_is_found_by_name_alias_or_beginning(typed: str, name: str) -> None:
    """Upper case too."""
    assert all_commands().find(typed).name == name


@pytest.mark.parametrize(
    ("typed", "sentence", "hint"),
    [
        ("t", "/t can be /theme or /topic", "one letter more"),
        ("nikc", "/nikc is no command", "did you mean /nick?"),
        ("xyzzy", "/xyzzy is no command", "/help lists them; //xyzzy sends it as text"),
        ("", "/ is no command", "/help lists them"),
    ],
)
def test_what_is_no_command_says_what_to_do(typed: str, sentence: str, hint: str) -> None:
    """Several, near ones, none."""
    with pytest.raises(UsageError, match=sentence) as told:
        all_commands().find(typed)
    assert hint in told.value.hint


def test_arguments_are_demanded_and_refused() -> None:
    """A command that needs one says which; one that takes none says so. Neither runs."""
    registry = Registry()
    registry.add(Command("nick", "NAME", "go by another name", _nothing))
    registry.add(Command("rooms", "", "list them", _nothing))
    desk = type("NoDesk", (), {})()
    for line, sentence in (("/nick", "/nick needs NAME"), ("/rooms all", "/rooms takes nothing after it")):
        with pytest.raises(UsageError, match=sentence):
            asyncio.run(registry.run(desk, line))


def test_a_later_command_takes_the_place_of_one_of_its_name() -> None:
    """So that PRIVATE rooms can bring their own."""
    registry = all_commands()
    mine = Command("kick", "NAME", "send somebody away", _nothing)
    registry.add(mine)
    assert registry.find("kick") is mine
    assert registry.names().count("kick") == 1


def test_all_commands_of_the_issue_are_there() -> None:
    """And each says what it is for."""
    wanted = "help nick join rooms topic me invite members code kick ban mute ignore search export quit"
    registry = all_commands()
    for name in wanted.split():
        assert registry.find(name).name == name
    assert all(command.summary for command in registry)
