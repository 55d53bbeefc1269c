"""Retention in SQLite: pruning passes in slices, each one short transaction.

Used by the writer thread between commits. A pruned message whose successor stays leaves a row with
its chain value and no entry, so what is kept can always be checked; the next pass removes the row
that marked the old boundary.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from sendall.log.database import SEQ_BITS
from sendall.log.retention import Holding, Message, Surplus, pass_limit, surplus
from sendall.log.roomlog import Retention

SLICE_ROWS = 1_000
SLICE_BYTES = 4 << 20
"""A slice takes some 10 ms here, so a commit never waits long behind one."""

_OLDEST = """
    SELECT id, time_ms, length(entry) FROM entries
    WHERE id BETWEEN ? AND ? AND substr(entry, 2, 1) < x'10' ORDER BY id LIMIT ?"""

_DROP = """
    DELETE FROM entries WHERE id BETWEEN :boundary AND :upto - 1
    AND (entry IS NULL OR substr(entry, 2, 1) < x'10')
    AND id + 1 NOT IN (
        SELECT id FROM entries INDEXED BY control
        WHERE substr(entry, 2, 1) >= x'10' AND id BETWEEN :boundary AND :upto)"""

_EMPTY = "UPDATE entries SET entry = NULL WHERE id BETWEEN :boundary + 1 AND :upto AND substr(entry, 2, 1) < x'10'"

_ACCOUNT = """
    UPDATE rooms SET pruned = ?, messages = messages - ?, message_bytes = message_bytes - ? WHERE number = ?"""


class Pruned(NamedTuple):
    """One slice is done: everything of this room up to `seq` but control entries is gone."""

    room: int
    seq: int
    h: bytes
    """The chain value at `seq`."""


def prune(
    connection: sqlite3.Connection, rooms: Iterable[int], retention: Retention, now_ms: int
) -> Iterator[Pruned | None]:
    """Go over the rooms, given by number, once; each step is one slice, None where nothing (more) had to go."""
    for room in rooms:
        done, left = _slice(connection, room, retention, now_ms, None)
        yield done
        while done and left > 0:
            done, left = _slice(connection, room, retention, now_ms, left)
            yield done


def _slice(
    connection: sqlite3.Connection, room: int, retention: Retention, now_ms: int, limit: int | None
) -> tuple[Pruned | None, int]:
    """Prune one slice; return what went and how many more messages the pass may drop."""
    connection.execute("BEGIN IMMEDIATE")
    pruned, messages, size, checkpoint = connection.execute(
        "SELECT pruned, messages, message_bytes, checkpoint FROM rooms WHERE number = ?", (room,)
    ).fetchone()
    allowed = pass_limit(messages) if limit is None else limit
    with closing(_oldest(connection, room, pruned, checkpoint, min(allowed, SLICE_ROWS))) as oldest:
        going = surplus(oldest, Holding(messages, size), retention, now_ms)
    done = _drop(connection, room, pruned, going) if going else None
    connection.execute("COMMIT")
    return done, allowed - going.messages if going else 0


def _oldest(
    connection: sqlite3.Connection, room: int, pruned: int, checkpoint: int, limit: int
) -> Generator[Message, None, None]:
    base = room << SEQ_BITS
    taken = 0
    with closing(connection.execute(_OLDEST, (base + pruned + 1, base + checkpoint, limit))) as rows:
        for id_, time_ms, size in rows:
            yield Message(id_ - base, time_ms, size)
            taken += size
            if taken >= SLICE_BYTES:
                break


def _drop(connection: sqlite3.Connection, room: int, pruned: int, going: Surplus) -> Pruned:
    base = room << SEQ_BITS
    span = {"boundary": base + pruned, "upto": base + going.seq}
    (h,) = connection.execute("SELECT h FROM entries WHERE id = ?", (base + going.seq,)).fetchone()
    connection.execute(_DROP, span)
    connection.execute(_EMPTY, span)
    connection.execute(_ACCOUNT, (going.seq, going.messages, going.size, room))
    return Pruned(room, going.seq, h)
