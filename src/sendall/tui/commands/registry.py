"""What can be typed after a slash: the table of commands, found by name, with help and completion. Pure.

A command is a name, how it is used, what it is for, and what it does; whoever adds one calls `add` and
nothing else: the help, the completion and the errors come from the table. What a command may do is the
`Desk`'s.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sendall.errors import UsageError

if TYPE_CHECKING:
    from sendall.tui.commands.desk import Desk

Doing = Callable[["Desk", str], Awaitable[None]]
"""What a command does with the rest of its line. Raises SendallError: shown, with its hint."""
Offers = Callable[["Desk"], Iterable[str]]
"""What an argument may be, for completion."""


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    usage: str
    """Its arguments, such as `NAME [WHY]`; those in brackets may be left out."""
    summary: str
    """What it is for, in a few words."""
    does: Doing
    offers: Offers | None = None
    private_only: str = ""
    """Why an OPEN room has no such thing, in a sentence; empty for what every room has."""
    private_hint: str = ""
    """What to do in an OPEN room instead."""

    @property
    def needs_argument(self) -> bool:
        return bool(self.usage) and not self.usage.startswith("[")

    @property
    def line(self) -> str:
        """The command as it is typed."""
        return f"/{self.name} {self.usage}".rstrip()


class Registry:
    """The commands, in the order of the help."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}
        self._aliases: dict[str, str] = {}

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def add(self, command: Command, *aliases: str) -> None:
        """Add a command, in place of one of the same name."""
        self._commands[command.name] = command
        self._aliases.update((alias, command.name) for alias in aliases)

    def names(self) -> list[str]:
        return sorted(self._commands)

    def find(self, name: str) -> Command:
        """Return the command that is called so, or whose only beginning this is.

        Raises:
            UsageError: there is none, or several; the hint names the nearest.
        """
        name = name.lower()
        known = {**self._commands, **{alias: self._commands[of] for alias, of in self._aliases.items()}}
        if name in known:
            return known[name]
        begun = {command.name: command for each, command in known.items() if name and each.startswith(name)}
        if len(begun) == 1:
            return next(iter(begun.values()))
        if begun:
            raise UsageError(f"/{name} can be {_listed(begun)}", hint="type one letter more, or Tab")
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean /{near[0]}? " if near else ""
        raise UsageError(f"/{name} is no command", hint=f"{meant}/help lists them; //{name} sends it as text")

    async def run(self, desk: Desk, line: str) -> None:
        """Do what a line that begins with a slash asks for.

        Raises:
            SendallError: why not, and what to do instead.
        """
        name, _, rest = line.strip().removeprefix("/").partition(" ")
        command = self.find(name)
        if command.private_only and not desk.room.is_private:
            raise UsageError(f"/{command.name} is for PRIVATE rooms: {command.private_only}", hint=command.private_hint)
        if command.needs_argument and not rest.strip():
            raise UsageError(f"/{command.name} needs {command.usage}", hint=f"{command.line}: {command.summary}")
        if rest.strip() and not command.usage:
            raise UsageError(f"/{command.name} takes nothing after it", hint=f"type /{command.name}")
        await command.does(desk, rest.strip())


def _listed(names: Iterable[str]) -> str:
    *most, last = [f"/{name}" for name in sorted(names)]
    return f"{', '.join(most)} or {last}" if most else last
