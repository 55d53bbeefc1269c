"""One room at the server: what it accepts, and who is told.

`state` is the state after everything accepted, also what is still on its way to the disk; the tape
and the audience know only what is durable. What a kind of room adds is in `server.open_room` and
`server.private_room`. Pure decisions over the `RoomLog` contract; it cannot open anything.
Source: docs/protocol.md, "Requests and replies", "Exactly once".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count, repeat
from typing import TYPE_CHECKING, NamedTuple

from sendall.config import Limits
from sendall.errors import Code, Malformed
from sendall.log.roomlog import Checkpoint, Damaged, Record, RoomLog
from sendall.protocol.chain import link, link_run
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import Entry, EntryType, Kind, parse
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from sendall.server.admission import Bucket
from sendall.server.delivery import Audience, Reader
from sendall.server.patience import Patience
from sendall.server.presence import Presence
from sendall.server.reading import Reading, is_dense

if TYPE_CHECKING:
    from sendall.server.connection import Connection

CHECKPOINT_EVERY = 10_000
"""Entries between two checkpoints: what a start must read again, about 50 ms."""
FULL_RETRY_MS = 2000
_LOAD_BYTES = 4 * 1024 * 1024
OWN_IDENTITY = "put the identity.key back that belongs to this data folder, or start with another --data"
RESTORE = "restore the data folder from a backup"

# Records are made by the ten thousand: the constructor of a named tuple takes 0.3 µs, this 0.1.
_record_of: Callable[[tuple[int, int, bytes, bytes]], Record] = partial(tuple.__new__, Record)
_OK = Verdict.OK  # bound once, as in protocol.room
CODES = {
    Verdict.BAD: Code.MALFORMED,
    Verdict.BAD_SIG: Code.MALFORMED,
    Verdict.STALE: Code.STALE,
    Verdict.REPLAY: Code.DUP,
    Verdict.GAP: Code.GAP,
    Verdict.DENIED: Code.FORBIDDEN,
    Verdict.CONFLICT: Code.CONFLICT,
}


class Refusal(NamedTuple):
    code: Code
    retry_ms: int | None = None


def slow_down(wait_s: float) -> Refusal:
    """Return the refusal of a bucket that has a token again in `wait_s` seconds."""
    return Refusal(Code.SLOW_DOWN, int(wait_s * 1000) + 1)


class Room(ABC):
    """One room of this server process; `rid` is its number on all connections."""

    kind: Kind

    def __init__(self, rid: int, log: RoomLog, server_pk: bytes, limits: Limits, now: float) -> None:
        self.rid = rid
        self.limits = limits
        self.state = RoomState(log.room_id, server_pk, self.kind)
        self.reading = Reading(rid, log, limits.tape_bytes)
        self.audience = Audience(log.extent.last, self.reading)
        self.presence = Presence(rid, limits.presence_ids)
        self.begins = 1
        """The genesis, or the restart entry of this run: a reader who missed it would miss a lost tail."""
        self.cards: dict[bytes, tuple[object, bytes]] = {}
        """By identity: whose connection sent the latest card, and the card as a WebSocket message."""
        self.pending_bytes = 0
        """Accepted and not yet durable."""
        self.posters: set[object] = set()
        """The connections whose entries these may be."""
        self._accepted: list[Record] = []
        self.bucket = Bucket(limits.room_rate, limits.room_rate * 2, now)
        self._sessions: Counter[bytes] = Counter()
        self._checkpoint_seq = 0
        self.patience = Patience(self.audience, self.reading.tape, limits.pending_bytes)

    @property
    def log(self) -> RoomLog:
        return self.reading.log

    @property
    def is_founded(self) -> bool:
        """Whether its beginning in this run is durable: only then may anybody be told of the room."""
        return self.audience.sent >= self.begins

    # -- loading ------------------------------------------------------------------------------

    def load(self) -> None:
        """Rebuild the state from the newest checkpoint and what came after it.

        Raises:
            Damaged: what was read is not what was written.
        """
        log = self.log
        last = log.extent.last
        control = [(parse(record.entry), record) for record in log.control(0, last)]
        own = self.state.server_pk
        self.state = state = self._from_checkpoint(last)
        if state.server_pk != own or any(e.sender != own for e, _ in control if self._is_servers(e)):
            raise Damaged(log.room_id, 1, "the room is another server identity's", hint=OWN_IDENTITY)
        self._checkpoint_seq = state.seq
        self.reading.begin(log, state.seq, state.h)
        while state.seq < last:
            records = log.read(state.seq, _LOAD_BYTES)
            if not is_dense(records, state.seq):
                raise self._damaged(state.seq + 1, "entries after the checkpoint are missing")
            for record in records:
                # Judged when it was accepted, and since then kept by the chain: taken as it is.
                state.apply_judged(parse(record.entry), record.seq, record.time_ms, record.h)
                self.reading.window.put(record.seq, record.h)
        self._forget_control()
        for entry, record in control:
            self._note_control(entry, record.seq, record.time_ms)
        self._sessions = Counter(sender for sender, _ in state.last)
        self._accepted = []

    def reload(self, log: RoomLog) -> None:
        """Go on with the log as it is on the disk: what was accepted and did not become durable is dropped.

        Its authors have had no receipt, and send it again. What became durable unnoticed is published.
        """
        self.reading.log = log
        self.load()
        self.pending_bytes = 0
        while self.audience.sent < log.extent.last:
            records = log.read(self.audience.sent, _LOAD_BYTES)
            if not is_dense(records, self.audience.sent):
                raise self._damaged(self.audience.sent + 1, "entries that became durable are missing")
            self.publish(records)
        self.pending_bytes = 0
        self.posters.clear()

    def _from_checkpoint(self, last: int) -> RoomState:
        log = self.log
        checkpoint = log.latest_checkpoint()
        if checkpoint is not None and checkpoint.seq <= last:
            try:
                return unpack(checkpoint.state)
            except Malformed as error:
                # Another version wrote it: the whole log can replace it, a pruned one cannot.
                if log.extent.first > 1:
                    raise self._damaged(checkpoint.seq, str(error)) from error
        return RoomState(log.room_id, self.state.server_pk, self.kind)

    def _damaged(self, seq: int, sentence: str) -> Damaged:
        return Damaged(self.log.room_id, seq, f"room {self.log.room_id.hex()[:8]}, seq {seq}: {sentence}", hint=RESTORE)

    def _is_servers(self, entry: Entry) -> bool:
        """Whether only the server can have made this control entry."""
        return entry.type == EntryType.RESTART

    @abstractmethod
    def _forget_control(self) -> None:
        """Forget what `_note_control` noted: it comes again."""

    def _note_control(self, entry: Entry, seq: int, time_ms: int) -> None:
        """Take notice of a control entry that was accepted, now or in an earlier run."""
        if entry.type == EntryType.RESTART:
            self.reading.note_restart(seq, entry.head_hash)

    # -- accepting ----------------------------------------------------------------------------

    def judge_post(self, entry: Entry, now: float) -> Refusal | None:
        """Return why a message is not accepted; None if it is. Spends the room's budget."""
        wait = self.bucket.spend(now)
        if wait:
            return slow_down(wait)
        verdict = self.state.judge(entry, check_signature=False)
        if verdict is not _OK:
            return Refusal(CODES[verdict])
        h = self.reading.h_at(entry.head_seq)
        if h is not None and h != entry.head_hash:
            return Refusal(Code.FORK)
        if entry.n == 0 and self._has_too_many_sessions(entry):
            return Refusal(Code.FULL, FULL_RETRY_MS)
        return None

    def _has_too_many_sessions(self, entry: Entry) -> bool:
        limits = self.limits
        return (
            self._sessions[entry.sender] >= limits.sessions_per_sender
            or len(self.state.last) >= limits.sessions_per_room
        )

    def accept(self, entry: Entry, time_ms: int) -> None:
        """Give the entry, found OK, its seq and time; `take_accepted` hands it to the log."""
        state = self.state
        seq = state.seq + 1
        time_ms = max(time_ms, state.now)
        h = link(state.h, seq, time_ms, entry.raw)
        if entry.is_control:
            self._note_control(entry, seq, time_ms)
            if entry.type in (EntryType.EPOCH, EntryType.RESTART):
                self._sessions.clear()
        elif entry.n == 0:
            self._sessions[entry.sender] += 1
        state.apply_judged(entry, seq, time_ms, h)
        self.reading.window.put(seq, h)
        self.pending_bytes += len(entry.raw)
        self._accepted.append(Record(seq, time_ms, h, entry.raw))

    def accept_run(self, first: Entry, run: Sequence[bytes], time_ms: int) -> None:
        """Accept the messages that go on with `first`, which was accepted just now.

        Verdict, head and sessions are those of `first`: a run differs in numbers and bodies only.
        """
        state = self.state
        seq, time_ms = state.seq + 1, max(time_ms, state.now)
        values = link_run(state.h, seq, time_ms, run)
        state.apply_run(first, first.n + len(run), seq + len(run) - 1, time_ms, values[-1])
        self.reading.window.put_run(seq, values)
        self.pending_bytes += sum(map(len, run))
        self._accepted += map(_record_of, zip(count(seq), repeat(time_ms), values, run, strict=False))

    def accept_own(self, raw: bytes, time_ms: int) -> None:
        """Accept an entry of the authority's, or the genesis of a room that was judged; that it is OK is our doing."""
        entry = parse(raw)
        verdict = self.state.judge(entry)
        assert verdict is Verdict.OK, f"the authority made an entry that is {verdict.value}"
        self.accept(entry, time_ms)

    def take_accepted(self) -> list[Record]:
        """Return what was accepted since the last call."""
        accepted, self._accepted = self._accepted, []
        return accepted

    def publish(self, records: Sequence[Record]) -> None:
        """Give durable records to the readers: framed once, pushed to all who are CURRENT."""
        for chunk in self.reading.framed(records):
            self.reading.tape.put(chunk)
            self.audience.push(chunk)
        self.pending_bytes -= sum([len(r.entry) for r in records])
        if not self.pending_bytes:
            self.posters.clear()

    def checkpoint_if_due(self, *, now: bool = False) -> None:
        """Queue a checkpoint of the state every 10,000 entries, or `now` if anything is new.

        Queued behind everything accepted so far, so it is never ahead of the log.
        """
        seq = self.state.seq
        if seq - self._checkpoint_seq >= (1 if now else CHECKPOINT_EVERY):
            self.log.checkpoint(Checkpoint(seq, pack(self.state)))
            self._checkpoint_seq = seq

    # -- who is here --------------------------------------------------------------------------

    @abstractmethod
    def admits(self, id_pk: bytes) -> bool:
        """Whether this identity may be in the room and is to be given its keys."""

    def enter(self, connection: Connection, reader: Reader) -> None:
        """Let a connection in: it is given everything after its cursor, and others are told."""
        self.audience.add(reader)
        self.presence.enter(connection.id_pk)

    def leave(self, connection: Connection) -> None:
        """Take a connection out of sight: presence and card. Its reader goes, or is given its rest first."""
        self.presence.leave(connection.id_pk)
        owner, _ = self.cards.get(connection.id_pk, (None, b""))
        if owner is connection:
            del self.cards[connection.id_pk]
