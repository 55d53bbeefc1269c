"""`sendall up`: a server and its first guest in one terminal.

Where a server of the same data folder answers already, it is joined instead.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack

from sendall.cli.banner import invocation, ways_in
from sendall.cli.entering import dial
from sendall.cli.fullscreen import begin_import, on_screen
from sendall.cli.join import has_screen
from sendall.cli.options import Call, ServerPlan, own_identity, usual_nick, usual_state
from sendall.cli.serve import running, serve
from sendall.client.address import Address
from sendall.client.client import Client
from sendall.config import DEFAULT_ROOM
from sendall.errors import ConnectError, SecurityAlarm, SendallError
from sendall.log.roomlog import FolderInUse
from sendall.node import Node, PortTaken, data_folder, read_server_pk


def up(plan: ServerPlan) -> int:
    """Serve and join until `exit`; without a terminal this is `serve`.

    Raises:
        SendallError: as `serve` and `join`; PortTaken if what answers there is not this user's server.
    """
    if not has_screen():
        return serve(plan)
    logging.basicConfig(level=logging.ERROR)
    begin_import()
    # Not on uvloop, which leaves the terminal non-blocking for the shell that comes after us.
    asyncio.run(_up(plan))
    return 0


async def _up(plan: ServerPlan) -> None:
    async with AsyncExitStack() as stack:
        try:
            node, facts = await stack.enter_async_context(running(plan, stop="exit"))
        except (PortTaken, FolderInUse) as error:
            me, call = await _join_own(plan, stack, error)
            await on_screen(me, call)
        else:
            call = _call(plan, node.address[1], node.server_pk)
            me = await stack.enter_async_context(dial(call))
            await on_screen(me, call, ways_in(facts, invocation()), lambda: _why_stay(node))


async def _join_own(plan: ServerPlan, stack: AsyncExitStack, error: SendallError) -> tuple[Client, Call]:
    """Join the server that is in the way, if it is the one whose data folder this is."""
    server_pk = read_server_pk(data_folder(plan.settings))
    if server_pk is None or plan.settings.port == 0:
        raise error
    try:
        call = _call(plan, plan.settings.port, server_pk)
        return await stack.enter_async_context(dial(call)), call
    except (ConnectError, SecurityAlarm):
        raise error from None


def _call(plan: ServerPlan, port: int, server_pk: bytes) -> Call:
    # On its own machine a server that listens everywhere is met on loopback.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(plan.settings.host, plan.settings.host)
    address = Address(host, port, server_pk)
    is_named = bool(os.environ.get("SENDALL_NICK"))
    state = usual_state()
    identity = own_identity(state)
    return Call(address, DEFAULT_ROOM, usual_nick(), plan.token, state, is_named=is_named, identity=identity)


def _why_stay(node: Node) -> str:
    # Connections, not identities: this user's other terminals are the same identity, and are cut off as well.
    others = node.connections_present() - 1
    if others < 1:
        return ""
    are = "1 other is" if others == 1 else f"{others} others are"
    return f"{are} connected, and the server stops when you leave: exit once more to stop it"
