"""A log without a disk: the same contract, with the moment of durability in the caller's hand.

The simulation's disk: `commit` makes durable what was flushed, `crash` leaves a store with only
that, `lose` one that comes back from a power cut without a tail. Nothing happens in between, so a
run is repeatable. Keeps everything in lists; no thread, no clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from operator import attrgetter

from sendall.errors import LogError
from sendall.log.batch import Batch, Part, is_control
from sendall.log.grants import Dropped, GrantChange, QueuedGrants, after
from sendall.log.retention import Holding, Message, pass_limit, surplus
from sendall.log.roomlog import Checkpoint, Durable, Extent, Failed, Grant, Record, Retention, RoomInfo

_SEQ = attrgetter("seq")


class MemoryRoomLog:
    """One room's log; see `RoomLog`. Made by `MemoryStore.create` and `open` only."""

    def __init__(self, store: MemoryStore, info: RoomInfo) -> None:
        self.room_id, self.name = info
        self._store = store
        self._queued_last = 0
        self._records: list[Record] = []
        self._chain = [info.room_id]
        self._pruned = 0
        self._checkpoints: list[Checkpoint] = []
        self._keys: dict[int, bytes] = {}
        self._grants: dict[bytes, list[Grant]] = {}
        self._queued_grants = QueuedGrants()

    def copy(self, store: MemoryStore, upto: int) -> MemoryRoomLog:
        """Return the same log in another store, as far as it is durable and not beyond seq `upto`."""
        log = MemoryRoomLog(store, RoomInfo(self.room_id, self.name))
        log._records = self._records[: bisect_right(self._records, upto, key=_SEQ)]
        log._chain = self._chain[: upto + 1]
        log._pruned = min(self._pruned, upto)
        log._checkpoints = [checkpoint for checkpoint in self._checkpoints if checkpoint.seq <= upto]
        log._keys = dict(self._keys)
        log._grants = dict(self._grants)
        log._queued_last = log.extent.last
        return log

    def settle(self, part: Part[MemoryRoomLog]) -> None:
        """Make the part durable."""
        self._records += part.records
        self._chain += [record.h for record in part.records]
        self._keys = {e: sealed for e, sealed in (self._keys | part.keys).items() if e >= part.keys_below}
        if part.checkpoint:
            self._checkpoints.append(part.checkpoint)
        for change in part.grants:
            self._grants[change.recipient] = after(self._grants.get(change.recipient, ()), [change])
        self._queued_grants.settle(part.grants)

    def prune(self, retention: Retention, now_ms: int) -> None:
        """Make one retention pass."""
        messages = [Message(r.seq, r.time_ms, len(r.entry)) for r in self._records if not is_control(r.entry)]
        held = Holding(len(messages), sum(message.size for message in messages))
        upto = self._checkpoints[-1].seq if self._checkpoints else 0
        oldest = takewhile(lambda message: message.seq <= upto, islice(messages, pass_limit(len(messages))))
        if going := surplus(oldest, held, retention, now_ms):
            self._records = [r for r in self._records if r.seq > going.seq or is_control(r.entry)]
            self._pruned = going.seq

    @property
    def last_control(self) -> int:
        """The seq of the newest durable control entry, 0 if there is none."""
        return next((record.seq for record in reversed(self._records) if is_control(record.entry)), 0)

    @property
    def extent(self) -> Extent:
        return Extent(self._pruned + 1, len(self._chain) - 1, self._chain[self._pruned])

    def append(self, records: Sequence[Record]) -> None:
        batch = self._store.gathering()
        if batch is None or not records:
            return
        assert all(record.seq == seq for seq, record in enumerate(records, self._queued_last + 1)), "a log has no holes"
        batch.add(self, records)
        self._queued_last = records[-1].seq

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        if (batch := self._store.gathering()) is not None:
            assert 0 < checkpoint.seq <= self._queued_last, "a checkpoint is of something appended"
            batch.part(self).checkpoint = checkpoint

    def keep_key(self, epoch: int, sealed: bytes) -> None:
        if (batch := self._store.gathering()) is not None:
            assert self._queued_last, "a room begins with its first entry"
            batch.part(self).keys[epoch] = sealed

    def drop_keys(self, below: int) -> None:
        if (batch := self._store.gathering()) is not None:
            batch.part(self).keys_below = below

    def read(self, after: int, limit_bytes: int, upto: int | None = None) -> list[Record]:
        return _first(self._between(after, self.extent.last if upto is None else upto), limit_bytes)

    def control(self, after: int, upto: int, limit_bytes: int | None = None) -> list[Record]:
        found = [record for record in self._between(after, upto) if is_control(record.entry)]
        return found if limit_bytes is None else _first(found, limit_bytes)

    def h_at(self, seq: int) -> bytes | None:
        known = seq in (0, self.extent.last) or bool(self._between(seq - 1, seq) or self._between(seq, seq + 1))
        return self._chain[seq] if known else None

    def first_since(self, time_ms: int) -> int:
        index = bisect_left(self._records, time_ms, key=lambda record: record.time_ms)
        return self._records[index].seq if index < len(self._records) else self.extent.last + 1

    def latest_checkpoint(self) -> Checkpoint | None:
        return self._checkpoints[-1] if self._checkpoints else None

    def keys(self) -> dict[int, bytes]:
        return dict(self._keys)

    def keep_grant(self, grant: Grant) -> None:
        self._change_grants([grant])

    def drop_grants(self, recipients: Iterable[bytes]) -> None:
        self._change_grants([Dropped(recipient) for recipient in recipients])

    def _change_grants(self, changes: Sequence[GrantChange]) -> None:
        if changes and (batch := self._store.gathering()) is not None:
            assert self._queued_last, "a room begins with its first entry"
            batch.part(self).grants += changes
            self._queued_grants.put(changes)

    def grants(self, recipient: bytes) -> list[Grant]:
        return self._queued_grants.over(recipient, self._grants.get(recipient, ()))

    def _between(self, after: int, upto: int) -> Sequence[Record]:
        low, high = (bisect_right(self._records, seq, key=_SEQ) for seq in (after, upto))
        return self._records[low:high]


def _first(records: Iterable[Record], limit_bytes: int) -> list[Record]:
    found: list[Record] = []
    size = 0
    for record in records:
        size += len(record.entry)
        if found and size > limit_bytes:
            break
        found.append(record)
    return found


class MemoryStore:
    """All rooms of one simulated server; see `Store`.

    `durable`, `failed` and `is_full` are attributes that may be set at any time.
    """

    def __init__(self, *, durable: Durable, failed: Failed, unclean: bool = False) -> None:
        self.durable = durable
        self.failed = failed
        self.unclean = unclean
        self.is_full = False
        self._logs: dict[bytes, MemoryRoomLog] = {}
        self._gathering: Batch[MemoryRoomLog] = Batch()
        self._flushed: Batch[MemoryRoomLog] = Batch()
        self._passes: list[tuple[list[bytes], Retention, int]] = []
        self._over = False

    def rooms(self) -> list[RoomInfo]:
        infos = (RoomInfo(log.room_id, log.name) for log in self._logs.values() if log.extent.last)
        return sorted(infos, key=lambda info: (info.name, info.room_id))

    def create(self, room_id: bytes, name: str) -> MemoryRoomLog:
        assert room_id not in self._logs, "a room is made once"
        log = self._logs[room_id] = MemoryRoomLog(self, RoomInfo(room_id, name))
        return log

    def open(self, room_id: bytes) -> MemoryRoomLog:
        return self._logs[room_id]

    def gathering(self) -> Batch[MemoryRoomLog] | None:
        """Return the batch for the next commit; None if nothing becomes durable any more."""
        return None if self._over else self._gathering

    def flush(self) -> None:
        self._flushed.absorb(self._gathering)
        self._gathering = Batch()

    def commit(self) -> None:
        """Make what was flushed durable, tell it, and make the retention pass if one was asked for."""
        batch, self._flushed = self._flushed, Batch()
        for part in batch.parts:
            part.log.settle(part)
        passes, self._passes = self._passes, []
        for room_ids, retention, now_ms in passes:
            for room_id in room_ids:
                self._logs[room_id].prune(retention, now_ms)
        for part in batch.parts:
            if part.records:
                self.durable(part.log, part.records)

    @property
    def queued_bytes(self) -> int:
        return self._gathering.size + self._flushed.size

    def retain(self, room_ids: Iterable[bytes], retention: Retention, now_ms: int) -> None:
        if not self._passes and not self._over:
            self._passes.append(([self._logs[room_id].room_id for room_id in room_ids], retention, now_ms))

    def close(self) -> None:
        while self._gathering or self._flushed:
            self.flush()
            self.commit()
        self._over = True

    def fail(self, error: LogError) -> None:
        """Break the simulated disk: nothing more becomes durable, and `failed` is told once."""
        if not self._over:
            self._stop()
            self.failed(error)

    def crash(self) -> MemoryStore:
        """End this store, and return what a kill at this moment leaves of it: what was durable."""
        return self._survivor(0, unclean=False)

    def lose(self, n: int) -> MemoryStore:
        """End this store, and return what a power cut with sync="os" leaves: each log lost its last `n` records.

        Fewer where a control entry would be among them, which is always synced, and all before it.
        """
        return self._survivor(n, unclean=True)

    def _survivor(self, n: int, *, unclean: bool) -> MemoryStore:
        self._stop()
        store = MemoryStore(durable=self.durable, failed=self.failed, unclean=unclean)
        for log in self._logs.values():
            if last := log.extent.last:
                store._logs[log.room_id] = log.copy(store, max(last - n, log.last_control))
        return store

    def _stop(self) -> None:
        self._over = True
        self._gathering, self._flushed, self._passes = Batch(), Batch(), []
