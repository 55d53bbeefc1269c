"""Writing many lines to a room: several in flight, and the wait until all are confirmed."""

from __future__ import annotations

import asyncio

from sendall.cli.head import waits_of
from sendall.cli.notices import kept_for_later
from sendall.client.client import Room
from sendall.errors import UsageError

IN_FLIGHT = 256
"""Lines that may be unconfirmed before the next is read."""


async def write(room: Room, text: str, timeout_s: float) -> None:
    """Put a line into the outbox; wait first while too many are unconfirmed.

    Raises:
        UsageError: the line is too long.
        NotConfirmed: nothing was confirmed for `timeout_s` seconds.
        Refused, NotKnown: an earlier line was given up.
    """
    await settle(room, timeout_s, most=IN_FLIGHT - 1)
    try:
        room.post_nowait(text)
    except ValueError as error:
        raise UsageError(str(error), hint="split the line") from error


async def settle(room: Room, timeout_s: float, *, most: int = 0) -> None:
    """Wait until at most `most` lines are unconfirmed.

    Raises:
        NotConfirmed: nothing was confirmed for `timeout_s` seconds. The outbox keeps the rest.
        Refused, NotKnown: a line was given up.
    """
    while (left := len(room.unconfirmed)) > most:
        try:
            async with asyncio.timeout(timeout_s):
                await room.unconfirmed[0].receipt
        except TimeoutError:
            if len(room.unconfirmed) >= left:
                raise kept_for_later(left, next(iter(waits_of(room)), "").partition(",")[0]) from None
    if most == 0:
        await room.drain()  # waits for nothing by now, and raises for what was given up meanwhile
