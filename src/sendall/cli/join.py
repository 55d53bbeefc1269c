"""`sendall join`: a room, full-screen or line by line."""

from __future__ import annotations

import asyncio
import os
import sys

from sendall.cli.entering import dial, enter
from sendall.cli.fullscreen import begin_import, on_screen
from sendall.cli.head import Checking
from sendall.cli.options import Call
from sendall.cli.plain import converse


def join(call: Call, *, is_plain: bool, timeout_s: float) -> int:
    """Join and stay until `exit` or the end of stdin.

    Raises:
        SendallError: no such server, refused, or something is not confirmed.
    """
    asyncio.run(_join(call, is_plain=is_plain, timeout_s=timeout_s))
    return 0


async def _join(call: Call, *, is_plain: bool, timeout_s: float) -> None:
    is_plain = is_plain or not has_screen()
    if not is_plain:
        begin_import()
    async with dial(call) as me:
        if is_plain:
            await converse(await enter(me, call, progress=Checking()), timeout_s, me.server_words)
        else:
            await on_screen(me, call)


def has_screen() -> bool:
    """Whether there is a terminal on both sides that can redraw, and nobody asked for none of that (NO_COLOR)."""
    is_wanted = os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
    return is_wanted and sys.stdin.isatty() and sys.stdout.isatty()
