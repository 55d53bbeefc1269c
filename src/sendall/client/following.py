"""A reader's place in one log: the cursor, the state, the chain, and every way a server may be caught.

Takes the log's entries in order and tells a `Listener` what they mean. Knows what coming late and a
restart are (docs/protocol.md, "The one state machine"); knows no keys, no people and no outbox. Pure.
"""

from __future__ import annotations

from typing import Protocol

from sendall.client.events import Evidence, tag_of
from sendall.client.history import History
from sendall.errors import Malformed, SecurityAlarm
from sendall.protocol.bodies import Body, Epoch, Genesis, parse_body
from sendall.protocol.chain import Window, link
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import ZERO_32, Entry, EntryType, Kind, parse
from sendall.protocol.frames import SubOk
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict

MAX_CHECKPOINTS = 64
"""States kept from before the newest control entries: a restart can take back at most so many."""
_STOPPED = "nothing is read or sent in this room any more; ask whoever runs the server, then `sendall forget` it"


class Listener(Protocol):
    """Who follows the room with this place in its log."""

    def heard_message(self, seq: int, time_ms: int, entry: Entry) -> None:
        """A message with verdict OK."""
        ...

    def heard_control(self, seq: int, entry: Entry, body: Body, *, early: bool) -> None:
        """A control entry with verdict OK, applied; `early`: from before a late reader's beginning."""
        ...

    def heard_invalid(self, seq: int, verdict: Verdict) -> None:
        """An entry with another verdict; it only has its place in the chain."""
        ...

    def heard_loss(self, count: int, kept: int) -> None:
        """The server restarted without `count` entries that were heard before, all behind seq `kept`."""
        ...

    def heard_old_loss(self, count: int, kept: int) -> None:
        """The same, since an earlier program of this user, which had seen them."""
        ...

    def heard_alarm(self, alarm: SecurityAlarm) -> None: ...

    def heard_gap(self, first: int, last: int) -> None:
        """The server has pruned the messages from `first` to `last`, which this program had not read yet."""
        ...

    def skipped_to(self, seq: int) -> None:
        """Messages up to `seq` will not be heard; the state is that at `seq`."""
        ...

    def is_at_head(self) -> None:
        """Everything up to the head of the time of `sub` was heard, once per connection."""
        ...


class Following:
    """One reader's place in one log, over any number of connections."""

    def __init__(self, name: str, state: RoomState, listener: Listener, seen: tuple[int, bytes] | None = None) -> None:
        """`seen`: the last (seq, h) that an earlier program of this user had, to compare with once."""
        self.name = name
        self.state = state
        self.history = History(state.room_id)
        self.evidence: Evidence | None = None
        self.is_caught_up = False
        self.was_caught_up = False
        """Whether it ever was, on whichever connection."""
        self.has_lost = False
        """Whether this reader went back: the server restarted without entries that were read here."""
        self.verified: set[bytes] = set()
        """Entries whose signature is known to hold; forgotten as they are judged."""
        self._listener = listener
        self._window = Window()
        self._checkpoints: list[tuple[int, bytes]] = []  # (seq, state after it), each before a control entry
        self._back_to = 0  # the lowest seq whose state the checkpoints can still give
        self._early: tuple[int, bytes] | None = None  # (from, h): up to it only control entries come
        self._early_back = b""  # the state to go back to if the connection ends meanwhile
        self._early_last: dict[tuple[bytes, bytes], int] = {}
        self._restart_due: int | None = None
        self._lost = 0
        self._target = 0
        self._seen = seen
        self._restarts: list[int] = []  # the seqs of all restart entries
        self.is_head_unknown = False
        """Whether the state came without the chain: the next subok brings h."""

    @property
    def head(self) -> tuple[int, bytes]:
        """Where a new entry is put on: (seq, h)."""
        return self._early or (self.state.seq, self.state.h)

    @property
    def has_begun(self) -> bool:
        """Whether everything up to the beginning was taken: from then on pages can be asked for."""
        return self._early is None or self.is_caught_up

    def h_at(self, seq: int) -> bytes | None:
        return self._window.at(seq)

    # -- subscribing --------------------------------------------------------------------------

    def subscribed(self, ok: SubOk) -> bool:
        """Take the answer to a `sub` from `state.seq` on; False: went back, subscribe again from there.

        Raises:
            Malformed: its numbers contradict each other.
            SecurityAlarm: the history is not the one that was shown before.
        """
        self._target = ok.last
        if ok.cut is not None:
            self._go_back(ok.cut)
            return False
        state, h = self.state, bytes(ok.h)
        if ok.last < state.seq:
            raise self._stop("history", "the server's log is shorter than it was, and no restart entry says why")
        if not state.seq <= ok.from_ <= ok.last:
            raise Malformed("a subok whose numbers contradict each other")
        if ok.from_ > state.seq:
            if state.seq and ok.first > state.seq + 1:
                self._listener.heard_gap(state.seq + 1, ok.first - 1)
            self._early = (ok.from_, h)
            self._early_back = self._saved()
            return True
        if self.is_head_unknown:
            self.is_head_unknown = False
            self._begin_late(state.seq, h)
        if h != state.h:
            raise self._stop("history", "the server's history is not the one it showed before")
        if not state.seq:
            self._begin_at(0, h)
        self._check_caught_up()
        return True

    def disconnected(self) -> None:
        """The connection ended; the cursor stays."""
        self.is_caught_up = False
        self.history.disconnected()
        if self._early is not None:
            self._restore(self._early_back)
            self._early = None

    # -- what PRIVATE rooms add to (`client.private_following`) -----------------------------------

    def _saved(self) -> bytes:
        """Return what `_restore` needs to go back to this place."""
        return pack(self.state)

    def _restore(self, saved: bytes) -> None:
        self.state = unpack(saved)

    def _before_control(self, entry: Entry, seq: int, body: Body) -> None:
        """A control entry with verdict OK is about to be applied, in its place in the chain."""
        self._checkpoints.append((self.state.seq, pack(self.state)))
        if len(self._checkpoints) > MAX_CHECKPOINTS:
            self._back_to = self._checkpoints.pop(0)[0] + 1

    def _take_early_control(self, entry: Entry, seq: int, time_ms: int, raw: bytes) -> Verdict:
        return self.state.apply_early_control(seq, time_ms, raw)

    def _check_invalid(self, entry: Entry, seq: int, verdict: Verdict) -> None:
        """What is not OK is still the word of who signed it: its head tells what he was shown of the log.

        Where entries were dropped, those behind them name heads that are not before them: BAD, and a fork.
        """
        is_ahead = entry.head_seq >= seq > 1
        if verdict is Verdict.BAD_SIG or (verdict is Verdict.BAD and not (is_ahead and self.state.is_signed(entry))):
            return
        self._check_head(entry, seq)

    def _may_go_back(self, cut: int) -> bool:
        return self._back_to <= cut

    # -- the log ------------------------------------------------------------------------------

    def logged(self, seq: int, time_ms: int, raw: bytes) -> None:
        """Take the next entry, or a control entry from before a late beginning.

        Raises:
            Malformed: it is neither.
            SecurityAlarm: the history is not the one that was promised.
        """
        if (self._early is not None or seq != self.state.seq + 1) and not self._is_next(seq, time_ms, raw):
            return
        state = self.state
        h = link(state.h, seq, time_ms, raw)
        try:
            entry = parse(raw)
        except Malformed:
            self._refuse(seq, time_ms, h, Verdict.BAD)
            return
        verdict = state.judge(entry, time_ms=time_ms, check_signature=self._must_verify(raw))
        if state.is_late and verdict is Verdict.OK and entry.type == EntryType.MESSAGE:
            verdict = self._judge_late(entry, seq)
        if self._restart_due is not None:
            self._check_restart(entry, seq, verdict)
        if verdict is not Verdict.OK:
            self._check_invalid(entry, seq, verdict)
            self._refuse(seq, time_ms, h, verdict)
            return
        self._check_head(entry, seq)
        if entry.is_control:
            self._control(entry, seq, time_ms, h)
        else:
            state.apply_judged(entry, seq, time_ms, h)
            self._listener.heard_message(seq, time_ms, entry)
        self._passed(seq, h)

    def _must_verify(self, raw: bytes) -> bool:
        if raw in self.verified:
            self.verified.discard(raw)
            return False
        return True

    def _is_next(self, seq: int, time_ms: int, raw: bytes) -> bool:
        if self._early is not None:
            if seq <= self._early[0]:
                self._take_early(seq, time_ms, raw)
                return False
            self._begin()
        if seq != self.state.seq + 1:
            raise Malformed(f"log entry {seq} where {self.state.seq + 1} was to follow")
        return True

    def _wrong_room(self) -> str:
        kind = "an open room of this server" if self.state.kind is Kind.OPEN else "a private room"
        return f"the room does not begin as {kind}"

    def _refuse(self, seq: int, time_ms: int, h: bytes, verdict: Verdict) -> None:
        if seq == 1:
            raise self._stop("room", self._wrong_room())
        self.state.advance(seq, time_ms, h)
        self.history.refused.add(seq)
        self._listener.heard_invalid(seq, verdict)
        self._passed(seq, h)

    def _passed(self, seq: int, h: bytes) -> None:
        self._window.put(seq, h)
        self.history.passed(seq, h)
        if not self.is_caught_up:
            self._check_caught_up()

    def _check_caught_up(self) -> None:
        # After going back the head is reached only with the restart entry, which voids what was lost.
        if not self.is_caught_up and self._restart_due is None and self.head[0] >= self._target:
            if not self._is_as_seen():
                return
            self.is_caught_up = self.was_caught_up = True
            self._listener.is_at_head()

    def _is_as_seen(self) -> bool:
        """Compare with what an earlier program saw: a log that came from a backup must say so by a restart entry."""
        if self._seen is None:
            return True
        (seq, h), self._seen = self._seen, None
        if seq <= self.head[0] and self._window.at(seq) in (None, h):
            return True
        cut = min((restart for restart in self._restarts if restart <= seq), default=None)
        if cut is None:
            self._stop("history", "the server's log is not the one that was seen before, and no restart entry says why")
            return False
        self._listener.heard_old_loss(seq - cut + 1, cut - 1)
        return True

    def _check_head(self, entry: Entry, seq: int) -> None:
        """Raise the alarm, once, if whoever signed `entry` was shown another log than this client."""
        known = self._window.at(entry.head_seq) if entry.head_seq < seq else ZERO_32
        if known is None or entry.type == EntryType.GENESIS or self.evidence is not None:
            return
        if known == entry.head_hash and entry.head_seq < seq:
            return
        self.evidence = Evidence(self.state.room_id, seq, entry.raw, entry.head_seq, known)
        sentence = (
            f"the server shows different people different histories of {self.name!r}: entry {seq}, "
            f"by {tag_of(entry.sender)}, knows another entry {entry.head_seq} than this client"
        )
        hint = "nothing is sent in this room any more; compare with the others by another way"
        self._listener.heard_alarm(SecurityAlarm("fork", sentence, hint=hint))

    def _judge_late(self, entry: Entry, seq: int) -> Verdict:
        # Of a session whose entries were skipped, n > the last one seen is enough; the state knows them no more.
        if entry.n <= self._early_last.get((entry.sender, entry.session), -1):
            return Verdict.REPLAY
        self.history.saw_first(entry, seq)
        return Verdict.OK

    def _control(self, entry: Entry, seq: int, time_ms: int, h: bytes) -> None:
        body = parse_body(entry)
        self._before_control(entry, seq, body)
        self.state.apply_judged(entry, seq, time_ms, h)
        self._tell_control(entry, seq, body, early=False)

    def _tell_control(self, entry: Entry, seq: int, body: Body, *, early: bool) -> None:
        if isinstance(body, Epoch):
            self.history.new_epoch(seq, body.e)
        if isinstance(body, Genesis) and self.state.kind is Kind.OPEN and body.name != self.name:
            raise self._stop("room", f"the server gave the room {body.name!r} for {self.name!r}")
        if entry.type == EntryType.RESTART:
            self._restarts.append(seq)
        self._listener.heard_control(seq, entry, body, early=early)

    # -- coming late --------------------------------------------------------------------------

    def _take_early(self, seq: int, time_ms: int, raw: bytes) -> None:
        try:
            entry = parse(raw)
        except Malformed:
            entry = None
        if entry is None or not entry.is_control or seq <= self.state.seq:
            raise Malformed(f"log entry {seq} before the beginning, which is no control entry in its order")
        verdict = self._take_early_control(entry, seq, time_ms, raw)
        if self._restart_due is not None:
            self._check_restart(entry, seq, verdict)
        if seq == 1 and verdict is not Verdict.OK:
            raise self._stop("room", self._wrong_room())
        if verdict is Verdict.OK:
            self._tell_control(entry, seq, parse_body(entry), early=True)
        else:
            self._check_invalid(entry, seq, verdict)

    def assume_early_end(self) -> None:
        """Go on although nothing follows `from`, if nothing needs to: it was the head already.

        Nothing marks the end of the early control entries then. The caller knows it by the grant of this
        connection, which holds the current epoch's key: once that epoch's entry was applied, sealing is right.
        """
        if self._early is not None and self._early[0] >= self._target and not self.is_caught_up:
            self.history.begins(*self._early)
            self._listener.skipped_to(self._early[0])
            self._check_caught_up()

    def _begin(self) -> None:
        """All control entries up to `from` are applied: go on after it with the server's h."""
        assert self._early is not None
        seq, h = self._early
        if self.state.auth == ZERO_32:
            raise self._stop("room", "the server withholds the beginning of the room")
        self._early = None
        self._begin_late(seq, h)
        self._listener.skipped_to(seq)

    def _begin_late(self, seq: int, h: bytes) -> None:
        # What was seen before an earlier skip counts too, unless an epoch or restart entry ended those numbers.
        self._early_last = (self._early_last if self.state.is_late else {}) | self.state.last
        self.state.begin_at(seq, h)
        self.state.last = {}
        self._begin_at(seq, h)

    def _begin_at(self, seq: int, h: bytes) -> None:
        self._checkpoints.clear()
        self._back_to = seq
        self._window.put(seq, h)
        self.history.begins(seq, h)

    # -- restarts -----------------------------------------------------------------------------

    def _go_back(self, cut: int) -> None:
        """The server's log lost its end: go back to `cut`, the head that a restart entry names.

        If this client's own chain value there is another one, an older restart may explain that: `sub` from `cut`
        makes the server name it. As `cut` must descend, a server without one ends in the alarm.
        """
        had, mine = self.state.seq, self._window.at(cut)
        if mine is None or not cut < had or not self._may_go_back(cut):
            raise self._stop("history", "the server changed its history, and its restart entry does not explain it")
        later = [packed for seq, packed in self._checkpoints if seq >= cut]
        self._checkpoints = [pair for pair in self._checkpoints if pair[0] < cut]
        if later:
            self.state = unpack(later[0])
        # Numbers from after the cut are still in it; the restart entry, which must follow, clears them.
        self.state.seq, self.state.h = cut, mine
        self._window.cut(cut)
        self.history.cut(cut)
        self._restart_due = cut + 1
        self._lost += had - cut
        self.has_lost = True

    def _check_restart(self, entry: Entry, seq: int, verdict: Verdict) -> None:
        is_due = seq == self._restart_due and entry.type == EntryType.RESTART and verdict is Verdict.OK
        if not is_due or entry.head_hash != self._window.at(seq - 1):
            raise self._stop("history", "the server changed its history, and no restart entry of its says so")
        lost, self._lost, self._restart_due = self._lost, 0, None
        self._listener.heard_loss(lost, seq - 1)

    def _stop(self, kind: str, sentence: str) -> SecurityAlarm:
        alarm = SecurityAlarm(kind, sentence, hint=_STOPPED)
        self._listener.heard_alarm(alarm)
        return alarm
