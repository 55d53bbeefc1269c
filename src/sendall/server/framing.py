"""WebSocket framing from the server's side: bytes in, whole messages out. Pure.

RFC 6455 sections 5, 7.4 and 8.1, without extensions. The usual frame, one whole masked message, is
cut out and unmasked in `Inbound.feed`; everything rarer takes the slow way below. Between messages
an `Inbound` holds nothing, so that an idle connection costs nothing.

`websockets.protocol.Protocol` is not used for frames: it takes 28 % of the inbound rate and 4 KB per
connection, reports a bad header only after the payload, and answers a close frame between two
fragments with 1002. It is the oracle of the tests instead. Knows nothing of sockets or time.
"""

from __future__ import annotations

import codecs
import struct
from typing import NamedTuple

from websockets.exceptions import ProtocolError
from websockets.frames import Close, CloseCode

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - a platform without websockets' C extension
    from websockets.utils import apply_mask

MAX_MESSAGE_BYTES = 128 * 1024

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_FIN = 0x80
_MASKED = 0x80
_WHOLE_BINARY = _FIN | BINARY
_MAX_SHORT = 125
_MAX_CONTROL_BYTES = 125
_MAX_REASON_BYTES = _MAX_CONTROL_BYTES - 2

Event = tuple[int, bytes]
"""(TEXT, message), (BINARY, message), or (PONG, a whole frame to send back)."""


class Ending(NamedTuple):
    """Why nothing more comes from this peer, and what to tell it."""

    frame: bytes
    """The close frame to send, unless one was sent before."""
    code: int
    """The peer's close code (1005: it gave none), or ours if the peer broke the protocol."""
    defect: str
    """Which rule the peer broke; empty if it closed properly. Never holds bytes of the peer's."""


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame; a reason of more than 123 bytes of UTF-8 is cut."""
    text = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
    return struct.pack("!BBH", _FIN | CLOSE, 2 + len(text), code) + text


class Inbound:
    """What one peer sends, after the opening handshake.

    Attributes:
        ending: set once the peer closed or broke the protocol; from then on `feed` ignores everything.
    """

    __slots__ = ("_fragments", "_needed", "_partial", "ending")

    def __init__(self) -> None:
        self._partial: bytearray | None = None
        self._needed = 0
        self._fragments: _Fragments | None = None
        self.ending: Ending | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Return what became complete with `data`, in order.

        Holds back at most one frame that has not wholly arrived, <= 128 KiB and its header.
        Look at `ending` afterwards: the events before it are still good.
        """
        if self._partial is not None:
            self._partial += data
            if len(self._partial) < self._needed:
                return []
            data = bytes(self._partial)
            self._partial = None
        events: list[Event] = []
        at, size = 0, len(data)
        while at < size and self.ending is None:
            header = self._header(data, at, size)
            if header is None:
                break
            body, end = header
            if end > size:
                self._needed = end - at
                break
            payload = apply_mask(data[body:end], data[body - 4 : body])
            if data[at] == _WHOLE_BINARY:
                events.append((BINARY, payload))
            else:
                self._take(data[at], payload, events)
            at = end
        if at < size and self.ending is None:
            self._partial = bytearray(data[at:])
        return events

    def _header(self, data: bytes, at: int, size: int) -> tuple[int, int] | None:
        """Return where payload and frame end of the frame at `at`; None if its header is incomplete or wrong.

        A defect ends the connection before its payload arrives, so that nobody can make us wait for one.
        """
        body = at + 6
        if size - at < 2:
            self._needed = 2
            return None
        first, second = data[at], data[at + 1]
        defect = self._defect(first, second) if first != _WHOLE_BINARY or second < _MASKED or self._fragments else ""
        if defect:
            self._fail(CloseCode.PROTOCOL_ERROR, defect)
            return None
        length = second & 0x7F
        if length > _MAX_SHORT:
            width, least = (2, 126) if length == 126 else (8, 0x10000)
            body += width
            if size < body - 4:
                self._needed = 2 + width
                return None
            length = int.from_bytes(data[at + 2 : body - 4], "big")
            if length < least or length >> 63:
                self._fail(CloseCode.PROTOCOL_ERROR, "a frame length is not in its shortest form")
                return None
        total = length + len(self._fragments.payload) if self._fragments and first & 0xF == CONTINUATION else length
        if total > MAX_MESSAGE_BYTES:
            limit = f"a message of {total:,} bytes exceeds the limit of {MAX_MESSAGE_BYTES:,}"
            self._fail(CloseCode.MESSAGE_TOO_BIG, limit)
            return None
        return body, body + length

    def _defect(self, first: int, second: int) -> str:
        """Return which rule the first two bytes of a frame break, or nothing."""
        opcode = first & 0xF
        if first & 0x70:
            return "a reserved bit is set"
        if second < _MASKED:
            return "a frame is not masked"
        if opcode in (CLOSE, PING, PONG):
            if not first & _FIN:
                return "a control frame is fragmented"
            return "a control frame is longer than 125 bytes" if second & 0x7F > _MAX_CONTROL_BYTES else ""
        if opcode == CONTINUATION:
            return "" if self._fragments else "a continuation frame continues nothing"
        if opcode in (TEXT, BINARY):
            return "a message begins within another" if self._fragments else ""
        return "an opcode is reserved"

    def _take(self, first: int, payload: bytes, events: list[Event]) -> None:
        """Handle one whole frame with a good header, other than an unfragmented binary message."""
        opcode = first & 0xF
        if opcode == PING:
            events.append((PONG, bytes((_FIN | PONG, len(payload))) + payload))
        elif opcode == CLOSE:
            self._close(payload)
        elif opcode != PONG:
            try:
                self._data(opcode, payload, events, final=first >= _FIN)
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "a text message is not UTF-8")

    def _data(self, opcode: int, payload: bytes, events: list[Event], *, final: bool) -> None:
        """Handle a text frame or a fragment.

        Raises:
            UnicodeDecodeError: text that is not, or can no longer become, UTF-8.
        """
        if self._fragments is None:
            if final:
                payload.decode()
                events.append((opcode, payload))
                return
            self._fragments = _Fragments(opcode)
        self._fragments.add(payload, final=final)
        if final:
            events.append((self._fragments.opcode, bytes(self._fragments.payload)))
            self._fragments = None

    def _close(self, payload: bytes) -> None:
        try:
            code = Close.parse(payload).code
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "a close reason is not UTF-8")
        except ProtocolError:
            self._fail(CloseCode.PROTOCOL_ERROR, "a close frame has no valid code")
        else:
            echo = close_frame(code) if payload else bytes((_FIN | CLOSE, 0))
            self.ending = Ending(echo, int(code), "")

    def _fail(self, code: int, defect: str) -> None:
        self._fragments = None
        self.ending = Ending(close_frame(code, defect), int(code), defect)


class _Fragments:
    """A message of which at least one frame came, and not yet the last."""

    __slots__ = ("_decoder", "opcode", "payload")

    def __init__(self, opcode: int) -> None:
        self.opcode = opcode
        self.payload = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")() if opcode == TEXT else None

    def add(self, payload: bytes, *, final: bool) -> None:
        """Append a fragment, which may end within a character unless it is the `final` one."""
        if self._decoder is not None:
            self._decoder.decode(payload, final)
        self.payload += payload
