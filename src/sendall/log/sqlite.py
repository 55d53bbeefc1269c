"""The durable log of one server in SQLite: one file, one writer thread, group commit over all rooms.

This module is the owner's side: it gathers what is appended, hands it to the writer (writer.py) and
passes on what became durable, always on the owner's thread. Reads (reader.py) happen there too and
never wait for a commit. Knows nothing of sockets or of what entries mean.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, assert_never

from sendall.errors import LogError
from sendall.log.batch import Batch
from sendall.log.database import RESTORE, digest, failure, open_reader, open_writer
from sendall.log.folder import DataFolder
from sendall.log.pruning import Pruned
from sendall.log.reader import RoomReader
from sendall.log.roomlog import Durable, Failed, Retention, RoomInfo
from sendall.log.sqlite_room import SqliteRoomLog
from sendall.log.writer import Broken, Committed, Event, NumberedLog, PassEnded, RetentionPass, Sync, Writer

MAX_BYTES = 10 << 30
DISK_FRACTION = 0.8
FILE_NAME = "log.sqlite"

_MEASURE_INTERVAL = 1.0


class SqliteStore:
    """All rooms of one server in `folder`/log.sqlite; see `Store`.

    `sync` is "commit" (every commit is on disk before it is told) or "os": told once the system has
    it, on disk within a second; a kill of the process loses nothing, a power cut up to a second of
    messages, and then `unclean` is True at the next open, until a run has ended by `close`.
    `durable` and `failed` are attributes that may be set again before anything is appended.
    `call_soon` is called from the writer thread and must run what it is given on the owner's;
    it may drop it once the owner's loop is closed: `close` passes on what is left.

    Raises:
        FolderInUse: another server has the folder.
        LogError: the folder or the file cannot be used, or was written by a newer version.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync: Sync,
        durable: Durable,
        failed: Failed,
        call_soon: Callable[[Callable[[], None]], None],
        max_bytes: int = MAX_BYTES,
        disk_fraction: float = DISK_FRACTION,
    ) -> None:
        self.durable = durable
        self.failed = failed
        self._call_soon = call_soon
        self._max_bytes = max_bytes
        self._disk_fraction = disk_fraction
        self._rooms: dict[bytes, _Room] = {}
        self._logs: dict[int, SqliteRoomLog] = {}
        self._gathering: Batch[NumberedLog] = Batch()
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._submitted_bytes = 0
        self._batches_under_way = 0
        self._pass_under_way = False
        self._broken = self._closing = self._closed = False
        self._is_full, self._measured_at = False, float("-inf")
        with ExitStack() as undo:
            self._folder = DataFolder(folder)
            undo.callback(self._folder.release)
            self._file = self._folder.make_file(FILE_NAME)
            self._wal = self._file.with_name(f"{FILE_NAME}-wal")
            self._connection = open_writer(self._file)
            undo.callback(self._connection.close)
            self._reading = open_reader(self._file)
            undo.callback(self._reading.close)
            self.unclean = self._begin(sync)
            self._writer = Writer(self._connection, self._wal, self._told, sync=sync)
            undo.pop_all()

    def _begin(self, sync: Sync) -> bool:
        """Load the list of rooms and mark the run; return whether the last run's mark is still there."""
        for row in self._query("SELECT number, room_id, name, digest FROM rooms"):
            match row:
                case int(number), bytes(room_id), str(name), check if digest(number, room_id, name.encode()) == check:
                    self._rooms[room_id] = _Room(number, RoomInfo(room_id, name))
                case _:
                    raise LogError(f"{self._file}: the row of room number {row[0]} is damaged", hint=RESTORE)
        match self._query("SELECT rooms, open FROM run"):
            case [(rooms, int(unclean))] if rooms == len(self._rooms):
                pass
            case _:
                raise LogError(f"{self._file}: the list of rooms is damaged", hint=RESTORE)
        self._numbers = count(max((room.number for room in self._rooms.values()), default=0) + 1)
        if sync == "os":
            # Synced: the commit comes before the writer turns the syncs off. A run with sync="commit" leaves the
            # mark of one before it, so that the restart entry comes however often it is killed before writing it.
            self._connection.execute("UPDATE run SET open = 1")
        self._marked = sync == "os" or bool(unclean)
        return bool(unclean)

    def rooms(self) -> list[RoomInfo]:
        durable = (room.info for room in self._rooms.values() if self._is_durable(room))
        return sorted(durable, key=lambda info: (info.name, info.room_id))

    def create(self, room_id: bytes, name: str) -> SqliteRoomLog:
        assert room_id not in self._rooms, "a room is made once"
        room = self._rooms[room_id] = _Room(next(self._numbers), RoomInfo(room_id, name))
        self._logs[room.number] = log = self._log(room)
        return log

    def open(self, room_id: bytes) -> SqliteRoomLog:
        room = self._rooms[room_id]
        log = self._logs.get(room.number)
        if log is None:
            log = self._log(room)
            log.recover()
            self._logs[room.number] = log
        return log

    def _log(self, room: _Room) -> SqliteRoomLog:
        reader = RoomReader(self._reading, self._file, room.number, room.info.room_id)
        return SqliteRoomLog(room.number, room.info, reader, self._open_batch)

    def _is_durable(self, room: _Room) -> bool:
        log = self._logs.get(room.number)
        return log is None or log.extent.last > 0

    def _open_batch(self) -> Batch[NumberedLog] | None:
        """Return the batch for the next commit; None if nothing becomes durable any more."""
        return None if self._broken or self._closed else self._gathering

    def flush(self) -> None:
        if self._gathering:
            self._submitted_bytes += self._gathering.size
            self._writer.submit(self._gathering)
            self._gathering = Batch()
            self._batches_under_way += 1

    @property
    def queued_bytes(self) -> int:
        return self._gathering.size + self._submitted_bytes

    @property
    def is_idle(self) -> bool:
        """Whether the writer has nothing to do and everything it did was passed on."""
        return not (self._batches_under_way or self._pass_under_way)

    def retain(self, room_ids: Iterable[bytes], retention: Retention, now_ms: int) -> None:
        if self._pass_under_way or self._open_batch() is None:
            return
        rooms = [self._rooms[room_id] for room_id in room_ids]
        self._pass_under_way = True
        self._writer.submit(RetentionPass([r.number for r in rooms if self._is_durable(r)], retention, now_ms))

    @property
    def is_full(self) -> bool:
        now = time.monotonic()
        if now - self._measured_at >= _MEASURE_INTERVAL:
            self._is_full, self._measured_at = self._measure(), now
        return self._is_full

    def _measure(self) -> bool:
        """Return whether a watermark is reached. Pages that pruning freed do not count: SQLite uses them again."""
        try:
            ((page, free),) = self._query("SELECT * FROM pragma_page_size, pragma_freelist_count")
            size = os.stat(self._file).st_size - page * free + os.stat(self._wal).st_size
            # The share of what this folder can ever have: a disk that others fill leaves it less, but does not stop it.
            share = self._disk_fraction * (size + self._folder.free_bytes())
            return bool(size >= min(self._max_bytes, share))
        except (OSError, LogError):
            return True

    def _query(self, sql: str) -> list[tuple[Any, ...]]:  # rows of SQLite are untyped
        try:
            return self._reading.execute(sql).fetchall()
        except sqlite3.Error as error:
            raise failure(self._file, error) from error

    def _told(self, event: Event) -> None:
        """Take an event over; called on the writer thread."""
        self._events.put(event)
        with suppress(RuntimeError):  # the owner's loop is closed: `close` passes the event on
            self._call_soon(self._deliver)

    def _deliver(self) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except Empty:
                return
            self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        match event:
            case Committed(batch, merged):
                self._batches_under_way -= merged
                self._submitted_bytes -= batch.size
                parts = [part for part in batch.parts if part.records]
                for part in batch.parts:
                    self._logs[part.log.number].settle_grants(part.grants)
                for part in parts:
                    self._logs[part.log.number].settle(part.records[-1])
                for part in parts:
                    self.durable(part.log, part.records)
            case Pruned():
                if log := self._logs.get(event.room):
                    log.settle_pruned(event)
            case PassEnded():
                self._pass_under_way = False
            case Broken(error):
                self._broken, self._pass_under_way = True, False
                self._batches_under_way = self._submitted_bytes = 0
                self._gathering = Batch()
                self.failed(failure(self._file, error))
            case _:
                assert_never(event)

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        while not self._broken and (self._gathering or self._batches_under_way):
            self.flush()
            self._pass_on(self._events.get())
        self._closed = True
        self._writer.finish()
        self._deliver()
        if self._broken:
            # The reading connection goes last: SQLite then copies nothing into the database, which would be a retry.
            self._connection.close()
            self._reading.close()
        else:
            self._end_cleanly()
        self._folder.release()

    def _end_cleanly(self) -> None:
        self._reading.close()
        try:
            if self._marked:
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("UPDATE run SET open = 0")
            self._connection.close()
        except sqlite3.Error as error:
            self.failed(failure(self._file, error))


class _Room(NamedTuple):
    number: int
    info: RoomInfo
