"""Rounds: one server after the other, in turns, flat out and paced.

All servers of a case stay up together, so that what else happens on the machine meets them all; figures that
are compared come from the same round. How many messages a round has is found by a first one that does not count.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.contestants import Audience, Contestant, Copier, Room
from bench.load import Figures, Link
from bench.peers import ALL, Missing, running
from bench.servers import NoCompiler, Server, raw_copier, sendall_server
from sendall.crypto.primitives import RsaKey

SENDALL, SENDALL_TLS = "sendall", "sendall, TLS"
CHUNK, EACH = "raw C, chunk", "raw C, each"
EVERYBODY = (SENDALL, SENDALL_TLS, CHUNK, EACH, *(peer.name for peer in ALL))
PACED = (SENDALL, SENDALL_TLS, EACH, "Redis")
PACED_ROUNDS = 2
DELIVERY_BYTES = 369
"""Of a message of 128 characters; checked against the room's."""
WORK_PER_S = 20_000_000
"""Deliveries: what the fastest are given for each second that a round is to take."""
ONE_BY_ONE = (EACH, "websockets")
"""Who makes a call for each delivery, so that few messages are a long round."""
MAX_MESSAGES = 32_000
"""Of a round: sealing one ahead takes 0.1 ms."""
SETTLE_S = 1.5


class Case(NamedTuple):
    """What is measured together."""

    members: int
    """Connections that hear everything."""
    writers: tuple[int, ...] = (1, 4, 8)
    """How many write, flat out: one row each."""
    servers: tuple[str, ...] = EVERYBODY
    rates: tuple[tuple[int, int], ...] = ()
    """(messages a second, how many messages) of paced runs."""
    target_s: float = 0.8
    """How long a round is to take; the number of its messages follows from it."""


class Row(NamedTuple):
    """One server in one round."""

    members: int
    writers: int
    rate: int
    """0: flat out."""
    figures: Figures


class Arrival(NamedTuple):
    """What it took sendall to let all members of a case in, and to hold them."""

    server: str
    members: int
    cpu_us: float
    """Server CPU for one connection: TCP, TLS, WebSocket, proof, entering a room, keys."""
    rss_bytes: float
    """Of one idle connection, as the process grows."""


def measure(case: Case, rounds: int, folder: Path) -> Iterator[Row | Arrival]:
    """Yield the figures of each server, round by round. `folder` is on the disk to be measured.

    Raises:
        RuntimeError: a server or the generator could not do its part.
        WrongBytes: a member of sendall's heard something else than was written.
    """
    with ExitStack() as stack:
        entered: list[Contestant] = []
        for name in case.servers:
            try:
                contestant = _enter(name, case, folder / "".join(filter(str.isalnum, name)), stack)
            except (Missing, NoCompiler) as reason:
                print(f"SKIPPED {name}: {reason}", file=sys.stderr)
                continue
            if isinstance(contestant, tuple):
                contestant, arrival = contestant
                yield arrival
            entered.append(contestant)
        counts = {id(contestant): _count(contestant, case) for contestant in entered}
        for _ in range(rounds):
            for writers in case.writers:
                for contestant in entered:
                    messages = counts[id(contestant)] // writers * writers
                    yield Row(case.members, writers, 0, contestant.round(messages, writers=writers))
        paced = [contestant for contestant in entered if contestant.server.name in PACED]
        for rate, messages in case.rates * min(rounds, PACED_ROUNDS):
            for contestant in paced:
                yield Row(case.members, 1, rate, contestant.round(messages, rate=rate))


def _count(contestant: Contestant, case: Case) -> int:
    """Return how many messages a round of this server has.

    Those that are compared with each other by quotients get the same work, in one round enough to come in whole
    chunks. What is slower gets about `target_s` of it.
    """
    name, most = contestant.server.name, max(case.writers)
    equal = max(most, min(MAX_MESSAGES, int(case.target_s * WORK_PER_S) // case.members))
    if name in (SENDALL, CHUNK):
        return equal
    if name == SENDALL_TLS:
        return max(most, equal // 3)
    messages = max(most, (20_000 if name in ONE_BY_ONE else 400_000) // case.members)
    for _ in range(3):
        wall_s = contestant.round(messages // most * most, writers=most).wall_s
        if wall_s > case.target_s / 3:
            break
        messages = min(MAX_MESSAGES, messages * 8)
    return max(most, min(MAX_MESSAGES, int(messages * case.target_s / wall_s)))


def _enter(name: str, case: Case, folder: Path, stack: ExitStack) -> Contestant | tuple[Contestant, Arrival]:
    folder.mkdir(parents=True)
    most = max(case.writers)
    if name in (SENDALL, SENDALL_TLS):
        return _enter_sendall(name, case, folder, stack)
    if name in (CHUNK, EACH):
        copier = stack.enter_context(raw_copier(name.rpartition(" ")[2], DELIVERY_BYTES))
        contestant = Copier(copier, case.members, folder, DELIVERY_BYTES, lambda: _hear(copier))
        stack.callback(contestant.close)
        return contestant
    (peer,) = (peer for peer in ALL if peer.name == name)
    if case.members > peer.max_members:
        raise Missing(f"not with more than {peer.max_members:,} members")
    server = stack.enter_context(running(peer, folder))
    audience = Audience(peer, server, case.members, folder, writers=most)
    stack.callback(audience.close)
    return audience


def _enter_sendall(name: str, case: Case, folder: Path, stack: ExitStack) -> tuple[Room, Arrival]:
    server = stack.enter_context(sendall_server(folder / "data", name))
    rsa = RsaKey.generate()
    is_tls = name == SENDALL_TLS
    Room(server, rsa, 20, folder / "first", tls=is_tls).close()  # what the first ones cost only once
    time.sleep(SETTLE_S)
    cpu_s, rss = server.cpu_s(), server.rss()
    room = Room(server, rsa, case.members, folder / "room", writers=max(case.writers), tls=is_tls)
    stack.callback(room.close)
    cpu_s = server.cpu_s() - cpu_s
    time.sleep(SETTLE_S)
    rss = server.rss() - rss
    assert room.delivery_bytes == DELIVERY_BYTES
    return room, Arrival(name, case.members, cpu_s / case.members * 1e6, rss / case.members)


def _hear(copier: Server) -> Link:
    """Return a connection that the copier has greeted."""
    plain = socket.create_connection(("127.0.0.1", copier.port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.recv(1)
    return Link(plain)


def flat(rows: Sequence[Row], members: int, writers: int, server: str) -> list[Figures]:
    """Return all rounds of one server in one case, flat out."""
    wanted = (members, writers, 0, server)
    return [row.figures for row in rows if (row.members, row.writers, row.rate, row.figures.server) == wanted]
