"""Synthetic runs that are correct by construction: what the checker must call clean, and what defects are put into.

One `Random` makes a small world: a server that numbers and chains real entries (real header layout, random bodies),
producers whose messages are delayed, lost, acknowledged or not, sealed again after an epoch change or a crash, and
consumers that reconnect, rewind, skip and stop. Everything is written down as the real processes do it.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple

from tests.faults.checker import HEADER, MESSAGE, RESTART, chain_value
from tests.faults.evidence import FinalLog, Got, History, Invoke, LogRecord, Ok, Subscribe, payload_sha

GENESIS, EPOCH = 0x10, 0x13


class World(NamedTuple):
    log: FinalLog
    histories: list[History]


def make_entry(
    rng: Random, type_: int, epoch: int, sender: bytes, session: bytes, n: int, head: LogRecord | None
) -> bytes:
    """Return an entry with a true header, whose body and signature are random bytes."""
    head_seq, head_hash = (head.seq, head.h) if head else (0, bytes(32))
    body = {RESTART: 0, MESSAGE: 80}.get(type_, 102)
    header = HEADER.pack(1, type_, 0, epoch, sender, session, n, head_seq, head_hash)
    return header + rng.randbytes(body + 64)


class Server:
    """Numbers, times and chains what it is given; a correct relay as far as histories show it."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.pk = rng.randbytes(32)
        self.log = FinalLog(rng.randbytes(32), [])
        self.epoch = 0
        self._session = rng.randbytes(16)
        self.next_n: Counter[tuple[int, bytes, bytes]] = Counter()
        self._control_n = 0
        self._control(GENESIS)
        self._control_n += 1
        self.rotate()

    def post(self, sender: bytes, session: bytes, payload: str) -> LogRecord:
        """Append a message under the next number of its session."""
        key = (self.epoch, sender, session)
        n = self.next_n[key]
        self.next_n[key] += 1
        return self._append(self._entry(MESSAGE, sender, session, n), payload)

    def rotate(self) -> None:
        """Append an epoch entry; it carries the epoch before, and numbers start again."""
        self._control(EPOCH)
        self.epoch += 1
        self._control_n = 0

    def restart(self) -> None:
        """Append a restart entry of a new server process; control numbers start again."""
        self._session = self.rng.randbytes(16)
        self._control_n = 0
        self._control(RESTART)

    def _control(self, type_: int) -> None:
        self._append(self._entry(type_, self.pk, self._session, self._control_n), None)

    def _entry(self, type_: int, sender: bytes, session: bytes, n: int) -> bytes:
        head = self.log.records[-1] if self.log.records else None
        return make_entry(self.rng, type_, self.epoch, sender, session, n, head)

    def _append(self, entry: bytes, payload: str | None) -> LogRecord:
        records = self.log.records
        seq, before, h = (
            (records[-1].seq + 1, records[-1].time_ms, records[-1].h) if records else (1, 0, self.log.room_id)
        )
        time_ms = before + self.rng.choice((0, 0, 1, 40))
        records.append(LogRecord(seq, time_ms, chain_value(h, seq, time_ms, entry), entry, payload))
        return records[-1]


class Producer:
    """Invokes in order; what it has open reaches the log in that order, or never."""

    def __init__(self, name: str, server: Server) -> None:
        self.server, self.rng = server, server.rng
        self.history = History(name, [])
        self.sender, self.session = self.rng.randbytes(32), self.rng.randbytes(16)
        self._open: list[Invoke] = []
        self._unconfirmed: list[tuple[Invoke, LogRecord]] = []

    def step(self) -> None:
        self.rng.choice((self._invoke, self._invoke, self._arrive, self._arrive, self._confirm, self._confirm))()
        if self.rng.random() < 0.05:
            self._crash()

    def _invoke(self) -> None:
        id_ = sum(isinstance(event, Invoke) for event in self.history.events)
        sha = payload_sha(f"{self.history.name} {id_}")
        event = Invoke(id_, sha, self.sender.hex(), self.session.hex(), self.server.epoch, None)
        self.history.events.append(event)
        self._open.append(event)

    def _arrive(self) -> None:
        if self._open:
            event = self._open.pop(0)
            self._unconfirmed.append((event, self.server.post(self.sender, self.session, event.sha)))

    def _confirm(self) -> None:
        if self._unconfirmed:
            event, record = self._unconfirmed.pop(0)
            self.history.events.append(Ok(event.id, record.seq, event.sha, self.rng.choice((record.h.hex(), None))))

    def _crash(self) -> None:
        """A new session; receipts under way are gone, and what was open survives in an outbox or does not."""
        self.session = self.rng.randbytes(16)
        self._unconfirmed.clear()
        if self.rng.random() < 0.5:
            self._open.clear()


class Consumer:
    """Reads the log from its cursor; sometimes subscribes again, where it was or anywhere."""

    def __init__(self, name: str, server: Server, *, messages_only: bool) -> None:
        self.server, self.rng = server, server.rng
        self.history = History(name, [])
        self.messages_only = messages_only
        self.cursor = 0
        self._subscribe(0)

    def step(self) -> None:
        last = len(self.server.log.records)
        if self.rng.random() < 0.1:
            self._subscribe(self.rng.choice((self.cursor, self.rng.randint(0, last))))
        self.read(self.rng.randint(0, 5))

    def read(self, limit: int) -> None:
        """Be shown at most `limit` entries after the cursor."""
        for record in self.server.log.records[self.cursor : self.cursor + limit]:
            self.cursor = record.seq
            if record.payload is not None or not self.messages_only:
                self.history.events.append(Got(record.seq, record.payload, record.h.hex()))

    def _subscribe(self, after: int) -> None:
        self.cursor = after
        self.history.events.append(Subscribe(after, self.messages_only))


def correct_world(rng: Random, steps: int = 120) -> World:
    """Return one correct run: up to 3 producers, up to 3 consumers, and a fresh reader of everything at the end."""
    server = Server(rng)
    producers = [Producer(f"producer-{i}", server) for i in range(rng.randint(1, 3))]
    consumers = [Consumer(f"consumer-{i}", server, messages_only=i == 2) for i in range(rng.randint(0, 3))]
    actors: list[Producer | Consumer] = [*producers, *consumers]
    for _ in range(steps):
        rng.choice(actors).step()
        if rng.random() < 0.02:
            server.rotate()
        if rng.random() < 0.01:
            server.restart()
            for producer in producers:
                producer.session = rng.randbytes(16)
    reader = Consumer("reader", server, messages_only=False)
    reader.read(len(server.log.records))
    return World(server.log, [actor.history for actor in (*actors, reader)])
