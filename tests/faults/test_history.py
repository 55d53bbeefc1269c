"""History files survive what the processes that write them do not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from sendall.errors import LogError
from sendall.log.roomlog import Record
from sendall.log.sqlite import SqliteStore
from tests.faults import history
from tests.faults.checker import Rule, check
from tests.faults.evidence import BadHistory, FinalLog, Got, History, Invoke, Lost, Ok, Subscribe, payload_sha
from tests.faults.history import HistoryWriter, log_from_sqlite, payloads_seen, read_history
from tests.faults.synthetic import correct_world

ROOT = Path(__file__).parents[2]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Every kind of event comes back as it was, under the name of its file."""
    sha = payload_sha("ada 0")
    with HistoryWriter(tmp_path / "ada.jsonl") as writer:
        writer.invoke(0, sha, sender=b"\x01" * 32, session=b"\x02" * 16, epoch=1)
        writer.ok(0, sha, seq=3, h=b"\x03" * 32)
        writer.ok(None, sha, seq=3, h=None)
        writer.subscribe(2, messages_only=True)
        writer.got(3, sha, b"\x03" * 32)
        writer.got(4, None, None)
        writer.lost(1)
    assert read_history(tmp_path / "ada.jsonl") == History(
        "ada",
        [
            Invoke(0, sha, "01" * 32, "02" * 16, 1, None),
            Ok(0, 3, sha, "03" * 32),
            Ok(None, 3, sha, None),
            Subscribe(2, messages_only=True),
            Got(3, sha, "03" * 32),
            Got(4, None, None),
            Lost(1),
        ],
    )


def test_lines_are_json_with_the_event_as_e(tmp_path: Path) -> None:
    """The format that a producer in another language writes."""
    with HistoryWriter(tmp_path / "ada.jsonl") as writer:
        writer.subscribe(2)
        writer.got(3, "ab", b"\x03")
    assert (
        tmp_path / "ada.jsonl"
    ).read_text() == '{"e":"subscribe","after":2}\n{"e":"got","seq":3,"sha":"ab","h":"03"}\n'


def test_a_killed_process_leaves_every_line_it_wrote(tmp_path: Path) -> None:
    """kill -9 takes nothing of what was written before it."""
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.faults.history import HistoryWriter\n"
        "history = HistoryWriter(Path(sys.argv[1]))\n"
        "[history.lost(n) for n in range(100)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "killed.jsonl"
    ended = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False, timeout=30)
    assert ended.returncode == -signal.SIGKILL
    assert read_history(path).events == [Lost(n) for n in range(100)]


def test_a_torn_tail_is_dropped_and_a_successor_goes_on_behind_it(tmp_path: Path) -> None:
    """Half a line is a step that was not taken; the next process's first line is whole."""
    path = tmp_path / "ada.jsonl"
    with HistoryWriter(path) as writer:
        writer.lost(1)
        writer.lost(2)
    os.truncate(path, path.stat().st_size - 3)
    assert read_history(path).events == [Lost(1)]
    with HistoryWriter(path) as writer:
        writer.lost(3)
    assert read_history(path).events == [Lost(1), Lost(3)]


@pytest.mark.parametrize("line", ["{}", "[", '{"e":"got"}', '{"e":"lost","n":1,"more":2}', '{"e":"lost","n":"1"}', ""])
def test_a_whole_line_that_is_no_event_is_refused(tmp_path: Path, line: str) -> None:
    """Only a tail may be torn; anything else would hide evidence. The message names file and line."""
    path = tmp_path / "ada.jsonl"
    path.write_text(f'{{"e":"lost","n":1}}\n{line}\n{{"e":"lost","n":2}}\n')
    with pytest.raises(BadHistory, match=r"^ada\.jsonl, line 2: "):
        read_history(path)


def broken(error: LogError) -> None:
    raise error


def keep(folder: Path, room: str, log: FinalLog) -> None:
    """Write `log` as a server does that ends cleanly."""
    store = SqliteStore(folder, sync="commit", durable=lambda *_: None, failed=broken, call_soon=lambda call: None)
    store.create(log.room_id, room).append([Record(*record[:4]) for record in log.records])
    store.close()


def test_the_final_log_is_what_the_server_kept(tmp_path: Path) -> None:
    """A run read back from its data folder, with the payloads that a fresh client opened, is the run itself."""
    world = correct_world(Random(7), steps=300)
    keep(tmp_path, "ops", world.log)
    log = log_from_sqlite(tmp_path, "ops", payloads_seen(world.histories[-1]))
    assert log == world.log
    assert check(log, world.histories).is_clean


def test_a_message_that_the_fresh_client_missed_is_reported(tmp_path: Path) -> None:
    """What is in the file and was not served is found, although its bytes are whole."""
    world = correct_world(Random(7), steps=300)
    keep(tmp_path, "ops", world.log)
    payloads = payloads_seen(world.histories[-1])
    missed = max(payloads)
    del payloads[missed]
    violations = check(log_from_sqlite(tmp_path, "ops", payloads), world.histories).violations
    assert (Rule.INVOKED, missed) in {(violation.rule, violation.evidence["seq"]) for violation in violations}


def test_a_long_log_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading goes on page by page, however small the pages are."""
    world = correct_world(Random(7), steps=60)
    keep(tmp_path, "ops", world.log)
    monkeypatch.setattr(history, "_PAGE_BYTES", 1)
    assert len(log_from_sqlite(tmp_path, "ops", {}).records) == len(world.log.records) > 2


def test_a_room_that_was_never_made_has_no_final_log(tmp_path: Path) -> None:
    """A misspelt room is the test's mistake, not an empty log that passes."""
    keep(tmp_path, "ops", correct_world(Random(7), steps=0).log)
    with pytest.raises(BadHistory, match=r"no room 'oops' .* only \['ops'\]"):
        log_from_sqlite(tmp_path, "oops", {})


def test_payloads_come_from_what_a_fresh_client_opened() -> None:
    """Control entries and messages that it could not open have none."""
    assert payloads_seen(History("reader", [Subscribe(0), Got(1, None, None), Got(2, "ab", None)])) == {2: "ab"}
