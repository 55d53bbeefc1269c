"""A real server on a free loopback port, and the plain ways to talk to it that tests need."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from sendall.server.hosts import HostPolicy
from sendall.server.http_server import HttpServer
from sendall.server.listener import ListenerLimits
from sendall.server.peers import Trust
from sendall.server.tls import TlsMaterial
from sendall.server.wire import Wire
from tests.server.echo import EchoConversation

NO_LIMITS = ListenerLimits(handshakes_per_s=0)
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class NobodyTrusted(Trust):
    """Takes loopback peers for strangers from afar."""

    def is_trusted(self, address: str) -> bool:
        return self.is_proxy(address)


class Serving:
    """One running server."""

    def __init__(self, server: HttpServer, port: int, conversations: list[EchoConversation], clock: Clock) -> None:
        self.server = server
        self.port = port
        self.conversations = conversations
        self.clock = clock
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def uri(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect by hand; the connection is closed with the server at the latest."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def exchange(self, request: bytes) -> bytes:
        """Send bytes on a new connection and return all that comes until the server closes it."""
        reader, writer = await self.connect()
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)

    async def upgrade(self, request: bytes = HANDSHAKE) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a WebSocket by hand, to send what no library would."""
        reader, writer = await self.connect()
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 101 ")
        return reader, writer

    async def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


@asynccontextmanager
async def serving(
    *,
    tls: TlsMaterial | None = None,
    policy: HostPolicy | None = None,
    trust: Trust | None = None,
    limits: ListenerLimits = NO_LIMITS,
    sockets: Sequence[socket.socket] = (),
    stopping: Callable[[], None] = lambda: None,
) -> AsyncIterator[Serving]:
    conversations: list[EchoConversation] = []
    clock = Clock()

    def open_conversation(wire: Wire) -> EchoConversation:
        conversations.append(EchoConversation(wire))
        return conversations[-1]

    sockets = sockets or [socket.create_server(("127.0.0.1", 0))]
    server = HttpServer(
        sockets=sockets,
        tls=tls,
        policy=policy or HostPolicy(),
        trust=trust or Trust(),
        limits=limits,
        open_conversation=open_conversation,
        clock=clock,
        stopping=stopping,
    )
    port = sockets[0].getsockname()[1]
    await server.start()
    served = Serving(server, port, conversations, clock)
    try:
        yield served
    finally:
        await served.hang_up()
        await server.stop(grace_s=0.2)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait for a condition of this process that nothing announces."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the server wrote into its log, from INFO on."""
    ours = [record for record in caplog.records if record.name.startswith("sendall.server")]
    return [record.getMessage() for record in ours if record.levelno >= logging.INFO]
