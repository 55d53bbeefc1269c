"""Rounds: one measurement after the other, sendall and the raw copier in turns, over the same sockets.

Both servers stay up for a whole case, so that what else happens on the machine meets both. In each
round the same number of messages of the same size goes to the same number of members; the copier is
given the very frames that sendall sends out. Figures that are compared come from the same round.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.members import Member, masked, verify
from bench.servers import Server, compiled, raw_copier, sendall_server
from sendall.crypto.primitives import RsaKey
from sendall.protocol.frames import logged_frame, post_frame

WEBSOCKET_BATCH = 65_535
NO_WINDOW = 2**32
TIMEOUT_S = 60
EACH_SHARE = 50
"""One send per delivery takes a hundred times as long: that copier is given every 50th message."""


class Case(NamedTuple):
    """What is measured."""

    members: int
    """Connections that hear everything."""
    writers: int
    """How many of them write, flat out."""
    messages: int
    """Of all writers together, in a round."""
    batch: int = 32
    """Entries in one WebSocket message of a writer."""


class Figures(NamedTuple):
    """One server in one round."""

    server: str
    deliveries: int
    bytes_per_delivery: int
    wall_s: float
    """From the first byte written until the last member has everything."""
    durable_s: float
    """Until the writers have all receipts: everything is on the disk and in order."""
    receipt_p50_ms: float
    receipt_p99_ms: float
    """From handing an entry to the kernel until its receipt, flat out: mostly waiting in the window."""
    server_cpu_s: float
    generator_cpu_s: float

    @property
    def rate(self) -> float:
        """Deliveries per second."""
        return self.deliveries / self.wall_s

    @property
    def cpu_us(self) -> float:
        """Server CPU per delivery, in microseconds."""
        return self.server_cpu_s / self.deliveries * 1e6


class Upstream(NamedTuple):
    """What one writer says in a round."""

    data: bytes
    entries: int
    message_bytes: int
    batch: int
    window: int


def measure(case: Case, rounds: int, folder: Path) -> Iterator[Figures]:
    """Yield the figures of each server, round by round. `folder` is on the disk to be measured.

    Raises:
        RuntimeError: a server or the generator could not do its part.
        WrongBytes: a member of sendall's heard something else than was written.
    """
    with ExitStack() as stack:
        server = stack.enter_context(sendall_server(folder / "data"))
        room = Room(case, server, folder)
        for member in room.members:
            stack.callback(member.socket.close)
        copiers = [
            (copier, [stack.enter_context(_hear(copier)) for _ in range(case.members)], share)
            for mode, share in (("chunk", 1), ("each", EACH_SHARE))
            for copier in [stack.enter_context(raw_copier(mode, room.frame_size))]
        ]
        for _ in range(rounds):
            entries = room.seal(case.messages // case.writers)
            yield room.run(entries)
            for copier, sockets, share in copiers:
                yield _run_raw(copier, sockets, {who: each[::share] for who, each in entries.items()}, folder)


class Room:
    """sendall's side of a case."""

    def __init__(self, case: Case, server: Server, folder: Path) -> None:
        rsa = RsaKey.generate()
        self.case = case
        self.server = server
        self.folder = folder
        self.members = [Member(server.port, rsa) for _ in range(case.members)]
        self.reader = self.members[0]
        self.writers = self.members[-case.writers :]
        # Warms the room up, and tells how large a delivery is.
        entries = self.seal(1)
        self.frame_size = _frame_size(entries)
        self.run(entries)

    def seal(self, count: int) -> dict[bytes, list[bytes]]:
        """Return `count` entries of each writer, by its id."""
        for writer in self.writers:
            writer.head = self.reader.head
        return {writer.identity.pk: writer.seal(count, "hello everyone") for writer in self.writers}

    def run(self, entries: dict[bytes, list[bytes]]) -> Figures:
        batch = self.case.batch
        said = {
            writer.socket.fileno(): (writer.identity.pk, _upstream(writer, entries[writer.identity.pk], batch))
            for writer in self.writers
        }
        kept = self.folder / "kept"
        sockets = [member.socket for member in self.members]
        figures = _generate(self.server, sockets, said, kept, self.frame_size, framed=True)
        verify(kept.read_bytes(), self.reader, entries)
        return figures


def _frame_size(entries: dict[bytes, list[bytes]]) -> int:
    (size,) = {len(logged_frame(1, 1, 1, entry)) for each in entries.values() for entry in each}
    return size


def _upstream(writer: Member, entries: Sequence[bytes], batch: int) -> Upstream:
    posts = [post_frame(writer.rid, entry) for entry in entries]
    batch = min(batch, WEBSOCKET_BATCH // len(posts[0]))
    messages = [masked(0x82, b"".join(posts[i : i + batch])) for i in range(0, len(posts), batch)]
    return Upstream(b"".join(messages), len(entries), len(messages[0]), batch, writer.inflight)


def _run_raw(copier: Server, sockets: list[socket.socket], entries: dict[bytes, list[bytes]], folder: Path) -> Figures:
    size = _frame_size(entries)
    said = {}
    for sock, (sender, each) in zip(sockets[-len(entries) :], entries.items(), strict=True):
        frames = b"".join(logged_frame(1, seq, seq, entry) for seq, entry in enumerate(each))
        said[sock.fileno()] = sender, Upstream(frames, len(each), size, 1, NO_WINDOW)
    return _generate(copier, sockets, said, folder / "kept", size, framed=False)


def _hear(copier: Server) -> socket.socket:
    """Return a connection that the copier has greeted."""
    sock = socket.create_connection(("127.0.0.1", copier.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.recv(1)
    return sock


def _generate(
    server: Server,
    sockets: list[socket.socket],
    said: dict[int, tuple[bytes, Upstream]],
    kept: Path,
    size: int,
    *,
    framed: bool,
) -> Figures:
    """Let generator.c do one round over these sockets; the first one's bytes go to `kept`."""
    count = sum(up.entries for _, up in said.values())
    plan = [f"framed {framed:d}", f"delivery {size}", f"expect {count}", f"timeout {TIMEOUT_S}"]
    for sock in sockets:
        fd = sock.fileno()
        if fd in said:
            sender, up = said[fd]
            path = kept.with_name(f"said-{fd}")
            path.write_bytes(up.data)
            plan.append(f"writer {fd} {path} {sender.hex()} {up.entries} {up.message_bytes} {up.batch} {up.window}")
        else:
            plan.append(f"keeper {fd} {kept}" if sock is sockets[0] else f"member {fd}")
    before = server.cpu_s()
    done = subprocess.run(
        [compiled("generator")],
        input="\n".join(plan),
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[sock.fileno() for sock in sockets],
        timeout=2 * TIMEOUT_S,
    )
    cpu_s = server.cpu_s() - before
    result = json.loads(done.stdout or '{"ok": false, "error": "the generator died"}')
    if not result["ok"]:
        raise RuntimeError(f"{server.name}: {result['error']}")
    return Figures(
        server.name,
        result["deliveries"],
        size,
        result["wall_s"],
        result["confirmed_s"],
        result["receipt_p50_ms"],
        result["receipt_p99_ms"],
        cpu_s,
        result["generator_cpu_s"],
    )
