"""Seeded defects: each takes a correct run and returns one in which the server, or what it told, is wrong in one way.

`DEFECTS` names, for each, exactly the rules that it breaks. Two families: what somebody was told differs from the log
(a history is changed), and the log itself is wrong (records are changed, and everybody agrees with the wrong log).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.faults.checker import MESSAGE, Header, Rule, chain_value, header_of, is_message
from tests.faults.evidence import Event, FinalLog, Got, History, Invoke, LogRecord, Lost, Ok, Subscribe, payload_sha
from tests.faults.synthetic import World, make_entry

SIGNAL = 0x02


class Defect(NamedTuple):
    apply: Callable[[Random, World], World]
    breaks: frozenset[Rule]


DEFECTS: dict[str, Defect] = {}


def breaks(*rules: Rule) -> Callable[[Callable[[Random, World], World]], Callable[[Random, World], World]]:
    def register(apply: Callable[[Random, World], World]) -> Callable[[Random, World], World]:
        DEFECTS[apply.__name__] = Defect(apply, frozenset(rules))
        return apply

    return register


# What somebody was told


def receipts(world: World) -> list[tuple[int, int, Ok]]:
    """Return every receipt with the places of its history and of itself."""
    return [(i, j, e) for i, h in enumerate(world.histories) for j, e in enumerate(h.events) if isinstance(e, Ok)]


def retell(world: World, history: int, at: int, *events: Event, instead_of: int = 1) -> World:
    """Return `world` where one history has `events` in place of `instead_of` others."""
    told = world.histories[history]
    events_now = [*told.events[:at], *events, *told.events[at + instead_of :]]
    histories = [*world.histories]
    histories[history] = History(told.name, events_now)
    return World(world.log, histories)


def with_open_message(world: World) -> tuple[World, Invoke]:
    """Return `world` where the first producer has sent one more message, which never arrived."""
    events = world.histories[0].events
    sender = next(event.sender for event in events if isinstance(event, Invoke))
    invoke = Invoke(len(events), payload_sha("never arrived"), sender, "00" * 16)
    return retell(world, 0, len(events), invoke), invoke


def a_got(rng: Random, world: World, *, of_message: bool = False) -> tuple[int, int, Got]:
    """Return one entry shown to the fresh reader, neither its first nor its last two, with its places."""
    events = world.histories[-1].events
    shown = [(j, event) for j, event in enumerate(events) if isinstance(event, Got)][1:-2]
    at, event = rng.choice([(j, event) for j, event in shown if event.sha is not None or not of_message])
    return len(world.histories) - 1, at, event


@breaks(Rule.RECEIPT)
def receipt_before_sync(rng: Random, world: World) -> World:
    """A receipt for what then never was in the log."""
    world, invoke = with_open_message(world)
    ok = Ok(invoke.id, len(world.log.records) + 1, invoke.sha, rng.randbytes(32).hex())
    return retell(world, 0, len(world.histories[0].events), ok)


@breaks(Rule.RECEIPT, Rule.STREAM)
def tail_lost_after_receipt(rng: Random, world: World) -> World:
    """Power loss: what was acknowledged and shown is gone."""
    _, _, ok = rng.choice(receipts(world))
    return World(FinalLog(world.log.room_id, world.log.records[: ok.seq - 1]), world.histories)


@breaks(Rule.RECEIPT)
def receipt_for_another_seq(rng: Random, world: World) -> World:
    """A receipt with the seq and chain value of another entry."""
    history, at, ok = rng.choice(receipts(world))
    other = rng.choice([record for record in world.log.records if record.seq != ok.seq])
    return retell(world, history, at, Ok(ok.id, other.seq, ok.sha, other.h.hex()))


@breaks(Rule.RECEIPT)
def receipt_for_another_text(rng: Random, world: World) -> World:
    """A receipt that confirms one message as another."""
    history, at, ok = rng.choice(receipts(world))
    other = rng.choice([r for r in world.log.records if r.payload not in (None, ok.sha)])
    return retell(world, history, at, Ok(ok.id, other.seq, other.payload or "", None))


@breaks(Rule.CHAIN)
def receipt_with_another_chain_value(rng: Random, world: World) -> World:
    history, at, ok = rng.choice(receipts(world))
    return retell(world, history, at, Ok(ok.id, ok.seq, ok.sha, rng.randbytes(32).hex()))


@breaks(Rule.CHAIN)
def reader_told_another_chain_value(rng: Random, world: World) -> World:
    history, at, got = a_got(rng, world)
    return retell(world, history, at, Got(got.seq, got.sha, rng.randbytes(32).hex()))


@breaks(Rule.STREAM)
def hole_at_a_reader(rng: Random, world: World) -> World:
    history, at, _ = a_got(rng, world)
    return retell(world, history, at)


@breaks(Rule.STREAM)
def hole_at_a_reader_of_messages(rng: Random, world: World) -> World:
    """A message is left out for a reader to whom control entries are not shown."""
    history, at, _ = a_got(rng, world, of_message=True)
    world = retell(world, history, at)
    events: list[Event] = [Subscribe(0, messages_only=True)]
    events += [event for event in world.histories[-1].events if isinstance(event, Got) and event.sha is not None]
    return retell(world, history, 0, *events, instead_of=len(world.histories[-1].events))


@breaks(Rule.STREAM)
def shown_twice(rng: Random, world: World) -> World:
    history, at, got = a_got(rng, world)
    return retell(world, history, at, got, got)


@breaks(Rule.STREAM)
def shown_in_another_order(rng: Random, world: World) -> World:
    history, at, got = a_got(rng, world)
    return retell(world, history, at, world.histories[history].events[at + 1], got, instead_of=2)


@breaks(Rule.STREAM)
def resumed_too_early(rng: Random, world: World) -> World:
    """A stale resume: the reader comes back with its cursor and is shown again what it had."""
    history, at, got = a_got(rng, world)
    return retell(world, history, at, got, Subscribe(got.seq), got)


@breaks(Rule.STREAM)
def resumed_too_late(rng: Random, world: World) -> World:
    """The reader comes back with its cursor, and the entry after it is missing."""
    history, at, got = a_got(rng, world)
    return retell(world, history, at, Subscribe(got.seq - 1))


@breaks(Rule.STREAM, Rule.INVOKED)
def shown_with_altered_payload(rng: Random, world: World) -> World:
    history, at, got = a_got(rng, world, of_message=True)
    return retell(world, history, at, Got(got.seq, rng.randbytes(32).hex(), got.h))


@breaks(Rule.STREAM)
def shown_with_payload_of_another(rng: Random, world: World) -> World:
    history, at, got = a_got(rng, world, of_message=True)
    other = rng.choice([r.payload for r in world.log.records if r.payload not in (None, got.sha)])
    return retell(world, history, at, Got(got.seq, other, got.h))


@breaks(Rule.STREAM)
def shown_before_durable(rng: Random, world: World) -> World:
    """A phantom: somebody saw an entry that the log never had."""
    world, invoke = with_open_message(world)
    got = Got(len(world.log.records) + 1, invoke.sha, rng.randbytes(32).hex())
    return retell(world, len(world.histories) - 1, len(world.histories[-1].events), got)


@breaks(Rule.STREAM)
def server_said_that_it_lost(rng: Random, world: World) -> World:
    """An announced loss is a loss, even if the log looks whole."""
    return retell(world, len(world.histories) - 1, len(world.histories[-1].events), Lost(rng.randint(1, 3)))


# The log itself


def agreed(world: World, records: list[LogRecord], *, renumber: bool = True) -> World:
    """Return the run of a server whose log is `records`, chained, and of whom everybody was told exactly that.

    Receipts name where their messages are now; those whose messages are gone name where they were.
    """
    log = FinalLog(world.log.room_id, [])
    h = log.room_id
    for place, record in enumerate(records, 1):
        seq = place if renumber else record.seq
        h = chain_value(h, seq, record.time_ms, record.entry)
        log.records.append(record._replace(seq=seq, h=h))
    where = {record.payload: record for record in reversed(log.records)}
    histories = []
    for history in world.histories:
        if any(isinstance(event, Invoke) for event in history.events):
            events = [_receipt_now(event, where) if isinstance(event, Ok) else event for event in history.events]
            histories.append(History(history.name, events))
    shown: list[Event] = [Got(record.seq, record.payload, record.h.hex()) for record in log.records]
    return World(log, [*histories, History("reader", [Subscribe(0), *shown])])


def _receipt_now(ok: Ok, where: dict[str | None, LogRecord]) -> Ok:
    record = where.get(ok.sha)
    return ok if record is None else Ok(ok.id, record.seq, ok.sha, record.h.hex())


def numbers(record: LogRecord) -> Header:
    header = header_of(record.entry)
    assert header is not None
    return header


def sessions(world: World) -> list[list[int]]:
    """Return the positions of all messages, grouped by (epoch, sender, session), groups in order of their last."""
    groups: dict[tuple[int, str, str], list[int]] = {}
    for position, record in enumerate(world.log.records):
        if is_message(record):
            header = numbers(record)
            groups.setdefault((header.epoch, header.sender, header.session), []).append(position)
    return sorted(groups.values(), key=lambda group: group[-1])


def numbered(rng: Random, record: LogRecord, *, n: int | None = None, sender: bytes | None = None) -> LogRecord:
    """Return `record` with another n, or with another sender (and then in a session of its own)."""
    header = numbers(record)
    if sender is None:
        key = (bytes.fromhex(header.sender), bytes.fromhex(header.session))
    else:
        key = (sender, rng.randbytes(16))
    return record._replace(entry=make_entry(rng, MESSAGE, header.epoch, *key, header.n if n is None else n, record))


@breaks(Rule.RECEIPT)
def acknowledged_message_dropped(rng: Random, world: World) -> World:
    """The last message of a session is gone; numbers alone could not tell."""
    acknowledged = {ok.sha for _, _, ok in receipts(world)}
    ends = [group[-1] for group in sessions(world) if world.log.records[group[-1]].payload in acknowledged]
    position = rng.choice([end for end in ends if end < len(world.log.records) - 1])
    return agreed(world, [record for i, record in enumerate(world.log.records) if i != position])


@breaks(Rule.ONCE)
def unacknowledged_message_dropped_amid_its_session(rng: Random, world: World) -> World:
    """Nobody was promised it, but its sender's next message cannot have been accepted without it."""
    position = rng.choice([i for group in sessions(world) for i in group[:-1]])
    dropped = world.log.records[position].payload
    for history, at, ok in receipts(world):
        if ok.sha == dropped:
            world = retell(world, history, at)
    return agreed(world, [record for i, record in enumerate(world.log.records) if i != position])


@breaks(Rule.ONCE)
def logged_twice(rng: Random, world: World) -> World:
    """A resent entry is taken again."""
    again = rng.choice([record for record in world.log.records if is_message(record)])
    return agreed(world, [*world.log.records, again._replace(time_ms=world.log.records[-1].time_ms)])


@breaks(Rule.ONCE)
def control_entry_logged_twice(rng: Random, world: World) -> World:
    genesis = world.log.records[0]
    return agreed(world, [genesis, genesis, *world.log.records[1:]])


@breaks(Rule.ONCE)
def payload_twice_under_different_numbers(rng: Random, world: World) -> World:
    """A client sealed again what had arrived."""
    last = world.log.records[rng.choice(sessions(world))[-1]]
    again = numbered(rng, last, n=numbers(last).n + 1)
    return agreed(world, [*world.log.records, again._replace(time_ms=world.log.records[-1].time_ms)])


@breaks(Rule.ONCE)
def number_skipped(rng: Random, world: World) -> World:
    records = [*world.log.records]
    position = rng.choice(sessions(world))[-1]
    records[position] = numbered(rng, records[position], n=numbers(records[position]).n + rng.randint(1, 9))
    return agreed(world, records)


@breaks(Rule.ONCE, Rule.ORDER)
def neighbours_of_one_session_swapped(rng: Random, world: World) -> World:
    records = [*world.log.records]
    a, b = rng.choice([group[:2] for group in sessions(world) if len(group) > 1])
    records[a], records[b] = (
        records[b]._replace(time_ms=records[a].time_ms),
        records[a]._replace(time_ms=records[b].time_ms),
    )
    return agreed(world, records)


@breaks(Rule.ORDER)
def two_texts_of_one_producer_swapped(rng: Random, world: World) -> World:
    """Numbers ascend, but the producer's texts were sealed in another order than sent."""
    records = [*world.log.records]
    a, b = rng.choice([group[:2] for group in sessions(world) if len(group) > 1])
    records[a], records[b] = (
        records[a]._replace(payload=records[b].payload),
        records[b]._replace(payload=records[a].payload),
    )
    return agreed(world, records)


@breaks(Rule.DENSE)
def renumbered(rng: Random, world: World) -> World:
    """One seq is left out; chain, receipts and readers all agree with it."""
    position = rng.randrange(len(world.log.records))
    later = [record._replace(seq=record.seq + 1) for record in world.log.records[position:]]
    return agreed(world, [*world.log.records[:position], *later], renumber=False)


@breaks(Rule.DENSE)
def time_goes_back(rng: Random, world: World) -> World:
    *records, before, last = world.log.records
    return agreed(world, [*records, before, last._replace(time_ms=before.time_ms - 1)])


@breaks(Rule.CHAIN)
def bytes_altered_on_disk(rng: Random, world: World) -> World:
    """One bit of one body or signature flips, and nobody notices."""
    records = [*world.log.records]
    position = rng.randrange(len(records))
    entry = bytearray(records[position].entry)
    entry[rng.randrange(104, len(entry))] ^= 1 << rng.randrange(8)
    records[position] = records[position]._replace(entry=bytes(entry))
    return World(FinalLog(world.log.room_id, records), world.histories)


@breaks(Rule.CHAIN)
def chain_value_altered_on_disk(rng: Random, world: World) -> World:
    records = [*world.log.records]
    position = rng.randrange(len(records))
    records[position] = records[position]._replace(h=rng.randbytes(32))
    return World(FinalLog(world.log.room_id, records), world.histories)


@breaks(Rule.CHAIN)
def chain_begins_elsewhere(rng: Random, world: World) -> World:
    """The log of another room."""
    return World(FinalLog(rng.randbytes(32), world.log.records), world.histories)


@breaks(Rule.INVOKED)
def message_that_nobody_sent(rng: Random, world: World) -> World:
    last = world.log.records[-1]
    entry = make_entry(rng, MESSAGE, 1, rng.randbytes(32), rng.randbytes(16), 0, last)
    return agreed(world, [*world.log.records, last._replace(entry=entry, payload=payload_sha("forged"))])


@breaks(Rule.INVOKED)
def message_signed_by_another(rng: Random, world: World) -> World:
    """A member's text under another member's name."""
    records = [*world.log.records]
    position = rng.choice(sessions(world))[-1]
    records[position] = numbered(rng, records[position], n=0, sender=rng.randbytes(32))
    return agreed(world, records)


@breaks(Rule.INVOKED)
def message_that_nobody_can_open(rng: Random, world: World) -> World:
    last = world.log.records[-1]
    entry = make_entry(rng, MESSAGE, 1, rng.randbytes(32), rng.randbytes(16), 0, last)
    return agreed(world, [*world.log.records, last._replace(entry=entry, payload=None)])


@breaks(Rule.INVOKED)
def signal_in_the_log(rng: Random, world: World) -> World:
    last = world.log.records[-1]
    entry = make_entry(rng, SIGNAL, 1, rng.randbytes(32), rng.randbytes(16), 0, last)
    return agreed(world, [*world.log.records, last._replace(entry=entry, payload=None)])
