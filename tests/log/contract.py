"""The suite that every log passes: one promise of `RoomLog` and `Store` per test.

An implementation's test module derives a class from `LogContract` and gives it a `Bench`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sendall.errors import LogError
from sendall.log.roomlog import (
    GRANTS_PER_RECIPIENT,
    Checkpoint,
    Extent,
    Grant,
    Record,
    Retention,
    RoomInfo,
    RoomLog,
    Store,
)
from sendall.protocol.chain import link

ROOM = bytes(range(32))
OTHER = bytes(range(32, 64))
ALL = 1 << 40
"""A limit of bytes that never limits."""
KEEP_ALL = Retention(max_age_ms=1 << 50, max_bytes=1 << 50, max_count=1 << 50)


class Bench(Protocol):
    """A store under test, and what it told."""

    @property
    def store(self) -> Store: ...

    told: list[tuple[bytes, list[Record]]]
    failures: list[LogError]

    def settle(self) -> None:
        """Flush, and return when all of it is durable and told, retention passes included."""
        ...

    def restart(self) -> None:
        """Close the store and open what it left."""
        ...

    def discard(self) -> None:
        """Close the store for good."""
        ...


class Pen:
    """Writes the entries of one room, with true chain values."""

    def __init__(self, room_id: bytes = ROOM) -> None:
        self.room_id = room_id
        self.records: list[Record] = []
        self.time_ms = 1_000
        self._noise = random.Random(room_id)

    def write(self, n: int = 1, *, control: bool = False, size: int = 200, step_ms: int = 1) -> list[Record]:
        """Return `n` further records, `step_ms` after one another."""
        first = len(self.records)
        for _ in range(n):
            seq = len(self.records) + 1
            self.time_ms += step_ms
            entry = bytes([1, 0x17 if control or seq == 1 else 0x01]) + self._noise.randbytes(size - 2)
            h = self.records[-1].h if self.records else self.room_id
            self.records.append(Record(seq, self.time_ms, link(h, seq, self.time_ms, entry), entry))
        return self.records[first:]


def filled(bench: Bench, pen: Pen, name: str = "ops") -> RoomLog:
    """Return the log of a new room that holds, durably, what the pen wrote so far."""
    log = bench.store.create(pen.room_id, name)
    log.append(pen.records)
    bench.settle()
    return log


def prunable(bench: Bench, pen: Pen, name: str = "ops") -> RoomLog:
    """As `filled`, with a checkpoint of all of it: retention never goes beyond that."""
    log = filled(bench, pen, name)
    log.checkpoint(Checkpoint(len(pen.records), b"state"))
    bench.settle()
    return log


def filled_with_one(bench: Bench) -> RoomLog:
    pen = Pen()
    pen.write(1)
    return filled(bench, pen)


RECIPIENT = b"r" * 32


def a_grant(granter: int, sealed: bytes = b"sealed") -> Grant:
    return Grant(RECIPIENT, b"granter %d" % granter, RECIPIENT, sealed)


class LogContract:
    """Derive from this, and define the fixture `bench` and `make_bench` for the stateful test."""

    model_examples = 20

    @pytest.fixture
    def make_bench(self) -> Callable[[], Bench]:
        raise NotImplementedError

    @pytest.fixture
    def bench(self, make_bench: Callable[[], Bench]) -> Iterator[Bench]:
        bench = make_bench()
        yield bench
        bench.discard()

    def test_nothing_is_there_before_it_is_durable(self, bench: Bench) -> None:
        """What was appended and not committed is neither read nor counted as the log's end."""
        pen = Pen()
        log = filled(bench, pen)
        assert log.extent == Extent(1, 0, ROOM)
        log.append(pen.write(3))
        assert log.extent == Extent(1, 0, ROOM)
        assert (log.read(0, ALL), log.control(0, 9), log.h_at(1), log.first_since(0)) == ([], [], None, 1)
        assert bench.told == []

    def test_what_is_durable_is_told_once_in_order_and_then_read(self, bench: Bench) -> None:
        """Every record goes through `durable` once, in order, room by room, and can be read back byte by byte."""
        pens = Pen(ROOM), Pen(OTHER)
        logs = [bench.store.create(pen.room_id, "") for pen in pens]
        for round_ in range(5):
            for log, pen in zip(logs, pens, strict=True):
                log.append(pen.write(round_ + 1))
                log.append(pen.write(1))
            bench.settle()
        for log, pen in zip(logs, pens, strict=True):
            assert [r for room_id, told in bench.told if room_id == pen.room_id for r in told] == pen.records
            assert log.read(0, ALL) == pen.records
            assert log.extent == Extent(1, 20, pen.room_id)
        assert len(bench.told) == 10

    def test_a_restart_keeps_everything(self, bench: Bench) -> None:
        """After closing and opening again the log is the same and goes on."""
        pen = Pen()
        pen.write(50)
        filled(bench, pen)
        bench.restart()
        assert not bench.store.unclean
        log = bench.store.open(ROOM)
        assert (log.extent, log.read(0, ALL)) == (Extent(1, 50, ROOM), pen.records)
        log.append(pen.write(2))
        bench.settle()
        assert log.read(0, ALL) == pen.records

    def test_a_batch_of_any_size_and_any_pace_arrives_whole(self, bench: Bench) -> None:
        """Neither a commit of many MiB of the largest entries nor hours between two entries change a byte."""
        pen = Pen()
        pen.write(150, size=65_720)
        pen.write(3, step_ms=40_000_000)
        pen.write(3, size=168, step_ms=0)
        assert filled(bench, pen).read(0, ALL) == pen.records

    def test_a_read_ends_at_its_limits(self, bench: Bench) -> None:
        """Never more bytes than asked for unless the first entry alone is more, never beyond `upto`."""
        pen = Pen()
        records = pen.write(10, size=300)
        log = filled(bench, pen)
        assert log.read(0, 900) == records[:3]
        assert log.read(0, 899) == records[:2]
        assert log.read(4, 1) == records[4:5]
        assert log.read(4, ALL, upto=7) == records[4:7]
        assert log.read(4, ALL, upto=4) == log.read(10, ALL) == log.read(99, ALL) == []
        assert log.read(8, ALL, upto=99) == records[8:]

    def test_a_hole_is_an_assertion(self, bench: Bench) -> None:
        """Records that do not go on where the log ended, or miss one, are the caller's mistake."""
        pen = Pen()
        pen.write(3)
        log = filled(bench, pen)
        later = pen.write(4)
        for wrong in (later[1:], pen.records[:1], [later[0], later[2]]):
            with pytest.raises(AssertionError, match="no holes"):
                log.append(wrong)
        log.append(later[:2])
        log.append(later[2:])
        bench.settle()
        assert log.read(0, ALL) == pen.records

    def test_control_entries_are_found_among_messages(self, bench: Bench) -> None:
        """`control` gives those of type 0x10 and above, in its range, and no other."""
        pen = Pen()
        pen.write(4)
        pen.write(2, control=True)
        pen.write(3)
        pen.write(1, control=True)
        log = filled(bench, pen)
        assert [r.seq for r in log.control(0, 10)] == [1, 5, 6, 10]
        assert log.control(1, 9) == pen.records[4:6]
        assert log.control(5, 6) == pen.records[5:6]
        assert log.control(6, 9) == []

    def test_control_entries_come_in_parts(self, bench: Bench) -> None:
        """Never more bytes of control entries than asked for, unless the first alone is more."""
        pen = Pen()
        pen.write(2)
        pen.write(5, control=True, size=300)
        log = filled(bench, pen)
        assert log.control(1, 7, 900) == pen.records[2:5]
        assert log.control(1, 7, 899) == pen.records[2:4]
        assert log.control(4, 7, 1) == pen.records[4:5]
        assert log.control(4, 5, 900) == pen.records[4:5]
        assert log.control(7, 9, 900) == []

    def test_chain_values_are_known_at_every_seq(self, bench: Bench) -> None:
        """`h_at` gives each entry's chain value, the room_id at 0 and None beyond the end."""
        pen = Pen()
        pen.write(5)
        log = filled(bench, pen)
        assert [log.h_at(seq) for seq in range(7)] == [ROOM, *(r.h for r in pen.records), None]

    def test_first_since_finds_the_first_of_a_time(self, bench: Bench) -> None:
        """The lowest seq of that time or later, also among entries of the same time; the end's successor if none."""
        pen = Pen()
        for step_ms in (0, 0, 10, 0, 0, 10, 5):
            pen.write(1, step_ms=step_ms)
        log = filled(bench, pen)
        assert [log.first_since(1_000 + t) for t in (-1_000, 0, 1, 10, 11, 20, 25, 26)] == [1, 1, 3, 3, 6, 6, 7, 8]

    def test_the_newest_durable_checkpoint_counts(self, bench: Bench) -> None:
        """A checkpoint is there once committed, replaces the one before, and survives a restart."""
        pen = Pen()
        log = filled(bench, pen)
        log.append(pen.write(3))
        log.checkpoint(Checkpoint(2, b"two"))
        log.checkpoint(Checkpoint(3, b"three"))
        assert log.latest_checkpoint() is None
        bench.settle()
        assert log.latest_checkpoint() == Checkpoint(3, b"three")
        log.append(pen.write(1))
        log.checkpoint(Checkpoint(4, b"four" * 100_000))
        bench.restart()
        assert bench.store.open(ROOM).latest_checkpoint() == Checkpoint(4, b"four" * 100_000)

    def test_a_checkpoint_is_of_something_appended(self, bench: Bench) -> None:
        """A checkpoint ahead of the log could survive what it describes, so it is an assertion."""
        log = bench.store.create(ROOM, "")
        log.append(Pen().write(1))
        with pytest.raises(AssertionError, match="appended"):
            log.checkpoint(Checkpoint(2, b""))

    def test_keys_of_pruned_epochs_are_dropped(self, bench: Bench) -> None:
        """`drop_keys` deletes the keys below an epoch, those queued in the same commit too, and no other room's."""
        for pen in (Pen(ROOM), Pen(OTHER)):
            log = bench.store.create(pen.room_id, "")
            log.append(pen.write(1))
            for epoch in (1, 2, 3):
                log.keep_key(epoch, b"key")
        bench.store.open(ROOM).drop_keys(3)
        bench.restart()
        assert set(bench.store.open(ROOM).keys()) == {3}
        assert set(bench.store.open(OTHER).keys()) == {1, 2, 3}

    def test_keys_are_kept_by_room_and_epoch(self, bench: Bench) -> None:
        """Sealed keys survive a restart; a second one for an epoch replaces the first; rooms do not mix."""
        for pen in (Pen(ROOM), Pen(OTHER)):
            log = bench.store.create(pen.room_id, "")
            log.append(pen.write(1))
            log.keep_key(1, b"old")
            log.keep_key(1, b"one" + pen.room_id)
            log.keep_key(2, b"two" + pen.room_id)
        bench.restart()
        for room_id in (ROOM, OTHER):
            assert bench.store.open(room_id).keys() == {1: b"one" + room_id, 2: b"two" + room_id}

    def test_a_grant_is_there_at_once_and_stays(self, bench: Bench) -> None:
        """Before its commit, after it and after a restart: the latest of each granter, oldest first, room by room."""
        logs = []
        for pen in (Pen(ROOM), Pen(OTHER)):
            logs.append(bench.store.create(pen.room_id, ""))
            logs[-1].append(pen.write(1))
        log, other = logs
        first, second, third = (a_grant(granter, b"%d" % granter) for granter in (1, 2, 1))
        elsewhere = first._replace(recipient=b"somebody else", sealed_to=b"an invite")
        for grant in (first, elsewhere, second, third):
            log.keep_grant(grant)
        other.keep_grant(second)
        steps: list[Callable[[], None]] = [lambda: None, bench.settle, bench.settle, bench.restart]
        for step in steps:
            step()
            log, other = bench.store.open(ROOM), bench.store.open(OTHER)
            assert log.grants(RECIPIENT) == [second, third]
            assert log.grants(elsewhere.recipient) == [elsewhere]
            assert other.grants(RECIPIENT) == [second]
            assert log.grants(b"nobody") == []

    def test_a_recipient_has_grants_of_the_latest_eight(self, bench: Bench) -> None:
        """A ninth granter's replaces the oldest, whether durable or not; one given again is the newest."""
        log = filled_with_one(bench)
        grants = [a_grant(number) for number in range(20)]
        for grant in grants[:10]:
            log.keep_grant(grant)
        assert log.grants(RECIPIENT) == grants[2:10]
        bench.settle()
        assert log.grants(RECIPIENT) == grants[2:10]
        for grant in (grants[2], *grants[10:14]):
            log.keep_grant(grant)
        expected = [*grants[7:10], grants[2], *grants[10:14]]
        assert len(expected) == GRANTS_PER_RECIPIENT
        for _ in range(2):
            assert log.grants(RECIPIENT) == expected
            bench.settle()

    def test_dropped_grants_are_gone_at_once(self, bench: Bench) -> None:
        """Those of these recipients and no other; what is kept afterwards stays."""
        log = filled_with_one(bench)
        kept, other, later = a_grant(1), a_grant(2)._replace(recipient=b"other"), a_grant(3)
        for grant in (kept, other, kept._replace(recipient=b"third")):
            log.keep_grant(grant)
        bench.settle()
        log.drop_grants([])
        log.drop_grants([RECIPIENT, b"third", b"unknown"])
        assert log.grants(RECIPIENT) == log.grants(b"third") == []
        log.keep_grant(later)
        steps: list[Callable[[], None]] = [lambda: None, bench.settle, bench.restart]
        for step in steps:
            step()
            log = bench.store.open(ROOM)
            assert (log.grants(RECIPIENT), log.grants(b"other"), log.grants(b"third")) == ([later], [other], [])

    def test_grants_read_in_the_middle_of_commits_are_those_queued(self, bench: Bench) -> None:
        """However keeping, dropping, flushing and committing fall together, what is read is what was asked for last."""
        log = filled_with_one(bench)
        noise = random.Random(7)
        model: list[Grant] = []
        for step in range(300):
            if noise.random() < 0.1:
                log.drop_grants([RECIPIENT])
                model = []
            else:
                grant = a_grant(noise.randrange(12), b"%d" % step)
                log.keep_grant(grant)
                model = [*(g for g in model if g.granter != grant.granter), grant][-GRANTS_PER_RECIPIENT:]
            if noise.random() < 0.3:
                bench.store.flush()
            if noise.random() < 0.1:
                bench.settle()
            assert log.grants(RECIPIENT) == model

    def test_a_room_begins_with_an_entry_not_a_grant(self, bench: Bench) -> None:
        """A grant of a room that was never written is the caller's mistake."""
        with pytest.raises(AssertionError, match="first entry"):
            bench.store.create(ROOM, "").keep_grant(a_grant(1))

    def test_rooms_are_those_with_an_entry_by_name(self, bench: Bench) -> None:
        """A room is known by the commit of its first entry; `open` always gives the same object."""
        logs = {}
        for name in ("ops", "lobby", "empty"):
            room_id = name.encode().ljust(32)
            logs[name] = bench.store.create(room_id, name)
            if name != "empty":
                logs[name].append(Pen(room_id).write(1))
        assert bench.store.rooms() == []
        bench.settle()
        expected = [RoomInfo(name.encode().ljust(32), name) for name in ("lobby", "ops")]
        assert bench.store.rooms() == expected
        assert bench.store.open(expected[0].room_id) is logs["lobby"]
        bench.restart()
        assert bench.store.rooms() == expected
        assert bench.store.open(expected[1].room_id) is bench.store.open(expected[1].room_id)
        with pytest.raises(KeyError):
            bench.store.open(b"empty".ljust(32))

    def test_queued_bytes_are_those_not_yet_durable(self, bench: Bench) -> None:
        """The counter rises with `append` and falls to zero with the commit."""
        log = bench.store.create(ROOM, "")
        log.append(Pen().write(3, size=200))
        assert bench.store.queued_bytes == 600
        bench.store.flush()
        bench.settle()
        assert bench.store.queued_bytes == 0

    def test_closing_commits_and_tells_what_was_queued(self, bench: Bench) -> None:
        """`close` loses nothing, may be repeated, and drops what comes after it."""
        pen = Pen()
        log = bench.store.create(ROOM, "")
        log.append(pen.write(3))
        bench.store.flush()
        log.append(pen.write(3))
        bench.store.close()
        bench.store.close()
        assert [r for _, records in bench.told for r in records] == pen.records
        log.append(pen.write(1))
        bench.store.flush()
        bench.restart()
        assert bench.store.open(ROOM).read(0, ALL) == pen.records[:6]

    @pytest.mark.parametrize(
        "retention",
        [
            KEEP_ALL._replace(max_count=4),
            KEEP_ALL._replace(max_bytes=4 * 200),
            KEEP_ALL._replace(max_bytes=4 * 200 + 199),
            KEEP_ALL._replace(max_age_ms=3),
        ],
    )
    def test_retention_prunes_the_oldest_messages_and_no_control_entry(
        self, bench: Bench, retention: Retention
    ) -> None:
        """Each limit alone leaves the newest messages and every control entry; all of it survives a restart."""
        pen = Pen()
        pen.write(5)
        pen.write(2, control=True)
        pen.write(6)
        log = prunable(bench, pen)
        bench.store.retain([ROOM], retention, now_ms=pen.time_ms)
        bench.settle()
        for _ in range(2):
            assert [r.seq for r in log.read(0, ALL)] == [1, 6, 7, 10, 11, 12, 13]
            assert log.read(0, ALL) == [r for r in pen.records if r.seq in {1, 6, 7, 10, 11, 12, 13}]
            assert [r.seq for r in log.control(0, 13)] == [1, 6, 7]
            assert log.extent == Extent(10, 13, pen.records[8].h)
            bench.restart()
            log = bench.store.open(ROOM)

    def test_reads_in_the_pruned_part_give_control_entries_only(self, bench: Bench) -> None:
        """From any cursor and to any end, pruned messages are passed over; chain values stay where they are needed."""
        pen = Pen()
        pen.write(4)
        pen.write(1, control=True)
        pen.write(4)
        log = prunable(bench, pen)
        bench.store.retain([ROOM], KEEP_ALL._replace(max_count=1), now_ms=0)
        bench.settle()
        assert log.extent.first == 9
        assert [[r.seq for r in log.read(after, ALL)] for after in range(10)] == [
            *([[1, 5, 9]] + [[5, 9]] * 4 + [[9]] * 4 + [[]])
        ]
        assert [[r.seq for r in log.read(0, ALL, upto)] for upto in (0, 1, 4, 5, 8, 9)] == [
            *([[], [1], [1], [1, 5], [1, 5], [1, 5, 9]])
        ]
        h = [ROOM, *(r.h for r in pen.records)]
        assert [log.h_at(seq) for seq in range(10)] == [
            *(h[0], h[1], None, None, h[4], h[5], None, None, h[8], h[9]),
        ]
        assert [log.first_since(r.time_ms) for r in pen.records] == [1, 5, 5, 5, 5, 9, 9, 9, 9]

    def test_a_log_goes_on_after_its_newest_message_was_pruned(self, bench: Bench) -> None:
        """With every message pruned `first` is the end's successor, and what is appended then is kept."""
        pen = Pen()
        pen.write(6)
        log = prunable(bench, pen)
        bench.store.retain([ROOM], KEEP_ALL._replace(max_count=0), now_ms=0)
        bench.settle()
        bench.restart()
        log = bench.store.open(ROOM)
        assert (log.extent, log.h_at(6)) == (Extent(7, 6, pen.records[5].h), pen.records[5].h)
        assert log.read(0, ALL) == pen.records[:1]
        log.append(pen.write(2))
        bench.settle()
        assert log.read(1, ALL) == pen.records[6:]
        log.checkpoint(Checkpoint(8, b"state"))
        bench.settle()
        bench.store.retain([ROOM], KEEP_ALL._replace(max_count=1), now_ms=0)
        bench.settle()
        assert log.read(0, ALL) == [pen.records[0], pen.records[7]]
        assert (log.extent, log.h_at(6)) == (Extent(8, 8, pen.records[6].h), None)

    def test_retention_stays_behind_the_newest_checkpoint(self, bench: Bench) -> None:
        """The numbers of pruned messages live on in a checkpoint alone: what is behind it stays, whatever its age."""
        pen = Pen()
        log = bench.store.create(ROOM, "")
        log.append(pen.write(8))
        bench.settle()
        bench.store.retain([ROOM], KEEP_ALL._replace(max_count=0), now_ms=0)
        bench.settle()
        assert log.extent.first == 1
        log.checkpoint(Checkpoint(5, b"state"))
        bench.settle()
        bench.store.retain([ROOM], KEEP_ALL._replace(max_count=0), now_ms=0)
        bench.settle()
        assert log.extent.first == 6

    def test_a_pass_is_not_asked_for_twice(self, bench: Bench) -> None:
        """While a retention pass is under way a further one does nothing; after it the next one is made."""
        pen = Pen()
        pen.write(9)
        log = prunable(bench, pen)
        for keep in (5, 1):
            bench.store.retain([ROOM], KEEP_ALL._replace(max_count=keep), now_ms=0)
        bench.settle()
        assert log.extent.first == 5
        bench.store.retain([ROOM], KEEP_ALL._replace(max_count=1), now_ms=0)
        bench.settle()
        assert log.extent.first == 9

    def test_one_pass_drops_a_tenth_or_a_thousand(self, bench: Bench) -> None:
        """A clock that jumps ahead cannot empty a room at once: 1,000 messages go, or a tenth, whichever is more."""
        pens = Pen(ROOM), Pen(OTHER)
        pens[0].write(1_501, size=168)
        pens[1].write(12_001, size=168)
        logs = [prunable(bench, pen) for pen in pens]
        bench.store.retain([ROOM, OTHER], KEEP_ALL._replace(max_age_ms=0), now_ms=1 << 45)
        bench.settle()
        assert [log.extent.first for log in logs] == [1_002, 1_202]
        bench.store.retain([ROOM, OTHER], KEEP_ALL._replace(max_age_ms=0), now_ms=1 << 45)
        bench.settle()
        assert [log.extent.first for log in logs] == [1_502, 2_282]

    def test_retention_leaves_what_is_within_all_limits(self, bench: Bench) -> None:
        """At the limit nothing goes, and only the rooms that were named are pruned."""
        pen, other = Pen(ROOM), Pen(OTHER)
        pen.write(5)
        other.write(5)
        log, spared = prunable(bench, pen), prunable(bench, other)
        bench.store.retain([ROOM], Retention(max_age_ms=3, max_bytes=800, max_count=4), now_ms=pen.time_ms)
        bench.settle()
        assert log.read(0, ALL) == pen.records
        bench.store.retain([ROOM], KEEP_ALL._replace(max_count=0), now_ms=0)
        bench.settle()
        assert (log.extent.first, spared.extent.first) == (6, 1)
        with pytest.raises(KeyError):
            bench.store.retain([bytes(32)], KEEP_ALL, now_ms=0)

    def test_any_history_agrees_with_a_model(self, make_bench: Callable[[], Bench]) -> None:
        """Appends, commits, passes, restarts and reads in any order show what a list would show."""

        class Machine(Model):
            def __init__(self) -> None:
                super().__init__(make_bench())

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=self.model_examples,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )


class Model(RuleBasedStateMachine):
    """One room as a list: the entries, how many are durable, and which were pruned."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.pen = Pen()
        self.log = bench.store.create(ROOM, "model")
        self.durable: list[Record] = []
        self.gone: set[int] = set()
        self.checkpoint: Checkpoint | None = None

    @rule(n=st.integers(1, 6), control=st.booleans(), size=st.integers(168, 400), step_ms=st.integers(0, 3))
    def append(self, n: int, control: bool, size: int, step_ms: int) -> None:
        self.log.append(self.pen.write(n, control=control, size=size, step_ms=step_ms))

    @precondition(lambda self: self.pen.records)
    @rule(state=st.binary(max_size=20))
    def write_checkpoint(self, state: bytes) -> None:
        self.checkpoint = Checkpoint(len(self.pen.records), state)
        self.log.checkpoint(self.checkpoint)

    @rule()
    def settle(self) -> None:
        self.bench.settle()
        self.durable = list(self.pen.records)
        assert [r for _, records in self.bench.told for r in records] == self.durable
        assert self.log.latest_checkpoint() == self.checkpoint

    @precondition(lambda self: self.pen.records)
    @rule()
    def restart(self) -> None:
        self.bench.restart()
        self.durable = list(self.pen.records)
        self.log = self.bench.store.open(ROOM)
        assert self.log.latest_checkpoint() == self.checkpoint

    @precondition(lambda self: self.durable)
    @rule(count=st.integers(0, 12), size=st.integers(0, 4_000), age_ms=st.integers(0, 30))
    def retain(self, count: int, size: int, age_ms: int) -> None:
        self.settle()
        self.bench.store.retain([ROOM], Retention(age_ms, size, count), self.pen.time_ms)
        self.bench.settle()
        messages = [r for r in self.durable if r.entry[1] < 0x10 and r.seq not in self.gone]
        last = self.checkpoint.seq if self.checkpoint else 0
        while (
            messages
            and messages[0].seq <= last
            and (
                len(messages) > count
                or sum(len(r.entry) for r in messages) > size
                or self.pen.time_ms - messages[0].time_ms > age_ms
            )
        ):
            self.gone.add(messages.pop(0).seq)

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        end = len(self.durable) + 2
        after, upto = data.draw(st.integers(0, end)), data.draw(st.integers(0, end))
        limit = data.draw(st.integers(0, 2_000))
        within = [r for r in self.kept if after < r.seq <= upto]
        full = [r for i, r in enumerate(within) if i == 0 or sum(len(r.entry) for r in within[: i + 1]) <= limit]
        assert self.log.read(after, limit, upto) == full
        assert self.log.control(after, upto) == [r for r in within if r.entry[1] >= 0x10]
        time_ms = data.draw(st.integers(990, self.pen.time_ms + 2))
        later = [r.seq for r in self.kept if r.time_ms >= time_ms]
        assert self.log.first_since(time_ms) == (later[0] if later else len(self.durable) + 1)

    @property
    def kept(self) -> list[Record]:
        return [r for r in self.durable if r.seq not in self.gone]

    @invariant()
    def extent_is_honest(self) -> None:
        pruned = max(self.gone, default=0)
        h = self.durable[pruned - 1].h if pruned else ROOM
        assert self.log.extent == Extent(pruned + 1, len(self.durable), h)
        assert self.log.h_at(pruned) == h

    def teardown(self) -> None:
        self.bench.discard()
