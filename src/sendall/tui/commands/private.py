"""The commands of PRIVATE rooms: those of `sendall.commands`, beside what OPEN rooms have under the same names."""

from __future__ import annotations

from functools import partial

from sendall.commands import doing, grammar
from sendall.errors import UsageError
from sendall.tui.commands.desk import Desk
from sendall.tui.commands.registry import Command, Registry


def add_to(registry: Registry) -> None:
    """Add these commands. One that OPEN rooms have too stays what it is there."""
    elsewhere = {command.name: command for command in registry}
    for name, spelling in grammar.SPELLINGS.items():
        in_open = elsewhere.get(name)
        summary = f"{spelling.summary}; in PRIVATE rooms"
        if in_open is not None and not in_open.private_only:
            summary = f"{in_open.summary}; in PRIVATE rooms: {spelling.summary}"
        offers = in_open.offers if in_open is not None else None
        usage = spelling.usage or (in_open.usage if in_open is not None else "")
        registry.add(Command(name, usage, summary, partial(_do, name, in_open), offers))


async def _do(name: str, in_open: Command | None, desk: Desk, rest: str) -> None:
    if desk.room.is_private:
        command = grammar.parse(f"/{name} {rest}")
        desk.answer(*await doing.run(command, desk.room.room))
    elif in_open is None or in_open.private_only:
        reason = in_open.private_only if in_open is not None else "this one has no members, links and keys of its own"
        hint = in_open.private_hint if in_open is not None else "sendall room new makes a private room"
        raise UsageError(f"/{name} is for PRIVATE rooms: {reason}", hint=hint)
    else:
        await in_open.does(desk, rest)
