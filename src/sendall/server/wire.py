"""The seam between the relay and whatever carries its bytes.

A `Wire` is the write side of one WebSocket connection; a `Conversation` is what the shell tells of
its read side. Sockets implement them in `server/websocket.py`, the simulation with plain lists.
Everything above this seam is synchronous and gets time as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Peer(NamedTuple):
    """Who is at the other end, as far as the socket tells."""

    address: str
    """The IP address without port; of a trusted proxy's client, if X-Forwarded-For named it."""
    trusted: bool
    """A loopback peer or trusted proxy: no per-address limits."""
    tls: bool
    """Whether TLS of our own protects the connection."""


class Wire(Protocol):
    """The write side of one connection. Nothing here waits or raises."""

    peer: Peer
    write: Callable[[bytes], None]
    """Queue bytes that are already WebSocket frames (one or several). May call
    `Conversation.paused` before it returns, when the transport's buffer passes its limit (16 KiB).
    Look it up anew for each batch: after `close`, and once the connection is gone, it discards."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame (reason <= 123 bytes of UTF-8), then end the connection; repeated calls do nothing.

        What was written before goes first. The peer has at most 5 s to take it and to leave. From here on
        the conversation hears only `closed`, and that later, never before this returns.
        """
        ...

    def pause_reading(self) -> None:
        """Take no more from this peer until `resume_reading`; may be repeated.

        What came with the same read (<= 256 KiB) still arrives.
        """
        ...

    def resume_reading(self) -> None: ...

    def unsent_bytes(self) -> int:
        """Bytes queued in the transport and not yet given to the kernel."""
        ...


class Conversation(Protocol):
    """What a connection tells the relay. `now` is monotonic, in seconds.

    WebSocket pings, fragments and close frames stay below this seam. An exception ends the connection.
    """

    def text(self, data: bytes, now: float) -> None:
        """One whole text message (UTF-8 checked, <= 128 KiB)."""
        ...

    def binary(self, data: bytes, now: float) -> None:
        """One whole binary message."""
        ...

    def paused(self) -> None:
        """The transport's buffer is over its limit (called from inside `Wire.write`)."""
        ...

    def drained(self) -> None:
        """The transport has room again."""
        ...

    def tick(self, now: float) -> None:
        """About once a second: pings, deadlines, progress of slow readers."""
        ...

    def closed(self) -> None:
        """The connection is gone, called exactly once, whoever ended it; nothing is called afterwards."""
        ...
