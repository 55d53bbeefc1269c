"""`sendall room …`: a new PRIVATE room, and for scripts what members type after a slash.

Of a new link only the link goes to stdout; everything for people goes to stderr.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from sendall.cli.entering import dial, inside
from sendall.cli.options import Call, own_identity
from sendall.client.keyring import Keyring
from sendall.client.private_joined import Invitation, MemberInfo, PrivateRoom
from sendall.client.vault import Vault
from sendall.commands import doing, grammar
from sendall.commands.qr import qr_rows
from sendall.errors import ConnectError, SendallError, UsageError
from sendall.protocol.base64url import to_base64

History = Literal["all", "epoch"]
_WHITE_ON_BLACK, _AS_BEFORE = "\x1b[97;40m", "\x1b[0m"


def new(call: Call, name: str, link: grammar.Invite, *, history: History, knock: bool, timeout_s: float) -> int:
    """Make a room; print its first link, the code of it, and what there is to know about the room.

    Raises:
        UsageError: the name is none.
        SendallError: no such server, or it takes no more rooms.
    """
    asyncio.run(_new(call, name, link, history=history, knock=knock, timeout_s=timeout_s))
    return 0


async def _new(call: Call, name: str, link: grammar.Invite, *, history: History, knock: bool, timeout_s: float) -> None:
    async with dial(call) as me, _limit(timeout_s):
        room = await me.new_room(name, history=history, knock=knock)
        made = await room.invite(uses=link.uses, lifetime_s=link.lifetime_s, approve=link.approve)
        _say(f"{room.name}: {room.kind_line}")
        _show_link(made)
        for line in _about(room, history, knock=knock):
            _say(line)
        await room.hand_over()


def _about(room: PrivateRoom, history: History, *, knock: bool) -> list[str]:
    newcomers = "all that is kept" if history == "all" else "what is said from then on"
    doors = "let in while a member is online (sendall keep is one)" if knock else "let in also while nobody is online"
    name = shlex.quote(room.name)
    return [
        f"  newcomers are {doors},",
        f"  and can read {newcomers}",
        "  the server sees sizes, times, addresses and the keys of members;",
        "  no text, no name of a person, not what the room is called",
        f"  come in: sendall join {name}",
        f"  another link: sendall room invite {name}    who is in: sendall room members {name}",
    ]


def ask(call: Call, command: grammar.Command, *, is_json: bool, timeout_s: float) -> int:
    """Be in the room, do what is asked, and print the answer.

    Raises:
        UsageError: no private room, nobody of that name, not an admin.
        SendallError: the server is not there, or did not take it in `timeout_s` seconds.
    """
    try:
        asyncio.run(_ask(call, command, is_json=is_json, timeout_s=timeout_s))
    except SendallError as error:
        raise doing.error_for_shell(error, called(call)) from None
    return 0


async def _ask(call: Call, command: grammar.Command, *, is_json: bool, timeout_s: float) -> None:
    async with _limit(timeout_s), inside(call) as room:
        match command:
            case grammar.Members() if is_json:
                await room.look_up_names()
                _print_json(*(member_as_json(member) for member in room.all_members()))
            case grammar.Invite():
                made = await room.invite(uses=command.uses, lifetime_s=command.lifetime_s, approve=command.approve)
                if is_json:
                    _print_json(invitation_as_json(made))
                else:
                    _show_link(made, room.name)
            case _:
                for line in await doing.run(command, room):
                    print(doing.for_shell(line, room.name))
        await room.hand_over()


def rooms(state: Path | None, *, is_json: bool) -> int:
    """Print the private rooms that this device knows, one a line: name, server, the beginning of its id.

    Raises:
        UsageError: the folder cannot be used.
    """
    vault = Vault(Keyring(state).folder, own_identity(state))
    try:
        known = vault.rooms()
    finally:
        vault.close()
    if is_json:
        for room in known:
            _print_json({"name": room.name, "address": room.address, "id": to_base64(room.room_id)})
        return 0
    width = max((len(room.name) for room in known), default=0)
    for room in known:
        print(f"{room.name:<{width}}  {room.address}  {room.room_id.hex()[:16]}")
    if not known:
        _say("this device knows no private room; sendall room new makes one, sendall join LINK enters one")
    return 0


def forget(state: Path | None, name: str) -> int:
    """Overwrite all that this device keeps of a room: its name, its keys, how far it was read.

    Raises:
        UsageError: no such room is known.
    """
    vault = Vault(Keyring(state).folder, own_identity(state))
    try:
        room = vault.find(name)
        if room is None:
            raise UsageError(f"this device knows no room {name!r}", hint="sendall room list shows those it knows")
        vault.forget(room.room_id)
    finally:
        vault.close()
    print(f"forgot {name!r}; the room has you as a member still: to end that, sendall room leave comes first")
    return 0


# -- what is printed ------------------------------------------------------------------------------


def called(call: Call) -> str:
    """Return how the room of a call is named in a command: its name here, never its link."""
    return call.known.name if call.known is not None else "ROOM"


def member_as_json(member: MemberInfo) -> dict[str, Any]:
    """`Any`: JSON."""
    return {
        "id": to_base64(member.id),
        "nick": member.nick,
        "tag": member.tag,
        "role": None if member.is_pending else doing.ROLE_NAMES[member.role],
        "words": member.words,
        "waits": member.is_pending,
        "me": member.is_me,
    }


def invitation_as_json(made: Invitation) -> dict[str, Any]:
    """`Any`: JSON. `expires` is ISO 8601 in UTC, null without end; `uses` 0 means no limit."""
    expires = None if made.expires is None else made.expires.isoformat(timespec="seconds")
    return {"link": made.link, "expires": expires, "uses": made.uses, "approve": made.needs_admit}


def _show_link(made: Invitation, name: str = "ROOM") -> None:
    if sys.stderr.isatty():
        has_colours = not os.environ.get("NO_COLOR")
        before, after = (_WHITE_ON_BLACK, _AS_BEFORE) if has_colours else ("", "")
        for row in qr_rows(made.link):
            _say(f"  {before}{row}{after}")
    print(made.link, flush=True)
    for line in doing.told_of(made):
        _say(f"  {doing.for_shell(line, name)}")


def _print_json(*values: dict[str, Any]) -> None:
    for value in values:
        print(json.dumps(value), flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@asynccontextmanager
async def _limit(seconds: float) -> AsyncIterator[None]:
    """Let the block take at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ConnectError(
            f"the server has not confirmed it within {seconds:g} s",
            hint="it may still happen: sendall room members shows how the room is now",
        ) from None
