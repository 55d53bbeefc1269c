"""One run of the generator: who hears, who writes, and what came of it.

Builds the plan that generator.c reads, hands the sockets over, and returns its figures. Knows
sockets and bytes; what the bytes mean is `members`' and `peers`' business.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.servers import Server, compiled_generator
from bench.tls import TlsSocket

NO_WINDOW = 2**32
TIMEOUT_S = 60


class Link:
    """A connection that can be handed to the generator."""

    def __init__(self, plain: socket.socket, tls: TlsSocket | None = None) -> None:
        self.plain = plain
        self.tls = tls

    def close(self) -> None:
        self.plain.close()


class Upstream(NamedTuple):
    """What one connection writes in a run."""

    link: Link
    data: bytes
    entries: int
    message_bytes: int
    batch: int = 1
    """Entries in one message."""
    window: int = NO_WINDOW
    sender: bytes = b""
    """The id by which it knows its own entries; empty: it hears nothing, and what comes is thrown away."""


class Load(NamedTuple):
    """What is to be done in one run."""

    hearing: Sequence[Link]
    writing: Sequence[Upstream]
    delivery_bytes: int
    expect: int
    """Deliveries that each hearing connection must get."""
    framed: bool = False
    """Whether what comes is WebSocket messages."""
    keeper: Link | None = None
    """Whose bytes are kept, in the file `kept`."""
    rate: int = 0
    """Messages a second; 0: flat out."""


class Figures(NamedTuple):
    """One server in one run."""

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
    last_p50_ms: float = 0
    last_p99_ms: float = 0
    """Paced: from writing a message until the last member has it."""
    all_p50_ms: float = 0
    all_p99_ms: float = 0
    """Paced: until any member has it."""

    @property
    def rate(self) -> float:
        """Deliveries per second."""
        return self.deliveries / self.wall_s

    @property
    def cpu_us(self) -> float:
        """Server CPU per delivery, in microseconds."""
        return self.server_cpu_s / self.deliveries * 1e6


def run(server: Server, load: Load, folder: Path) -> Figures:
    """Do it once. Files go to `folder`.

    Raises:
        RuntimeError: not everything came, or more than that.
    """
    links = list({id(link): link for link in (*load.hearing, *(up.link for up in load.writing))}.values())
    before = server.cpu_s()
    done = subprocess.run(
        [compiled_generator(tls=any(link.tls for link in links))],
        input="\n".join(_plan(load, folder)),
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[link.plain.fileno() for link in links],
        timeout=2 * TIMEOUT_S,
    )
    cpu_s = server.cpu_s() - before
    result = json.loads(done.stdout or '{"ok": false, "error": "the generator died"}')
    if not result["ok"]:
        raise RuntimeError(f"{server.name}: {result['error']}")
    for link, seen in zip((link for link in _in_plan(load) if link.tls), result["records"], strict=True):
        assert link.tls is not None
        link.tls.seen = seen
    return Figures(
        server.name,
        result["deliveries"],
        load.delivery_bytes,
        result["wall_s"],
        result["confirmed_s"],
        result["receipt_p50_ms"],
        result["receipt_p99_ms"],
        cpu_s,
        result["generator_cpu_s"],
        *(result.get(name, 0) for name in ("last_p50_ms", "last_p99_ms", "all_p50_ms", "all_p99_ms")),
    )


def _in_plan(load: Load) -> list[Link]:
    """Return the connections in the order of the plan."""
    hearing = {id(link) for link in load.hearing}
    return [*load.hearing, *(up.link for up in load.writing if id(up.link) not in hearing)]


def _plan(load: Load, folder: Path) -> list[str]:
    lines = [f"framed {load.framed:d}", f"delivery {load.delivery_bytes}", f"expect {load.expect}"]
    lines.append(f"timeout {TIMEOUT_S}")
    if load.rate:
        lines.append(f"rate {load.rate}")
    writing = {id(up.link): up for up in load.writing}
    for link in _in_plan(load):
        fd = link.plain.fileno()
        up = writing.get(id(link))
        if up is not None:
            path = folder / f"said-{fd}"
            path.write_bytes(up.data)
            role = f"writer {fd} {path} {up.sender.hex()}" if up.sender else f"source {fd} {path}"
            lines.append(f"{role} {up.entries} {up.message_bytes}")
            if up.sender:
                lines.append(f"{up.batch} {up.window}")
        else:
            lines.append(f"keeper {fd} {folder / 'kept'}" if link is load.keeper else f"member {fd}")
        if link.tls is not None:
            lines.append(f"tls {link.tls.theirs.key.hex()} {link.tls.theirs.iv.hex()} {link.tls.seen}")
    return lines
