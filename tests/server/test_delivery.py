"""The audience of a room, when one of its transports ends in the middle of a fan-out."""

from __future__ import annotations

from sendall.protocol.chunks import Chunk
from sendall.server.delivery import Audience, Reader


class Nothing:
    def next_after(self, cursor: int, upto: int) -> Chunk:
        raise AssertionError("nobody lags")

    early_after = next_after


def test_a_transport_that_just_ended_takes_nothing_from_the_others() -> None:
    """uvloop raises RuntimeError for a transport whose end it has not told yet; all others are written to."""
    given: dict[int, list[bytes]] = {}
    audience = Audience(0, Nothing())

    def reader(number: int, *, is_gone: bool) -> Reader:
        def write(data: bytes) -> None:
            if is_gone:
                raise RuntimeError("unable to perform operation; the handler is closed")
            given.setdefault(number, []).append(data)

        return Reader(audience, write, 0, 0.0)

    for number in range(9):
        member = reader(number, is_gone=number % 3 == 1)
        audience.add(member)
        audience.pull(member)
    audience.push(Chunk(1, 1, b"entry"))
    audience.tell(b"signal")
    assert given == {number: [b"entry", b"signal"] for number in (0, 2, 3, 5, 6, 8)}
