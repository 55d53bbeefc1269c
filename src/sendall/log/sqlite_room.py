"""One room of the SQLite log: what is queued goes to the store's batch, what is read comes from reader.py.

Knows where the durable, told part of the log begins and ends, and shows nothing beyond it, also
where the file already holds more. Used on the owner's thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sendall.log.batch import Batch
from sendall.log.grants import Dropped, GrantChange, QueuedGrants
from sendall.log.pruning import Pruned
from sendall.log.reader import RoomReader
from sendall.log.roomlog import Checkpoint, Extent, Grant, Record, RoomInfo
from sendall.log.writer import NumberedLog


class SqliteRoomLog:
    """One room's log; see `RoomLog`. `SqliteStore` makes it and moves its ends."""

    def __init__(
        self, number: int, info: RoomInfo, reader: RoomReader, gathering: Callable[[], Batch[NumberedLog] | None]
    ) -> None:
        self.room_id, self.name = info
        self.number = number
        self._reader = reader
        self._gathering = gathering
        self._pruned = 0
        self._last = 0
        self._queued_last = 0
        self._h_pruned = self._h_last = info.room_id
        self._queued_grants = QueuedGrants()

    def recover(self) -> None:
        """Take over what is on disk. Raises `Damaged` if its ends do not fit."""
        self._pruned, self._last, self._h_pruned, self._h_last = self._reader.ends()
        self._queued_last = self._last

    def settle(self, last: Record) -> None:
        """Move the durable end up to `last`."""
        self._last, self._h_last = last.seq, last.h

    def settle_grants(self, changes: Sequence[GrantChange]) -> None:
        """Take from the disk from now on what these changes made."""
        self._queued_grants.settle(changes)

    def settle_pruned(self, pruned: Pruned) -> None:
        """Move the beginning behind what was pruned."""
        if pruned.seq > self._pruned:  # else `recover` has read it from the disk already
            self._pruned, self._h_pruned = pruned.seq, pruned.h

    @property
    def extent(self) -> Extent:
        return Extent(self._pruned + 1, self._last, self._h_pruned)

    def append(self, records: Sequence[Record]) -> None:
        batch = self._gathering()
        if batch is None or not records:
            return
        assert all(record.seq == seq for seq, record in enumerate(records, self._queued_last + 1)), "a log has no holes"
        batch.add(self, records)
        self._queued_last = records[-1].seq

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        if (batch := self._gathering()) is not None:
            assert 0 < checkpoint.seq <= self._queued_last, "a checkpoint is of something appended"
            batch.part(self).checkpoint = checkpoint

    def keep_key(self, epoch: int, sealed: bytes) -> None:
        if (batch := self._gathering()) is not None:
            assert self._queued_last, "a room begins with its first entry"
            batch.part(self).keys[epoch] = sealed

    def drop_keys(self, below: int) -> None:
        if (batch := self._gathering()) is not None:
            batch.part(self).keys_below = below

    def read(self, after: int, limit_bytes: int, upto: int | None = None) -> list[Record]:
        return self._reader.records(after, self._last if upto is None else min(upto, self._last), limit_bytes)

    def control(self, after: int, upto: int, limit_bytes: int | None = None) -> list[Record]:
        return self._reader.control(after, min(upto, self._last), limit_bytes)

    def h_at(self, seq: int) -> bytes | None:
        if seq == self._last:
            return self._h_last
        return self._reader.h_at(seq) if 0 <= seq < self._last else None

    def first_since(self, time_ms: int) -> int:
        return self._reader.first_since(time_ms, self._last)

    def latest_checkpoint(self) -> Checkpoint | None:
        return self._reader.checkpoint()

    def keys(self) -> dict[int, bytes]:
        return self._reader.keys()

    def keep_grant(self, grant: Grant) -> None:
        self._change_grants([grant])

    def drop_grants(self, recipients: Iterable[bytes]) -> None:
        self._change_grants([Dropped(recipient) for recipient in recipients])

    def _change_grants(self, changes: Sequence[GrantChange]) -> None:
        if changes and (batch := self._gathering()) is not None:
            assert self._queued_last, "a room begins with its first entry"
            batch.part(self).grants += changes
            self._queued_grants.put(changes)

    def grants(self, recipient: bytes) -> list[Grant]:
        return self._queued_grants.over(recipient, self._reader.grants(recipient))
