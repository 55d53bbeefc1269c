"""Reading one room out of `log.sqlite`, with proof.

Every entry that leaves here was checked against its own chain value and its predecessor's, which is
always there (schema.sql): what a disk changed is found and never served. Runs on the thread of the
store's owner, on a connection that only reads. Knows nothing of what is queued.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sendall.log.batch import is_control
from sendall.log.database import RESTORE, SEQ_BITS, digest
from sendall.log.roomlog import Checkpoint, Damaged, Grant, Record
from sendall.protocol.chain import link

_ROWS = "SELECT id, time_ms, h, entry FROM entries WHERE id BETWEEN ? AND ? ORDER BY id"

_CONTROL = """
    SELECT e.id, e.time_ms, e.h, e.entry, p.h
    FROM entries AS e INDEXED BY control LEFT JOIN entries AS p ON p.id = e.id - 1
    WHERE substr(e.entry, 2, 1) >= x'10' AND e.id BETWEEN ? AND ? ORDER BY e.id"""

_COUNT_CONTROL = """
    SELECT count(*) FROM entries INDEXED BY control WHERE substr(entry, 2, 1) >= x'10' AND id BETWEEN ? AND ?"""

_GRANTS = """
    SELECT CAST(granter AS BLOB), CAST(sealed_to AS BLOB), CAST(sealed AS BLOB)
    FROM grants WHERE room = ? AND recipient = ? ORDER BY number"""

_CHECKPOINT = """
    SELECT c.seq, c.state, c.digest, r.checkpoint
    FROM rooms AS r LEFT JOIN checkpoints AS c ON c.room = r.number WHERE r.number = ?"""

_FROM = "SELECT id, CAST(time_ms AS INTEGER) FROM entries WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"
_RETAINED_FROM = "SELECT id FROM entries WHERE id BETWEEN ? AND ? AND entry IS NOT NULL ORDER BY id LIMIT 1"


class RoomReader:
    """The rows of the room with this number."""

    def __init__(self, connection: sqlite3.Connection, file: Path, number: int, room_id: bytes) -> None:
        self._connection = connection
        self._file = file
        self._number = number
        self._base = number << SEQ_BITS
        self._room_id = room_id

    def ends(self) -> tuple[int, int, bytes, bytes]:
        """Return the highest pruned seq, the highest seq, and the chain values at both.

        Raises:
            Damaged: what the room's row says does not fit its entries.
        """
        with self._guard(lambda: 1):
            row = self._connection.execute(
                "SELECT last, pruned, control FROM rooms WHERE number = ?", (self._number,)
            ).fetchone()
            (control,) = self._connection.execute(_COUNT_CONTROL, self._span(0, (1 << SEQ_BITS) - 1)).fetchone()
            (top,) = self._connection.execute(
                "SELECT max(id) FROM entries WHERE id BETWEEN ? AND ?", self._span(0, (1 << SEQ_BITS) - 1)
            ).fetchone()
        match row:
            case int(last), int(pruned), noted if self._base + last == top and 0 <= pruned <= last and noted == control:
                h_pruned, h_last = self.h_at(pruned), self.h_at(last)
            case _:
                raise self._damaged(1, "and those after it do not fit what is noted of them")
        if h_pruned is None or h_last is None or self.records(pruned - 1, pruned, 1):
            raise self._damaged(pruned, "is not where the pruned part ends, as is noted")
        return pruned, last, h_pruned, h_last

    def records(self, after: int, upto: int, limit_bytes: int) -> list[Record]:
        """Return the entries with `after` < seq <= `upto`; see `RoomLog.read`."""
        found: list[Record] = []
        size = 0
        try:
            for record in self._proven(max(0, after), upto):
                size += len(record.entry)
                if found and size > limit_bytes:
                    break
                found.append(record)
        except Damaged:
            if not found:
                raise
        return found

    def _proven(self, after: int, upto: int) -> Iterator[Record]:
        """Yield the entries after `after`, each checked; raise `Damaged` at the first that does not hold."""
        h = None if after else self._room_id
        following = after or 1
        for seq, time_ms, value, entry in self._rows(following, upto):
            if seq != following:
                self._require_pruned(following, seq - 1)
                h = None
            if entry is None:
                self._require_pruned(seq, seq)
            elif seq > after:
                if h is None or link(h, seq, time_ms, entry) != value:
                    raise self._damaged(seq, "does not fit its chain value")
                yield Record(seq, time_ms, value, entry)
            h, following = value, seq + 1
        if following <= upto:
            self._require_pruned(following, upto)

    def _rows(self, first: int, last: int) -> Generator[tuple[int, int, bytes, bytes | None], None, None]:
        """Yield seq, time, chain value and entry (None if pruned), of the types that damage can change."""
        following = first
        with (
            self._guard(lambda: following),
            closing(self._connection.execute(_ROWS, self._span(first, last))) as rows,
        ):
            for id_, time_ms, h, entry in rows:
                following = id_ - self._base
                if not (_is_time(time_ms) and isinstance(h, bytes) and isinstance(entry, bytes | None)):
                    raise self._damaged(following, "has become unreadable")
                yield following, time_ms, h, entry
                following += 1

    def control(self, after: int, upto: int, limit_bytes: int | None = None) -> list[Record]:
        """Return the control entries with `after` < seq <= `upto`; see `RoomLog.control`."""
        found: list[Record] = []
        size = 0
        with (
            self._guard(lambda: found[-1].seq + 1 if found else after + 1),
            closing(self._connection.execute(_CONTROL, self._span(after + 1, upto))) as rows,
        ):
            for id_, time_ms, h, entry, before in rows:
                seq = id_ - self._base
                before = before if seq > 1 else self._room_id
                well_formed = isinstance(before, bytes) and _is_time(time_ms) and isinstance(entry, bytes)
                if not well_formed or not is_control(entry) or link(before, seq, time_ms, entry) != h:
                    raise self._damaged(seq, "does not fit its chain value")
                size += len(entry)
                if found and limit_bytes is not None and size > limit_bytes:
                    break
                found.append(Record(seq, time_ms, h, entry))
        return found

    def h_at(self, seq: int) -> bytes | None:
        """Return the chain value at `seq`, which is not above the last; see `RoomLog.h_at`."""
        if seq == 0:
            return self._room_id
        if proven := self.records(seq - 1, seq, 1):
            return proven[0].h
        with closing(self._rows(seq, seq)) as rows:
            return next((h for _, _, h, _ in rows), None)

    def first_since(self, time_ms: int, last: int) -> int:
        """Return the lowest retained seq of that time or later, `last` + 1 if there is none.

        Bisection, since times never descend: an index over times would cost every insert.
        """
        low, high = 1, last + 1
        with self._guard(lambda: low):
            while low < high:
                middle = (low + high) // 2
                found = self._connection.execute(_FROM, self._span(middle, last)).fetchone()
                if found is None or found[1] >= time_ms:
                    high = middle
                else:
                    low = found[0] - self._base + 1
            found = self._connection.execute(_RETAINED_FROM, self._span(low, last)).fetchone()
        return found[0] - self._base if found else last + 1

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint; see `RoomLog.latest_checkpoint`."""
        with self._guard(lambda: 1):
            row = self._connection.execute(_CHECKPOINT, (self._number,)).fetchone()
        match row:
            case None | (None, _, _, 0):
                return None
            case int(seq), bytes(state), check, noted if seq == noted and digest(self._room_id, seq, state) == check:
                return Checkpoint(seq, state)
        raise self._damaged(1, "and those after it have a checkpoint that does not fit its checksum")

    def keys(self) -> dict[int, bytes]:
        """Return the sealed keys by epoch; their sealing itself shows whether they are whole."""
        with self._guard(lambda: 1):
            return dict(
                self._connection.execute(
                    "SELECT epoch, CAST(sealed AS BLOB) FROM keys WHERE room = ?", (self._number,)
                ).fetchall()
            )

    def grants(self, recipient: bytes) -> list[Grant]:
        """Return what is kept for `recipient`, oldest first; who opens a grant sees whether it is whole."""
        with self._guard(lambda: 1):
            rows = self._connection.execute(_GRANTS, (self._number, recipient)).fetchall()
        return [Grant(recipient, *row) for row in rows]

    def _span(self, first: int, last: int) -> tuple[int, int]:
        return self._base + first, self._base + last

    def _require_pruned(self, first: int, upto: int) -> None:
        with self._guard(lambda: first):
            (pruned,) = self._connection.execute(
                "SELECT coalesce(max(CAST(pruned AS INTEGER)), 0) FROM rooms WHERE number = ?", (self._number,)
            ).fetchone()
        if upto > pruned:
            raise self._damaged(max(first, pruned + 1), "is missing")

    @contextmanager
    def _guard(self, seq: Callable[[], int]) -> Iterator[None]:
        """Turn what SQLite raises into `Damaged` at the seq that is being read by then."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._damaged(seq(), f"cannot be read: {error}") from error

    def _damaged(self, seq: int, what: str) -> Damaged:
        sentence = f"{self._file}: entry {seq} of room {self._room_id.hex()} {what}"
        return Damaged(self._room_id, seq, sentence, hint=RESTORE)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and value >= 0
