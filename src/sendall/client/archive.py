"""What this device has read, kept for a quick start and for searching: sealed rows in one SQLite file.

Only who holds the identity can read it: texts, names and senders are sealed under a key derived from
it, rooms are named by a keyed hash. What an observer of the file learns is how many rows each of an
unnamed number of rooms has, at which seqs, and the padded sizes. There is no index of words on the
disk: `searching` makes one in memory. A cache: all of it may be thrown away. Several programs of one
user may use it at once. Shell.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from sendall.client.conversation.kinds import Delete, Edit, Reaction, Text, Topic
from sendall.client.events import Change, Event, Message, ServerLost, Told, utc
from sendall.client.names import tag_of
from sendall.client.transaction import transaction
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import Aead, CannotOpen, hmac_sha256
from sendall.crypto.sealing import pad, unpad
from sendall.errors import UsageError

ARCHIVE_FILE = "archive.db"
MAX_ROWS = 100_000
"""Rows kept of each room: the newest. The others go when a program keeps something of it for the first time."""
BUSY_TIMEOUT_S = 5.0
_NONCE = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS said (room BLOB, seq INTEGER, sealed BLOB NOT NULL, PRIMARY KEY (room, seq)) WITHOUT ROWID;
"""
_BEYOND = "SELECT seq FROM said WHERE room = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"


class _Row(msgspec.Struct, array_like=True, frozen=True):
    """What of a message or change is kept."""

    time_ms: int
    sender: bytes
    session: bytes
    nick: str
    what: Text | Edit | Delete | Reaction | Topic


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode


class Archive:
    """The archive of one identity in one folder. May be used from any thread."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Raises UsageError: the file cannot be made or opened."""
        self.path = folder / ARCHIVE_FILE
        self._aead = Aead(identity.derive(b"archive"))
        self._rooms_key = identity.derive(b"archive rooms")
        self._lock = threading.Lock()
        self._pruned: set[bytes] = set()
        with self._told():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA)

    # -- writing ------------------------------------------------------------------------------

    def keep(self, room_id: bytes, events: Iterable[Event]) -> None:
        """Keep what was said, in one commit; other events are ignored, but for `ServerLost`.

        A deletion takes the words of its message out of the file too, if that was kept before.

        Raises:
            UsageError: the file cannot be written.
        """
        room = self._room(room_id)
        with self._commit() as db:
            for event in events:
                match event:
                    case Message(kind="m") | Change():
                        self._keep(db, room, event)
                    case ServerLost(kept=kept):
                        db.execute("DELETE FROM said WHERE room = ? AND seq > ?", (room, kept))
                    case _:
                        pass
            if room not in self._pruned:
                self._pruned.add(room)
                db.execute(f"DELETE FROM said WHERE room = ? AND seq <= ({_BEYOND})", (room, room, MAX_ROWS))

    def forget(self, room_id: bytes) -> None:
        """Forget a room. Raises UsageError: the file cannot be written."""
        with self._commit() as db:
            db.execute("DELETE FROM said WHERE room = ?", (self._room(room_id),))

    def _keep(self, db: sqlite3.Connection, room: bytes, said: Message | Change) -> None:
        what = Text(said.text, said.re, said.is_action) if isinstance(said, Message) else said.what
        time_ms = (said.time - _EPOCH) // timedelta(milliseconds=1)
        row = _Row(time_ms, said.sender, said.session, said.nick, what)
        self._put(db, room, said.seq, row)
        if isinstance(what, Delete) and what.re < said.seq:
            target = self._get(db, room, what.re)
            if target is not None and target.sender == said.sender and isinstance(target.what, Text):
                bare = Text("", target.what.re, target.what.is_action)
                self._put(db, room, what.re, msgspec.structs.replace(target, what=bare))

    def _put(self, db: sqlite3.Connection, room: bytes, seq: int, row: _Row) -> None:
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._aead.seal(nonce, pad(_encode(row)), _place(room, seq))
        db.execute("INSERT OR REPLACE INTO said VALUES (?, ?, ?)", (room, seq, sealed))

    # -- reading ------------------------------------------------------------------------------

    def last(self, room_id: bytes, name: str, limit: int, *, before: int | None = None) -> list[Told]:
        """Return the newest `limit` of what is kept of a room (before seq `before`), oldest first.

        What does not open, or is of another version, is left out.

        Raises:
            UsageError: the file cannot be read.
        """
        room = self._room(room_id)
        rows = "SELECT seq, sealed FROM said WHERE room = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
        with self._told(), self._lock:
            found = self._db.execute(rows, (room, before or 2**53, limit)).fetchall()
        opened = ((seq, self._open(room, seq, sealed)) for seq, sealed in reversed(found))
        return [_event(name, seq, row) for seq, row in opened if row is not None]

    def _get(self, db: sqlite3.Connection, room: bytes, seq: int) -> _Row | None:
        found = db.execute("SELECT sealed FROM said WHERE room = ? AND seq = ?", (room, seq)).fetchone()
        return None if found is None else self._open(room, seq, found[0])

    def _open(self, room: bytes, seq: int, sealed: bytes) -> _Row | None:
        try:
            return _decode(unpad(self._aead.open(sealed[:_NONCE], sealed[_NONCE:], _place(room, seq))))
        except (CannotOpen, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    # -- files --------------------------------------------------------------------------------

    def close(self) -> None:
        """May be repeated."""
        with self._lock:
            self._db.close()

    def _room(self, room_id: bytes) -> bytes:
        return hmac_sha256(self._rooms_key, room_id)

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        with self._told(), self._lock, transaction(self._db):
            yield self._db

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"the archive {self.path} cannot be used: {error}",
                hint="remove the file: what is in it can be read from the servers again",
            ) from error


def erase(folder: Path) -> None:
    """Remove the archive of a folder, if there is one. No program may have it open."""
    for name in (ARCHIVE_FILE, f"{ARCHIVE_FILE}-wal", f"{ARCHIVE_FILE}-shm"):
        folder.joinpath(name).unlink(missing_ok=True)


def _place(room: bytes, seq: int) -> bytes:
    return room + seq.to_bytes(8, "big")


def _event(name: str, seq: int, row: _Row) -> Told:
    who = (row.sender, row.session, row.nick, tag_of(row.sender), False)
    if isinstance(row.what, Text):
        return Message(seq, utc(row.time_ms), name, *who, row.what.text, "m", row.what.re, row.what.is_action)
    return Change(seq, utc(row.time_ms), name, *who, row.what)
