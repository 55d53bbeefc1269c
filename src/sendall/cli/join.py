"""`sendall join`: a room, on a screen or plainly."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

from sendall.cli.options import Call
from sendall.cli.plain import converse
from sendall.cli.writing import settle
from sendall.client.client import Client, connect

LEAVE_S = 2.0
"""How long a person who leaves waits for what is not confirmed."""


def join(call: Call, *, is_plain: bool, timeout_s: float) -> int:
    """Join and stay until `exit` or the end of stdin.

    Raises:
        SendallError: no such server, refused, or something is not confirmed.
    """
    asyncio.run(_join(call, is_plain=is_plain, timeout_s=timeout_s))
    return 0


async def _join(call: Call, *, is_plain: bool, timeout_s: float) -> None:
    async with dial(call) as me:
        if is_plain or not has_screen():
            await converse(await me.join(call.room), timeout_s)
        else:
            await on_screen(me, call.room)


def dial(call: Call) -> Client:
    """Return the client that a `Call` describes; entering it connects."""
    return connect(
        str(call.address), nick=call.nick, token=call.token, server_key=call.address.server_pk, state=call.state
    )


def has_screen() -> bool:
    """Whether there is a terminal that can redraw, on both sides."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


async def on_screen(me: Client, room_name: str, why_stay: Callable[[], str] = lambda: "") -> None:
    """Show a room until the person leaves, then wait a little for what is not confirmed.

    Raises:
        NotConfirmed: it was not, in `LEAVE_S`.
    """
    from sendall.cli.screen import Screen  # prompt-toolkit takes 0.1 s to import, which pipes need not pay

    room = await me.join(room_name)
    await Screen(room, me.server_words, why_stay).run()
    await settle(room, LEAVE_S)
