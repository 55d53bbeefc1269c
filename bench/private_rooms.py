"""Large PRIVATE rooms: what a kick costs, and how long a newcomer of an old room waits.

    python -m bench.private_rooms [members] [control entries]

A real node and real clients over loopback. Members join by a link of many uses, each with an identity of
its own and one RSA key for all, so that making keys is not what is measured; nothing else is shared.
The figures are CPU seconds of this process, in which server and maker both run; they go into
docs/performance.md, and no test looks at them.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sendall
from sendall.client.acts import Acts, Join
from sendall.client.address import parse_address
from sendall.client.private_joined import PrivateRoom
from sendall.config import Limits, ServerSettings
from sendall.crypto.identity import Identity
from sendall.crypto.invites import InviteKeys
from sendall.crypto.primitives import RsaKey
from sendall.node import Node
from sendall.protocol.entry import Role, parse
from sendall.protocol.verdict import Verdict
from sendall.server.private_room import PrivateRoom as ServerRoom

BATCH = 100


async def measure(members: int, entries: int) -> None:
    """Print the figures of one room."""
    limits = Limits(room_members=members + 10, control_rate=0, join_rate=0, grant_rate=0, member_rate=0, room_rate=0)
    with tempfile.TemporaryDirectory() as folder:
        settings = ServerSettings(port=0, data=Path(folder) / "server", limits=limits)
        async with Node(settings) as node:
            address = f"127.0.0.1:{node.address[1]}"
            async with sendall.connect(address, nick="ada", state=Path(folder) / "ada") as ada:
                room = await ada.new_room("large")
                await _fill(node, room, members)
                await _kick(room)
                await _rotate_until(room, entries)
                link = (await room.invite()).link
            await _newcomer(link, Path(folder) / "bob")


async def _fill(node: Node, room: PrivateRoom, members: int) -> None:
    invitation = await room.invite(uses=0)
    secret = parse_address(invitation.link).secret
    assert secret is not None
    keys, rsa = InviteKeys(secret), RsaKey.generate()
    at_server = node.relay.rooms[room.id]
    assert isinstance(at_server, ServerRoom)
    cpu = [time.process_time()]
    for done in range(members):
        acts = Acts(Identity.generate(), lambda e: b"")
        acts.want(Join(rsa.modulus, keys.invite_pk, keys.sign_join))
        raw = acts.flush(at_server.state, (at_server.state.seq, at_server.state.h), os.urandom(16), 0.0)
        assert raw is not None
        entry, now_ms = parse(raw), time.time_ns() // 1_000_000
        assert at_server.state.judge(entry, time_ms=now_ms) is Verdict.OK
        at_server.accept(entry, now_ms)
        node.relay.touch(at_server)
        if done % BATCH == BATCH - 1 or done == members - 1:
            count = done + 2
            await _until(lambda: len(room.all_members()) == count)  # noqa: B023  # awaited before it changes
            cpu.append(time.process_time())
    each = ", ".join(f"{(after - before) / BATCH * 1e6:,.0f}" for before, after in itertools.pairwise(cpu))
    print(f"a join, made by one, judged by the server, taken by another member: {each} µs CPU, by {BATCH} joins")


async def _kick(room: PrivateRoom) -> None:
    victim = next(member.id for member in room.all_members() if not member.is_me)
    count = len(room.all_members())
    cpu, wall = time.process_time(), time.perf_counter()
    await room.kick(victim)
    await _until(lambda: not room.follower.custody.is_owing)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"kick from {count:,} members, new key granted to all: {cpu:.2f} s CPU, {wall:.2f} s")


async def _rotate_until(room: PrivateRoom, entries: int) -> None:
    # Every other control entry there can be is cheaper to check than a join; epochs hash all members.
    while room.follower.log.state.seq < entries:
        await room.set_role(None, Role.READER)
        await room.set_role(None, Role.MEMBER)


async def _newcomer(link: str, state: Path) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    told: list[tuple[int, int]] = []
    async with sendall.connect(link, nick="bob", state=state) as bob:
        connected = time.perf_counter()
        room = await bob.join_link(progress=lambda at, last: told.append((at, last)))
        await room.send("in")
        cpu, now = time.process_time() - cpu, time.perf_counter()
        seq = room.follower.log.state.seq
    print(
        f"newcomer of a room with {seq:,} entries, link to first message confirmed: {cpu:.2f} s CPU, "
        f"{now - wall:.2f} s ({now - connected:.2f} s after connecting), progress told {len(told)} times"
    )


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  # what is waited for tells nobody when it is so
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(measure(int((sys.argv[1:2] or ["1000"])[0]), int((sys.argv[2:3] or ["10000"])[0])))
