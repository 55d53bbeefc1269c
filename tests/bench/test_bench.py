"""The benchmark measures what it says: tiny runs, end to end. Nothing here looks at how long anything took."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import goals, report, scenarios
from bench.contestants import Audience, Room
from bench.load import Figures, Load, run
from bench.members import WrongBytes, verify
from bench.peers import ALL, Missing, Peer, running
from bench.report import Results, about, load, other_tables, tables, write_page
from bench.rounds import CHUNK, EACH, SENDALL, SENDALL_TLS, Arrival, Case, Row, measure
from bench.scenarios import Sizes
from bench.servers import NoCompiler, compiled_generator, sendall_server
from sendall.crypto.primitives import RsaKey

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None, reason="NOT TESTED: the benchmark needs cc, and there is none"
)

TINY = Sizes(
    members=12,
    stalling=3,
    flood=300,
    paced=5,
    rooms=12,
    members_of_a_room=3,
    messages_of_a_room=5,
    reading=40,
    starts=1,
)


@pytest.fixture(scope="session")
def rsa() -> RsaKey:
    return RsaKey.generate()


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def room(request: pytest.FixtureRequest, tmp_path: Path, rsa: RsaKey) -> Iterator[Room]:
    """A room of 5 members at a server of its own, plain and with TLS."""
    if request.param:
        try:
            compiled_generator(tls=True)
        except NoCompiler as reason:
            pytest.skip(f"NOT TESTED: {reason}")
    with sendall_server(tmp_path / "data") as server:
        room = Room(server, rsa, 5, tmp_path / "room", writers=2, tls=request.param)
        yield room
        room.close()


def test_everybody_gets_every_message(room: Room) -> None:
    """Flat out by two writers, then paced, over the same connections."""
    for figures in (room.round(80, writers=2), room.round(6, rate=200), room.round(80, writers=1)):
        assert figures.deliveries == 5 * (6 if figures.last_p50_ms else 80)
        assert figures.bytes_per_delivery == 369
        assert figures.all_p50_ms <= figures.last_p99_ms
        assert figures.receipt_p50_ms <= figures.receipt_p99_ms


def test_a_run_in_which_other_bytes_came_is_no_run(room: Room) -> None:
    """What the first member heard is compared with what was written, to the last byte."""
    before = room.reader.head
    entries = room.seal(10, 2)
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


def test_a_run_that_lacks_a_delivery_is_no_run(room: Room) -> None:
    """A message too few and the generator does not count it as done, a message too many neither."""
    links = [member.link for member in room.members]
    writer = room.members[-1]
    said = writer.post(room.seal(2, 1)[writer.identity.pk], 1)
    with pytest.raises(RuntimeError, match="more than was written"):
        run(room.server, Load(links, [said], room.delivery_bytes, 1, framed=True), room.folder)


@pytest.mark.parametrize("peer", ALL, ids=lambda peer: peer.name)
def test_every_peer_sends_what_is_expected_of_it(peer: Peer, tmp_path: Path) -> None:
    """Each delivery has the size that is counted with, and everybody gets each message."""
    try:
        with running(peer, tmp_path / "peer") as server:
            audience = Audience(peer, server, 4, tmp_path / "audience", writers=2)
            assert audience.round(50, writers=2).deliveries == 4 * 50
            assert audience.round(5, writers=1, rate=200).deliveries == 4 * 5
            audience.close()
    except Missing as reason:
        pytest.skip(f"NOT TESTED: {reason}")


def test_a_case_has_all_its_rounds(tmp_path: Path) -> None:
    """Servers take turns; how members arrived is told once."""
    case = Case(6, (1, 2), (SENDALL, CHUNK, EACH), rates=((200, 4),), target_s=0.0001)
    found = list(measure(case, 2, tmp_path))
    assert [row.server for row in found if isinstance(row, Arrival)] == [SENDALL]
    rows = [row for row in found if isinstance(row, Row)]
    assert [(row.writers, row.figures.server) for row in rows if not row.rate] == [
        (writers, server) for _ in range(2) for writers in (1, 2) for server in (SENDALL, CHUNK, EACH)
    ]
    assert [row.figures.server for row in rows if row.rate] == [SENDALL, EACH] * 2


def test_who_stalls_gets_everything_later(tmp_path: Path) -> None:
    """The scenario reads what the stalled ones missed, to the last message."""
    facts = scenarios.stalled(TINY, tmp_path)
    assert facts["delivered_later_each"] == facts["to_deliver_later_each"] == TINY.flood + TINY.paced


def test_many_rooms_are_written_to_at_once(tmp_path: Path) -> None:
    """Every member of every room gets its room's messages, at sendall and at Redis."""
    for figures in scenarios.many_rooms(TINY, tmp_path, 2):
        assert figures.deliveries == TINY.rooms * TINY.members_of_a_room * TINY.messages_of_a_room


def test_the_library_and_the_programs_are_measured_as_they_are(tmp_path: Path) -> None:
    """A history is read to its end; a server starts, and a line is sent to it."""
    assert scenarios.reading(TINY, tmp_path / "reading")["messages"] == TINY.reading
    (tmp_path / "starting").mkdir()
    assert set(scenarios.starting(TINY, tmp_path / "starting")) == {"banner_s", "send_s"}
    assert set(scenarios.syncing(TINY, tmp_path)) == {"p50_ms", "p99_ms"}


# -- reports ------------------------------------------------------------------------------------

OURS = Figures(SENDALL, 100_000, 369, 1.0, 1.0, 2.0, 3.0, 0.1, 0.1, 4.0, 5.0, 1.0, 2.0)
THEIRS = OURS._replace(server=CHUNK, wall_s=0.5, server_cpu_s=0.05)
ONE_SEND = OURS._replace(server=EACH, last_p50_ms=4.0, last_p99_ms=1.0)
RESULTS = Results(
    rows=[
        *(Row(1000, 4, 0, figures) for figures in (OURS, THEIRS)),
        *(Row(1000, 1, 10, figures) for figures in (OURS, ONE_SEND)),
    ],
    arrivals=[Arrival(SENDALL, 5000, 300.0, 6000.0), Arrival(SENDALL_TLS, 5000, 900.0, 70_000.0)],
    rooms=[OURS, OURS._replace(server="Redis", wall_s=2.0)],
    facts={"reading": {"messages": 20_000, "cpu_s": 2.0}},
)


def test_the_goals_say_what_is_reached_and_what_is_not() -> None:
    """By the figure, and by nothing where there is none."""
    lines = goals.table(RESULTS).splitlines()
    assert "| deliveries/s, 1,000 members, 4 writing, of the raw C copier | ≥ 60 % | 50% | **no** |" in lines
    assert "| memory of an idle connection, sendall | ≤ 10 KB | 6.0 KB | yes |" in lines
    assert "| memory of an idle connection, sendall, TLS | ≤ 60 KB | 70.0 KB | **no** |" in lines
    assert "| 1,000 rooms of 10, deliveries/s against Redis | ≥ 1 × | 2.00 × | yes |" in lines
    assert "| reading client, messages/s and core | ≥ 6,000 | 10,000 | yes |" in lines
    assert "| start of a server to its banner | ≤ 0.5 s | - | - |" in lines


def test_the_page_is_written_between_its_markers(tmp_path: Path) -> None:
    """The text by hand stays; the tables are replaced."""
    page = tmp_path / "performance.md"
    page.write_text(f"by hand\n{report.BEGIN}\nold\n{report.END}\nalso by hand\n")
    write_page([tables(RESULTS), other_tables(RESULTS)], about(RESULTS, 0.0), page)
    text = page.read_text()
    assert text.startswith("by hand\n")
    assert text.endswith("\nalso by hand\n")
    assert "| 1,000 | 4 | sendall | 100 | 100,000 | 50% | 1.000 | 2.0 × |" in text
    assert "| 1,000 | 10 | sendall | 4.0 / 5.0 | 1.0 / 2.0 | 1.00 | 1.00 × |" in text
    assert "| 5,000 | sendall | 300 | 3,333 | 6.0 |" in text
    assert "| Redis | 50,000 | 1.000 |" in text
    assert "| reading | `cpu_s` | 2.00 |" in text
    assert "old" not in text


def test_all_figures_are_kept_and_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON, with date, machine and commit."""
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    path = report.keep(RESULTS, 0.5)
    assert {"date", "machine", "commit"} <= json.loads(path.read_text()).keys()
    assert load(path) == (RESULTS, 0.5)


def test_plots_are_small_files(tmp_path: Path) -> None:
    """Each below 100 KB, so that they can stand beside the page."""
    plots = pytest.importorskip("bench.plots", reason="NOT TESTED: matplotlib is not installed", exc_type=ImportError)
    paths = plots.draw(RESULTS, tmp_path)
    assert [path.name for path in paths] == [f"performance-{what}.png" for what in ("deliveries", "cpu", "delay")]
    assert all(0 < path.stat().st_size < 100_000 for path in paths)
