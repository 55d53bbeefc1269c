"""The writer thread: everything that changes `log.sqlite` happens here, in order.

Group commit over all rooms: while one commit syncs, batches wait in a queue; the next commit takes
them all. What happened is told through one callable, from this thread; the store carries it over to
its owner's. Between commits come pruning slices and checkpoints of the WAL. The first error ends the
thread: a failed fsync is never tried again, because the kernel may have dropped what it could not write.

sync="os" commits without a sync (a kill loses nothing, a power cut up to a second), and syncs once a
second. A batch with a control entry is synced whatever the setting: no restart may undo a ban.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple, Protocol

from sendall.log.batch import Batch, Part, is_control
from sendall.log.database import SEQ_BITS, digest
from sendall.log.grants import Dropped, GrantChange
from sendall.log.pruning import Pruned, prune
from sendall.log.roomlog import GRANTS_PER_RECIPIENT, Record, Retention, RoomLog

Sync = Literal["commit", "os"]

SYNC_INTERVAL = 1.0
"""Seconds that sync="os" lets pass between two syncs."""
CHECKPOINT_BYTES = 4 << 20
"""WAL bytes after which it is copied into the database. 16 and 64 MiB were no faster here, and each stall longer."""
_PAGE = 4096

RUN_BYTES = 4 << 20
"""Bytes of one INSERT; offsets within it have 23 bits (see `_runs`)."""
_MAX_DELTA = 1 << 23
_H = 32

# One statement for many rows: SQLite is left once per run and not once per row, and the GIL with it. Measured with
# 400-byte entries, 5,000 a commit: 2.1 microseconds CPU a row; executemany 3.6; json_each over arrays instead of
# packed integers 3.6. h and entry stand behind each other in the blob, because JSON has no bytes.
_INSERT = """
    INSERT INTO entries
    SELECT ?1 + key, ?2 + (value >> 40),
           substr(?3, (value >> 17) & 8388607, 32), substr(?3, ((value >> 17) & 8388607) + 32, value & 131071)
    FROM json_each(?4)"""

_ACCOUNT = """
    UPDATE rooms SET last = ?, control = control + ?, messages = messages + ?, message_bytes = message_bytes + ?
    WHERE number = ?"""


# A replaced row gets the highest number: the order of the numbers is that of keeping.
_KEEP_GRANT = "INSERT OR REPLACE INTO grants (room, recipient, granter, sealed_to, sealed) VALUES (?, ?, ?, ?, ?)"
_DROP_OLDEST = f"""
    DELETE FROM grants WHERE room = ?1 AND recipient = ?2 AND number <= (
        SELECT number FROM grants WHERE room = ?1 AND recipient = ?2
        ORDER BY number DESC LIMIT 1 OFFSET {GRANTS_PER_RECIPIENT})"""


class NumberedLog(RoomLog, Protocol):
    """A room's log as the writer needs it."""

    @property
    def number(self) -> int: ...

    @property
    def name(self) -> str: ...


class Committed(NamedTuple):
    """A commit is done."""

    batch: Batch[NumberedLog]
    merged: int
    """How many submitted batches it was made of."""


class PassEnded(NamedTuple):
    """A retention pass went over all its rooms."""


class Broken(NamedTuple):
    """The thread has ended; nothing becomes durable any more."""

    error: Exception


Event = Committed | Pruned | PassEnded | Broken


class RetentionPass(NamedTuple):
    rooms: Sequence[int]
    retention: Retention
    now_ms: int


Job = Batch[NumberedLog] | RetentionPass | None
"""None: finish."""


class Writer:
    """Owns the writing connection from construction until `finish` has returned."""

    def __init__(self, connection: sqlite3.Connection, wal: Path, tell: Callable[[Event], None], *, sync: Sync) -> None:
        self._connection = connection
        self._tell = tell
        self._wal: int | None = None
        if sync == "os":
            # Kept open, so that an error of an earlier write-back is not missed. SQLite holds no lock on this file
            # (its locks are on the -shm), so a descriptor of our own does not release any.
            self._wal = os.open(wal, os.O_RDWR)
            connection.execute("PRAGMA synchronous = NORMAL")
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._passes: deque[Iterator[Pruned | None]] = deque()
        self._unsynced_since: float | None = None
        self._wal_bytes = 0
        self._thread = threading.Thread(target=self._run, name="sendall-log", daemon=True)
        self._thread.start()

    def submit(self, job: Batch[NumberedLog] | RetentionPass) -> None:
        """Queue a batch for the next commit, or a retention pass. Never waits."""
        self._jobs.put(job)

    def finish(self) -> None:
        """Wait until everything submitted is durable (or the thread broke); pending pruning is given up."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # whatever ends this thread ends durability: it is told, never swallowed
            self._tell(Broken(error))
        finally:
            if self._wal is not None:
                os.close(self._wal)

    def _turn(self) -> bool:
        """Do what is there: one commit of all that waits, one slice of pruning, a sync and a checkpoint if due."""
        jobs = self._take()
        if batches := [job for job in jobs if isinstance(job, Batch)]:
            self._commit(batches)
        if None in jobs:
            self._sync()
            return False
        self._passes += [prune(self._connection, *job) for job in jobs if isinstance(job, RetentionPass)]
        if self._passes:
            self._prune()
        if self._patience() == 0:
            self._sync()
        if self._wal_bytes >= CHECKPOINT_BYTES:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._wal_bytes = 0
        return True

    def _take(self) -> list[Job]:
        """Return all jobs that wait; wait for one if there is nothing else to do."""
        jobs: list[Job] = []
        with suppress(Empty):
            jobs.append(self._jobs.get(timeout=0 if self._passes else self._patience()))
            while True:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _patience(self) -> float | None:
        """Return how many seconds may pass until a sync is due; None if none is wanted."""
        if self._unsynced_since is None:
            return None
        return max(0.0, self._unsynced_since + SYNC_INTERVAL - time.monotonic())

    def _commit(self, batches: list[Batch[NumberedLog]]) -> None:
        batch, *later = batches
        for other in later:
            batch.absorb(other)
        self._connection.execute("BEGIN IMMEDIATE")
        control = [self._write(part) for part in batch.parts]
        self._connection.execute("COMMIT")
        self._wrote_unsynced()
        if any(control):
            self._sync()
        self._tell(Committed(batch, len(batches)))

    def _write(self, part: Part[NumberedLog]) -> bool:
        """Write one room's part; return whether it holds a control entry."""
        log, records = part.log, part.records
        execute = self._connection.execute
        if records and records[0].seq == 1:
            check = digest(log.number, log.room_id, log.name.encode())
            execute(
                "INSERT INTO rooms VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0)", (log.number, log.room_id, log.name, check)
            )
            execute("UPDATE run SET rooms = rooms + 1")
        for run in _runs(records):
            execute(_INSERT, ((log.number << SEQ_BITS) + run.seq, run.time_ms, run.blob, run.places))
        control = [len(record.entry) for record in records if is_control(record.entry)]
        size = sum([len(record.entry) for record in records])
        if records:
            messages = len(records) - len(control), size - sum(control)
            execute(_ACCOUNT, (records[-1].seq, len(control), *messages, log.number))
        for epoch, sealed in part.keys.items():
            execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", (log.number, epoch, sealed))
        if part.keys_below:
            execute("DELETE FROM keys WHERE room = ? AND epoch < ?", (log.number, part.keys_below))
        if part.checkpoint:
            seq, state = part.checkpoint
            check = digest(log.room_id, seq, state)
            execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)", (log.number, seq, state, check))
            execute("UPDATE rooms SET checkpoint = ? WHERE number = ?", (seq, log.number))
            self._wal_bytes += len(state)
        self._write_grants(log.number, part.grants)
        # Two pages beside the rows: the room's own and the last one of its entries, written again each time.
        self._wal_bytes += size + 2 * _H * len(records) + 2 * _PAGE
        return bool(control)

    def _write_grants(self, room: int, changes: Iterable[GrantChange]) -> None:
        for change in changes:
            if isinstance(change, Dropped):
                self._connection.execute("DELETE FROM grants WHERE room = ? AND recipient = ?", (room, *change))
                continue
            self._connection.execute(_KEEP_GRANT, (room, *change))
            self._connection.execute(_DROP_OLDEST, (room, change.recipient))
            self._wal_bytes += len(change.sealed) + _PAGE

    def _prune(self) -> None:
        for done in self._passes[0]:
            if done:
                self._wrote_unsynced()
                self._wal_bytes += CHECKPOINT_BYTES // 4
                self._tell(done)
            return
        self._passes.popleft()
        self._tell(PassEnded())

    def _wrote_unsynced(self) -> None:
        if self._wal is not None and self._unsynced_since is None:
            self._unsynced_since = time.monotonic()

    def _sync(self) -> None:
        if self._wal is not None and self._unsynced_since is not None:
            os.fsync(self._wal)
            self._unsynced_since = None


class _Run(NamedTuple):
    """The arguments of one `_INSERT`: dense rows from `seq` on."""

    seq: int
    time_ms: int
    blob: bytes
    places: str
    """JSON: for each row (time_ms - the run's) << 40 | offset << 17 | entry length; offsets count from 1, as in SQL."""


def _runs(records: Sequence[Record]) -> Iterator[_Run]:
    """Cut records into runs of at most `RUN_BYTES`: SQLite's limit for one value is 1e9 bytes, and it copies it."""
    if not records:
        return
    entries = [record.entry for record in records]
    sizes = [len(entry) for entry in entries]
    seq, time_ms, _, _ = records[0]
    if len(records) > 1 and (sum(sizes) + _H * len(sizes) > RUN_BYTES or records[-1].time_ms - time_ms >= _MAX_DELTA):
        half = len(records) // 2
        yield from _runs(records[:half])
        yield from _runs(records[half:])
        return
    places, offset = [], 1
    for record, size in zip(records, sizes, strict=True):
        places.append((record.time_ms - time_ms) << 40 | offset << 17 | size)
        offset += _H + size
    hashes = [record.h for record in records]
    # Made in C: a list of integers as Python shows it is JSON.
    yield _Run(seq, time_ms, b"".join(chain.from_iterable(zip(hashes, entries, strict=True))), str(places))
