"""The HTTP and WebSocket server as one thing to start and to stop.

uvicorn gives the HTTP protocol and its configuration; its `Server`, which binds sockets, catches
signals and polls, is not used: accepting is `listener`'s, signals are the composition root's. One
timer drives everything here that waits for time to pass. Knows nothing of what is said.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from itertools import islice
from typing import Protocol, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from sendall.server.hosts import HostPolicy
from sendall.server.http import http_app
from sendall.server.http_connection import HttpConnection
from sendall.server.listener import Listener, ListenerLimits
from sendall.server.peers import Place, Trust
from sendall.server.tls import TlsMaterial
from sendall.server.websocket import Given, OpenConversation, websocket_class

_LOG = logging.getLogger("sendall.server")
_TICK_S = 1.0
_TICKS_PER_TURN = 500
_ABORT_S = 1.0


class _Connection(Protocol):
    """What `HttpConnection` and `WebSocketConnection` have in common."""

    def tick(self, now: float) -> None: ...
    def shutdown(self) -> None: ...
    def abort(self) -> None: ...


class HttpServer:
    """Serves on sockets that are bound already."""

    def __init__(
        self,
        *,
        sockets: Sequence[socket.socket],
        tls: TlsMaterial | None,
        policy: HostPolicy,
        trust: Trust,
        limits: ListenerLimits,
        open_conversation: OpenConversation,
        clock: Callable[[], float],
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is accepted before `start`.

        Args:
            sockets: TCP sockets; from here on this server's, which closes them.
            tls: None refuses TLS, which suits tests alone.
            policy: Host and Origin allow-lists; holds the certificate's names if those are to be answered.
            open_conversation: called for each WebSocket.
            clock: monotonic, in seconds.
            stopping: called by `stop`, when nobody new comes and before connections are closed: the moment to
                send what is due and to close them with words of its own.
        """
        self._clock = clock
        self._stopping = stopping
        self._state = ServerState()
        self._config = Config(
            http_app(policy),
            http=HttpConnection,
            ws=websocket_class(Given(open_conversation, policy, trust, clock)),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._listener = Listener(
            sockets=sockets,
            context=tls.context if tls else None,
            trust=trust,
            limits=limits,
            make_protocol=self._make_connection,
            clock=clock,
        )
        self._beat: asyncio.TimerHandle | None = None

    @property
    def connection_count(self) -> int:
        """Connections there are, those in a handshake included."""
        return self._listener.places.count

    async def start(self) -> None:
        """Accept from now on, on the running loop."""
        self._config.load()
        self._listener.start()
        self._tick()

    async def stop(self, grace_s: float = 5.0) -> None:
        """Accept nobody more, tell everybody (WebSockets: 1012), wait, and abort who is still there after `grace_s`.

        Returns when no connection is left. May be repeated.
        """
        await self._listener.stop()
        self._stopping()
        for connection in self._connections():
            connection.shutdown()
        if not await self._emptied(grace_s):
            _LOG.info("%d connections did not end within %g s", self.connection_count, grace_s)
            for connection in self._connections():
                connection.abort()
            await self._emptied(_ABORT_S)
        if self._beat:
            self._beat.cancel()

    def _make_connection(self, place: Place) -> HttpConnection:
        return HttpConnection(self._config, self._state, {"place": place})

    def _connections(self) -> tuple[_Connection, ...]:
        # uvicorn types this as a set of its own classes; in it are only the two of ours.
        return cast(tuple[_Connection, ...], tuple(self._state.connections))

    async def _emptied(self, timeout_s: float) -> bool:
        """Wait until no connection is left; return whether it came to that."""
        if not self.connection_count:
            return True
        empty = asyncio.Event()
        self._listener.places.emptied = empty.set
        try:
            await asyncio.wait_for(empty.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def _tick(self) -> None:
        """Tell everybody the time, once a second."""
        loop = asyncio.get_running_loop()
        self._beat = loop.call_later(_TICK_S, self._tick)
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        self._listener.tick(self._clock())
        self._tick_some(iter(self._connections()))

    def _tick_some(self, connections: Iterator[_Connection]) -> None:
        """Tick a slice, and the others in later turns of the loop: all of 10,000 at once would be felt by readers."""
        now = self._clock()
        count = 0
        for connection in islice(connections, _TICKS_PER_TURN):
            count += 1
            try:
                connection.tick(now)
            except Exception:  # one broken conversation must not stop the clock of all
                _LOG.exception("a connection failed at its tick and is ended")
                connection.abort()
        if count == _TICKS_PER_TURN:
            asyncio.get_running_loop().call_soon(self._tick_some, connections)
