"""What the readers of one room are given out of its log: a place to begin, what follows it, pages.

Reads the tape, else the log, and frames what it read. Knows who may read as little as what is inside
the entries. Pure decisions over the `RoomLog` contract. Source: docs/protocol.md, "Requests and replies".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sendall.log.roomlog import Record, RoomLog
from sendall.log.tape import Tape
from sendall.protocol.chain import Window
from sendall.protocol.chunks import Chunk, frame_entries
from sendall.protocol.frames import MAX_BATCH, Sub

PAGE_ENTRIES = 1000
PAGE_BYTES = 256 * 1024


class Place(NamedTuple):
    """Where a reader begins, as `subok` says it."""

    first: int
    last: int
    from_: int
    h: bytes
    cut: int | None = None
    is_shared: bool = True
    """Whether the reader's history is ours; if not, nothing follows: it goes back to `cut`, or raises the alarm."""


class Pruned(Exception):
    """What a reader lacks is gone from the log."""


class Reading:
    """The readable side of one room; `rid` is its number on all connections."""

    def __init__(self, rid: int, log: RoomLog, tape_bytes: int) -> None:
        self.rid = rid
        self.log = log
        self.tape = Tape(tape_bytes)
        self.window = Window()
        """Chain values also of what is accepted and not yet durable."""
        self._old_head = (0, b"")
        self._restarts: dict[int, bytes] = {}
        # The chain value before each restart entry: kept even where the log was pruned.

    def begin(self, log: RoomLog, seq: int, h: bytes) -> None:
        """Go on with `log`, of which everything up to `seq` is known already."""
        self.log = log
        self.window = Window()
        self.window.put(seq, h)
        self._restarts.clear()

    def note_restart(self, seq: int, head_hash: bytes) -> None:
        """Remember a restart entry: who is ahead of it is sent back to where it begins."""
        self._restarts[seq] = head_hash

    def h_at(self, seq: int) -> bytes | None:
        """Return the chain value at `seq`; None if it is pruned or yet to come."""
        if seq == 0:
            return self.log.room_id
        return self.window.at(seq) or self._old_h(seq)

    def _old_h(self, seq: int) -> bytes | None:
        # All that somebody wrote while away names one head, however old: it is read once.
        if seq != self._old_head[0]:
            h = self.log.h_at(seq)
            if h is None:
                return None
            self._old_head = (seq, h)
        return self._old_head[1]

    def place(self, sub: Sub) -> Place:
        """Return where a reader who asks so begins.

        Raises:
            Pruned: retention took that place just now; ask again.
        """
        extent = self.log.extent
        first, last = extent.first, extent.last
        after = sub.after
        known = self.h_at(after) if after <= last else None
        if after > last or (sub.h is not None and known is not None and known != sub.h):
            restart = max((s for s in self._restarts if s <= after), default=max(self._restarts, default=None))
            if restart is not None:
                return Place(first, last, restart - 1, self._restarts[restart], restart - 1, is_shared=False)
            # Our h beside its own is what the reader shows as the reason of its alarm.
            at = min(after, last)
            return Place(first, last, at, self._h_from(at), is_shared=False)
        at = max(after, first - 1)
        if sub.tail is not None:
            at = max(at, last - sub.tail)
        if sub.since_ms is not None:
            at = max(at, self.log.first_since(sub.since_ms) - 1)
        if sub.start is not None:
            at = max(at, min(sub.start, last))
        return Place(first, last, at, self._h_from(at))

    def _h_from(self, seq: int) -> bytes:
        extent = self.log.extent
        h = extent.h_before_first if seq == extent.first - 1 else self.h_at(seq)
        if h is None:
            raise Pruned
        return h

    def page(self, from_: int, to: int) -> tuple[int, int, bytes, list[Chunk]] | None:
        """Return (from, to, h[from - 1], frames) of a page that ends at `to`; None if it is not kept.

        A page has at most 1,000 entries and about 256 KiB: `from` may be later than asked.
        """
        extent = self.log.extent
        to = min(to, extent.last)
        count = min(PAGE_ENTRIES, to - max(from_, extent.first) + 1)
        while count > 0:
            records = self.log.read(to - count, PAGE_BYTES, to)
            if records and records[-1].seq == to:
                h = self.h_at(to - count)
                if h is None or not is_dense(records, to - count):
                    return None  # just now: the log deletes before it says so
                return records[0].seq, to, h, self.framed(records)
            count //= 2
        return None

    # -- the source of lagging readers ----------------------------------------------------------

    def next_after(self, cursor: int, upto: int) -> Chunk:
        """Return what a LAGGING reader at `cursor` is given next: from the tape, else from the log.

        A chunk of the tape ends where a member was removed, so none reaches beyond an `upto` that says so.

        Raises:
            Pruned: retention took what follows; the reader must subscribe again, and then comes late.
        """
        chunk = self.tape.next_after(cursor)
        if chunk is None:
            if cursor < self.log.extent.first - 1:
                raise Pruned
            records = self.log.read(cursor, MAX_BATCH, upto)
            if not is_dense(records, cursor):
                raise Pruned  # just now: the log deletes before it says so
            chunk = self.framed(records)[0]
        return chunk

    def early_after(self, cursor: int, upto: int) -> Chunk:
        """Return the next control entries for a reader who comes late."""
        chunks = self.framed(self.log.control(cursor, upto, MAX_BATCH))
        return chunks[0] if chunks else Chunk(cursor, upto, b"")

    def framed(self, records: Sequence[Record]) -> list[Chunk]:
        return frame_entries(self.rid, [(seq, time_ms, entry) for seq, time_ms, _, entry in records])


def is_dense(records: Sequence[Record], after: int) -> bool:
    """Whether `records` go on right after `after`, without a hole."""
    return bool(records) and records[0].seq == after + 1 and records[-1].seq == after + len(records)
