"""The outbox: the rules of docs/protocol.md, "Exactly once", one by one, and against random worlds."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendall.client.events import NotKnown, Receipt
from sendall.client.items import Place
from sendall.client.outbox import Outbox
from sendall.client.pacing import GAP_QUIET_S, MAX_INFLIGHT, MAX_INFLIGHT_BYTES
from sendall.crypto.identity import Identity
from sendall.crypto.sealing import Opener
from sendall.errors import Code, Refused
from sendall.protocol.entry import Entry, parse
from tests.client.worlds import MemoryOutboxStore, new_session

ROOM = b"r" * 32
ME = Identity(b"m" * 32)


def place(seq: int = 10, epoch: int = 1) -> Place:
    return Place(seq, bytes([seq % 256]) * 32, epoch, bytes([epoch]) * 32)


def outbox_on(store: MemoryOutboxStore) -> Outbox:
    return Outbox(store, ME, new_session)


def texts(entries: Sequence[bytes]) -> list[str]:
    return [Opener(bytes([parse(e).epoch]) * 32, ROOM).open(parse(e)).decode() for e in entries]


class Bench:
    """An outbox, its store, and a log that says what the test wants it to say."""

    def __init__(self, store: MemoryOutboxStore | None = None) -> None:
        self.store = store or MemoryOutboxStore()
        self.outbox = outbox_on(self.store)
        self.now = 100.0
        self.outbox.caught_up()

    def write(self, *words: str) -> None:
        for word in words:
            self.outbox.write(word.encode(), 1000)

    def flush(self, at: Place | None = None) -> list[bytes]:
        return self.outbox.flush(at or place(), ROOM, self.now)

    def refuse(self, raw: bytes, code: Code, retry_ms: int | None = None) -> float | None:
        entry = parse(raw)
        return self.outbox.refused(entry.session, entry.n, code, retry_ms, self.now)

    def settle(self, raw: bytes, seq: int = 11) -> None:
        self.outbox.came_back(parse(raw), seq, 5000)
        self.outbox.commit_settled()

    def reconnect(self) -> list[bytes]:
        self.outbox.disconnected()
        self.outbox.caught_up()
        return self.flush()

    def crash(self) -> Bench:
        """A new program on what the old one left."""
        return Bench(self.store)

    def outcomes(self) -> list[object]:
        return [settled.outcome for settled in self.outbox.take_settled()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_rule_1_what_is_sent_is_in_the_store_before(bench: Bench) -> None:
    """Each entry that `flush` returns is on disk, all of them by one commit."""
    bench.write("a", "b", "c")
    before = bench.store.commits
    sent = bench.flush()
    assert bench.store.commits == before + 1
    assert [row.entry for row in bench.store.rows()] == sent


def test_rule_1_holds_when_the_store_fails(bench: Bench) -> None:
    """If the store raises, nothing is returned to be sent."""

    def fail(changes: Sequence[tuple[int, bytes | None, bool]]) -> None:
        raise OSError("disk full")

    bench.write("a")
    bench.store.update = fail  # type: ignore[method-assign]  # a disk that fails
    with pytest.raises(OSError, match="disk full"):
        bench.flush()


def test_rule_2_nothing_is_resent_before_the_log_was_read_to_the_head(bench: Bench) -> None:
    """After a cut, what is open waits for `caught_up`."""
    bench.write("a")
    sent = bench.flush()
    bench.outbox.disconnected()
    assert bench.flush() == []
    bench.outbox.caught_up()
    assert bench.flush() == sent


def test_rule_3_what_is_resent_is_byte_identical_and_in_order(bench: Bench) -> None:
    """Cut after cut, the same bytes in the same order; only what came back is left out."""
    bench.write("a", "b", "c")
    sent = bench.flush()
    bench.settle(sent[0])
    assert bench.reconnect() == sent[1:]
    assert bench.reconnect() == sent[1:]


def test_rule_4_only_the_own_entry_settles(bench: Bench) -> None:
    """The very bytes coming back remove an item, with their place as the receipt; others do not."""
    bench.write("a")
    [sent] = bench.flush()
    other = Bench()
    other.write("a")
    bench.settle(other.flush()[0])
    assert bench.outbox.has_open
    bench.settle(sent, seq=17)
    [receipt] = bench.outcomes()
    assert isinstance(receipt, Receipt)
    assert receipt.seq == 17
    assert not bench.outbox.has_open
    assert bench.store.rows() == []


def test_rule_5_after_an_epoch_entry_what_is_open_is_sealed_again_before_newer_messages(bench: Bench) -> None:
    """What did not come back before it was not accepted: sealed anew under the new key, in the order of writing."""
    bench.write("a", "b", "c")
    first = bench.flush()
    bench.settle(first[1])
    bench.write("d")
    bench.outbox.epoch_passed(2)
    again = bench.flush(place(20, epoch=2))
    assert texts(again) == ["a", "c", "d"]
    assert [parse(e).n for e in again] == [0, 1, 2]
    assert {parse(e).epoch for e in again} == {2}
    assert parse(again[0]).session == parse(first[0]).session


def test_rule_5_after_a_restart_entry_a_new_session_begins(bench: Bench) -> None:
    """What the restart made void goes out under another session, so no number meets two contents."""
    bench.write("a", "b")
    first = bench.flush()
    bench.outbox.restarted(11, went_back=False)
    again = bench.flush()
    assert texts(again) == ["a", "b"]
    assert parse(again[0]).session != parse(first[0]).session
    assert [parse(e).n for e in again] == [0, 1]


def test_rule_5_spares_what_was_sealed_after_it(bench: Bench) -> None:
    """A program that reads the log from far back meets old epoch and restart entries: they void nothing newer."""
    bench.write("a")
    sent = bench.flush(place(10, epoch=2))
    new = bench.crash()
    new.outbox.epoch_passed(2)
    new.outbox.restarted(9, went_back=False)
    new.outbox.caught_up()
    assert new.flush(place(20, epoch=2)) == sent


def test_rule_5_a_restart_that_took_back_what_was_read_voids_everything(bench: Bench) -> None:
    """A head beyond the restart entry proves nothing if this client had to go back."""
    bench.write("a")
    [sent] = bench.flush(place(10))
    bench.outbox.restarted(5, went_back=True)
    [again] = bench.flush(place(6))
    assert parse(again).session != parse(sent).session


def test_rule_6_a_crashed_sessions_entries_are_finished_first(bench: Bench) -> None:
    """A new program resends what it found, the same bytes, and seals nothing of its own before that is back."""
    bench.write("a", "b")
    old = bench.flush()
    bench.write("c")
    new = bench.crash()
    new.write("d")
    assert new.flush() == old
    assert new.flush() == []
    new.settle(old[0])
    assert new.flush() == []
    new.settle(old[1])
    rest = new.flush()
    assert texts(rest) == ["c", "d"]
    assert {parse(e).session for e in rest} == {new.outbox.session}


def test_rule_6_the_log_is_read_from_where_the_oldest_was_sealed(bench: Bench) -> None:
    """`start` is the lowest head of what is sealed, and nothing once nothing is."""
    assert bench.outbox.start is None
    bench.write("a")
    assert bench.outbox.start is None
    [a] = bench.flush(place(7))
    bench.write("b")
    bench.flush(place(9))
    assert bench.outbox.start == 7
    bench.settle(a)
    assert bench.outbox.start == 9


@pytest.mark.parametrize("code", [Code.STALE, Code.DUP])
def test_rule_7_a_hint_changes_nothing(bench: Bench, code: Code) -> None:
    """`stale` and `dup` neither settle nor seal again: the log will tell."""
    bench.write("a")
    [sent] = bench.flush()
    assert bench.refuse(sent, code) is None
    assert bench.outcomes() == []
    assert bench.flush() == []
    assert bench.reconnect() == [sent]


@pytest.mark.parametrize("code", [Code.FORBIDDEN, Code.TOO_BIG, Code.MALFORMED])
def test_rule_7_giving_up_ends_the_session(bench: Bench, code: Code) -> None:
    """One entry given up takes all that is open in its session along; what follows has another session."""
    bench.write("a", "b")
    sent = bench.flush()
    bench.write("c")
    bench.refuse(sent[0], code)
    outcomes = bench.outcomes()
    assert [type(outcome) for outcome in outcomes] == [Refused, Refused]
    assert all(isinstance(o, Refused) and o.code is code and "may still appear" in o.hint for o in outcomes)
    [rest] = bench.flush()
    assert texts([rest]) == ["c"]
    assert parse(rest).session != parse(sent[0]).session
    assert parse(rest).n == 0
    bench.outbox.commit_settled()
    assert [row.plaintext for row in bench.store.rows()] == [b"c"]


def test_rule_7_what_a_dead_program_may_not_say_ends_only_its_own_session(bench: Bench) -> None:
    """Giving up what was taken over leaves this program its session, and what it writes goes out."""
    bench.write("old")
    [old] = bench.flush()
    after = bench.crash()
    session = after.outbox.session
    after.write("new")
    assert after.flush() == [old]
    after.refuse(old, Code.FORBIDDEN)
    assert [type(outcome) for outcome in after.outcomes()] == [Refused]
    [new] = after.flush()
    assert texts([new]) == ["new"]
    assert (parse(new).session, parse(new).n) == (session, 0)


def test_rule_7_a_gap_is_filled_by_the_same_bytes(bench: Bench) -> None:
    """After `gap`, everything from the first that is open is sent again, once the refusals have ceased."""
    bench.write("a", "b", "c")
    sent = bench.flush()
    bench.settle(sent[0])
    for raw in sent[1:]:
        assert bench.refuse(raw, Code.GAP) is None
        assert bench.flush() == []
        bench.now += GAP_QUIET_S / 2
    bench.now += GAP_QUIET_S
    assert bench.flush() == sent[1:]


def test_rule_7_gaps_without_end_are_answered_ever_more_slowly(bench: Bench) -> None:
    """A server that says `gap` for ever is not flooded."""
    bench.write("a")
    [sent] = bench.flush()
    rounds = 0
    end = bench.now + 60
    while bench.now < end:
        bench.refuse(sent, Code.GAP)
        while not bench.flush():
            bench.now += 0.05
        rounds += 1
    assert rounds < 25


def test_rule_7_an_entry_on_another_history_is_in_doubt(bench: Bench) -> None:
    """`fork` never makes this client seal again by itself: the person decides, and what follows is unharmed."""
    bench.write("a")
    [sent] = bench.flush()
    bench.write("b")
    bench.refuse(sent, Code.FORK)
    assert [type(o) for o in bench.outcomes()] == [NotKnown]
    [rest] = bench.flush()
    assert texts([rest]) == ["b"]
    assert parse(rest).session != parse(sent).session
    assert [item.plaintext for item in bench.outbox.held] == [b"a"]


def test_rule_8_in_the_same_epoch_dup_means_accepted(bench: Bench) -> None:
    """If the answer's part of the log is pruned, the same bytes are sent, and `dup` is the server's word for yes."""
    bench.write("a", "b")
    sent = bench.flush(place(10))
    bench.outbox.disconnected()
    bench.outbox.skipped(50, epoch=1, floor=0)
    bench.outbox.caught_up()
    assert bench.flush(place(50)) == sent
    bench.refuse(sent[0], Code.DUP)
    [receipt] = bench.outcomes()
    assert isinstance(receipt, Receipt)
    assert receipt.seq == 0
    bench.settle(sent[1], seq=51)
    assert not bench.outbox.has_open


def test_rule_8_after_the_epoch_nobody_knows(bench: Bench) -> None:
    """If the epoch passed in the pruned part, the message is held in doubt and nothing is sent by itself."""
    bench.write("a")
    bench.flush(place(10))
    bench.outbox.disconnected()
    bench.outbox.skipped(50, epoch=2, floor=0)
    bench.outbox.caught_up()
    assert [type(o) for o in bench.outcomes()] == [NotKnown]
    assert bench.flush(place(50, epoch=2)) == []
    assert not bench.outbox.has_open
    later = bench.crash()
    assert [item.doubt for item in later.outbox.held] == [True]
    assert later.flush(place(60, epoch=2)) == []


def test_rule_8_a_restart_in_the_pruned_part_leaves_doubt_and_ends_the_session(bench: Bench) -> None:
    """What was sealed before a restart that was not read is in doubt; the old session's numbers are out of step."""
    bench.write("a")
    [sent] = bench.flush(place(10))
    bench.outbox.disconnected()
    bench.outbox.skipped(50, epoch=1, floor=40)
    bench.outbox.caught_up()
    assert [type(o) for o in bench.outcomes()] == [NotKnown]
    bench.write("b")
    [rest] = bench.flush(place(50))
    assert parse(rest).session != parse(sent).session


def test_rule_8_what_was_sealed_after_the_skipped_part_is_not_touched(bench: Bench) -> None:
    """Only entries whose answer may stand in the part that was not read are affected."""
    bench.write("a")
    sent = bench.flush(place(50))
    bench.outbox.disconnected()
    bench.outbox.skipped(50, epoch=1, floor=0)
    bench.outbox.caught_up()
    assert bench.outcomes() == []
    assert bench.flush(place(50)) == sent
    bench.refuse(sent[0], Code.DUP)
    assert bench.outcomes() == []


def test_rule_8_outlives_the_epoch(bench: Bench) -> None:
    """What may have been accepted in a pruned part is not sealed again when its epoch ends: the person decides."""
    bench.write("a")
    bench.flush(place(10))
    bench.outbox.disconnected()
    bench.outbox.skipped(50, epoch=1, floor=0)
    bench.outbox.epoch_passed(2)
    bench.outbox.caught_up()
    assert bench.flush(place(60, epoch=2)) == []
    assert [type(outcome) for outcome in bench.outcomes()] == [NotKnown]
    assert [item.plaintext for item in bench.outbox.held] == [b"a"]


@pytest.mark.parametrize(
    ("head", "h", "is_void"),
    [(5, None, True), (10, b"x" * 32, True), (10, place(10).h, False), (10, None, False)],
    ids=["beyond the head", "another chain value", "the same chain value", "not known any more"],
)
def test_what_names_a_lost_head_is_sealed_again(bench: Bench, head: int, h: bytes | None, is_void: bool) -> None:
    """An adopted entry on a head that the server lost goes out anew, in a new session; others as they are."""
    bench.write("a")
    [old] = bench.flush(place(10))
    new = bench.crash()
    new.outbox.void_lost_heads(head, lambda seq: h)
    new.outbox.caught_up()
    [entry] = new.flush(place(head))
    assert (entry != old) == is_void
    assert (parse(entry).session != parse(old).session) == is_void


def test_what_the_person_sends_after_a_doubt_is_sealed_anew(bench: Bench) -> None:
    """A doubtful message goes out only by the person's word, as a new one, before newer messages."""
    bench.write("a")
    bench.flush(place(10))
    bench.outbox.disconnected()
    bench.outbox.skipped(50, epoch=2, floor=0)
    bench.write("b")
    bench.outbox.send_held()
    bench.outbox.caught_up()
    assert texts(bench.flush(place(50, epoch=2))) == ["a", "b"]
    assert bench.outbox.held == []
    assert not any(row.doubt for row in bench.store.rows())


def test_what_is_held_waits_for_the_person(bench: Bench) -> None:
    """Old messages of a program that ended neither go out nor hold up new ones; sealed ones go as they were."""
    bench.write("a", "b")
    old = bench.flush()[:1]
    bench.store.update([(2, None, False)])
    bench.store.hold()
    new = bench.crash()
    new.write("c")
    assert texts(new.flush()) == ["c"]
    assert [item.plaintext for item in new.outbox.held] == [b"a", b"b"]
    new.outbox.send_held()
    assert new.flush() == old
    new.settle(old[0])
    assert texts(new.flush()) == ["b"]


def test_what_is_held_settles_when_it_is_found_in_the_log(bench: Bench) -> None:
    """A held message that did arrive is confirmed by its own entry, without anybody's word."""
    bench.write("a")
    [old] = bench.flush()
    bench.store.hold()
    new = bench.crash()
    new.settle(old)
    assert [type(o) for o in new.outcomes()] == [Receipt]
    assert new.outbox.held == []


def test_what_is_held_and_not_accepted_is_sealed_anew_when_sent(bench: Bench) -> None:
    """A held entry whose epoch passed is void: the person's word seals it under the new key."""
    bench.write("a")
    bench.flush()
    bench.store.hold()
    new = bench.crash()
    new.outbox.epoch_passed(2)
    assert new.flush(place(20, epoch=2)) == []
    new.outbox.send_held()
    assert texts(new.flush(place(20, epoch=2))) == ["a"]


def test_what_is_discarded_is_gone_from_the_disk(bench: Bench) -> None:
    """Discarding held messages forgets them, sealed or not."""
    bench.write("a", "b")
    bench.flush()
    bench.store.update([(2, None, False)])
    bench.store.hold()
    new = bench.crash()
    assert len(new.outbox.discard_held()) == 2
    assert new.store.rows() == []
    assert new.outbox.held == []


def test_a_session_whose_numbers_are_not_in_the_order_of_writing_is_resent_by_number(bench: Bench) -> None:
    """A message that was held and sent late has a higher number than its age says."""
    bench.write("old")
    bench.store.hold()
    second = bench.crash()
    second.write("new")
    new = second.flush()
    second.outbox.send_held()
    old = second.flush()
    second.store.kept = {i: row._replace(held=False) for i, row in second.store.kept.items()}
    assert second.crash().flush() == new + old


def test_the_window_is_what_the_server_said(bench: Bench) -> None:
    """No more than `inflight` entries are under way; each that is settled lets one more go."""
    bench.outbox.pacing.limit_to(3)
    bench.write(*"abcde")
    sent = bench.flush()
    assert len(sent) == 3
    bench.settle(sent[0])
    assert len(bench.flush()) == 1


def test_the_window_is_bounded_in_bytes(bench: Bench) -> None:
    """At most 1 MiB is under way, whatever the entries' sizes."""
    bench.write(*["x" * 60_000] * 40)
    sent = bench.flush()
    assert sum(map(len, sent)) <= MAX_INFLIGHT_BYTES
    assert len(sent) >= 14


def test_a_client_takes_no_limit_above_its_own(bench: Bench) -> None:
    """A server that allows more than 1,024 entries does not get more."""
    bench.outbox.pacing.limit_to(10**6)
    assert bench.outbox.pacing.window == MAX_INFLIGHT


@pytest.mark.parametrize("code", [Code.SLOW_DOWN, Code.FULL])
def test_a_slower_pace_is_kept_and_never_fails(bench: Bench, code: Code) -> None:
    """The window halves once per burst of refusals, the time is kept, and the same bytes go out."""
    bench.outbox.pacing.limit_to(8)
    bench.write(*"abcdefgh")
    sent = bench.flush()
    assert bench.refuse(sent[0], code, 2000) == 2.0
    for raw in sent[1:]:
        assert bench.refuse(raw, Code.GAP) is None
    assert bench.outbox.pacing.window == 4
    assert bench.flush() == []
    bench.now += 1.9
    assert bench.flush() == []
    bench.now += 0.2
    assert bench.flush() == sent[:4]
    assert bench.outcomes() == []
    for raw in sent[:4]:
        bench.settle(raw)
    assert bench.flush() == sent[4:]


def test_the_window_grows_back(bench: Bench) -> None:
    """Confirmed windows widen it again, by about one entry each."""
    bench.outbox.pacing.limit_to(8)
    bench.write(*"abcdefgh")
    bench.refuse(bench.flush()[0], Code.SLOW_DOWN, 0)
    bench.now += 1
    for _ in range(40):
        bench.write("x")
        for raw in bench.flush():
            bench.settle(raw)
    assert bench.outbox.pacing.window == 8


def test_a_late_refusal_of_something_settled_is_nothing(bench: Bench) -> None:
    """A refusal that names nothing open changes nothing."""
    bench.write("a")
    [sent] = bench.flush()
    bench.settle(sent)
    bench.outcomes()
    for code in Code:
        assert bench.refuse(sent, code) is None
    assert bench.outcomes() == []


def test_a_forked_child_leaves_what_is_open_to_its_parent(bench: Bench) -> None:
    """After a fork nothing of the parent's is sent, and nothing is sealed under its session."""
    bench.write("a", "b")
    bench.flush()
    parents = bench.outbox.session
    bench.outbox.renew_after_fork(MemoryOutboxStore())
    bench.outbox.caught_up()
    assert not bench.outbox.has_open
    bench.write("c")
    [sent] = bench.flush()
    assert parse(sent).session != parents
    assert parents not in bench.outbox.sessions


class World:
    """A log that accepts by the rules of the state machine, and a client that crashes, is cut and refused."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Entry | None]] = []
        self.epoch = 1
        self.last: dict[bytes, int] = {}
        self.read = 0
        self.wire: list[bytes] = []
        self.bench = Bench()
        self.sealed: dict[tuple[int, bytes, int], bytes] = {}
        self.written = 0

    def place(self) -> Place:
        return place(len(self.log), self.epoch_read)

    epoch_read = 1

    def step(self, action: str) -> None:
        getattr(self, action)()

    def write(self) -> None:
        self.bench.write(str(self.written))
        self.written += 1

    def send(self) -> None:
        if self.read < len(self.log):
            return
        for raw in self.bench.outbox.flush(place(self.read, self.epoch_read), ROOM, self.bench.now):
            entry = parse(raw)
            assert self.sealed.setdefault((entry.epoch, entry.session, entry.n), raw) == raw, "two under one number"
            self.wire.append(raw)

    def deliver(self) -> None:
        if self.wire:
            self.accept(parse(self.wire.pop(0)))

    def refuse(self) -> None:
        """The server is busy: the entry at the front is refused."""
        if self.wire:
            self.answer(parse(self.wire.pop(0)), Code.SLOW_DOWN)

    def accept(self, entry: Entry) -> None:
        expected = self.last.get(entry.session, -1) + 1
        if entry.epoch != self.epoch:
            self.answer(entry, Code.STALE)
        elif entry.n != expected:
            self.answer(entry, Code.DUP if entry.n < expected else Code.GAP)
        else:
            self.last[entry.session] = entry.n
            self.log.append(("message", entry))

    def answer(self, entry: Entry, code: Code) -> None:
        self.bench.outbox.refused(entry.session, entry.n, code, 10, self.bench.now)

    def rotate(self) -> None:
        self.epoch += 1
        self.last = {}
        self.log.append(("epoch", None))

    def restart(self) -> None:
        self.last = {}
        self.wire.clear()
        self.log.append(("restart", None))

    def follow(self) -> None:
        was_behind = self.read < len(self.log)
        while self.read < len(self.log):
            kind, entry = self.log[self.read]
            self.read += 1
            if entry is not None:
                self.bench.outbox.came_back(entry, self.read, 0)
            elif kind == "epoch":
                self.epoch_read += 1
                self.bench.outbox.epoch_passed(self.epoch_read)
            else:
                self.bench.outbox.restarted(self.read, went_back=False)
        self.bench.outbox.commit_settled()
        if was_behind:
            self.bench.now += 1

    def cut(self) -> None:
        self.wire.clear()
        self.bench.outbox.disconnected()
        self.follow()
        self.bench.outbox.caught_up()

    def late_bytes(self) -> None:
        """The connection ends for the client, and the server still reads what was under way."""
        late, self.wire = self.wire, []
        self.bench.outbox.disconnected()
        for raw in late:
            entry = parse(raw)
            if entry.epoch == self.epoch and entry.n == self.last.get(entry.session, -1) + 1:
                self.accept(entry)
        self.follow()
        self.bench.outbox.caught_up()

    def crash(self) -> None:
        store, now = self.bench.store, self.bench.now
        self.wire.clear()
        outbox = outbox_on(store)
        self.bench.outbox, self.bench.now = outbox, now
        # A new program reads from where its oldest sealed entry was put on.
        start = outbox.start
        self.read = len(self.log) if start is None else start // 2
        self.epoch_read = 1 + sum(kind == "epoch" for kind, _ in self.log[: self.read])
        self.follow()
        outbox.caught_up()

    def settle_down(self) -> None:
        for _ in range(200):
            self.follow()
            self.bench.now += 5
            self.send()
            while self.wire:
                self.deliver()
            if not self.bench.outbox.has_open:
                return
        raise AssertionError("the outbox never emptied")


ACTIONS = ["write", "send", "deliver", "refuse", "rotate", "restart", "follow", "cut", "late_bytes", "crash"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*ACTIONS, "write", "send", "deliver", "deliver", "follow"]), max_size=60))
def test_every_message_appears_once_and_in_order_in_any_world(actions: list[str]) -> None:
    """Rotations, restarts, cuts, late bytes, refusals and crashes: each message once, in the writer's order."""
    world = World()
    for action in actions:
        world.step(action)
    world.settle_down()
    said = [Opener(bytes([e.epoch]) * 32, ROOM).open(e).decode() for _, e in world.log if e is not None]
    assert said == [str(i) for i in range(world.written)]


def test_sessions_are_random() -> None:
    """Two outboxes of one person never share a session."""
    assert len({outbox_on(MemoryOutboxStore()).session for _ in range(100)}) == 100
    assert len(os.urandom(16)) == len(new_session())
