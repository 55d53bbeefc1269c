"""Opening `log.sqlite`: one connection that writes, one that only reads, and words for what fails.

The schema is in schema.sql, and what later versions added in schema-2.sql and so on; an older file is brought up
to date when it is opened. WAL mode, so that reads never wait for a commit. Checkpoints of the WAL
are the writer's own doing: SQLite's automatic ones ignore a failed fsync, which must stop us instead.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from sendall.errors import LogError

SCHEMA_VERSION = 2
SEQ_BITS = 40
"""A row's id is its room's number << SEQ_BITS | seq: 2^40 entries a room, 2^23 rooms."""

_PATIENCE = 30.0
"""Seconds to wait for somebody who looks into the file with another program and locks it."""
_WAL_KEPT_BYTES = 16 << 20
"""A WAL that one large commit blew up is cut down to this when it is used again from its start."""

RESTORE = "stop the server and restore the data folder from a backup, or start afresh with another `--data`"


def open_writer(file: Path) -> sqlite3.Connection:
    """Return the writing connection, with the newest schema in place; every commit is synced.

    It may be handed on to another thread. Recovery after a kill happens here: SQLite replays its WAL.

    Raises:
        LogError: not a sendall log, of a newer version, damaged beyond opening, or a disk error.
    """
    try:
        connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, file)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise failure(file, error) from error
    return connection


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise LogError(
            f"{file} was written by a newer sendall (log version {version}, this one knows {SCHEMA_VERSION})",
            hint="install the newer sendall again with `pip install --upgrade sendall`, or choose another `--data`",
        )
    if version < 1 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise LogError(f"{file} is not a sendall log", hint="choose another folder with `--data`")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS only: its fsync alone does not reach the disk
    connection.execute("PRAGMA wal_autocheckpoint = 0").fetchone()
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}").fetchone()
    connection.execute("PRAGMA cell_size_check = ON")
    for made in range(version + 1, SCHEMA_VERSION + 1):
        # Each in a transaction of its own that ends with its version: a kill leaves one version or the next.
        name = "schema.sql" if made == 1 else f"schema-{made}.sql"
        connection.executescript(Path(__file__).with_name(name).read_text())


def open_reader(file: Path) -> sqlite3.Connection:
    """Return the reading connection, for the thread that calls this.

    Read-only also so that it never checkpoints when it closes, which after a failed fsync would be a retry of it.
    """
    try:
        connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA cell_size_check = ON")
    except sqlite3.Error as error:
        raise failure(file, error) from error
    return connection


def failure(file: Path, error: Exception) -> LogError:
    """Return the error that a person gets to see for what SQLite or the system raised."""
    what = f"{error} ({name})" if (name := getattr(error, "sqlite_errorname", "")) else str(error)
    match name.split("_")[1:2]:
        case ["FULL"]:
            return LogError(f"the disk of {file} is full: {what}", hint="free some space, then start the server again")
        case ["CORRUPT"] | ["NOTADB"]:
            return LogError(f"{file} is damaged: {what}", hint=RESTORE)
        case _:
            return LogError(
                f"{file} cannot be used: {what}",
                hint="check the disk (`df`, `dmesg`), then start the server again",
            )


def digest(*parts: bytes | int) -> bytes:
    """Return a checksum of what no hash chain protects; integers count as u64."""
    check = hashlib.sha256()
    for part in parts:
        encoded = part.to_bytes(8, "big") if isinstance(part, int) else part
        check.update(len(encoded).to_bytes(8, "big") + encoded)
    return check.digest()
