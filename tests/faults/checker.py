"""The judge of all fault tests: did the log and everybody who read it keep the promises R1 to R4?

Pure: takes the histories of all processes in one room and the final log, and returns every broken rule with
its evidence. It shares no code with what it judges: entry header and chain are computed here from
docs/protocol.md, so that a mistake in `sendall.protocol` cannot hide itself. It knows nothing of keys, members
and signatures: `RoomState.apply` judges those.

The log of one server holds accepted entries only, so n has no gaps within (epoch, sender, session). An invoke
without a receipt is indeterminate: its message may be absent or in the log once; only twice is wrong.
"""

from __future__ import annotations

import enum
import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

from tests.faults.evidence import BadHistory, Event, FinalLog, Got, History, Invoke, LogRecord, Lost, Ok, Subscribe

HEADER = struct.Struct(">BBHI32s16sQQ32s")
MIN_ENTRY_BYTES, MAX_ENTRY_BYTES = 168, 65_720
MESSAGE, RESTART = 0x01, 0x20
LOGGED_TYPES = frozenset({MESSAGE, *range(0x10, 0x19), RESTART})


Facts = Mapping[str, str | int | None]


class Rule(enum.StrEnum):
    """What must hold in every run: rules (a) to (d), (f) and (g) of docs/reliability.md, and a producer's order.

    Rule (e), "without a receipt 0 or 1 times", is ONCE for what is there, and nothing for what is not.
    """

    RECEIPT = "each receipt names the seq at which its message is"
    ONCE = "each number and each payload at most once, numbers ascending without gaps"
    DENSE = "seq dense from 1, time never descending"
    STREAM = "each consumer's stream is the log from its cursor on: no hole, no repeat, nothing else"
    CHAIN = "one chain value per seq, for everybody, and it follows from the entries"
    INVOKED = "nothing appears that its sender did not send"
    ORDER = "each producer's messages in the producer's order"


class Violation(NamedTuple):
    """One broken rule: what happened, in a sentence, and the facts to find it by."""

    rule: Rule
    sentence: str
    evidence: Facts


class Summary(NamedTuple):
    """How much was judged; a clean verdict over zeros says nothing."""

    invoked: int
    acknowledged: int
    """Messages with a receipt."""
    indeterminate: int
    """Messages without one, in the log or not."""
    delivered: int
    """Entries shown, over all consumers."""
    chain_values: int
    """Chain values that producers and consumers were told."""
    reached: Mapping[str, int]
    """Each consumer's cursor at its end: that a stream ends too early only the test can know."""


class Verdict(NamedTuple):
    violations: list[Violation]
    summary: Summary

    @property
    def is_clean(self) -> bool:
        return not self.violations

    def explain(self, limit: int = 10) -> str:
        """Return the counts and the first `limit` violations, for a failing assertion."""
        shown = [f"{v.rule.name}: {v.sentence} {dict(v.evidence)}" for v in self.violations[:limit]]
        return "\n".join([str(self.summary), f"{len(self.violations)} violations", *shown])


def chain_value(previous: bytes, seq: int, time_ms: int, entry: bytes) -> bytes:
    """Return h[seq] (docs/protocol.md, "Log, frames, chain")."""
    digest = hashlib.sha256(entry).digest()
    return hashlib.sha256(b"sendall-v1 log\0" + previous + struct.pack(">QQ", seq, time_ms) + digest).digest()


def check(log: FinalLog, histories: Sequence[History]) -> Verdict:
    """Judge one room's run.

    Raises:
        BadHistory: a payload or an id was invoked twice, an entry was got before any subscribe, a control entry
            has a payload, or two histories have one name.
    """
    run = _Run(log, histories)
    judged = (_dense, _chain, _numbers, _payloads, _receipts, _producers, _consumers)
    return Verdict([violation for rule in judged for violation in rule(run)], _summary(run))


class _Run:
    """The evidence, indexed."""

    def __init__(self, log: FinalLog, histories: Sequence[History]) -> None:
        self.log = log
        self.histories = histories
        self.at = {record.seq: record for record in log.records}
        self.last = max(self.at, default=0)
        self.place: dict[str, int] = {}  # payload -> the first position (not seq) at which the log has it
        for position, record in enumerate(log.records):
            if record.payload is not None:
                if not is_message(record):
                    raise BadHistory(f"the control entry at seq {record.seq} has a payload")
                self.place.setdefault(record.payload, position)
        if len({history.name for history in histories}) != len(histories):
            raise BadHistory("two histories have one name")
        self.invoked: dict[str, Invoke] = {}
        self.sha_of: dict[tuple[str, int], str] = {}
        for history in histories:
            for event in history.events:
                if isinstance(event, Invoke):
                    self._invoke(history.name, event)

    def _invoke(self, producer: str, event: Invoke) -> None:
        if event.sha in self.invoked or (producer, event.id) in self.sha_of:
            raise BadHistory(f"{producer} invoked message {event.id} or its payload twice: {event.sha}")
        self.invoked[event.sha] = event
        self.sha_of[producer, event.id] = event.sha


class Header(NamedTuple):
    type: int
    epoch: int
    sender: str
    session: str
    n: int


def header_of(entry: bytes) -> Header | None:
    """Return the header of an entry that may be in a log, else None."""
    if not MIN_ENTRY_BYTES <= len(entry) <= MAX_ENTRY_BYTES:
        return None
    version, kind, reserved, epoch, sender, session, n, _, _ = HEADER.unpack_from(entry)
    if version != 1 or reserved != 0 or kind not in LOGGED_TYPES:
        return None
    return Header(kind, epoch, sender.hex(), session.hex(), n)


def is_message(record: LogRecord) -> bool:
    return record.entry[1:2] == bytes([MESSAGE])


def _dense(run: _Run) -> Iterator[Violation]:
    seq, time_ms = 0, 0
    for record in run.log.records:
        if record.seq != seq + 1:
            facts: Facts = {"seq": record.seq, "expected": seq + 1}
            yield Violation(Rule.DENSE, f"seq {record.seq} follows seq {seq} in the log", facts)
        if record.time_ms < time_ms:
            facts = {"seq": record.seq, "time_ms": record.time_ms, "before": time_ms}
            yield Violation(Rule.DENSE, f"time goes back at seq {record.seq}", facts)
        seq, time_ms = record.seq, record.time_ms


def _chain(run: _Run) -> Iterator[Violation]:
    previous = run.log.room_id
    for record in run.log.records:
        computed = chain_value(previous, record.seq, record.time_ms, record.entry)
        if record.h != computed:
            facts: Facts = {"seq": record.seq, "stored": record.h.hex(), "computed": computed.hex()}
            yield Violation(Rule.CHAIN, f"the stored chain value of seq {record.seq} does not follow", facts)
        # On from the stored value: one bad row is reported where it is, not at every seq behind it.
        previous = record.h


def _numbers(run: _Run) -> Iterator[Violation]:
    """(epoch, sender, session, n), from the log's own bytes; messages and control entries count apart."""
    last: dict[tuple[int, str, str, int], int] = {}
    restarts = 0
    for record in run.log.records:
        header = header_of(record.entry)
        if header is None:
            facts: Facts = {"seq": record.seq, "entry": record.entry[: HEADER.size].hex()}
            yield Violation(Rule.INVOKED, f"what is at seq {record.seq} may not be in a log", facts)
            continue
        # A restart entry makes control numbers start again at 0. A client must never do that with messages: it would
        # seal two texts under one nonce; it takes a new session.
        count = -1 if header.type == MESSAGE else restarts
        key = (header.epoch, header.sender, header.session, count)
        expected = last.get(key, -1) + 1
        if header.n != expected:
            what = "repeats or goes back" if header.n < expected else "skips"
            facts = {"seq": record.seq, "expected": expected, **header._asdict()}
            yield Violation(Rule.ONCE, f"n {header.n} at seq {record.seq} {what}, expected {expected}", facts)
        last[key] = max(header.n, expected - 1)
        restarts += header.type == RESTART


def _payloads(run: _Run) -> Iterator[Violation]:
    for position, record in enumerate(run.log.records):
        if not is_message(record):
            continue
        facts: Facts = {"seq": record.seq, "sha": record.payload}
        if record.payload is None:
            yield Violation(Rule.INVOKED, f"nobody could open the message at seq {record.seq}", facts)
            continue
        if (first := run.place[record.payload]) != position:
            sentence = f"the payload at seq {record.seq} is already at seq {run.log.records[first].seq}"
            yield Violation(Rule.ONCE, sentence, facts)
        invoke, header = run.invoked.get(record.payload), header_of(record.entry)
        if invoke is None:
            yield Violation(Rule.INVOKED, f"nobody sent the message at seq {record.seq}", facts)
        elif header is not None and header.sender != invoke.sender:
            sentence = f"the message at seq {record.seq} is signed by another than who sent it"
            yield Violation(Rule.INVOKED, sentence, {**facts, "sent_by": invoke.sender, "signed_by": header.sender})


def _receipts(run: _Run) -> Iterator[Violation]:
    for history in run.histories:
        for event in history.events:
            if isinstance(event, Ok):
                yield from _receipt(run, history.name, event)


def _receipt(run: _Run, producer: str, ok: Ok) -> Iterator[Violation]:
    facts: Facts = {"history": producer, "id": ok.id, "seq": ok.seq, "sha": ok.sha}
    if ok.id is not None and run.sha_of.get((producer, ok.id)) != ok.sha:
        yield Violation(Rule.RECEIPT, f"{producer} got a receipt for another text than it sent as {ok.id}", facts)
        return
    record, position = run.at.get(ok.seq), run.place.get(ok.sha)
    if position is None:
        yield Violation(Rule.RECEIPT, f"{producer} was told seq {ok.seq}, but its message is not in the log", facts)
    elif record is None or record.payload != ok.sha:
        seq = run.log.records[position].seq
        yield Violation(Rule.RECEIPT, f"{producer} was told seq {ok.seq}, but its message is at seq {seq}", facts)
    elif ok.h is not None and ok.h != record.h.hex():
        differs: Facts = {**facts, "told": ok.h, "stored": record.h.hex()}
        yield Violation(Rule.CHAIN, f"{producer} was told another chain value for seq {ok.seq}", differs)


def _producers(run: _Run) -> Iterator[Violation]:
    for history in run.histories:
        before = -1
        for event in history.events:
            if not isinstance(event, Invoke) or (position := run.place.get(event.sha)) is None:
                continue
            if position < before:
                seq, earlier = run.log.records[position].seq, run.log.records[before].seq
                facts: Facts = {"history": history.name, "id": event.id, "seq": seq}
                sentence = f"{history.name}'s message {event.id} is at seq {seq}, one it sent before at seq {earlier}"
                yield Violation(Rule.ORDER, sentence, facts)
            before = position


def _consumers(run: _Run) -> Iterator[Violation]:
    for history in run.histories:
        subscribed: Subscribe | None = None
        cursor = 0
        for line, event in enumerate(history.events):
            facts: Facts = {"history": history.name, "event": line, "cursor": cursor}
            if isinstance(event, Subscribe):
                subscribed = event
            elif isinstance(event, Got):
                if subscribed is None:
                    raise BadHistory(f"{history.name} got seq {event.seq} before it subscribed")
                facts = {**facts, "seq": event.seq}
                yield from _step(run, subscribed, cursor, event, facts)
                yield from _content(run, event, facts)
            elif isinstance(event, Lost) and event.n > 0:
                yield Violation(Rule.STREAM, f"{history.name} lost {event.n} entries that it had", facts)
            cursor = _moved(cursor, event)


def _moved(cursor: int, event: Event) -> int:
    """Return a consumer's cursor after `event`."""
    match event:
        case Subscribe():
            return event.after
        case Got():
            return max(cursor, event.seq)
        case Lost():
            return cursor - event.n
        case Invoke() | Ok():
            return cursor


def _step(run: _Run, subscribed: Subscribe, cursor: int, got: Got, facts: Facts) -> Iterator[Violation]:
    """Judge where `got` is, after `cursor`."""
    if got.seq <= cursor:
        yield Violation(Rule.STREAM, f"{facts['history']} got seq {got.seq} again, its cursor was {cursor}", facts)
    missing = [
        seq
        for seq in range(cursor + 1, min(got.seq, run.last + 1))
        if (record := run.at.get(seq)) is not None and (is_message(record) or not subscribed.messages_only)
    ]
    if missing:
        sentence = f"{facts['history']} was not shown {len(missing)} entries from seq {missing[0]} on"
        yield Violation(Rule.STREAM, sentence, {**facts, "missing_first": missing[0], "missing_last": missing[-1]})


def _content(run: _Run, got: Got, facts: Facts) -> Iterator[Violation]:
    """Judge what `got` is, against the log."""
    name, record = facts["history"], run.at.get(got.seq)
    if got.sha is not None and got.sha not in run.invoked:
        yield Violation(Rule.INVOKED, f"{name} was shown at seq {got.seq} what nobody sent", {**facts, "sha": got.sha})
    if record is None:
        yield Violation(Rule.STREAM, f"{name} was shown seq {got.seq}, which is not in the log", facts)
    elif record.payload != got.sha:
        differs = {**facts, "shown": got.sha, "logged": record.payload}
        yield Violation(Rule.STREAM, f"{name} was shown at seq {got.seq} another entry than the log has", differs)
    elif got.h is not None and got.h != record.h.hex():
        differs = {**facts, "told": got.h, "stored": record.h.hex()}
        yield Violation(Rule.CHAIN, f"{name} was told another chain value for seq {got.seq}", differs)


def _summary(run: _Run) -> Summary:
    events = [event for history in run.histories for event in history.events]
    consumers = [history for history in run.histories if any(isinstance(event, Subscribe) for event in history.events)]
    acknowledged = len({event.sha for event in events if isinstance(event, Ok)} & run.invoked.keys())
    return Summary(
        invoked=len(run.invoked),
        acknowledged=acknowledged,
        indeterminate=len(run.invoked) - acknowledged,
        delivered=sum(isinstance(event, Got) for event in events),
        chain_values=sum(isinstance(event, Ok | Got) and event.h is not None for event in events),
        reached={history.name: reduce(_moved, history.events, 0) for history in consumers},
    )
