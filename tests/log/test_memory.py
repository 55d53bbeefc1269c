"""The log without a disk: the shared contract, and what the simulation does to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.errors import LogError
from sendall.log.memory import MemoryStore
from sendall.log.roomlog import Checkpoint, Record, RoomLog
from tests.log.contract import ALL, KEEP_ALL, RECIPIENT, ROOM, Bench, LogContract, Pen, a_grant


class MemoryBench:
    def __init__(self) -> None:
        self.told: list[tuple[bytes, list[Record]]] = []
        self.failures: list[LogError] = []
        self.store = MemoryStore(durable=self._durable, failed=self.failures.append)

    def _durable(self, log: RoomLog, records: list[Record]) -> None:
        self.told.append((log.room_id, records))

    def settle(self) -> None:
        self.store.flush()
        self.store.commit()

    def restart(self) -> None:
        self.store.close()
        self.store = self.store.crash()

    def discard(self) -> None:
        self.store.close()


class TestMemory(LogContract):
    model_examples = 200

    @pytest.fixture
    def make_bench(self) -> Callable[[], Bench]:
        return MemoryBench


def written(*parts: tuple[int, bool]) -> tuple[MemoryBench, Pen]:
    """Return a bench whose room holds these entries, durable: (how many, control) one after another."""
    bench, pen = MemoryBench(), Pen()
    for n, control in parts:
        pen.write(n, control=control)
    bench.store.create(ROOM, "ops").append(pen.records)
    bench.settle()
    return bench, pen


def test_a_crash_leaves_what_was_committed() -> None:
    """What was only appended or flushed is gone; entries, checkpoint and keys of the last commit stay."""
    bench, pen = written((5, False))
    log = bench.store.open(ROOM)
    log.keep_key(1, b"sealed")
    log.checkpoint(Checkpoint(5, b"state"))
    bench.settle()
    log.append(pen.write(2))
    bench.store.flush()
    log.append(pen.write(2))
    survivor = bench.store.crash()
    assert not survivor.unclean
    again = survivor.open(ROOM)
    assert again.read(0, ALL) == pen.records[:5]
    assert (again.latest_checkpoint(), again.keys()) == (Checkpoint(5, b"state"), {1: b"sealed"})
    again.append(pen.records[5:7])
    survivor.flush()
    survivor.commit()
    assert again.read(0, ALL) == pen.records[:7]


def test_a_crashed_store_is_dead() -> None:
    """Nothing that is appended to it afterwards reaches anybody, its survivor least of all."""
    bench, pen = written((5, False))
    survivor = bench.store.crash()
    bench.told.clear()
    bench.store.open(ROOM).append(pen.write(1))
    bench.settle()
    assert bench.told == []
    assert survivor.open(ROOM).extent.last == 5


def test_a_crashed_store_takes_no_word_of_keys_grants_checkpoints_or_retention() -> None:
    """What a relay still hands to a dead store changes neither it nor its survivor."""
    bench, _ = written((5, False))
    log = bench.store.open(ROOM)
    log.keep_key(1, b"sealed")
    log.keep_grant(a_grant(2))
    log.checkpoint(Checkpoint(4, b"state"))
    bench.settle()
    survivor = bench.store.crash()
    log.keep_key(2, b"late")
    log.keep_grant(a_grant(1))
    log.drop_grants([RECIPIENT])
    log.drop_keys(2)
    log.checkpoint(Checkpoint(5, b"late"))
    bench.store.retain([ROOM], KEEP_ALL._replace(max_count=0), now_ms=0)
    bench.settle()
    for kept in (log, survivor.open(ROOM)):
        assert (kept.keys(), kept.latest_checkpoint()) == ({1: b"sealed"}, Checkpoint(4, b"state"))
        assert kept.grants(RECIPIENT) == [a_grant(2)]
        assert kept.extent.first == 1


def test_a_power_cut_takes_the_tail_and_says_so() -> None:
    """`lose` takes the last records and a checkpoint of them, and the next start knows that some may be missing."""
    bench, pen = written((10, False))
    log = bench.store.open(ROOM)
    for seq in (7, 9):
        log.checkpoint(Checkpoint(seq, b"%d" % seq))
        bench.settle()
    survivor = bench.store.lose(2)
    assert survivor.unclean
    assert survivor.open(ROOM).read(0, ALL) == pen.records[:8]
    assert survivor.open(ROOM).latest_checkpoint() == Checkpoint(7, b"7")


def test_a_power_cut_never_takes_a_control_entry() -> None:
    """Control entries are synced whatever the setting, and with them all that came before."""
    bench, pen = written((3, False), (1, True), (2, False))
    survivor = bench.store.lose(5)
    assert survivor.open(ROOM).read(0, ALL) == pen.records[:4]


def test_what_was_pruned_stays_pruned_after_a_crash() -> None:
    """The survivor's extent is that of the store that crashed."""
    bench, _ = written((8, False))
    bench.store.open(ROOM).checkpoint(Checkpoint(8, b"state"))
    bench.settle()
    bench.store.retain([ROOM], KEEP_ALL._replace(max_count=2), now_ms=0)
    bench.settle()
    extent = bench.store.open(ROOM).extent
    assert extent.first == 7
    assert bench.store.crash().open(ROOM).extent == extent


def test_a_broken_disk_is_told_once_and_ends_durability() -> None:
    """After `fail` appends are dropped and nothing is told any more."""
    bench, pen = written((2, False))
    bench.told.clear()
    error = LogError("the simulated disk broke")
    for _ in range(2):
        bench.store.fail(error)
    bench.store.open(ROOM).append(pen.write(1))
    bench.settle()
    assert (bench.failures, bench.told, bench.store.queued_bytes) == ([error], [], 0)
