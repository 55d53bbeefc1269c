"""One room at the server: what it accepts, and what its readers are given.

`state` is the state after everything accepted, also what is still on its way to the disk; `tape`
and audience know only what is durable. Pure decisions over the `RoomLog` contract. It cannot open
anything. Source: docs/protocol.md, "Requests", "Exactly once".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sendall.config import Limits
from sendall.errors import Code, Malformed
from sendall.log.roomlog import Checkpoint, Damaged, Record, RoomLog
from sendall.log.tape import Tape
from sendall.protocol.chain import Window, link
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.chunks import Chunk, frame_entries
from sendall.protocol.entry import Entry, EntryType, parse
from sendall.protocol.frames import MAX_BATCH, Sub
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from sendall.server.admission import Bucket
from sendall.server.delivery import Audience
from sendall.server.presence import Presence

CHECKPOINT_EVERY = 10_000
"""Entries between two checkpoints: what a start must read again, about 50 ms."""
EPOCH_MAX_ENTRIES = 2**20
EPOCH_MAX_MS = 24 * 3600 * 1000
PAGE_ENTRIES = 1000
PAGE_BYTES = 256 * 1024
FULL_RETRY_MS = 2000
WAIT_FOR_READERS_S = 1.0
"""How long writers wait at most for readers who drain but do not catch up."""
IMPATIENCE_S = 10.0
"""How long they then do not wait at all."""
LOOK_EVERY_S = 0.005
_LOAD_BYTES = 4 * 1024 * 1024
OWN_IDENTITY = "put the identity.key back that belongs to this data folder, or start with another --data"
RESTORE = "restore the data folder from a backup"

_MESSAGE, _OK = EntryType.MESSAGE, Verdict.OK  # bound once, as in protocol.room
_CODES = {
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


class Place(NamedTuple):
    """Where a reader begins, as `subok` says it."""

    first: int
    last: int
    from_: int
    h: bytes
    cut: int | None = None
    is_shared: bool = True
    """Whether the reader's history is ours; if not, nothing follows: it goes back to `cut`, or raises the alarm."""


class Pruned(Exception):
    """What a reader lacks is gone from the log."""


class Room:
    """One OPEN room of this server process; `rid` is its number on all connections."""

    def __init__(self, rid: int, log: RoomLog, server_pk: bytes, limits: Limits, now: float) -> None:
        self.rid = rid
        self.log = log
        self.limits = limits
        self.state = RoomState(log.room_id, server_pk)
        self.window = Window()
        self.tape = Tape(limits.tape_bytes)
        self.audience = Audience(log.extent.last)
        self.presence = Presence(rid, limits.presence_ids)
        self.begins = 1
        """The genesis, or the restart entry of this run: a reader who missed it would miss a lost tail."""
        self.cards: dict[bytes, tuple[object, bytes]] = {}
        """By identity: whose connection sent the latest card, and the card as a WebSocket message."""
        self.pending_bytes = 0
        """Accepted and not yet durable."""
        self.posters: set[object] = set()
        """The connections whose entries these may be."""
        self.epoch_began = (0, 0)
        """(seq, time_ms) of the current epoch's entry."""
        self._old_head = (0, b"")
        self._accepted: list[Record] = []
        self._bucket = Bucket(limits.room_rate, limits.room_rate * 2, now)
        self._sessions: Counter[bytes] = Counter()
        self._checkpoint_seq = 0
        self._waiting_since: float | None = None
        self._looked_at = float("-inf")
        self._are_behind = False
        self._impatient_until = float("-inf")
        self._epochs: list[tuple[int, int]] = []
        # (seq, e) of every epoch entry, ascending.
        self._restarts: dict[int, bytes] = {}
        # The chain value before each restart entry: kept even where the log was pruned.

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
        if control and control[0][0].sender != self.state.server_pk:
            raise Damaged(log.room_id, 1, "the room is another server identity's", hint=OWN_IDENTITY)
        self.state = state = self._from_checkpoint(last)
        self._checkpoint_seq = state.seq
        self.window = Window()
        self.window.put(state.seq, state.h)
        while state.seq < last:
            records = log.read(state.seq, _LOAD_BYTES)
            if not _is_dense(records, state.seq):
                raise self._damaged(state.seq + 1, "entries after the checkpoint are missing")
            for record in records:
                # Judged when it was accepted, and since then kept by the chain: taken as it is.
                state.apply_judged(parse(record.entry), record.seq, record.time_ms, record.h)
                self.window.put(record.seq, record.h)
        self._epochs.clear()
        self._restarts.clear()
        for entry, record in control:
            self._note_control(entry, record.seq, record.time_ms)
        self._sessions = Counter(sender for sender, _ in state.last)
        self._accepted = []

    def reload(self, log: RoomLog) -> None:
        """Go on with the log as it is on the disk: what was accepted and did not become durable is dropped.

        Its authors have had no receipt, and send it again. What became durable unnoticed is published.
        """
        self.log = log
        self.load()
        self.pending_bytes = 0
        while self.audience.sent < log.extent.last:
            records = log.read(self.audience.sent, _LOAD_BYTES)
            if not _is_dense(records, self.audience.sent):
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
        return RoomState(log.room_id, self.state.server_pk)

    def _damaged(self, seq: int, sentence: str) -> Damaged:
        return Damaged(self.log.room_id, seq, f"room {self.log.room_id.hex()[:8]}, seq {seq}: {sentence}", hint=RESTORE)

    def _note_control(self, entry: Entry, seq: int, time_ms: int) -> None:
        if entry.type == EntryType.EPOCH:
            self.epoch_began = (seq, time_ms)
            self._epochs.append((seq, entry.epoch + 1))
        elif entry.type == EntryType.RESTART:
            self._restarts[seq] = entry.head_hash

    # -- accepting ----------------------------------------------------------------------------

    def judge_post(self, entry: Entry, now: float) -> Refusal | None:
        """Return why a member's message is not accepted; None if it is. Spends the room's budget."""
        wait = self._bucket.spend(now)
        if wait:
            return slow_down(wait)
        if entry.type != _MESSAGE:
            return Refusal(Code.FORBIDDEN)
        verdict = self.state.judge(entry, check_signature=False)
        if verdict is not _OK:
            return Refusal(_CODES[verdict])
        h = self.h_at(entry.head_seq)
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
        self.window.put(seq, h)
        self.pending_bytes += len(entry.raw)
        self._accepted.append(Record(seq, time_ms, h, entry.raw))

    def accept_own(self, raw: bytes, time_ms: int) -> None:
        """Accept an entry of the authority's; that it is OK is our own doing."""
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
        for chunk in self._framed(records):
            self.tape.put(chunk)
            self.audience.push(chunk)
        self.pending_bytes -= sum(len(r.entry) for r in records)
        if not self.pending_bytes:
            self.posters.clear()

    def _framed(self, records: Sequence[Record]) -> list[Chunk]:
        return frame_entries(self.rid, [(r.seq, r.time_ms, r.entry) for r in records])

    def checkpoint_if_due(self, *, now: bool = False) -> None:
        """Queue a checkpoint of the state every 10,000 entries, or `now` if anything is new.

        Queued behind everything accepted so far, so it is never ahead of the log.
        """
        seq = self.state.seq
        if seq - self._checkpoint_seq >= (1 if now else CHECKPOINT_EVERY):
            self.log.checkpoint(Checkpoint(seq, pack(self.state)))
            self._checkpoint_seq = seq

    def is_epoch_over(self, now_ms: int) -> bool:
        """Whether the steward should make a new epoch: a day, 2^20 entries, or too many sessions."""
        seq, time_ms = self.epoch_began
        return (
            now_ms - time_ms >= EPOCH_MAX_MS
            or self.state.seq - seq >= EPOCH_MAX_ENTRIES
            or len(self.state.last) >= self.limits.sessions_per_room
        )

    @property
    def oldest_epoch(self) -> int:
        """The epoch of the oldest retained message; keys of epochs before it open nothing any more."""
        first = self.log.extent.first
        return max((e for seq, e in self._epochs if seq <= first), default=1)

    # -- reading ------------------------------------------------------------------------------

    def h_at(self, seq: int) -> bytes | None:
        """Return the chain value at `seq`; None if it is pruned or yet to come."""
        if seq == 0:
            return self.state.room_id
        return self.window.at(seq) or self._old_h(seq)

    def _old_h(self, seq: int) -> bytes | None:
        # All that somebody wrote while away names one head, however old: it is read once.
        if seq != self._old_head[0]:
            h = self.log.h_at(seq)
            if h is None:
                return None
            self._old_head = (seq, h)
        return self._old_head[1]

    def place(self, sub: Sub) -> Place:
        """Return where a reader who asks so begins.

        Raises:
            Pruned: retention took that place just now; ask again.
        """
        extent = self.log.extent
        first, last = extent.first, extent.last
        after = sub.after
        known = self.h_at(after) if after <= last else None
        if after > last or (sub.h is not None and known is not None and known != sub.h):
            restart = max((s for s in self._restarts if s <= after), default=max(self._restarts, default=None))
            if restart is not None:
                return Place(first, last, restart - 1, self._restarts[restart], restart - 1, is_shared=False)
            # Our h beside its own is what the reader shows as the reason of its alarm.
            at = min(after, last)
            return Place(first, last, at, self._h_from(at), is_shared=False)
        at = max(after, first - 1)
        if sub.tail is not None:
            at = max(at, last - sub.tail)
        if sub.since_ms is not None:
            at = max(at, self.log.first_since(sub.since_ms) - 1)
        if sub.start is not None:
            at = max(at, min(sub.start, last))
        return Place(first, last, at, self._h_from(at))

    def _h_from(self, seq: int) -> bytes:
        extent = self.log.extent
        h = extent.h_before_first if seq == extent.first - 1 else self.h_at(seq)
        if h is None:
            raise Pruned
        return h

    def early_control(self, after: int, upto: int) -> list[Chunk]:
        """Return the control entries in (after, upto], framed for a reader who comes late."""
        return self._framed(self.log.control(after, upto))

    def page(self, from_: int, to: int) -> tuple[int, int, bytes, list[Chunk]] | None:
        """Return (from, to, h[from - 1], frames) of a page that ends at `to`; None if it is not kept.

        A page has at most 1,000 entries and about 256 KiB: `from` may be later than asked.
        """
        extent = self.log.extent
        to = min(to, extent.last)
        count = min(PAGE_ENTRIES, to - max(from_, extent.first) + 1)
        while count > 0:
            records = self.log.read(to - count, PAGE_BYTES, to)
            if records and records[-1].seq == to:
                h = self.h_at(to - count)
                if h is None or not _is_dense(records, to - count):
                    return None  # just now: the log deletes before it says so
                return records[0].seq, to, h, self._framed(records)
            count //= 2
        return None

    def next_after(self, cursor: int) -> Chunk:
        """Return what a LAGGING reader at `cursor` is given next: from the tape, else from the log.

        Raises:
            Pruned: retention took what follows; the reader must subscribe again, and then comes late.
        """
        chunk = self.tape.next_after(cursor)
        if chunk is None:
            if cursor < self.log.extent.first - 1:
                raise Pruned
            records = self.log.read(cursor, MAX_BATCH, self.audience.sent)
            if not _is_dense(records, cursor):
                raise Pruned  # just now: the log deletes before it says so
            chunk = self._framed(records)[0]
        return chunk

    def is_outrunning(self, now: float) -> bool:
        """Whether writers must wait: for the disk, or for most of the readers."""
        if self.pending_bytes > self.limits.pending_bytes:
            return True
        if not self.audience.many_lag or now < self._impatient_until or not self._most_are_behind(now):
            self._waiting_since = None
            return False
        if self._waiting_since is None:
            self._waiting_since = now
        if now - self._waiting_since <= WAIT_FOR_READERS_S:
            return True
        # They drain, but never catch up: they go on from the log, and nobody waits for them for a while.
        self._waiting_since = None
        self._impatient_until = now + IMPATIENCE_S
        return False

    def _most_are_behind(self, now: float) -> bool:
        # Counting looks at every reader, and every reader that drains asks: the answer holds for a moment.
        if now - self._looked_at >= LOOK_EVERY_S:
            half = self.tape.half
            self._looked_at = now
            self._are_behind = half is not None and self.audience.is_outrunning(half, now)
        return self._are_behind


def _is_dense(records: Sequence[Record], after: int) -> bool:
    """Whether `records` go on right after `after`, without a hole."""
    return bool(records) and records[0].seq == after + 1 and records[-1].seq == after + len(records)
