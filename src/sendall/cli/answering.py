"""Commands of a PRIVATE room that were typed in the line mode: carried out beside it, answered when the log has them.

Nobody waits for one while typing the next line. Holds no rule of a room: `sendall.commands` does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sendall.client.client import Room
from sendall.commands import doing, grammar
from sendall.errors import SendallError


class Answers:
    """The commands of one room that are under way."""

    def __init__(self, room: Room, tell: Callable[[str], None], warn: Callable[[str], None]) -> None:
        """`tell` shows a line of an answer, `warn` one of a failure."""
        self.has_left = False
        """Whether this person asked to be a member no longer, and is none."""
        self._room = room
        self._tell = tell
        self._warn = warn
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, command: grammar.Command) -> None:
        task = asyncio.create_task(self._answer(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, timeout_s: float) -> None:
        """Wait for what is under way, at most so many seconds; the rest is given up, with a warning."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        if self._tasks:
            self._warn(f"{len(self._tasks)} commands are not done: the room was left before")
        self.cancel()

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _answer(self, command: grammar.Command) -> None:
        try:
            lines = await doing.run(command, self._room)
        except SendallError as error:
            self.refuse(error)
            return
        self.has_left = self.has_left or isinstance(command, grammar.Leave)
        for line in lines:
            self._tell(line)

    def refuse(self, error: SendallError) -> None:
        """Show why something is not done, and what to do instead."""
        for line in error.explain().splitlines():
            self._warn(line)
