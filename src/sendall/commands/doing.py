"""The commands of PRIVATE rooms, carried out: asks the room, waits for the log, answers in lines.

A line is text for people, safe to print. Hints name other commands as they are typed in a room,
`/invite`; `for_shell` turns them into those of a shell. Knows no screen.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Sequence
from typing import assert_never

from sendall.client.client import Room
from sendall.client.events import safe_text
from sendall.client.private_joined import Invitation, MemberInfo, PrivateRoom
from sendall.commands import grammar as g
from sendall.errors import SendallError, UsageError
from sendall.protocol.entry import Role

ROLE_NAMES = {role: name for name, role in g.ROLES.items()}
_A_ROLE = {Role.ADMIN: "an admin", Role.MEMBER: "a member", Role.READER: "a reader"}
_NEW_LINK = "all links ended: /invite makes a new one"
_IN_ROOM = re.compile(rf"(?<![^\s(])/({'|'.join(g.SPELLINGS)})\b")


async def run(command: g.Command, room: Room) -> list[str]:
    """Do what is asked, and return what there is to say about it once the log has it.

    Raises:
        UsageError: the room is OPEN; nobody, or more than one, is meant; not an admin.
        Refused, SecurityAlarm: the server did not take it; the room is not what it was.
    """
    if not isinstance(room, PrivateRoom):
        name = type(command).__name__.lower().removeprefix("set")
        raise UsageError(
            f"/{name} is for private rooms, and this room is open: whoever reaches the server may join and read",
            hint="sendall room new makes a private room",
        )
    if isinstance(command, g.Kick | g.Admit | g.SetRole | g.Members):
        await room.look_up_names()
    match command:
        case g.Invite():
            made = await room.invite(uses=command.uses, lifetime_s=command.lifetime_s, approve=command.approve)
            return [made.link, *told_of(made)]
        case g.Kick():
            return await _kick(room, command.who)
        case g.Admit():
            return await _admit(room, command.who)
        case g.SetRole():
            return await _set_role(room, command)
        case g.Members():
            return member_rows(room.all_members())
        case g.Code():
            return await _code(room)
        case g.Leave():
            await room.leave_for_good()
            return [f"you left {room.name!r} for good; to come back takes a new link"]
        case g.Rotate():
            await room.rotate()
            return ["the room has a new key; what was written before stays readable to its members"]
        case g.Lock():
            return [_locked(await room.lock())]
        case never:
            assert_never(never)


async def _kick(room: PrivateRoom, who: Sequence[str]) -> list[str]:
    ids = [room.find_member(one) for one in who]
    names = " and ".join(called_in(room, one) for one in ids)
    is_or_are = "is" if len(ids) == 1 else "are"
    await room.kick(*ids)
    return [f"{names} {is_or_are} out, and cannot read what is written from now on: the room has a new key", _NEW_LINK]


async def _admit(room: PrivateRoom, who: str) -> list[str]:
    id_pk = room.find_member(who)
    name = called_in(room, id_pk)
    if not any(member.id == id_pk and member.is_pending for member in room.all_members()):
        raise UsageError(f"{name} is a member already", hint="/members shows who waits")
    await room.admit(id_pk)
    return [f"{name} is in"]


async def _set_role(room: PrivateRoom, command: g.SetRole) -> list[str]:
    if command.who is None:
        await room.set_role(None, command.role)
        return [f"whoever joins from now on is {_A_ROLE[command.role]}"]
    who = room.find_member(command.who)
    await room.set_role(who, command.role)
    return [f"{called_in(room, who)} is {_A_ROLE[command.role]} now"]


async def _code(room: PrivateRoom) -> list[str]:
    code = await asyncio.to_thread(room.code)
    return [code, "every member sees the same eight, if nobody is in the room whom another does not see"]


def _locked(count: int) -> str:
    if not count:
        return "there was no open link"
    return f"{'1 link is' if count == 1 else f'{count} links are'} revoked; /invite makes a new one"


# -- answers --------------------------------------------------------------------------------------


def told_of(made: Invitation) -> list[str]:
    """Return what a link does and for how long, without the link."""
    many = {0: "anybody", 1: "one person"}.get(made.uses, f"{made.uses:,} people")
    until = f"until {made.expires.astimezone():%Y-%m-%d %H:%M}" if made.expires else "until somebody is removed"
    if made.needs_admit:
        return [f"lets {many} ask to come in, {until};", "an admin then decides: /admit WHO, or /kick WHO"]
    return [f"lets {many} in, {until};", "whoever has it is in: give it only to whom you want there"]


def called_in(room: PrivateRoom, who: bytes) -> str:
    """Return `name·tag` of a member, or of somebody who waits."""
    return next((called(member) for member in room.all_members() if member.id == who), who.hex()[:8])


def called(member: MemberInfo) -> str:
    return f"{safe_text(member.nick)}·{member.tag}"


def member_rows(members: Sequence[MemberInfo]) -> list[str]:
    """Return one row a member, and below each its eight words."""
    rows = []
    for member in members:
        what = f"waits to be let in: /admit {member.tag}" if member.is_pending else ROLE_NAMES[member.role]
        rows.append(f"{called(member)}  {what}{', you' if member.is_me else ''}")
        rows.append(f"    {member.words}")
    return rows


def for_shell(text: str, name: str) -> str:
    """Return `text` with the commands it names as a shell takes them, for the room known as `name`."""
    return _IN_ROOM.sub(lambda match: f"sendall room {match[1]} {shlex.quote(name)}", text)


def error_for_shell(error: SendallError, name: str) -> SendallError:
    """Let the hint of an error name the commands of a shell; return the error."""
    error.hint = for_shell(error.hint, name)
    return error
