"""The vault's file: sealed rows in one SQLite file, safe with several programs at once.

Every value is sealed under a key of the identity with the row it stands in as additional data, so that
nothing can be read, changed, or moved to another row. Rows are named by HMACs: kinds, room ids and
epochs do not show, only how many rows belong together, and how long they are. WAL with
`synchronous=FULL`: what was written is on disk when the block ends. What is deleted is overwritten.
Knows nothing of rooms and keys: that is `vault`'s. Source: docs/decisions/0018.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sendall.client.transaction import transaction
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import Aead, CannotOpen, hmac_sha256
from sendall.errors import UsageError

FILE_NAME = "vault.db"
VERSION = 1
BUSY_TIMEOUT_S = 5.0
_NONCE_BYTES = 12
_SCHEMA = (
    "CREATE TABLE whose (mark BLOB NOT NULL)",
    "CREATE TABLE sealed ("
    "id INTEGER PRIMARY KEY AUTOINCREMENT, shelf BLOB NOT NULL, slot BLOB NOT NULL UNIQUE, value BLOB NOT NULL)",
    "CREATE INDEX sealed_by_shelf ON sealed (shelf, id)",
)
_ELSEWHERE = "free some space, or name another folder with `--state` or SENDALL_STATE"
_AFRESH = "restore it from a backup, or move it away and join your private rooms again by new links"


class Place(NamedTuple):
    """Where a value is kept: slots with one kind and owner stand on one shelf and can be listed."""

    kind: bytes
    owner: bytes
    slot: bytes = b""


class VaultFile:
    """The file `vault.db` of one folder, opened as one identity."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Raises UsageError: the file cannot be made or opened, is damaged, or is another identity's."""
        self.path = folder / FILE_NAME
        self._aead = Aead(identity.derive(b"vault"))
        self._naming = identity.derive(b"vault rows")
        self._inherited: list[sqlite3.Connection] = []
        with self._told():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = self._open()
        try:
            with self.commit():
                self._begin()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA secure_delete=ON")
        except BaseException:
            db.close()
            raise
        return db

    def _begin(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise UsageError(f"the vault {self.path} was written by a newer sendall", hint="upgrade sendall")
        mark = hmac_sha256(self._naming, b"whose")
        if version == 0:
            for statement in _SCHEMA:
                self._db.execute(statement)
            self._db.execute("INSERT INTO whose (mark) VALUES (?)", (mark,))
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        elif self._db.execute("SELECT mark FROM whose").fetchall() != [(mark,)]:
            raise UsageError(
                f"the vault {self.path} is another identity's: its private rooms cannot be opened with this one",
                hint="restore the identity that it was made with, or move the vault away and join again by new links",
            )

    # -- transactions -------------------------------------------------------------------------

    @contextmanager
    def commit(self) -> Iterator[None]:
        """One transaction, alone among all programs; on disk when the block ends, undone if it raises.

        Raises:
            UsageError: the file cannot be read or written, or is damaged.
        """
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def view(self) -> Iterator[None]:
        """One transaction that only reads; waits for nobody. Raises UsageError: as `commit`."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._told(), transaction(self._db, begin):
            yield

    def sweep(self) -> None:
        """Take what was deleted out of the write-ahead log too, unless another program is reading just now."""
        with self._told():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- rows: only within `commit` or `view` -------------------------------------------------

    def get(self, place: Place) -> bytes | None:
        """Return the value at a place; None if there is none."""
        shelf, slot = self._names(place)
        row = self._db.execute("SELECT value FROM sealed WHERE slot = ?", (slot,)).fetchone()
        return None if row is None else self._unseal(shelf, slot, row[0])

    def put(self, place: Place, value: bytes) -> None:
        """Keep `value` at a place, instead of what was there; it keeps its rank on the shelf."""
        shelf, slot = self._names(place)
        nonce = os.urandom(_NONCE_BYTES)
        self._db.execute(
            "INSERT INTO sealed (shelf, slot, value) VALUES (?, ?, ?) "
            "ON CONFLICT (slot) DO UPDATE SET value = excluded.value",
            (shelf, slot, nonce + self._aead.seal(nonce, value, shelf + slot)),
        )

    def shelf(self, kind: bytes, owner: bytes) -> list[bytes]:
        """Return all values of one kind and owner, in the order in which they came."""
        shelf, _ = self._names(Place(kind, owner))
        rows = self._db.execute("SELECT slot, value FROM sealed WHERE shelf = ? ORDER BY id", (shelf,))
        return [self._unseal(shelf, slot, value) for slot, value in rows.fetchall()]

    def drop(self, place: Place) -> bool:
        """Overwrite and remove what is at a place; return whether anything was."""
        _, slot = self._names(place)
        return self._db.execute("DELETE FROM sealed WHERE slot = ?", (slot,)).rowcount > 0

    def clear(self, kind: bytes, owner: bytes) -> None:
        """Overwrite and remove a whole shelf."""
        shelf, _ = self._names(Place(kind, owner))
        self._db.execute("DELETE FROM sealed WHERE shelf = ?", (shelf,))

    def _names(self, place: Place) -> tuple[bytes, bytes]:
        # Kinds are words without a zero byte, owners of one kind have one length: no two places have one name.
        owned = place.kind + b"\0" + place.owner
        return hmac_sha256(self._naming, b"shelf\0" + owned), hmac_sha256(self._naming, b"slot\0" + owned + place.slot)

    def _unseal(self, shelf: bytes, slot: object, value: object) -> bytes:
        if not isinstance(slot, bytes) or not isinstance(value, bytes):
            raise CannotOpen
        return self._aead.open(value[:_NONCE_BYTES], value[_NONCE_BYTES:], shelf + slot)

    # -- the connection -----------------------------------------------------------------------

    def after_fork(self) -> None:
        """In the child of a fork: open the file anew.

        The parent's connection is neither used nor closed, which would end the parent's locks and log file.
        """
        self._inherited.append(self._db)
        with self._told():
            self._db = self._open()

    def close(self) -> None:
        """May be repeated."""
        self._db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except CannotOpen as error:
            raise UsageError(f"the vault {self.path} is damaged: a row does not open", hint=_AFRESH) from error
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours, such as using a closed file
        except sqlite3.OperationalError as error:
            raise UsageError(f"the vault {self.path} cannot be used: {error}", hint=_ELSEWHERE) from error
        except sqlite3.DatabaseError as error:
            raise UsageError(f"the vault {self.path} is damaged: {error}", hint=_AFRESH) from error
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"the vault {self.path} cannot be used: {error}", hint=_ELSEWHERE) from error
