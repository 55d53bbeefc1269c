"""Scenes in which an evil server shows itself: real clients over real sockets, and what each is told.

A scene returns the reports of its victim, in words: `alarm: KIND`, or what else it was shown. It ends as
soon as `until` was reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from sendall.client import events as ev
from sendall.client.client import Client, Room
from sendall.client.private_joined import PrivateRoom
from sendall.errors import Refused, SecurityAlarm, SendallError
from sendall.protocol import frames as f
from sendall.protocol.entry import Role
from tests.attacks.evil_server import EvilServer, Tampering

WAIT_S = 30.0
Evil = Callable[[EvilServer], Tampering]


def report_of(event: ev.Event) -> str:
    """Return what a person is told, in words that a table can hold."""
    match event:
        case ev.Alarm(alarm):
            return f"alarm: {alarm.kind}"
        case ev.Unreadable(_, why):
            return f"unreadable: {why}"
        case ev.Notice(_, text):
            return f"notice: {text}"
        case ev.Removed(why):
            return f"removed: {why}"
        case ev.Message():
            return f"message: {event.text}"
        case _:
            return type(event).__name__


async def reports_of(room: Room, until: str) -> list[str]:
    """Return what the room tells up to and with the first report that begins with `until`."""
    reports: list[str] = []
    try:
        async with asyncio.timeout(WAIT_S):
            async for event in room.events():
                reports.append(report_of(event))
                if reports[-1].startswith(until):
                    return reports
    except SecurityAlarm as alarm:
        reports.append(f"alarm: {alarm.kind}")
    except Refused as refused:
        reports.append(f"refused: {refused}")
    except TimeoutError:
        reports.append("nothing more")
    return reports


async def alarm_of(doing: object) -> list[str]:
    """Return the alarm that ends what is awaited."""
    try:
        async with asyncio.timeout(WAIT_S):
            await doing  # type: ignore[misc]  # something awaitable
    except SecurityAlarm as alarm:
        return [f"alarm: {alarm.kind}"]
    except SendallError as error:
        return [f"{type(error).__name__}: {error}"]
    return ["no alarm"]


# -- OPEN rooms ---------------------------------------------------------------------------------


@asynccontextmanager
async def an_open_room(server: EvilServer) -> AsyncIterator[tuple[Room, Room, Client]]:
    """ada and bob in `lobby`; bob's client too."""
    async with server.client("ada") as ada, server.client("bob") as bob:
        one, two = await ada.join(), await bob.join()
        await one.send("before")
        yield one, two, bob


async def while_listening(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """ada says three things; the server tells bob another story."""
    async with an_open_room(server) as (ada, bob, client):
        other = await client.join("elsewhere")
        await other.send("said elsewhere")
        await other.leave()
        server.turn_evil(evil, client.id)
        for text in ("one", "two", "three"):
            await ada.send(text)
        return await reports_of(bob, until)


async def at_once(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """Two people speak without having heard each other, so that either order would be right."""
    async with an_open_room(server) as (ada, bob, client), server.client("cyd") as third:
        cyd = await third.join()
        server.turn_evil(evil, client.id)
        await asyncio.gather(ada.send("one"), cyd.send("two"))
        await ada.send("three")
        return await reports_of(bob, until)


async def coming_back(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """bob's connection ends; when he is back, the server remembers otherwise."""
    async with an_open_room(server) as (_, bob, client):
        server.turn_evil(evil, client.id)
        server.cut(client.id)
        return await reports_of(bob, until)


async def coming_late(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """dan reads the last entry only, from a place that the server made up."""
    async with an_open_room(server) as (ada, _, _), server.client("dan") as client:
        server.turn_evil(evil, client.id)
        dan = await client.join(tail=1)
        await ada.send("after")
        return await reports_of(dan, until)


async def entering_another(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """dan asks for a room and is given another, at the first time."""
    async with an_open_room(server) as (_, _, _), server.client("dan") as client:
        server.turn_evil(evil, client.id)
        return await reports_of(await client.join(), until)


async def entering_another_again(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """bob knows the room, and is given another by its name."""
    async with an_open_room(server):
        pass
    async with server.client("bob") as client:
        server.turn_evil(evil, client.id)
        return await alarm_of(client.join())


async def paging_back(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """dan reads what was said before he came."""
    async with an_open_room(server) as (ada, _, _), server.client("dan") as client:
        for text in ("one", "two", "three"):
            await ada.send(text)
        dan = await client.join(tail=1)
        await ada.send("four")
        message = await anext(aiter(dan))
        server.turn_evil(evil)
        return await alarm_of(dan.history(message.seq))


async def speaking(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """bob says something."""
    async with an_open_room(server) as (_, bob, client):
        server.turn_evil(evil, client.id)
        bob.post_nowait("said")
        return await reports_of(bob, until)


async def shaking_hands(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """bob, who was here before, connects."""
    async with an_open_room(server):
        pass
    server.turn_evil(evil)
    client = server.client("bob")
    try:
        return await alarm_of(client.__aenter__())
    finally:
        await client.close()


# -- PRIVATE rooms ------------------------------------------------------------------------------


class Cast:
    """Who plays in a PRIVATE room: ada made it, the others come by links."""

    def __init__(self, server: EvilServer, stack: AsyncExitStack, admin: Client, ada: PrivateRoom) -> None:
        self._server = server
        self._stack = stack
        self.ada = ada
        self.admin = admin
        """Her client."""
        self.link = ""
        """One that anybody may use."""

    async def enters(self, who: str) -> tuple[PrivateRoom, Client]:
        client = await self.connects(who)
        return await client.join_link(), client

    async def connects(self, who: str) -> Client:
        return await self._stack.enter_async_context(self._server.client(who, self.link))


@asynccontextmanager
async def a_private_room(server: EvilServer) -> AsyncIterator[Cast]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(server.client("ada"))
        cast = Cast(server, stack, client, await client.new_room("ops"))
        cast.link = (await cast.ada.invite(uses=0)).link
        yield cast


async def in_private(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """ada says things; the server tells bob another story."""
    async with a_private_room(server) as cast:
        bob, client = await cast.enters("bob")
        server.turn_evil(evil, client.id)
        for text in ("one", "two", "three"):
            await cast.ada.send(text)
        return await reports_of(bob, until)


async def while_cyd_joins(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """cyd comes in by a link, and the server tells bob of it otherwise; then cyd speaks."""
    async with a_private_room(server) as cast:
        bob, client = await cast.enters("bob")
        server.turn_evil(evil, client.id)
        cyd, _ = await cast.enters("cyd")
        for text in ("one", "two"):
            await cyd.send(text)
        await cast.ada.send("three")
        return await reports_of(bob, until)


async def while_cyd_is_kicked(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """ada kicks cyd, and the server does not tell bob; ada speaks under the new key."""
    async with a_private_room(server) as cast:
        bob, client = await cast.enters("bob")
        _, cyd = await cast.enters("cyd")
        server.turn_evil(evil, client.id)
        await cast.ada.kick(cyd.id)
        for text in ("one", "two"):
            await cast.ada.send(text)
        return await reports_of(bob, until)


async def while_ada_rotates(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """ada gives the room a new key and speaks under it; the server hands bob another one first."""
    async with a_private_room(server) as cast:
        bob, client = await cast.enters("bob")
        server.turn_evil(evil, client.id)
        await cast.ada.rotate()
        await cast.ada.send("under the new key")
        return await reports_of(bob, until)


async def after_a_past(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """cyd joined and left, a role was given, a key was made, and another role given: dan is told less than that."""
    async with a_private_room(server) as cast:
        _, client = await cast.enters("bob")
        cyd, _ = await cast.enters("cyd")
        await cyd.leave_for_good()
        await cast.ada.set_role(client.id, Role.ADMIN)
        await cast.ada.rotate()
        await cast.ada.set_role(client.id, Role.MEMBER)
        newcomer = await cast.connects("dan")
        server.turn_evil(evil, newcomer.id)
        return await alarm_of(newcomer.join_link())


async def with_a_kick_behind(server: EvilServer, evil: Evil, until: str) -> list[str]:
    """bob has seen that cyd was kicked; he comes back, and the server remembers otherwise."""
    async with a_private_room(server) as cast:
        bob, client = await cast.enters("bob")
        _, cyd = await cast.enters("cyd")
        await cast.ada.kick(cyd.id)
        await cast.ada.send("without cyd")
        heard = await reports_of(bob, "message: without cyd")
        assert heard[-1] == "message: without cyd", heard
        server.turn_evil(evil, client.id)
        server.cut(client.id)
        return await reports_of(bob, until)


def sub_by_name(name: str) -> Callable[[f.Sub], f.Sub]:
    return lambda sub: f.Sub(q=sub.q, name=name, after=0, create=True)
