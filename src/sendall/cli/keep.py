"""`sendall keep`: a member without a screen, so that somebody is home in a private room.

While it is connected the library hands keys to newcomers and, if this device is an admin, gives the room
a new key daily. Here is only the staying: one line an event to stderr, until a signal. Texts are neither
printed nor kept.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from sendall.cli.entering import inside
from sendall.cli.head import head_of
from sendall.cli.lines import line_of
from sendall.cli.options import Call
from sendall.cli.serve import stop_on_signals
from sendall.client.events import Alarm, Change, Lost, Message, Unreadable
from sendall.client.private_joined import PrivateRoom
from sendall.errors import UsageError
from sendall.protocol.entry import Role


def keep(call: Call) -> int:
    """Stay in a private room until SIGTERM or SIGINT.

    Raises:
        UsageError: it is no private room.
        Refused: the link leads nowhere, or this device was removed from the room.
        SecurityAlarm: the room or the server is not what it was.
    """
    asyncio.run(_keep(call))
    return 0


def link_in(file: Path) -> str:
    """Return the link in a file, without white space around it.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"cannot read {file}: {reason}", hint="correct --link-file") from error


async def _keep(call: Call) -> None:
    told = asyncio.Event()
    stop_on_signals(told)
    stopping = asyncio.create_task(told.wait())
    staying = asyncio.create_task(_stay(call))
    try:
        await asyncio.wait((stopping, staying), return_when=asyncio.FIRST_COMPLETED)
        if staying.done():
            staying.result()
        else:
            _say("told to stop; the room goes on without this device")
    finally:
        for task in (stopping, staying):
            task.cancel()
        await asyncio.gather(stopping, staying, return_exceptions=True)


async def _stay(call: Call) -> None:
    async with inside(call) as room:
        for row in (*head_of(room), duties_of(room)):
            _say(row)
        was_away = False
        async for event in room.events():
            if isinstance(event, Alarm):
                raise event.alarm
            is_away, was_before = isinstance(event, Lost), was_away
            was_away = is_away
            if isinstance(event, Message | Change | Unreadable) or (is_away and was_before):
                continue
            line = line_of(event, datetime.now().astimezone().date())
            if line is not None:
                _say(line.removeprefix("-- "))


def duties_of(room: PrivateRoom) -> str:
    """Return what this member does here, by its role."""
    if room.is_pending:
        return "nothing to do before that"
    if room.my_role is Role.ADMIN:
        return "hands the keys of the room to newcomers, and gives it a new key daily"
    me = next(member for member in room.all_members() if member.is_me)
    return f"hands the keys of the room to newcomers; as an admin it would also renew them: /role {me.tag} admin"


def _say(line: str) -> None:
    print(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {line}", file=sys.stderr, flush=True)
