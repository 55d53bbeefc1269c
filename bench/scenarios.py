"""What is not a round: readers that stall among others, many small rooms, a client that reads, programs that start.

Each returns figures by name. Reading and starting are done by the real programs, in processes of their own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.contestants import Room
from bench.load import Figures, Load, Upstream, run
from bench.members import Member
from bench.peers import Missing, Redis, running
from bench.servers import HERE, Server, sendall_server
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey, verify
from sendall.protocol.frames import logged_frame

Facts = dict[str, float]

PACE = 100
COMMIT_BYTES = 3 * 4096
SENDALL = Path(sys.executable).with_name("sendall")


class Sizes(NamedTuple):
    """How much of each is done."""

    members: int = 1000
    stalling: int = 50
    flood: int = 20_000
    paced: int = 300
    rooms: int = 1000
    members_of_a_room: int = 10
    messages_of_a_room: int = 40
    reading: int = 20_000
    starts: int = 7


def stalled(sizes: Sizes, folder: Path) -> Facts:
    """Let some members stop reading, while the others go on; then let them read it all.

    The flood is more than the kernel holds for anybody, so that the server must hold their places.
    """
    with sendall_server(folder / "data") as server:
        room = Room(server, RsaKey.generate(), sizes.members, folder / "room", narrow=sizes.stalling)
        flood = room.round(sizes.flood)
        alone = room.round(sizes.paced, rate=PACE)
        before = server.rss()
        room.hearing = [member for member in room.members if member not in room.narrow]
        flood_beside = room.round(sizes.flood)
        held = server.rss() - before
        beside = room.round(sizes.paced, rate=PACE)
        links = [member.link for member in room.narrow]
        missed = run(server, Load(links, [], room.delivery_bytes, sizes.flood + sizes.paced, framed=True), room.folder)
        room.close()
    return {
        "others_p99_ms_without": alone.last_p99_ms,
        "others_p99_ms_with": beside.last_p99_ms,
        "others_rate_without": flood.rate,
        "others_rate_with": flood_beside.rate,
        "bytes_held_each": held / sizes.stalling,
        "bytes_missed_each": sizes.flood * room.delivery_bytes,
        "delivered_later_each": missed.deliveries / sizes.stalling,
        "to_deliver_later_each": sizes.flood + sizes.paced,
        "catching_up_s": missed.wall_s,
    }


def many_rooms(sizes: Sizes, folder: Path, rounds: int) -> Iterator[Figures]:
    """Write in many rooms at once: as many connections as rooms, each in ten rooms and the writer of one."""
    with ExitStack() as stack:
        server = stack.enter_context(sendall_server(folder / "data"))
        members = _members_of_rooms(server, sizes)
        for member in members:
            stack.callback(member.link.close)
        crowd = _Crowd(server, sizes, members)
        try:
            redis = _Channels(stack.enter_context(running(Redis(), folder / "redis")), sizes, folder)
            for link in (*redis.hearing, *redis.speaking):
                stack.callback(link.close)
        except Missing as reason:
            print(f"SKIPPED Redis: {reason}", file=sys.stderr)
            redis = None
        for _ in range(rounds):
            yield crowd.round(folder)
            if redis is not None:
                yield redis.round()


def _rooms_of(i: int, sizes: Sizes) -> list[int]:
    return [(i + j) % sizes.rooms for j in range(sizes.members_of_a_room)]


def _members_of_rooms(server: Server, sizes: Sizes) -> list[Member]:
    rsa = RsaKey.generate()
    names = [[f"room {room}" for room in _rooms_of(i, sizes)] for i in range(sizes.rooms)]
    return [Member(server.port, rsa, rooms=rooms) for rooms in names]


class _Crowd:
    """Members of many rooms of sendall."""

    def __init__(self, server: Server, sizes: Sizes, members: Sequence[Member]) -> None:
        self.server = server
        self.members = members
        self.count = sizes.messages_of_a_room
        self.expect = sizes.messages_of_a_room * sizes.members_of_a_room

    def round(self, folder: Path) -> Figures:
        writing = [member.post(member.seal(self.count, "hello everyone"), 32) for member in self.members]
        size = len(logged_frame(1, 1, 1, self.members[0].seal(1, "hello everyone")[0]))
        self.members[0].n -= 1  # was only weighed
        links = [member.link for member in self.members]
        return run(self.server, Load(links, writing, size, self.expect, framed=True), folder)


class _Channels:
    """The same of Redis: each connection hears ten channels, and another one for each writes in one."""

    def __init__(self, server: Server, sizes: Sizes, folder: Path) -> None:
        peer = Redis()
        self.server, self.folder, self.peer = server, folder, peer
        self.hearing = [peer.hear(server.port, _rooms_of(i, sizes)) for i in range(sizes.rooms)]
        self.speaking = [peer.speak(server.port) for _ in range(sizes.rooms)]
        self.count = sizes.messages_of_a_room
        self.expect = sizes.messages_of_a_room * sizes.members_of_a_room

    def round(self) -> Figures:
        said = [self.peer.publish(channel) for channel in range(len(self.speaking))]
        writing = [
            Upstream(link, each * self.count, self.count, len(each))
            for link, each in zip(self.speaking, said, strict=True)
        ]
        load = Load(self.hearing, writing, len(self.peer.delivery()), self.expect)
        return run(self.server, load, self.folder)


def reading(sizes: Sizes, folder: Path) -> Facts:
    """Let the library read a room's whole history: verified, opened, and told message by message."""
    with sendall_server(folder / "data") as server:
        room = Room(server, RsaKey.generate(), 2, folder / "room")
        room.round(sizes.reading)
        room.close()
        taken = _run(sys.executable, "-m", "bench.reader", str(server.port), str(sizes.reading), str(folder / "reader"))
    return {**json.loads(taken), **{f"verified_by_{n}": _verified(n, sizes.reading // 5) for n in (1, 2)}}


def _verified(threads: int, count: int) -> float:
    """Return how many signatures a second so many threads check together: most of what reading takes."""
    identity, text = Identity.generate(), bytes(300)
    signature = identity.sign(text)

    def work(_: int) -> None:
        for _ in range(count // threads):
            assert verify(identity.pk, text, signature)

    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(work, range(threads)))
        return count / (time.perf_counter() - began)


def starting(sizes: Sizes, folder: Path) -> Facts:
    """Time programs from their start: a server to its banner, and one that sends a line to its end."""
    banners, sends = [], []
    with _served(folder / "first") as (_, address):
        for i in range(sizes.starts):
            with _served(folder / f"data-{i}") as (took, _):
                banners.append(took)
            began = time.perf_counter()
            _run(str(SENDALL), "send", address, "hello", "--state", str(folder / "me"))
            sends.append(time.perf_counter() - began)
    return {"banner_s": statistics.median(banners), "send_s": statistics.median(sends)}


def syncing(sizes: Sizes, folder: Path) -> Facts:
    """Write as much as a commit of one message does, and wait for the disk."""
    taken = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(10 * sizes.starts):
            began = time.perf_counter()
            file.write(bytes(COMMIT_BYTES))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(0.01)
    return {"p50_ms": statistics.median(taken), "p99_ms": max(taken)}


@contextmanager
def _served(data: Path) -> Iterator[tuple[float, str]]:
    """Run `sendall serve`; give the seconds to its banner, and its address."""
    began = time.perf_counter()
    command = [str(SENDALL), "serve", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        banner = process.stdout.readline()
        took = time.perf_counter() - began
        if not banner:
            raise RuntimeError(f"sendall serve ended with {process.wait()}")
        yield took, banner.split()[-1]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout
