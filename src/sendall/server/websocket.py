"""One WebSocket connection: the shell around `framing.Inbound` and a `Conversation`.

uvicorn makes one when an HTTP connection upgrades (its `ws=` setting) and hands over the transport
and the request head. `websockets` answers the opening handshake and is dropped; from then on there
are only the transport, the inbound framing and the conversation, 2 KB when idle. Implements `Wire`.
Must not know uvicorn, rooms or entries. It has no timer of its own: `tick` comes about once a second.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, Protocol

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from sendall.server.framing import BINARY, TEXT, Ending, Inbound, close_frame
from sendall.server.hosts import HostPolicy
from sendall.server.peers import Place, Trust
from sendall.server.wire import Conversation, Wire

PATH = "/ws"
WRITE_LIMIT_BYTES = 16 * 1024
CLOSING_S = 4.0
"""A peer has at most 5 s to leave after a close frame: this, and up to one tick."""

OpenConversation = Callable[[Wire], Conversation]

_LOG = logging.getLogger("sendall.server")
_SILENT = logging.Logger("silent", logging.CRITICAL + 1)  # websockets' own would show request heads at DEBUG
_VERSION = "13"


class SharedState(Protocol):
    """What this needs of uvicorn's `ServerState`."""

    connections: set[Any]  # uvicorn lists its own protocol classes there, with which this shares no type


class Given(NamedTuple):
    """What all connections of one server share."""

    open_conversation: OpenConversation
    """Called once per connection, after the handshake; may write at once."""
    policy: HostPolicy
    trust: Trust
    clock: Callable[[], float]
    """Monotonic, in seconds."""


def websocket_class(given: Given) -> type[WebSocketConnection]:
    """Return the connection class of one server: uvicorn makes the connections and knows nothing of `given`."""

    class ServedConnection(WebSocketConnection):
        __slots__ = ()
        _given = given

    return ServedConnection


class WebSocketConnection(asyncio.Protocol):
    """A connection from the request head on. Abstract: see `websocket_class`.

    Attributes:
        peer: who is at the other end; behind a trusted proxy, whom X-Forwarded-For names.
        write: the transport's own method, so that fan-out passes no layer of Python. After `close`
            and after the end it discards, so look it up anew for each batch.
    """

    __slots__ = (
        "_closing_until",
        "_connections",
        "_conversation",
        "_inbound",
        "_owed_pong",
        "_place",
        "_transport",
        "_why",
        "_write_paused",
        "peer",
        "write",
    )

    _given: ClassVar[Given]

    def __init__(self, config: object, server_state: SharedState, app_state: dict[str, Any]) -> None:
        """Take what uvicorn gives. `app_state["place"]` is the `Place` of this connection, to be left at its end."""
        self._connections = server_state.connections
        self._place: Place = app_state["place"]
        self.peer = self._place.peer
        self.write: Callable[[bytes], None] = _discard
        self._transport: asyncio.Transport
        self._inbound: Inbound | None = None
        self._conversation: Conversation | None = None
        self._closing_until = 0.0
        self._why = "the peer left without a close frame"
        self._write_paused = False
        self._owed_pong = b""

    # asyncio.Protocol

    # TCP gives this kind of transport; an isinstance check would fail, for uvloop's is one in behaviour only.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._connections.add(self)
        transport.set_write_buffer_limits(high=WRITE_LIMIT_BYTES)

    def data_received(self, data: bytes) -> None:
        inbound, conversation = self._inbound, self._conversation
        if inbound is None or conversation is None:
            if not self._closing_until:
                self._shake_hands(data)
            return
        now = self._given.clock()
        for opcode, payload in inbound.feed(data):
            if self._closing_until:
                break
            if opcode == BINARY:
                conversation.binary(payload, now)
            elif opcode == TEXT:
                conversation.text(payload, now)
            else:
                self._pong(payload)
        if inbound.ending is not None:
            self.end(inbound.ending)

    def eof_received(self) -> None:
        """The transport closes itself now, but would wait for ever for a peer that reads nothing."""
        self._begin_closing(b"", self._why)

    def pause_writing(self) -> None:
        self._write_paused = True
        if self._conversation is not None and not self._closing_until:
            self._conversation.paused()

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._conversation is not None and not self._closing_until:
            pong, self._owed_pong = self._owed_pong, b""
            if pong:
                self.write(pong)
            self._conversation.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._place.leave()
        self.write = _discard
        self._closing_until = self._closing_until or math.inf
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            _LOG.info("connection of %s ended: %s", self.peer.address, self._why)
            conversation.closed()

    # Wire

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, wait for the peer's at most 5 s, then end the connection; repeated calls do nothing.

        The conversation hears no more but `closed`.
        """
        self._begin_closing(close_frame(code, reason), f"closed with {int(code)} {reason}")

    def pause_reading(self) -> None:
        if not self._closing_until:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._closing_until:
            self._transport.resume_reading()

    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    # The server

    def shutdown(self) -> None:
        """End this connection because the server ends (the name uvicorn calls)."""
        self.close(1012, "the server restarts")

    def tick(self, now: float) -> None:
        """Let the conversation look at the time; abort a connection that should have ended by now."""
        if self._closing_until:
            if now >= self._closing_until:
                self.abort()
        elif self._conversation is not None:
            self._conversation.tick(now)

    def abort(self) -> None:
        """End the connection without waiting for anybody; unsent bytes are lost."""
        self._transport.abort()

    def end(self, ending: Ending) -> None:
        """Answer the end of what the peer sends, unless that is itself an answer, and hang up."""
        self._inbound = None
        why = f"closed with {ending.code}, {ending.defect}" if ending.defect else f"closed by the peer, {ending.code}"
        self._begin_closing(ending.frame, why)
        # Half-closing keeps reading until the peer has gone: bytes of it that stay unread
        # would make the kernel send a reset, which can overtake our close frame.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    # Opening and closing

    def _shake_hands(self, head: bytes) -> None:
        protocol = ServerProtocol(logger=_SILENT)
        protocol.receive_data(head)
        requests = protocol.events_received()
        if requests and isinstance(requests[0], Request):
            response = self._answer(protocol, requests[0])
        else:
            response = protocol.reject(HTTPStatus.BAD_REQUEST, "this is no HTTP request\n")
        protocol.parser.close()  # a generator and its owner: left alone, both stay until the garbage collector comes
        self._transport.write(response.serialize())
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            _LOG.info("handshake of %s refused: %d %s", self.peer.address, response.status_code, response.reason_phrase)
            self._begin_closing(b"", self._why)
            self._transport.close()
            return
        self._inbound = Inbound()
        self.write = self._transport.write
        # uvicorn does this only after we return, but the first write may already call pause_writing.
        self._transport.set_protocol(self)
        self._conversation = self._given.open_conversation(self)
        if self._write_paused and not self._closing_until:
            self._conversation.paused()

    def _answer(self, protocol: ServerProtocol, request: Request) -> Response:
        """Return 101, or why not: not our name, not our path, a foreign page, too many, or no WebSocket handshake."""
        headers = request.headers
        hosts = headers.get_all("Host")
        if not self._given.policy.allows_host(hosts, self._transport.get_extra_info("sockname")[0]):
            return protocol.reject(HTTPStatus.MISDIRECTED_REQUEST, "this server is not known by that name\n")
        if request.path.partition("?")[0] != PATH:
            return protocol.reject(HTTPStatus.NOT_FOUND, f"WebSockets are at {PATH}\n")
        if not self._given.policy.allows_origin(headers.get_all("Origin"), hosts[0], tls=self.peer.tls):
            return protocol.reject(HTTPStatus.FORBIDDEN, "pages of other origins may not connect\n")
        if headers.get_all("Sec-WebSocket-Version") not in ([], [_VERSION]):
            response = protocol.reject(HTTPStatus.UPGRADE_REQUIRED, f"WebSocket version {_VERSION} is needed\n")
            response.headers["Sec-WebSocket-Version"] = _VERSION  # RFC 6455, section 4.4
            return response
        behind = self._given.trust.behind(self.peer, headers.get_all("X-Forwarded-For"))
        if behind != self.peer:
            if self._place.move(behind):
                return protocol.reject(HTTPStatus.TOO_MANY_REQUESTS, "too many connections from your address\n")
            self.peer = behind
        return protocol.accept(request)

    def _pong(self, frame: bytes) -> None:
        """Answer a ping; while the peer reads nothing only the latest (RFC 6455, 5.5.3), or pings would fill memory."""
        if self._write_paused:
            self._owed_pong = frame
        else:
            self.write(frame)

    def _begin_closing(self, frame: bytes, why: str) -> None:
        """Write the last frame and let the peer's remaining bytes flow by, unless that was begun before."""
        if self._closing_until:
            return
        self._closing_until = self._given.clock() + CLOSING_S
        self._why = why
        self.write = _discard
        if frame:
            self._transport.write(frame)
        self._transport.resume_reading()


def _discard(data: bytes) -> None:
    """Write to nobody."""
