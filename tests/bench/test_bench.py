"""The benchmark measures what it says: tiny runs, end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import report
from bench.members import WrongBytes, verify
from bench.rounds import EACH_SHARE, Case, Figures, Room, measure
from bench.servers import sendall_server

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None, reason="NOT TESTED: the benchmark needs cc, and there is none"
)

CASE = Case(members=20, writers=2, messages=4 * EACH_SHARE, batch=8)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room of 5 members at a server of its own."""
    with sendall_server(tmp_path / "data") as server:
        room = Room(CASE._replace(members=5), server, tmp_path)
        yield room
        for member in room.members:
            member.socket.close()


def test_every_member_of_every_server_gets_every_delivery(tmp_path: Path) -> None:
    """Two rounds of sendall and both copiers, at equal bytes per delivery."""
    taken = list(measure(CASE, 2, tmp_path))
    assert [figures.server for figures in taken] == ["sendall", "raw C, chunk", "raw C, each"] * 2
    whole = CASE.members * CASE.messages
    assert [figures.deliveries for figures in taken] == [whole, whole, whole // EACH_SHARE] * 2
    assert {figures.bytes_per_delivery for figures in taken} == {369}
    assert all(figures.rate > 0 for figures in taken)
    assert all(figures.receipt_p50_ms <= figures.receipt_p99_ms for figures in taken)


def test_a_run_in_which_other_bytes_came_is_no_run(room: Room) -> None:
    """What the first member heard is compared with what was written, to the last byte."""
    before = room.reader.head
    entries = room.seal(10)
    room.run(entries)
    kept = (room.folder / "kept").read_bytes()
    changed = kept[:-1] + bytes([kept[-1] ^ 1])
    fewer = {who: each[:-1] for who, each in entries.items()}
    more = {who: [*each, each[0]] for who, each in entries.items()}
    for heard, written in ((changed, entries), (kept, fewer), (kept, more)):
        room.reader.head = before
        with pytest.raises(WrongBytes):
            verify(heard, room.reader, written)
    room.reader.head = before
    verify(kept, room.reader, entries)


def test_the_page_is_written_between_its_markers(tmp_path: Path) -> None:
    """The text by hand stays; the table is replaced."""
    page = tmp_path / "performance.md"
    page.write_text(f"by hand\n{report.BEGIN}\nold\n{report.END}\nalso by hand\n")
    figures = Figures("sendall", 100, 369, 1.0, 1.0, 2.0, 3.0, 0.1, 0.1)
    result = report.Result(CASE, [figures, figures._replace(server="raw C, chunk", wall_s=0.5)])
    report.write_page([result], 0.0, page)
    text = page.read_text()
    assert text.startswith("by hand\n")
    assert text.endswith("\nalso by hand\n")
    assert "| 20 | 2 | sendall | 100 | 100 to 100 | 50% | 1000.000 | 2 / 3 |" in text
    assert "old" not in text


def test_all_figures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON, with date, machine and commit."""
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    figures = Figures("raw C, chunk", 100, 369, 1.0, 1.0, 2.0, 3.0, 0.1, 0.1)
    kept = json.loads(report.keep([report.Result(CASE, [figures])], 0.0).read_text())
    assert kept["cases"][0]["rounds"][0]["deliveries"] == 100
    assert {"date", "machine", "commit"} <= kept.keys()
