"""A conversation that says back what it hears, for tests and the conformance suite."""

from __future__ import annotations

from sendall.server.framing import BINARY, TEXT
from sendall.server.wire import Wire


def message_frame(opcode: int, payload: bytes) -> bytes:
    """Return one whole server frame."""
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | opcode, length))
    elif length < 0x10000:
        head = bytes((0x80 | opcode, 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big")
    return head + payload


class EchoConversation:
    """Echoes messages and notes what it was told, in order.

    The text `close` makes it close with 4000, `flood` write 8 MiB.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.told: list[str] = []
        self.ticks: list[float] = []

    def text(self, data: bytes, now: float) -> None:
        self.told.append("text")
        if data == b"close":
            self.wire.close(4000, "as you wish")
        elif data == b"flood":
            for _ in range(128):
                self.wire.write(message_frame(BINARY, bytes(65_000)))
        else:
            self.wire.write(message_frame(TEXT, data))

    def binary(self, data: bytes, now: float) -> None:
        self.told.append("binary")
        self.wire.write(message_frame(BINARY, data))

    def paused(self) -> None:
        self.told.append("paused")

    def drained(self) -> None:
        self.told.append("drained")

    def tick(self, now: float) -> None:
        self.ticks.append(now)

    def closed(self) -> None:
        self.told.append("closed")
