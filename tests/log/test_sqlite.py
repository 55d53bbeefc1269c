"""The log in SQLite: the shared contract, and what a real disk, kills and damage do to it."""

from __future__ import annotations

import os
import queue
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sendall.errors import LogError
from sendall.log import database
from sendall.log.database import SEQ_BITS, digest, failure
from sendall.log.roomlog import Checkpoint, Damaged, FolderInUse, Record, RoomLog
from sendall.log.sqlite import FILE_NAME, SqliteStore
from sendall.log.writer import Sync
from tests.log.contract import (
    ALL,
    KEEP_ALL,
    OTHER,
    RECIPIENT,
    ROOM,
    Bench,
    LogContract,
    Pen,
    a_grant,
    prunable,
)

BASE = 1 << SEQ_BITS
"""The row id of seq 0 of the first room."""


class SqliteBench:
    """A store whose owner's loop is a queue of calls that `settle` runs."""

    def __init__(self, folder: Path, *, sync: Sync = "commit", max_bytes: int = 1 << 40, fraction: float = 2) -> None:
        self.folder = folder
        self.sync: Sync = sync
        self.told: list[tuple[bytes, list[Record]]] = []
        self.failures: list[LogError] = []
        self.calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._limits = max_bytes, fraction
        self.store = self._open()

    def _open(self) -> SqliteStore:
        return SqliteStore(
            self.folder,
            sync=self.sync,
            durable=self._durable,
            failed=self.failures.append,
            call_soon=self.calls.put,
            max_bytes=self._limits[0],
            disk_fraction=self._limits[1],
        )

    def _durable(self, log: RoomLog, records: list[Record]) -> None:
        self.told.append((log.room_id, records))

    def settle(self) -> None:
        self.store.flush()
        while not self.store.is_idle:
            self.calls.get(timeout=30)()

    def restart(self) -> None:
        self.store.close()
        self.store = self._open()

    def discard(self) -> None:
        self.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[SqliteBench]:
    bench = SqliteBench(tmp_path / "data")
    yield bench
    bench.discard()


@pytest.fixture(params=["commit", "os"])
def sync(request: pytest.FixtureRequest) -> Sync:
    return "os" if request.param == "os" else "commit"


class TestSqlite(LogContract):
    @pytest.fixture
    def make_bench(self, tmp_path: Path, sync: Sync) -> Callable[[], Bench]:
        made: list[None] = []

        def make() -> SqliteBench:
            made.append(None)
            return SqliteBench(tmp_path / str(len(made)), sync=sync)

        return make


def fill(bench: SqliteBench, n: int = 20) -> list[Record]:
    """Write `n` entries into a room, close the store, and return them."""
    pen = Pen()
    log = bench.store.create(ROOM, "ops")
    log.append(pen.write(n))
    log.checkpoint(Checkpoint(n, b"state"))
    bench.store.close()
    return pen.records


def tamper(bench: SqliteBench, sql: str, *arguments: object) -> RoomLog:
    """Change the closed file behind its back, open it again and return the room's log."""
    with closing(sqlite3.connect(bench.folder / FILE_NAME, isolation_level=None)) as connection:
        connection.execute(sql, arguments)
    bench.restart()
    return bench.store.open(ROOM)


@contextmanager
def child(folder: Path, sync: Sync, pace: str) -> Iterator[subprocess.Popen[str]]:
    """Run tests/log/child.py until the block ends, then kill it with SIGKILL."""
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, here / "child.py", folder, sync, pace],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parents[1] / "src"), str(here.parents[1])])},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)


# --- kills, and who holds the folder


@pytest.mark.parametrize("lines", [1, 40, 150])
def test_a_kill_loses_nothing_that_was_told(tmp_path: Path, sync: Sync, lines: int) -> None:
    """After kill -9 in the middle of appending, everything told is there, unbroken, and the log goes on."""
    told = [0, 0]
    with child(tmp_path, sync, "run") as process:
        assert process.stdout is not None
        for _ in range(lines):
            room, seq = map(int, process.stdout.readline().split())
            told[room] = seq
        process.kill()
        for line in process.stdout:
            if line.endswith("\n"):
                room, seq = map(int, line.split())
                told[room] = seq
    bench = SqliteBench(tmp_path)
    assert bench.store.unclean is (sync == "os")
    for room_id, seq in zip((ROOM, OTHER), told, strict=True):
        pen = Pen(room_id)
        pen.write(seq)
        if seq:
            log = bench.store.open(room_id)
            assert log.extent.last >= seq
            assert log.read(0, ALL, upto=seq) == pen.records
            assert len(log.read(0, ALL)) == log.extent.last
    bench.discard()


def test_unclean_lasts_until_a_clean_end(tmp_path: Path) -> None:
    """After a kill with sync="os" each start says so until a run has ended by `close`; with sync="commit" none does."""
    with child(tmp_path / "os", "os", "hold"), child(tmp_path / "commit", "commit", "hold"):
        pass
    bench = SqliteBench(tmp_path / "commit")
    assert not bench.store.unclean
    bench.discard()
    bench = SqliteBench(tmp_path / "os", sync="commit")
    assert bench.store.unclean
    bench.restart()
    assert not bench.store.unclean
    bench.discard()


def test_a_second_server_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    """The folder belongs to one process; once that was killed, the next one has it."""
    with child(tmp_path, "commit", "hold") as process:
        with pytest.raises(FolderInUse, match=rf"process {process.pid}\b") as caught:
            SqliteBench(tmp_path)
        assert caught.value.pid == process.pid
    SqliteBench(tmp_path).discard()


def test_a_folder_is_free_again_after_close_and_after_a_refused_start(bench: SqliteBench) -> None:
    """Within one process too: refused while open, free after `close` or after an opening that failed."""
    with pytest.raises(FolderInUse) as caught:
        SqliteBench(bench.folder)
    assert caught.value.pid == os.getpid()
    bench.store.close()
    (bench.folder / FILE_NAME).write_bytes(b"not a database at all" * 100)
    for _ in range(2):
        with pytest.raises(LogError, match="damaged"):
            SqliteBench(bench.folder)


def test_only_the_owner_may_look(bench: SqliteBench) -> None:
    """The folder is made 0700 and every file in it 0600."""
    bench.store.create(ROOM, "").append(Pen().write(1))
    bench.settle()
    assert stat.S_IMODE(bench.folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in bench.folder.iterdir()}
    assert modes == dict.fromkeys(["lock", FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"], 0o600)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be: one sentence with the path, and the option to change."""
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="file/data cannot be used") as caught:
        SqliteBench(tmp_path / "file" / "data")
    assert "--data" in caught.value.hint


def test_a_newer_log_is_refused(bench: SqliteBench) -> None:
    """A file that a later version wrote is left alone, and the message names both versions."""
    fill(bench)
    with pytest.raises(LogError, match="log version 3, this one knows 2"):
        tamper(bench, "PRAGMA user_version = 3")


def version_1(folder: Path, records: list[Record]) -> None:
    """Make the file that version 1 would have left of a room with these entries, from that version's schema."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
        connection.executescript((Path(database.__file__).parent / "schema.sql").read_text())
        check = digest(1, ROOM, b"ops")
        connection.execute(
            "INSERT INTO rooms VALUES (1, ?, 'ops', ?, ?, 0, 1, 0, ?, ?)",
            (ROOM, check, len(records), len(records) - 1, sum(len(r.entry) for r in records[1:])),
        )
        connection.execute("UPDATE run SET rooms = 1")
        connection.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, ?)", [(BASE + r.seq, r.time_ms, r.h, r.entry) for r in records]
        )
        connection.execute("INSERT INTO keys VALUES (1, 1, x'aa')")
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_log_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    """Opening it adds what version 2 needs and changes nothing else; an older program then refuses it."""
    pen = Pen()
    pen.write(6)
    version_1(tmp_path / "data", pen.records)
    bench = SqliteBench(tmp_path / "data")
    try:
        for _ in range(2):
            log = bench.store.open(ROOM)
            assert log.read(0, ALL) == pen.records
            assert log.keys() == {1: b"\xaa"}
            log.keep_grant(a_grant(1))
            bench.restart()
        assert bench.store.open(ROOM).grants(RECIPIENT) == [a_grant(1)]
    finally:
        bench.discard()
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_kill_while_upgrading_leaves_the_old_version_whole(tmp_path: Path) -> None:
    """The upgrade is one transaction: what fails in the middle of it leaves a log of version 1, which opens later."""
    pen = Pen()
    pen.write(3)
    version_1(tmp_path / "data", pen.records)
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("CREATE VIEW grants AS SELECT 1")  # in the way
    with pytest.raises(LogError):
        SqliteBench(tmp_path / "data")
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        connection.execute("DROP VIEW grants")
    bench = SqliteBench(tmp_path / "data")
    assert bench.store.open(ROOM).read(0, ALL) == pen.records
    bench.discard()


def test_another_programs_database_is_refused(bench: SqliteBench) -> None:
    """A database that is no sendall log is not written into."""
    bench.store.close()
    path = bench.folder / FILE_NAME
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(LogError, match="not a sendall log"):
        bench.restart()


# --- the writer


def test_batches_that_wait_become_one_commit(bench: SqliteBench) -> None:
    """While a commit cannot end, any number of flushes gather, and are told with one call."""
    pen = Pen()
    log = bench.store.create(ROOM, "")
    with closing(sqlite3.connect(bench.folder / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(50):
            log.append(pen.write(2))
            bench.store.flush()
        assert log.extent.last == 0
        other.execute("ROLLBACK")
    bench.settle()
    assert [r for _, records in bench.told for r in records] == pen.records
    assert len(bench.told) <= 2


def test_close_tells_the_rest_even_if_the_loop_is_gone(tmp_path: Path) -> None:
    """A `call_soon` of a closed loop raises; what became durable is then told by `close`."""

    def closed_loop(call: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    told: list[Record] = []
    store = SqliteStore(
        tmp_path,
        sync="commit",
        durable=lambda log, records: told.extend(records),
        failed=lambda error: None,
        call_soon=closed_loop,
    )
    records = Pen().write(3)
    store.create(ROOM, "").append(records)
    store.flush()
    store.close()
    assert told == records


def test_a_disk_error_is_told_once_and_nothing_after_it_is_durable(bench: SqliteBench) -> None:
    """A failed write: one named error, no retry, appends dropped, reads go on; the next start has what was told."""
    pen = Pen()
    pen.write(5)
    log = bench.store.create(ROOM, "")
    log.append(pen.records)
    bench.settle()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        log.append(pen.write(40, size=65_000))
        bench.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.append(pen.write(1))
    bench.settle()
    bench.store.close()
    assert [type(error) for error in bench.failures] == [LogError]
    assert "SQLITE_IOERR_WRITE" in str(bench.failures[0])
    assert "df" in bench.failures[0].hint
    bench.restart()
    assert bench.store.open(ROOM).read(0, ALL) == pen.records[:5]


def test_a_full_disk_has_its_own_sentence(tmp_path: Path) -> None:
    """SQLITE_FULL is told as a full disk, with the file and what to do."""
    with closing(sqlite3.connect(tmp_path / "small", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 3").fetchone()
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    error = failure(tmp_path / "small", caught.value)
    assert str(error).startswith(f"the disk of {tmp_path / 'small'} is full")
    assert "free some space" in error.hint


def test_a_durable_grant_is_read_from_the_disk(bench: SqliteBench) -> None:
    """Once it is written, memory holds it no longer."""
    log = bench.store.create(ROOM, "")
    log.append(Pen().write(1))
    log.keep_grant(a_grant(1))
    bench.settle()
    with closing(sqlite3.connect(bench.folder / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("DELETE FROM grants")
    assert log.grants(RECIPIENT) == []


def test_both_watermarks_count(tmp_path: Path) -> None:
    """The store is full by its own size or by its disk's, whichever comes first."""
    for folder, limits, full in (
        ("size", (1, 2.0), True),
        ("disk", (1 << 40, 0.0), True),
        ("no", (1 << 40, 2.0), False),
    ):
        bench = SqliteBench(tmp_path / folder, max_bytes=limits[0], fraction=limits[1])
        assert bench.store.is_full is full
        bench.discard()


def test_a_control_entry_is_synced_whatever_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sync="os" a control entry, and what it does to grants, is on the disk before it is told."""
    happened: list[str] = []
    sync = os.fsync

    def noted_sync(file: int) -> None:
        sync(file)
        happened.append("synced")

    monkeypatch.setattr(os, "fsync", noted_sync)
    bench = SqliteBench(tmp_path / "data", sync="os")
    pen = Pen()
    log = bench.store.create(ROOM, "")
    log.append(pen.write(3))
    bench.settle()
    happened.clear()
    log.append(pen.write(1, control=True))
    log.drop_grants([RECIPIENT])
    bench.settle()
    assert happened[:1] == ["synced"]
    bench.discard()


# --- damage


@pytest.mark.parametrize("seq", [1, 2, 13, 20])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET entry = CAST(substr(entry, 1, 150) || x'ff' || substr(entry, 152) AS BLOB) WHERE id = ?",
        "UPDATE entries SET entry = CAST(entry AS TEXT) WHERE id = ?",
        "UPDATE entries SET entry = NULL WHERE id = ?",
        "UPDATE entries SET time_ms = time_ms + 1 WHERE id = ?",
        "UPDATE entries SET time_ms = -1 WHERE id = ?",
        "UPDATE entries SET h = zeroblob(32) WHERE id = ?",
        "DELETE FROM entries WHERE id = ?",
    ],
)
def test_a_damaged_entry_is_named_and_never_served(bench: SqliteBench, change: str, seq: int) -> None:
    """Whatever changed in a row: sound entries before it are served, it and what follows it are not."""
    records = fill(bench)
    served: list[Record] = []

    def read_all() -> None:
        log = tamper(bench, change, BASE + seq)
        served.extend(log.read(0, ALL))
        log.read(len(served), ALL)

    with pytest.raises(Damaged) as caught:
        read_all()
    if seq != 20:  # the last entry is checked at opening, in one step with the room's row
        assert caught.value.seq == seq
        assert served == records[: seq - 1]
    assert caught.value.room_id == ROOM
    assert all(text in str(caught.value) for text in (FILE_NAME, ROOM.hex(), "entry"))
    assert "backup" in caught.value.hint


def test_two_swapped_entries_are_found(bench: SqliteBench) -> None:
    """Rows that change places fit neither seq."""
    fill(bench)
    log = tamper(
        bench, "UPDATE entries SET id = CASE id WHEN ?1 THEN -1 ELSE ?1 END WHERE id IN (?1, ?1 + 1)", BASE + 7
    )
    log = tamper(bench, "UPDATE entries SET id = ?1 + 1 WHERE id = -1", BASE + 7)
    assert len(log.read(0, ALL)) == 6
    with pytest.raises(Damaged, match="entry 7 "):
        log.read(6, ALL)


def test_a_damaged_control_entry_is_not_served_alone_either(bench: SqliteBench) -> None:
    """`control` and `h_at` check as `read` does, also where everything around was pruned."""
    pen = Pen()
    pen.write(5)
    pen.write(1, control=True)
    pen.write(5)
    prunable(bench, pen)
    bench.store.retain([ROOM], KEEP_ALL._replace(max_count=1), now_ms=0)
    bench.settle()
    bench.store.close()
    log = tamper(bench, "UPDATE entries SET time_ms = time_ms + 1 WHERE id = ?", BASE + 6)
    for read in (lambda: log.control(1, 11), lambda: log.read(1, ALL), lambda: log.h_at(6)):
        with pytest.raises(Damaged, match=r"entry 6 .* does not fit its chain value"):
            read()
    assert log.control(0, 5) == pen.records[:1]


@pytest.mark.parametrize(
    "change",
    [
        "last = last + 1",
        "last = last - 1",
        "last = 'x'",
        "control = 0",
        "pruned = 3",
        "pruned = 10000",
        "pruned = -1",
        "pruned = 'x'",
    ],
)
def test_a_damaged_account_of_a_room_is_found_at_opening(bench: SqliteBench, change: str) -> None:
    """Where a log begins and ends is noted beside it; the note must fit the entries."""
    fill(bench)
    with pytest.raises(Damaged):
        tamper(bench, f"UPDATE rooms SET {change}")


@pytest.mark.parametrize(
    "change", ["UPDATE rooms SET name = 'oops'", "DELETE FROM rooms", "UPDATE rooms SET number = 2", "DELETE FROM run"]
)
def test_a_damaged_list_of_rooms_is_found_at_opening(bench: SqliteBench, change: str) -> None:
    """A room that vanished or changed its name would be made a second time; the file is refused instead."""
    fill(bench)
    with pytest.raises(LogError, match="damaged") as caught:
        tamper(bench, change)
    assert "backup" in caught.value.hint


@pytest.mark.parametrize("change", ["UPDATE checkpoints SET state = x'00'", "DELETE FROM checkpoints"])
def test_a_damaged_checkpoint_is_found(bench: SqliteBench, change: str) -> None:
    """A room state that is not what was written, or is gone, is never passed over."""
    fill(bench)
    log = tamper(bench, change)
    with pytest.raises(Damaged, match="checkpoint"):
        log.latest_checkpoint()


def test_random_damage_is_found_or_harmless(bench: SqliteBench, tmp_path: Path) -> None:
    """Flipped bits, a zeroed sector, a cut end: never a wrong byte, and never another error than a named one."""
    records = fill(bench, 64)
    sound = (bench.folder / FILE_NAME).read_bytes()
    found = 0
    for seed in range(150):
        chance = random.Random(seed)
        damaged = bytearray(sound)
        at = chance.randrange(len(damaged))
        match seed % 3:
            case 0:
                damaged[at] ^= 1 << chance.randrange(8)
            case 1:
                damaged[at // 512 * 512 : at // 512 * 512 + 512] = bytes(512)
            case _:
                del damaged[at:]
        found += not serves_only_what_was_written(tmp_path / "again", bytes(damaged), records)
    assert found > 75


def serves_only_what_was_written(folder: Path, file: bytes, records: list[Record]) -> bool:
    """Read everything out of a file; return whether it was all there, False if a named error was raised."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(file)
    try:
        bench = SqliteBench(folder)
    except LogError:
        return False
    try:
        if not bench.store.rooms():
            assert len(file) == 0
            return False
        log = bench.store.open(ROOM)
        assert (log.extent.last, log.latest_checkpoint()) == (64, Checkpoint(64, b"state"))
        served = log.read(0, ALL)
        assert served == records[: len(served)]
        assert log.control(0, 64) == records[:1]
        return len(served) == 64 or not log.read(len(served), ALL)
    except LogError:
        return False
    finally:
        bench.discard()
