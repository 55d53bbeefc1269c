"""`sendall tail`: what is said in a room, and nothing else, on stdout."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from datetime import UTC, datetime, timedelta

from sendall.cli.entering import dial, enter
from sendall.cli.head import Checking, say_head
from sendall.cli.lines import line_of
from sendall.cli.options import Call
from sendall.client.beginning import Since
from sendall.client.events import Alarm, Came, Event, Message, Went
from sendall.errors import Code, Refused, UsageError
from sendall.protocol.base64url import to_base64

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def tail(call: Call, since: str | None, *, is_json: bool, count: int | None) -> int:
    """Print messages as they come, each line at once, for ever or until `count` of them.

    Raises:
        UsageError: `since` is none of its three forms.
        Refused: there is no such room; the hint names the nearest.
        SecurityAlarm: the room is not what it was.
    """
    asyncio.run(_tail(call, beginning(since) if since is not None else None, is_json=is_json, count=count))
    return 0


def beginning(since: str) -> Since:
    """Return what `--since` means: the number of a message, an age, or everything."""
    if since == "all":
        return "all"
    if re.fullmatch(r"[0-9]{1,15}", since):
        return int(since)
    if match := re.fullmatch(r"([0-9]{1,6})([smhd])", since):
        return timedelta(**{UNITS[match[2]]: int(match[1])})
    raise UsageError(f"--since {since!r} is no message number, age or `all`", hint="for example --since 15m")


async def _tail(call: Call, since: Since | None, *, is_json: bool, count: int | None) -> None:
    async with dial(call) as me:
        try:
            room = await enter(
                me, call, tail=0 if since is None else None, since=since, create=False, progress=Checking()
            )
        except Refused as error:
            raise (
                _no_such_room(call.room, error) if error.code is Code.UNKNOWN_ROOM and not call.is_private else error
            ) from None
        say_head(room)
        printed = 0
        async for event in room.events():
            if isinstance(event, Alarm):
                raise event.alarm
            if isinstance(event, Message):
                print(as_json(event) if is_json else _as_line(event), flush=True)
                printed += 1
                if printed == count:
                    return
            elif not isinstance(event, Came | Went) and (note := _as_line(event)):
                print(note, file=sys.stderr)


def _no_such_room(name: str, error: Refused) -> Refused:
    """Return the server's refusal with the name that was asked for; its hint names the nearest ones there are."""
    nearest = f"did you mean {error.hint}?" if error.hint else f"sendall join --room {name!r} makes it"
    return Refused(error.code, f"there is no room {name!r} on this server", hint=nearest)


def _as_line(event: Event) -> str:
    return line_of(event, datetime.now().astimezone().date()) or ""


def as_json(message: Message) -> str:
    """Return one line of JSON, ASCII only: no text in it can command a terminal.

    The text is as it was sent, the time ISO 8601 in UTC, the sender base64url as in the protocol.
    """
    return json.dumps(
        {
            "seq": message.seq,
            "time": message.time.astimezone(UTC).isoformat(timespec="milliseconds"),
            "room": message.room,
            "sender": to_base64(message.sender),
            "nick": message.nick,
            "text": message.text,
        }
    )
