"""Into the room that a command line names: an OPEN one by name, a PRIVATE one by its link or by its name here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sendall.cli.head import Checking
from sendall.cli.options import Call
from sendall.client.beginning import Since
from sendall.client.client import Client, Room, connect
from sendall.client.private_joined import PrivateRoom
from sendall.client.ways_in import Progress
from sendall.errors import UsageError

KEY_S = 3.0
"""How long the key of a PRIVATE room may take to come before a person is told that it is missing."""


def dial(call: Call, *, nick: str | None = None) -> Client:
    """Return the client that a `Call` describes; entering it connects."""
    return connect(call.address, nick=nick or call.nick, token=call.token, state=call.state, identity=call.identity)


async def enter(
    me: Client,
    call: Call,
    *,
    tail: int | None = 50,
    since: Since | None = None,
    create: bool = True,
    progress: Progress | None = None,
) -> Room:
    """Join the room that `call` is about; see `Client.join`, `join_link` and `join_known`."""
    if not call.is_private:
        return await me.join(call.room, tail=tail, since=since, create=create)
    if call.known is not None:
        room = await me.join_known(call.known, tail=tail, since=since, progress=progress)
    else:
        room = await me.join_link(tail=tail, since=since, progress=progress)
    await room.key_within(KEY_S)
    return room


@asynccontextmanager
async def inside(call: Call) -> AsyncIterator[PrivateRoom]:
    """Be in the PRIVATE room of `call` while the block runs.

    Raises:
        UsageError: it leads to no PRIVATE room.
    """
    if not call.is_private:
        raise UsageError(
            "that is no private room: an address alone leads to the open rooms of a server",
            hint="give the room's name or its whole link; sendall room list shows those that this device knows",
        )
    async with dial(call) as me:
        room = await enter(me, call, tail=0, progress=Checking())
        assert isinstance(room, PrivateRoom), "a PRIVATE link or known room"
        yield room
