"""Accepting connections: one port for TLS and plain HTTP, with limits before any work is done.

uvicorn would choose TLS or plain once for the whole port. This loop accepts by itself, peeks at the
first byte (0x16 begins a TLS handshake, and no HTTP request) and only then lets the event loop make
a transport with uvicorn's protocol on it. Limits: docs/threat-model.md, "Denial of service". Counting
and pacing are decided in `peers`. Knows nothing of HTTP; runs on uvloop and asyncio.
"""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import errno
import logging
import resource
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sendall.server.hosts import ip_literal
from sendall.server.peers import Pace, Place, Places, Trust
from sendall.server.wire import Peer

_LOG = logging.getLogger("sendall.server")

_TLS_HANDSHAKE_RECORD = 0x16
_FIRST_BYTE_S = 9.0  # and up to one tick
_TLS_HANDSHAKE_S = 10.0
_TLS_GOODBYE_S = 5.0
_PAUSE_S = 0.1
_ACCEPTS_PER_TURN = 32
_BACKLOG = 1024
_SHARE_OF_FILES = 0.8
_PASSING = (BlockingIOError, InterruptedError, ConnectionAbortedError)


class ListenerLimits(NamedTuple):
    """What the listener lets in."""

    connections_per_address: int = 1000
    """Of one IPv4 address or IPv6 /64; loopback peers and trusted proxies have no such limit."""
    connections: int | None = None
    """In all; by default 80 % of the open files this process may have (`ulimit -n`)."""
    handshakes_per_s: float = 200.0
    """Connections begun in a second, a tenth of it at once; the rest waits in the backlog."""


_Connecting = asyncio.Task[tuple[asyncio.Transport, asyncio.Protocol]]
MakeProtocol = Callable[[Place], asyncio.Protocol]


class Listener:
    """The accept loop of one server.

    Attributes:
        places: the connections there are; each leaves by itself.
    """

    def __init__(
        self,
        *,
        sockets: Sequence[socket.socket],
        context: ssl.SSLContext | None,
        trust: Trust,
        limits: ListenerLimits,
        make_protocol: MakeProtocol,
        clock: Callable[[], float],
    ) -> None:
        """Prepare; nothing is accepted before `start`.

        Args:
            sockets: bound TCP sockets, listening or not; closed by `stop`.
            context: None refuses TLS, which suits tests alone: plain HTTP from afar is then of no use to anybody.
            make_protocol: called once per connection, inside the event loop.
            clock: monotonic, in seconds.
        """
        self.places = Places(total=limits.connections or _open_files_share(), per_site=limits.connections_per_address)
        self._sockets = sockets
        self._context = context
        self._trust = trust
        self._make_protocol = make_protocol
        self._clock = clock
        self._pace = Pace(limits.handshakes_per_s, max(1.0, limits.handshakes_per_s / 10), clock())
        self._loop: asyncio.AbstractEventLoop
        self._resume: asyncio.TimerHandle | None = None
        self._silent: dict[socket.socket, tuple[float, Place]] = {}
        self._tasks: set[_Connecting] = set()
        self._refused = 0
        self._last_refusal = ""
        self._starved = False

    def start(self) -> None:
        """Listen and accept from now on, on the running loop."""
        self._loop = asyncio.get_running_loop()
        # The standard loop's TLS reads through 256 KiB per connection: 278 KB each when idle, against 38 KB so
        # (measured). The attribute is private; a test looks whether it is still there. uvloop has a TLS of its own.
        asyncio.sslproto.SSLProtocol.max_size = 16 * 1024
        for listening in self._sockets:
            listening.setblocking(False)
            listening.listen(_BACKLOG)
        self._listen()

    async def stop(self) -> None:
        """Close the sockets and whatever has not become an HTTP connection yet. May be repeated."""
        if self._resume:
            self._resume.cancel()
        for listening in self._sockets:
            if listening.fileno() >= 0:
                self._loop.remove_reader(listening)
                listening.close()
        for sock in tuple(self._silent):
            self._drop(sock)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tick(self, now: float) -> None:
        """Close what has not said its first byte in time; report refusals, all of a second in one line."""
        for sock, (deadline, place) in tuple(self._silent.items()):
            if now < deadline:
                break  # they came in this order
            _LOG.info("connection of %s ended: it said nothing for 10 s", place.peer.address)
            self._drop(sock)
        if self._refused:
            _LOG.warning("%d connections refused, the last because there are %s", self._refused, self._last_refusal)
            self._refused = 0

    # Accepting

    def _listen(self) -> None:
        self._resume = None
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _pause(self, seconds: float) -> None:
        if self._resume:
            return  # another socket of ours did it in the same turn
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        self._resume = self._loop.call_later(seconds, self._listen)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            wait = self._pace.wait(self._clock())
            if wait:
                self._pause(wait)
                return
            try:
                sock, address = listening.accept()
            except _PASSING:
                return
            except OSError as error:
                self._cannot_accept(error)
                return
            self._starved = False
            self._admit(sock, address[0])

    def _cannot_accept(self, error: OSError) -> None:
        """Wait a little: out of files or memory, or an error of the network that accept(2) passes on."""
        if not self._starved:
            _LOG.warning("cannot accept connections, trying on: %s", errno.errorcode.get(error.errno or 0, error))
        self._starved = True
        self._pause(_PAUSE_S)

    def _admit(self, sock: socket.socket, address: str) -> None:
        address = ip_literal(address)
        peer = Peer(address, trusted=self._trust.is_trusted(address), tls=False)
        refusal = self.places.refusal(peer)
        if refusal:
            # Costs no token, or one address could use up everybody's.
            self._refused += 1
            self._last_refusal = refusal
            sock.close()
            return
        self._pace.take()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._silent[sock] = self._clock() + _FIRST_BYTE_S, self.places.take(peer)
        self._loop.add_reader(sock, self._peek, sock)

    # The first byte

    def _peek(self, sock: socket.socket) -> None:
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self._drop(sock)  # came and went, as health checks and port scans do: no line in the log
            return
        tls = first[0] == _TLS_HANDSHAKE_RECORD
        if tls and self._context is None:
            _LOG.info("connection of %s refused: TLS is off", self._silent[sock][1].peer.address)
            self._drop(sock)
            return
        self._loop.remove_reader(sock)
        _, place = self._silent.pop(sock)
        place.peer = place.peer._replace(tls=tls)
        connecting = self._loop.connect_accepted_socket(
            lambda: self._make_protocol(place),
            sock,
            ssl=self._context if tls else None,
            ssl_handshake_timeout=_TLS_HANDSHAKE_S if tls else None,
            ssl_shutdown_timeout=_TLS_GOODBYE_S if tls else None,
        )
        task = self._loop.create_task(connecting)
        self._tasks.add(task)
        task.add_done_callback(partial(self._connected, sock, place))

    def _connected(self, sock: socket.socket, place: Place, task: _Connecting) -> None:
        """Clean up if no protocol came of it; if one did, the place is its own.

        A callback rather than the end of a coroutine, which never begins if it is cancelled early.
        """
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return
        place.leave()
        sock.close()
        if isinstance(error, OSError):
            _LOG.info("TLS handshake of %s failed: %s", place.peer.address, _reason(error))
        elif error is not None:
            _LOG.error("a connection of %s failed", place.peer.address, exc_info=error)

    def _drop(self, sock: socket.socket) -> None:
        _, place = self._silent.pop(sock)
        self._loop.remove_reader(sock)
        sock.close()
        place.leave()


def _open_files_share() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return int(soft * _SHARE_OF_FILES)


def _reason(error: OSError) -> str:
    """Return why a handshake failed, in a few words and none of the peer's."""
    reason = error.reason if isinstance(error, ssl.SSLError) else ""
    return reason or type(error).__name__
