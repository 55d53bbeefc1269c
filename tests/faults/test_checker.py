"""The judge is judged: correct runs are clean, and every seeded defect is named by exactly the rules that it breaks."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendall.protocol import entry as product
from tests.faults.checker import Rule, Summary, chain_value, check, header_of
from tests.faults.defects import DEFECTS, agreed
from tests.faults.evidence import BadHistory, Event, FinalLog, Got, History, Invoke, LogRecord, Lost, Ok, Subscribe
from tests.faults.synthetic import GENESIS, Server, World, correct_world, make_entry

VECTOR = Path(__file__).parents[2] / "vectors" / "open-room.json"
SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


@given(seed=SEEDS)
@settings(max_examples=200, deadline=None)
def test_a_correct_run_is_clean(seed: int) -> None:
    """Lost receipts, lost messages, crashes, rotations, restarts, rewinds and readers that stop are no violations."""
    verdict = check(*correct_world(Random(seed)))
    assert verdict.is_clean, verdict.explain()


@pytest.mark.parametrize("name", DEFECTS)
def test_a_seeded_defect_is_named_by_the_rules_that_it_breaks(name: str) -> None:
    """Each defect is found in 25 different runs, and no rule is reported that still holds."""
    defect = DEFECTS[name]
    for seed in range(25):
        rng = Random(seed)
        verdict = check(*defect.apply(rng, correct_world(rng, steps=400)))
        assert {violation.rule for violation in verdict.violations} == defect.breaks, (
            f"seed {seed}\n{verdict.explain()}"
        )


def test_every_rule_is_broken_by_a_defect() -> None:
    """No rule is in the list that was never seen to report."""
    assert {rule for defect in DEFECTS.values() for rule in defect.breaks} == set(Rule)


@pytest.fixture
def server() -> Server:
    """Return a room with genesis, one epoch entry, and nothing else."""
    return Server(Random(1))


SENDER, SESSION = bytes(range(32)), bytes(16)


def invoke(id_: int, sha: str) -> Invoke:
    return Invoke(id_, sha, SENDER.hex(), SESSION.hex())


def shown(record: LogRecord) -> Got:
    return Got(record.seq, record.payload, record.h.hex())


def test_the_summary_counts_what_was_judged(server: Server) -> None:
    """A test can see from the counts whether a clean verdict rests on anything."""
    record = server.post(SENDER, SESSION, "a")
    producer: list[Event] = [invoke(0, "a"), Ok(0, record.seq, "a", record.h.hex()), invoke(1, "b")]
    consumer: list[Event] = [Subscribe(1), *map(shown, server.log.records[1:]), Lost(0)]
    verdict = check(server.log, [History("producer", producer), History("consumer", consumer)])
    assert verdict.is_clean, verdict.explain()
    assert verdict.summary == Summary(
        invoked=2, acknowledged=1, indeterminate=1, delivered=2, chain_values=3, reached={"consumer": 3}
    )


def test_an_announced_loss_moves_the_cursor_back(server: Server) -> None:
    """What is shown after an announced loss is judged from the cut on: one violation, not one per entry."""
    server.post(SENDER, SESSION, "a")
    entries = [shown(record) for record in server.log.records]
    reader: list[Event] = [Subscribe(0), *entries, Lost(2), *entries[1:]]
    verdict = check(server.log, [History("producer", [invoke(0, "a")]), History("reader", reader)])
    assert [violation.rule for violation in verdict.violations] == [Rule.STREAM]
    assert verdict.summary.reached == {"reader": 3}


def test_an_adopted_message_may_be_confirmed_by_another_process(server: Server) -> None:
    """A receipt without an id counts for the message that a killed process sent, also if both got one."""
    record = server.post(SENDER, SESSION, "a")
    killed: list[Event] = [invoke(0, "a"), Ok(0, record.seq, "a", record.h.hex())]
    adopter: list[Event] = [Ok(None, record.seq, "a", None)]
    verdict = check(server.log, [History("killed", killed), History("adopter", adopter)])
    assert verdict.is_clean, verdict.explain()
    assert verdict.summary.acknowledged == 1


def test_a_message_may_be_sealed_again_under_another_session_and_epoch(server: Server) -> None:
    """Numbers are judged from the log's bytes, so that what the producer wrote down of them does not bind."""
    server.rotate()
    server.post(SENDER, bytes([1] * 16), "a")
    verdict = check(server.log, [History("producer", [Invoke(0, "a", SENDER.hex(), SESSION.hex(), 1, 17)])])
    assert verdict.is_clean, verdict.explain()


def test_messages_may_not_start_again_after_a_restart(server: Server) -> None:
    """A session that goes on over a restart entry with the same numbers would seal two texts under one nonce."""
    server.post(SENDER, SESSION, "a")
    server.restart()
    verdict = check(server.log, [History("producer", [invoke(0, "a"), invoke(1, "b")])])
    assert verdict.is_clean, verdict.explain()
    server.next_n.clear()
    server.post(SENDER, SESSION, "b")
    verdict = check(server.log, [History("producer", [invoke(0, "a"), invoke(1, "b")])])
    assert [violation.rule for violation in verdict.violations] == [Rule.ONCE]


def test_one_fault_does_not_hide_or_multiply_what_follows_it(server: Server) -> None:
    """An altered body, an entry shown again and one logged again are each reported where they are, and only there."""
    for payload in ("a", "b", "c"):
        server.post(SENDER, SESSION, payload)
    producer = History("producer", [invoke(i, payload) for i, payload in enumerate("abc")])
    genesis, epoch, a, b, c = server.log.records
    assert epoch.payload is None

    altered = a._replace(entry=a.entry[:110] + b"altered" + a.entry[117:])
    run = check(FinalLog(server.log.room_id, [genesis, epoch, altered, b, c]), [producer])
    assert [violation.evidence["seq"] for violation in run.violations] == [a.seq]

    reader = History("reader", [Subscribe(2), shown(a), shown(b), shown(a), shown(c)])
    run = check(server.log, [producer, reader])
    assert [violation.evidence["event"] for violation in run.violations] == [3]

    again = agreed(World(server.log, [producer]), [genesis, epoch, a, b, a._replace(time_ms=b.time_ms), c])
    run = check(*again)
    assert [violation.evidence["seq"] for violation in run.violations] == [5, 5], "its number and its payload"


@pytest.mark.parametrize("spoil", ["version", "reserved", "type", "short", "long"])
def test_bytes_that_are_no_entry_may_not_be_in_a_log(server: Server, spoil: str) -> None:
    """Layout is checked before anything is read from it."""
    good = server.log.records[1].entry
    bad = {
        "version": b"\x02" + good[1:],
        "reserved": good[:3] + b"\x01" + good[4:],
        "type": good[:1] + b"\x19" + good[2:],
        "short": good[:167],
        "long": good + bytes(65_721 - len(good)),
    }[spoil]
    assert header_of(good) is not None
    assert header_of(bad) is None


def test_a_violation_carries_the_facts_to_find_it_by(server: Server) -> None:
    """The sentence names who and where; the evidence what was told and what is logged."""
    record = server.post(SENDER, SESSION, "a")
    receipt = Ok(0, record.seq, "a", "ff")
    (violation,) = check(server.log, [History("ada", [invoke(0, "a"), receipt])]).violations
    assert violation.sentence == "ada was told another chain value for seq 3"
    assert violation.evidence == {
        "history": "ada", "id": 0, "seq": 3, "sha": "a", "told": "ff", "stored": record.h.hex()
    }  # fmt: skip


@pytest.mark.parametrize(
    "histories",
    [
        [History("a", [invoke(0, "x")]), History("b", [invoke(0, "x")])],
        [History("a", [invoke(0, "x"), invoke(0, "y")])],
        [History("a", [Got(1, None, None)])],
        [History("a", []), History("a", [])],
    ],
    ids=["payload invoked twice", "id used twice", "got before subscribe", "two histories of one name"],
)
def test_evidence_that_contradicts_itself_gets_no_verdict(histories: list[History]) -> None:
    """A broken test must not look like a broken or a sound server."""
    with pytest.raises(BadHistory):
        check(FinalLog(bytes(32), []), histories)


def test_a_control_entry_has_no_payload() -> None:
    """A final log in which one has was put together wrongly."""
    entry = make_entry(Random(1), GENESIS, 0, SENDER, SESSION, 0, None)
    record = LogRecord(1, 0, chain_value(bytes(32), 1, 0, entry), entry, "x")
    with pytest.raises(BadHistory):
        check(FinalLog(bytes(32), [record]), [])


def test_header_and_chain_are_those_of_the_specification() -> None:
    """The checker's own layout and chain agree with the independent vectors, and its header with the product's."""
    vector = json.loads(VECTOR.read_text())
    h = bytes.fromhex(vector["room_id"])
    for logged in vector["log"]:
        raw = bytes.fromhex(logged["entry"])
        h = chain_value(h, logged["seq"], logged["time_ms"], raw)
        assert h.hex() == logged["h"]
        header, parsed = header_of(raw), product.parse(raw)
        assert header == (parsed.type, parsed.epoch, parsed.sender.hex(), parsed.session.hex(), parsed.n)
