"""One HTTP connection: uvicorn's, strict about request heads and gone after an upgrade.

Adds to uvicorn's httptools protocol the limits of docs/threat-model.md, "Denial of service" (a head of
at most 8 KiB within 10 s), lets go of everything when a WebSocket takes over the transport, and
writes our one log line. Parsing, keep-alive and request smuggling are uvicorn's. Knows nothing of
what is served. It has no timer of its own: `tick` comes about once a second.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sendall.server.framing import Ending, close_frame
from sendall.server.peers import Place
from sendall.server.websocket import WebSocketConnection

HEAD_BYTES = 8 * 1024
HEAD_S = 8.0
"""A head takes at most 10 s: this, a tick until the wait is noticed, and a tick until it is over."""

_LOG = logging.getLogger("sendall.server")
_UVICORN_LOG = _LOG.getChild("http")
_UVICORN_LOG.setLevel(logging.ERROR)  # its warnings would be a second line, without an address
_END_OF_HEAD = b"\r\n\r\n"
_PROTOCOL_ERROR = 1002
_EARLY = "frames came before the handshake was answered"


class HttpConnection(HttpToolsProtocol):
    """A connection from its first byte (behind TLS) to its end, or to its upgrade."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take what uvicorn takes. `app_state["place"]` is this connection's `Place`; requests have it as state."""
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _UVICORN_LOG
        self._place: Place = app_state["place"]
        self._awaits_head = True
        self._head_bytes = 0
        self._overdue_at = 0.0

    def data_received(self, data: bytes) -> None:
        # In pieces, because the parser keeps a head that has no end, and swallows whole what it is fed.
        while data and self.parser is not None and not self.transport.is_closing():
            room = HEAD_BYTES - self._head_bytes if self._awaits_head else HEAD_BYTES
            piece, data = data[:room], data[room:]
            if self._awaits_head:
                self._head_bytes += len(piece)
            super().data_received(piece)
            if self.parser is None:
                self._check_nothing_early(piece, data)
            elif self._awaits_head and self._head_bytes >= HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._awaits_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._awaits_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._overdue_at = 0.0
        if not self._awaits_head:
            self.transport.close()  # answered before the body came: nobody waits for the rest of it

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the WebSocket class, then break the cycles of references: nothing here is called again."""
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost
        self.scope = self.cycle = self.flow = None  # type: ignore[assignment]
        self.headers = []

    def connection_lost(self, exc: Exception | None) -> None:
        if self._awaits_head and self._head_bytes:
            _LOG.info("connection of %s ended in the middle of a request head", self._place.peer.address)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._place.leave()

    def tick(self, now: float) -> None:
        """End the connection if it owes a request head, or its own end, for too long."""
        if not self.transport.is_closing() and not (self._awaits_head and self._is_idle()):
            return
        if not self._overdue_at:
            self._overdue_at = now + HEAD_S
        elif now < self._overdue_at:
            return
        elif self.transport.is_closing():
            self.abort()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def abort(self) -> None:
        """End the connection without waiting for anybody."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _should_upgrade(self) -> bool:
        peer = self._place.peer
        return (peer.tls or peer.trusted) and super()._should_upgrade()  # others get the redirect to https

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, status: HTTPStatus) -> None:
        _LOG.info("request of %s refused: %d %s", self._place.peer.address, status, status.phrase)
        head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self._head_bytes = self._overdue_at = 0
        self.transport.write(head.encode())
        self.transport.close()

    def _check_nothing_early(self, piece: bytes, rest: bytes) -> None:
        """Close a WebSocket whose peer spoke before it had our answer: uvicorn loses those bytes."""
        connection = self.transport.get_protocol()
        if isinstance(connection, WebSocketConnection) and (rest or not piece.endswith(_END_OF_HEAD)):
            connection.end(Ending(close_frame(_PROTOCOL_ERROR, _EARLY), _PROTOCOL_ERROR, _EARLY))
