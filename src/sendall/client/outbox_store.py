"""The outbox on disk: one SQLite file for all programs of a user, safe with several at once.

Each program writes into a lane of its own per room, locked by flock as long as it lives. Who begins
takes over the lanes nobody holds; those whose oldest message is more than ten minutes old are held
until the person decides. WAL with `synchronous=NORMAL`: what was written survives a crash of the
program; a power cut may lose the newest commits.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sendall.client.items import Row
from sendall.client.transaction import transaction
from sendall.errors import UsageError

HOLD_AFTER_MS = 600_000
"""Age at this program's start from which a lane of an ended program is held."""
BUSY_TIMEOUT_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    place BLOB NOT NULL,
    lane TEXT NOT NULL,
    written_ms INTEGER NOT NULL,
    plaintext BLOB NOT NULL,
    entry BLOB,
    doubt INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS item_by_lane ON item (place, lane);
"""


class OutboxFile:
    """The file `outbox.db` of one folder, and the folder of its lanes' locks."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError: the file cannot be made or opened."""
        self.path = folder / "outbox.db"
        self.locks = folder / "outbox-locks"
        self._inherited: list[sqlite3.Connection] = []
        with self.told():
            self.locks.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = self._open()
            self._db.executescript(_SCHEMA)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        return db

    def lane(self, server_pk: bytes, id_pk: bytes, room: str, now_ms: int) -> Lane:
        """Return a new lane for one program in one room; `now_ms` is when the program began."""
        return Lane(self, server_pk + id_pk + room.encode(), now_ms)

    @contextmanager
    def commit(self) -> Iterator[sqlite3.Connection]:
        """One transaction; durable when the block ends. Raises UsageError: the file cannot be written."""
        with self.told(), transaction(self._db):
            yield self._db

    def after_fork(self) -> None:
        """In the child of a fork: open the file anew.

        The parent's connection is neither used nor closed, which would end the parent's locks and log file.
        """
        self._inherited.append(self._db)
        with self.told():
            self._db = self._open()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"the outbox {self.path} cannot be used: {error}",
                hint="free some space, or name another folder with `--state` or SENDALL_STATE",
            ) from error


class Lane:
    """One program's messages in one room, and those it took over: an `OutboxStore`."""

    def __init__(self, file: OutboxFile, place: bytes, began_ms: int) -> None:
        self._file = file
        self._place = place
        self._began_ms = began_ms
        self._taken: dict[str, int] = {}  # locks of lanes taken over
        self._is_closed = False
        self._make()

    def _make(self) -> None:
        self._name = secrets.token_hex(16)
        with self._file.told():
            lock = self._lock(self._name)
        assert lock is not None, "the name of a new lane is nobody else's"
        self._own_lock = lock

    def move_to(self, room: str) -> None:
        """Let the messages be those of `room`, once it is known which one a link leads to. May be repeated."""
        place = self._place[:64] + room.encode()
        if place != self._place:
            with self._file.commit() as db:
                db.execute("UPDATE item SET place = ? WHERE place = ? AND lane = ?", (place, self._place, self._name))
            self._place = place

    def rows(self) -> list[Row]:
        """Take over the lanes of ended programs, and return their messages, by id."""
        held: dict[str, bool] = {self._name: False}
        with self._file.commit() as db:
            lanes = db.execute("SELECT lane, min(written_ms) FROM item WHERE place = ? GROUP BY lane", (self._place,))
            for lane, oldest_ms in lanes.fetchall():
                if lane not in self._taken and lane != self._name:
                    lock = self._lock(lane)
                    if lock is None:
                        continue
                    self._taken[lane] = lock
                held[lane] = lane != self._name and oldest_ms < self._began_ms - HOLD_AFTER_MS
            # Read only now: before the lock was ours, its program may have been about to send.
            found = db.execute(
                "SELECT id, written_ms, plaintext, entry, doubt, lane FROM item WHERE place = ? ORDER BY id",
                (self._place,),
            )
            return [
                Row(id_, written_ms, plaintext, entry, held[lane], bool(doubt))
                for id_, written_ms, plaintext, entry, doubt, lane in found
                if lane in held
            ]

    def put(self, plaintext: bytes, written_ms: int) -> int:
        with self._file.commit() as db:
            done = db.execute(
                "INSERT INTO item (place, lane, written_ms, plaintext) VALUES (?, ?, ?, ?)",
                (self._place, self._name, written_ms, plaintext),
            )
            assert done.lastrowid is not None
            return done.lastrowid

    def update(self, changes: Sequence[tuple[int, bytes | None, bool]]) -> None:
        if changes:
            with self._file.commit() as db:
                rows = [(entry, doubt, id_) for id_, entry, doubt in changes]
                db.executemany("UPDATE item SET entry = ?, doubt = ? WHERE id = ?", rows)

    def delete(self, ids: Sequence[int]) -> None:
        if ids:
            with self._file.commit() as db:
                db.executemany("DELETE FROM item WHERE id = ?", [(id_,) for id_ in ids])

    def after_fork(self) -> None:
        """In the child of a fork: begin an empty lane; the inherited ones stay the parent's."""
        for lock in (self._own_lock, *self._taken.values()):
            os.close(lock)  # a copy: the parent's keeps the lock
        self._taken.clear()
        self._make()

    def close(self) -> None:
        """Leave what is open to the next program. May be repeated."""
        if self._is_closed:
            return
        self._is_closed = True
        with self._file.commit() as db:
            left = {lane for (lane,) in db.execute("SELECT DISTINCT lane FROM item WHERE place = ?", (self._place,))}
        for lane, lock in {**self._taken, self._name: self._own_lock}.items():
            # An empty lane never gets messages again, so its lock may go; who opened it meanwhile finds nothing in it.
            if lane not in left:
                with suppress(FileNotFoundError):
                    self._file.locks.joinpath(lane).unlink()
            os.close(lock)
        self._taken.clear()

    def _lock(self, lane: str) -> int | None:
        """Return the descriptor that holds the lane's lock; None if another program holds it."""
        descriptor = os.open(self._file.locks / lane, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor
