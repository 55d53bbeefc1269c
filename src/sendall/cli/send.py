"""`sendall send`: text into a room, and an exit status that says whether it is there for good."""

from __future__ import annotations

import asyncio
import sys

from sendall.cli.entering import dial, enter
from sendall.cli.head import Checking, say_head
from sendall.cli.options import Call
from sendall.cli.stdin import lines_of
from sendall.cli.writing import settle, write


def send(call: Call, text: str | None, *, timeout_s: float) -> int:
    """Send `text`, or each line of stdin that is not blank, several in flight; return when all is confirmed.

    Raises:
        SendallError: no such server, refused, or something is not confirmed.
    """
    asyncio.run(_send(call, text, timeout_s))
    return 0


async def _send(call: Call, text: str | None, timeout_s: float) -> None:
    async with dial(call) as me:
        room = await enter(me, call, tail=0, progress=Checking())
        say_head(room)
        if text is not None:
            await write(room, text, timeout_s)
        else:
            async for line in lines_of(sys.stdin.fileno()):
                if line.strip():
                    await write(room, line, timeout_s)
        await settle(room, timeout_s)
