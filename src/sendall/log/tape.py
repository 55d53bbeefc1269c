"""The tape: the recent end of a room's log, in memory, framed for the wire.

Holds the last `capacity` bytes of chunks, so that an entry is framed once however many members read
it. Knows nothing of sockets, durability or keys. A reader is a cursor; see ARCHITECTURE.md.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import deque

from sendall.protocol.chunks import Chunk, binary_message

_FRAME_HEAD = 25  # bytes of frame 02 before its entry; its length field is the last four of them


class Tape:
    """Chunks without holes, ascending; the oldest leave first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._chunks: deque[Chunk] = deque()
        self._size = 0

    @property
    def after(self) -> int | None:
        """The lowest cursor that can be served from here; None if the tape is empty."""
        return self._chunks[0].first - 1 if self._chunks else None

    @property
    def half(self) -> int | None:
        """The cursor in the middle of the tape: who is behind it is about to need the log."""
        return self._chunks[len(self._chunks) // 2].first - 1 if self._chunks else None

    def put(self, chunk: Chunk) -> None:
        """Append the next chunk; a hole would be an assertion."""
        assert not self._chunks or chunk.first == self._chunks[-1].last + 1
        self._chunks.append(chunk)
        self._size += len(chunk.data)
        while self._size > self._capacity and len(self._chunks) > 1:
            self._size -= len(self._chunks.popleft().data)

    def clear(self) -> None:
        """Forget everything: nobody reads, and the log has it."""
        self._chunks.clear()
        self._size = 0

    def next_after(self, cursor: int) -> Chunk | None:
        """Return what follows `cursor`: one chunk, or its rest if the cursor lies within it.

        None if the tape does not reach back that far, or the reader has everything.
        """
        chunks = self._chunks
        if not chunks or cursor < chunks[0].first - 1 or cursor >= chunks[-1].last:
            return None
        index = bisect_right(chunks, cursor, key=lambda chunk: chunk.last)
        chunk = chunks[index]
        return chunk if chunk.first == cursor + 1 else _rest(chunk, cursor)


def _rest(chunk: Chunk, cursor: int) -> Chunk:
    payload = chunk.data[{126: 4, 127: 10}.get(chunk.data[1], 2) :]
    at = 0
    for _ in range(cursor - chunk.first + 1):
        (length,) = struct.unpack_from(">I", payload, at + _FRAME_HEAD - 4)
        at += _FRAME_HEAD + length
    return Chunk(cursor + 1, chunk.last, binary_message(payload[at:]))
