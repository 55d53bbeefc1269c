"""Delivery: who has been given what of one room.

A reader is CURRENT (new chunks are pushed to it) or LAGGING (it holds a position, nothing else, and
pulls when its transport has room). Pushing does nothing per message and reader but one `write` of
bytes that all readers share. Pure decisions; the writes go to `Wire.write`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sendall.protocol.chunks import Chunk

PULL_CHUNKS = 4
"""Chunks a reader may pull in one turn of the loop, so that a long history delays nobody."""


NEVER = 2**63
"""A seq that no log reaches."""


class Source(Protocol):
    """Where a lagging reader reads: the tape, else the log."""

    def next_after(self, cursor: int, upto: int) -> Chunk:
        """Return what follows `cursor`, not beyond `upto`, which is after it."""
        ...

    def early_after(self, cursor: int, upto: int) -> Chunk:
        """Return control entries after `cursor`; without any, an empty chunk that ends at `upto`."""
        ...


class Reader:
    """One connection's place in one room."""

    __slots__ = (
        *("alive_at", "audience", "cursor", "early", "has_room", "is_current", "limit", "missed"),
        *("wanted_at", "wants_grant", "write"),
    )

    def __init__(
        self, audience: Audience, write: Callable[[bytes], None], cursor: int, now: float, *, early: int = 0
    ) -> None:
        self.audience = audience
        self.write = write
        self.cursor = cursor
        """While LAGGING: everything up to here was written. Not kept up to date while CURRENT."""
        self.early = early
        """Up to here it is given control entries only: it begins later than its own cursor, or (NEVER) it watches."""
        self.limit = NEVER
        """Nothing after this seq is for it: it is no member any more."""
        self.is_current = False
        self.has_room = True
        """Whether the transport takes more."""
        self.missed = True
        """Whether signals, cards or presence passed it by: the room tells it anew when it is CURRENT."""
        self.alive_at = now
        """When it last drained (monotonic seconds)."""
        self.wants_grant = False
        """Whether a grant waits until its transport has room."""
        self.wanted_at = float("-inf")
        """When it last asked for a grant."""

    @property
    def is_early(self) -> bool:
        """Whether it is still given what lies before its beginning; a grant would end that part."""
        return self.cursor < self.early

    @property
    def is_done(self) -> bool:
        """Whether it was given all that it may be given."""
        return self.cursor >= self.limit


class Audience:
    """The readers of one room. `sent` is the last seq that was pushed to the CURRENT ones."""

    def __init__(self, sent: int, source: Source) -> None:
        self.sent = sent
        self._source = source
        self.readers: set[Reader] = set()
        self.lagging: set[Reader] = set()
        self._writes: tuple[Callable[[bytes], None], ...] | None = ()

    def add(self, reader: Reader) -> None:
        self.readers.add(reader)
        self.lagging.add(reader)

    def remove(self, reader: Reader) -> None:
        self.readers.discard(reader)
        self.lagging.discard(reader)
        self._writes = None

    def push(self, chunk: Chunk) -> None:
        """Write the next chunk to every CURRENT reader.

        A transport may call `fall_behind` from inside its write: `sent` is set first, so that the
        reader's cursor includes the chunk that filled it.
        """
        self.sent = chunk.last
        self._write(chunk.data)

    def tell(self, data: bytes) -> None:
        """Write something that is not logged to the CURRENT readers; the others miss it."""
        self._write(data)
        for reader in self.lagging:
            reader.missed = True

    def fall_behind(self, reader: Reader) -> None:
        """The reader's transport is full: it holds a position from here on."""
        reader.has_room = False
        if reader.is_current:
            reader.is_current = False
            reader.cursor = self.sent
            self.lagging.add(reader)
            self._writes = None

    def pull(self, reader: Reader) -> bool:
        """Write what a LAGGING reader lacks while its transport has room.

        Returns whether to go on in a later turn: True only if it has room left and lacks more. A reader that was
        removed meanwhile is given nothing.
        """
        for _ in range(PULL_CHUNKS):
            if not reader.has_room or reader not in self.lagging or reader.is_done:
                return False
            # The comparison and the switch stay in one step: between them an entry could arrive
            # that is neither pushed (not CURRENT yet) nor pulled (loop already ended).
            if reader.cursor >= self.sent:
                self.lagging.discard(reader)
                reader.is_current = True
                self._writes = None
                return False
            upto = min(self.sent, reader.limit)
            if reader.is_early:
                chunk = self._source.early_after(reader.cursor, min(upto, reader.early))
            else:
                chunk = self._source.next_after(reader.cursor, upto)
            reader.cursor = chunk.last
            if chunk.data:
                reader.write(chunk.data)
        return True

    @property
    def many_lag(self) -> bool:
        """Whether most readers are LAGGING; asked for every message, so it counts nobody."""
        return len(self.lagging) * 2 > len(self.readers)

    def is_outrunning(self, half: int, now: float) -> bool:
        """Whether most readers drain, but are behind `half` of the tape.

        Writers then wait, or everybody would fall off the tape and read from the disk. A minority is not
        waited for, nor is who does not drain at all.
        """
        behind = sum(1 for r in self.lagging if r.cursor < half and now - r.alive_at < 1.0)
        return behind * 2 > len(self.readers)

    def _write(self, data: bytes) -> None:
        for write in self._current_writes():
            try:
                write(data)
            except RuntimeError:
                # uvloop's word for a transport whose end it has not told yet; `remove` follows in this
                # turn or the next, and the others must not go without.
                continue

    def _current_writes(self) -> tuple[Callable[[bytes], None], ...]:
        if self._writes is None:
            self._writes = tuple(reader.write for reader in self.readers if reader.is_current)
        return self._writes
