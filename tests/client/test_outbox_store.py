"""The outbox file: what survives, who takes over what, with real files and real processes."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sendall.client.outbox_store import HOLD_AFTER_MS, Lane, OutboxFile
from sendall.errors import UsageError

SERVER, ME = b"s" * 32, b"m" * 32
NOW = 10_000_000

_WRITER = """
import sys
from pathlib import Path
from sendall.client.outbox_store import OutboxFile
lane = OutboxFile(Path(sys.argv[1])).lane(b"s" * 32, b"m" * 32, "lobby", int(sys.argv[2]))
lane.rows()
for word in sys.argv[3:]:
    lane.put(word.encode(), int(sys.argv[2]))
lane.update([(1, b"sealed", False)])
print("written", flush=True)
sys.stdin.readline()
"""


class Program:
    """Another program that wrote and still runs, until `kill`."""

    def __init__(self, folder: Path, *words: str, now_ms: int = NOW) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), str(now_ms), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "src"},
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "written\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)


def begin(folder: Path, now_ms: int = NOW, room: str = "lobby") -> Lane:
    return OutboxFile(folder).lane(SERVER, ME, room, now_ms)


def words(lane: Lane) -> list[bytes]:
    return [row.plaintext for row in lane.rows()]


def test_what_was_written_is_there_after_the_program_ended(tmp_path: Path) -> None:
    """Rows keep their order, entries, doubts and times over a close."""
    lane = begin(tmp_path)
    ids = [lane.put(word, NOW + i) for i, word in enumerate((b"a", b"b", b"c"))]
    lane.update([(ids[0], b"sealed", False), (ids[1], None, True)])
    lane.delete([ids[2]])
    lane.close()
    lane.close()
    rows = begin(tmp_path).rows()
    assert [(r.plaintext, r.entry, r.doubt, r.held, r.written_ms) for r in rows] == [
        (b"a", b"sealed", False, False, NOW),
        (b"b", None, True, False, NOW + 1),
    ]
    assert [r.id for r in rows] == ids[:2]


def test_a_living_programs_messages_are_its_own(tmp_path: Path) -> None:
    """What another program has under way is not taken; once it was killed, it is, by one only."""
    program = Program(tmp_path, "a", "b")
    first, second = begin(tmp_path), begin(tmp_path)
    assert words(first) == []
    program.kill()
    assert words(first) == [b"a", b"b"]
    assert words(second) == []
    first.close()
    assert words(second) == [b"a", b"b"]


def test_a_killed_programs_sealed_entries_are_there(tmp_path: Path) -> None:
    """A commit that returned survives `kill -9`."""
    Program(tmp_path, "a", "b").kill()
    assert [row.entry for row in begin(tmp_path).rows()] == [b"sealed", None]


@pytest.mark.parametrize(("age_ms", "held"), [(HOLD_AFTER_MS, False), (HOLD_AFTER_MS + 1, True)])
def test_a_lane_is_held_as_a_whole_if_its_oldest_is_old(tmp_path: Path, age_ms: int, held: bool) -> None:
    """Ten minutes before this start is the limit; one old message holds what was written behind it."""
    lane = begin(tmp_path)
    lane.put(b"old", NOW)
    lane.put(b"young", NOW + age_ms)
    lane.close()
    young = begin(tmp_path)
    young.put(b"other lane", NOW + age_ms)
    young.close()
    rows = begin(tmp_path, NOW + age_ms).rows()
    assert [(r.plaintext, r.held) for r in rows] == [(b"old", held), (b"young", held), (b"other lane", False)]


def test_a_programs_own_messages_are_never_held(tmp_path: Path) -> None:
    """However long a program runs, what it wrote itself goes out."""
    lane = begin(tmp_path)
    lane.put(b"mine", NOW - HOLD_AFTER_MS * 9)
    assert [row.held for row in lane.rows()] == [False]


def test_rooms_servers_and_people_are_kept_apart(tmp_path: Path) -> None:
    """Only the same server, identity and room is taken over."""
    file = OutboxFile(tmp_path)
    lane = file.lane(SERVER, ME, "lobby", NOW)
    lane.put(b"a", NOW)
    lane.close()
    for server, me, room in ((b"x" * 32, ME, "lobby"), (SERVER, b"x" * 32, "lobby"), (SERVER, ME, "lobby2")):
        assert words(file.lane(server, me, room, NOW)) == []


def test_an_empty_lane_leaves_no_file_behind(tmp_path: Path) -> None:
    """Locks of programs that ended and were finished do not pile up."""
    lane = begin(tmp_path)
    lane.delete([lane.put(b"a", NOW)])
    lane.close()
    Program(tmp_path, "b").kill()
    finisher = begin(tmp_path)
    finisher.delete([row.id for row in finisher.rows()])
    finisher.close()
    assert list((tmp_path / "outbox-locks").iterdir()) == []


def test_the_file_is_private(tmp_path: Path) -> None:
    """Messages that wait are readable by their writer alone, in the file and its log."""
    begin(tmp_path).put(b"a", NOW)
    for path in tmp_path.glob("outbox.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_batch_is_one_commit(tmp_path: Path) -> None:
    """If one change of a batch fails, none is kept."""
    lane = begin(tmp_path)
    id_ = lane.put(b"a", NOW)
    with pytest.raises(UsageError, match="outbox"):
        lane.update([(id_, b"sealed", False), (id_, None, None)])  # type: ignore[list-item]  # breaks a constraint
    assert [row.entry for row in lane.rows()] == [None]


def test_a_file_that_is_no_database_is_a_usage_error(tmp_path: Path) -> None:
    """The error names the file, and the option for another folder."""
    (tmp_path / "outbox.db").write_bytes(b"rubbish" * 1000)
    with pytest.raises(UsageError, match=r"outbox\.db") as caught:
        OutboxFile(tmp_path)
    assert "--state" in caught.value.hint


def test_a_forked_child_neither_takes_nor_frees_what_is_its_parents(tmp_path: Path) -> None:
    """The child writes into a lane of its own; the parent's stays locked when the child ends."""
    lane = begin(tmp_path)
    lane.put(b"parent", NOW)
    child = os.fork()
    if not child:
        try:
            lane._file.after_fork()
            lane.after_fork()
            is_right = lane.rows() == []
            lane.put(b"child", NOW)
            os._exit(0 if is_right else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    other = begin(tmp_path)
    assert words(other) == [b"child"]
    assert words(lane) == [b"parent"]
    assert sqlite3.connect(tmp_path / "outbox.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
