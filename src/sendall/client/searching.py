"""Searching what this device has kept: an index of words in memory, made when it is first needed.

On the disk there are only sealed rows (`archive`); the words stand in an SQLite FTS5 table that lives
in this process alone. It holds what people would see: edits count, what was deleted is not found.
Shell.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sendall.client.archive import MAX_ROWS, Archive
from sendall.client.conversation.rows import Post
from sendall.client.conversation.timeline import Changes, Timeline
from sendall.client.events import Event
from sendall.errors import UsageError

_PAGE = 2_000
"""Rows taken from the archive at once: other threads get their turn in between."""


class Found(NamedTuple):
    """A message that was found."""

    room_id: bytes
    seq: int
    time: datetime
    sender: bytes
    nick: str
    tag: str
    text: str
    """As it was sent or edited last, not safe to print."""


class Search:
    """The index over the rooms of one archive. May be used from any thread; the first search of a room takes long."""

    def __init__(self, archive: Archive) -> None:
        """Raises UsageError: this Python's SQLite has no FTS5."""
        self._archive = archive
        self._lock = threading.Lock()
        self._timelines: dict[bytes, Timeline] = {}
        self._posts: dict[int, tuple[bytes, Post]] = {}  # by rowid
        self._rowids: dict[tuple[bytes, int], int] = {}
        self._next = 1
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA temp_store=MEMORY")
        try:
            self._db.execute("CREATE VIRTUAL TABLE word USING fts5(text, tokenize='unicode61 remove_diacritics 2')")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise UsageError(f"this Python cannot search: {error}", hint="use one whose SQLite has FTS5") from error

    def find(self, words: str, rooms: Mapping[bytes, str], limit: int = 50) -> list[Found]:
        """Return the newest messages in `rooms` (id → name) that have all of the words, newest first.

        A word also finds what begins with it; case and accents make no difference. Where no word is found
        so, every text that holds the words as they stand counts: there are languages without spaces.

        Raises:
            UsageError: the archive cannot be read.
        """
        with self._lock:
            for room_id, name in rooms.items():
                if room_id not in self._timelines:
                    self._load(room_id, name)
            plain = words.encode(errors="replace").decode().replace("\0", " ").strip()
            wanted = " ".join(f'"{word}"*' for word in plain.replace('"', " ").split())
            if not wanted:
                return []
            rowids = self._matching("word MATCH ?", wanted) or self._matching("instr(text, ?)", plain)
            found = [self._posts[rowid] for rowid in rowids if self._posts[rowid][0] in rooms]
        found.sort(key=lambda pair: (pair[1].time, pair[1].seq), reverse=True)
        return [_found(room_id, post) for room_id, post in found[:limit]]

    def take(self, room_id: bytes, events: Iterable[Event]) -> None:
        """Take what was told meanwhile. Rooms that were not searched yet are read from the archive then."""
        with self._lock:
            timeline = self._timelines.get(room_id)
            if timeline is not None:
                self._index(room_id, timeline.take(events))

    def close(self) -> None:
        """May be repeated."""
        with self._lock:
            self._db.close()

    def _load(self, room_id: bytes, name: str) -> None:
        timeline = Timeline()
        before: int | None = None
        while page := self._archive.last(room_id, name, _PAGE, before=before):
            before = page[0].seq
            self._index(room_id, timeline.take(page))
        self._timelines[room_id] = timeline

    def _index(self, room_id: bytes, changes: Changes) -> None:
        self._db.execute("BEGIN")
        for row in (*changes.removed, *changes.changed):
            rowid = self._rowids.pop((room_id, row.key), None)
            if rowid is not None:
                del self._posts[rowid]
                self._db.execute("DELETE FROM word WHERE rowid = ?", (rowid,))
        for row in (*changes.added, *changes.changed):
            if isinstance(row, Post) and row.text:
                rowid, self._next = self._next, self._next + 1
                self._rowids[room_id, row.key], self._posts[rowid] = rowid, (room_id, row)
                self._db.execute("INSERT INTO word (rowid, text) VALUES (?, ?)", (rowid, row.text))
        self._db.execute("COMMIT")

    def _matching(self, condition: str, value: str) -> list[int]:
        rows = self._db.execute(f"SELECT rowid FROM word WHERE {condition} LIMIT {MAX_ROWS}", (value,))
        return [rowid for (rowid,) in rows]


def _found(room_id: bytes, post: Post) -> Found:
    return Found(room_id, post.seq, post.time, post.sender, post.nick, post.tag, post.text)
