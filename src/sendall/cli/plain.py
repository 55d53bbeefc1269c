"""A room line by line: lines in, lines out, nothing redrawn. For pipes, `--plain`, NO_COLOR and dumb terminals.

Messages of others go to stdout and everything else to stderr. On a terminal the commands work; in a pipe
every line but `exit` is text.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import datetime

from sendall.cli.answering import Answers
from sendall.cli.head import greet
from sendall.cli.lines import line_of
from sendall.cli.stdin import lines_of
from sendall.cli.typed import Command, help_lines, meaning
from sendall.cli.writing import settle, write
from sendall.client.client import Room
from sendall.client.events import Alarm, Lost, Message
from sendall.errors import Refused, UsageError
from sendall.protocol.entry import Kind


async def converse(room: Room, timeout_s: float, server_words: str) -> None:
    """Send the lines of stdin, print what others say; return at `exit` or the end of stdin, when all is confirmed.

    A person at a terminal is greeted with what the room is and the `server_words` to compare.

    Raises:
        NotConfirmed, Refused, NotKnown: see `settle`.
        SecurityAlarm: the room is not what it was.
        BrokenPipeError: nobody reads stdout.
    """
    greet(room, server_words, is_writing=sys.stdin.isatty())
    answers = Answers(room, _tell, _warn)
    following = asyncio.create_task(_follow(room))
    writing = asyncio.create_task(_write(room, answers, timeout_s, is_terminal=sys.stdin.isatty()))
    try:
        await asyncio.wait((following, writing), return_when=asyncio.FIRST_COMPLETED)
        # Following ends by an error only, which comes first: it is why writing waits in vain.
        await (following if following.done() else writing)
    except Refused:
        if not answers.has_left:
            raise
    finally:
        answers.cancel()
        following.cancel()
        writing.cancel()
        await asyncio.gather(following, writing, return_exceptions=True)


async def _follow(room: Room) -> None:
    is_away = False
    async for event in room.events():
        if isinstance(event, Alarm):
            raise event.alarm
        was_away, is_away = is_away, isinstance(event, Lost)
        line = line_of(event, datetime.now().astimezone().date())
        if line is None or (was_away and is_away):
            continue
        if not isinstance(event, Message):
            print(line, file=sys.stderr, flush=True)
        elif not event.mine:
            print(line, flush=True)


async def _write(room: Room, answers: Answers, timeout_s: float, *, is_terminal: bool) -> None:
    async for line in _until_exit(lines_of(sys.stdin.fileno())):
        try:
            asked = meaning(line) if is_terminal or not line.strip() else line
        except UsageError as error:
            answers.refuse(error)
            continue
        match asked:
            case Command.NOTHING | Command.EXIT:
                pass
            case Command.HELP:
                for row in help_lines(is_private=room.kind is Kind.PRIVATE):
                    _tell(row)
            case Command.SEND_HELD:
                await room.send_held()
            case Command.DISCARD_HELD:
                await room.discard_held()
            case str(text):
                try:
                    await write(room, text, timeout_s)
                except UsageError as error:
                    if not is_terminal:
                        raise
                    answers.refuse(error)
            case command:
                answers.ask(command)
    await settle(room, timeout_s)
    await answers.finish(timeout_s)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _warn(line: str) -> None:
    print(f"-- {line}", file=sys.stderr, flush=True)


async def _until_exit(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if line.strip() == Command.EXIT.value:
            return
        yield line
