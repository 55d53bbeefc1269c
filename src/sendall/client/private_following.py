"""A reader's place in the log of a PRIVATE room: what `client.following` does not ask of OPEN rooms.

No restart may take a control entry back; an authority entry must follow one that was valid; a newcomer
reads only control entries, without the chain, until it is a member. Keeps the chronicle. Pure.
Source: docs/protocol.md, "The one state machine".
"""

from __future__ import annotations

from sendall.client.chronicle import Chronicle, Past, SavedRoom, pack_room, unpack_room
from sendall.client.events import tag_of
from sendall.client.following import Following, Listener
from sendall.errors import Malformed
from sendall.protocol.bodies import AuthorityBody, Body, Epoch, parse_body
from sendall.protocol.entry import Entry, Kind
from sendall.protocol.frames import SubOk
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict

_UNDONE = "the server took back an entry that changed who is in the room or what they may do"
SAVED_TAIL = 1024
"""Chain values saved for the next program: a server that crashed has lost less than so many entries."""


class PrivateFollowing(Following):
    """One reader's place in one PRIVATE room's log."""

    def __init__(
        self,
        name: str,
        room_id: bytes,
        server_pk: bytes,
        listener: Listener,
        saved: SavedRoom | None = None,
        past: Past | None = None,
    ) -> None:
        """`saved`: where an earlier program stopped, to go on from there.

        `past`: up to where an earlier program saw control entries; if it is not gone on from there, these same
        entries must be met again.
        """
        saved = saved or SavedRoom(RoomState(room_id, server_pk, Kind.PRIVATE), Chronicle())
        state, self.chronicle = saved.state, saved.chronicle
        super().__init__(name, state, listener)
        self._past = past
        self.is_foyer = False
        """Whether only control entries come: this identity is no member yet."""
        self.is_foyer_read = False
        """Whether those came that there were when it was entered; from then on they are news."""
        self._was_head_unknown = False
        if state.seq:
            for seq, h in enumerate(saved.tail, state.seq - len(saved.tail)):
                self._window.put(seq, h)
            self._begin_at(state.seq, state.h)
            for seq, e, _ in self.chronicle.epochs:
                self.history.new_epoch(seq, e)
        self.history.may_show = self._was_members

    def _was_members(self, seq: int, entry: Entry) -> bool:
        return self.chronicle.was_member(entry.sender, seq)

    def save(self) -> tuple[int, bytes] | None:
        """Return (seq, what a later program goes on from); None while that is in doubt."""
        if not self.was_caught_up or self._early is not None or self.is_head_unknown or self._restart_due:
            return None
        return self.state.seq, pack_room(SavedRoom(self.state, self.chronicle, self._tail()))

    def _tail(self) -> tuple[bytes, ...]:
        """Return the chain values just before this place: no restart may go back beyond the last control entry."""
        tail: list[bytes] = []
        first = max(self.chronicle.past.seq, self.state.seq - SAVED_TAIL)
        for seq in range(self.state.seq - 1, first - 1, -1):
            h = self._window.at(seq)
            if h is None:
                break
            tail.append(h)
        return tuple(reversed(tail))

    # -- the foyer: newcomers ---------------------------------------------------------------------

    def enter_foyer(self, ok: SubOk) -> None:
        """Take the answer to a `sub` by an invite, or by the room of somebody who waits to be admitted.

        Control entries alone follow, before and after `from`, and the head stays there.

        Raises:
            Malformed: its numbers contradict each other.
        """
        if not self.state.seq <= ok.from_ <= ok.last:
            raise Malformed("a subok whose numbers contradict each other")
        self.is_foyer, self.is_foyer_read, self._target = True, False, ok.last
        self._early = (ok.from_, bytes(ok.h))
        self._early_back = self._saved()

    def foyer_was_read(self) -> None:
        """All control entries there were have come.

        Raises:
            SecurityAlarm: some that were shown before are missing.
        """
        if self._past is not None:
            raise self._stop("history", _UNDONE)
        self.is_foyer_read = True

    def leave_foyer(self) -> None:
        """Membership was granted: the next subok brings the chain value that belongs to this seq."""
        self.is_foyer, self.is_foyer_read, self._early, self.is_head_unknown = False, False, None, True

    def subscribed(self, ok: SubOk) -> bool:
        self._was_head_unknown = self.is_head_unknown
        if self.is_head_unknown and ok.from_ > self.state.seq:
            self.is_head_unknown = False  # further control entries come first, and then h
        return super().subscribed(ok)

    @property
    def progress(self) -> tuple[int, int] | None:
        """Up to which seq control entries were read on the way to the head, and the head; None once there."""
        return None if self.is_caught_up or not self._target else (self.state.seq, self._target)

    def disconnected(self) -> None:
        self.verified.clear()
        if self.is_foyer:
            self._early_back, self._was_head_unknown = b"", False
        if self._early is not None:
            self.is_head_unknown = self._was_head_unknown
        super().disconnected()
        self.is_foyer = self.is_foyer_read = False

    def _is_next(self, seq: int, time_ms: int, raw: bytes) -> bool:
        if self.is_foyer:
            self._take_early(seq, time_ms, raw)
            return False
        return super()._is_next(seq, time_ms, raw)

    # -- the chronicle ------------------------------------------------------------------------------

    def _saved(self) -> bytes:
        return pack_room(SavedRoom(self.state, self.chronicle))

    def _restore(self, saved: bytes) -> None:
        # What was shown once must be shown again: going back here is no way to take a removal back.
        if self._past is None or self._past.seq < self.chronicle.past.seq:
            self._past = self.chronicle.past
        if saved:
            self.state, self.chronicle, _ = unpack_room(saved)
        else:
            self.state = RoomState(self.state.room_id, self.state.server_pk, Kind.PRIVATE)
            self.chronicle = Chronicle()
        if self._past.seq <= self.chronicle.past.seq:
            self._past = None

    def _before_control(self, entry: Entry, seq: int, body: Body) -> None:
        self._note(entry, seq, body)

    def _take_early_control(self, entry: Entry, seq: int, time_ms: int, raw: bytes) -> Verdict:
        verdict = self.state.judge(entry, seq=seq, time_ms=time_ms, check_signature=self._must_verify(raw))
        if verdict is Verdict.OK:
            self._note(entry, seq, parse_body(entry))
        self.state.apply_early_judged(entry, seq, time_ms, verdict)
        return verdict

    def _tell_control(self, entry: Entry, seq: int, body: Body, *, early: bool) -> None:
        if isinstance(body, Epoch):
            self.chronicle.epoch_ms = self.state.now
        super()._tell_control(entry, seq, body, early=early)

    def _note(self, entry: Entry, seq: int, body: Body) -> None:
        self.chronicle.take(seq, entry, body, self.state)
        if self._past is not None and seq >= self._past.seq:
            if self.chronicle.past != self._past:
                raise self._stop("history", _UNDONE)
            self._past = None

    # -- what may not be ------------------------------------------------------------------------------

    def _check_caught_up(self) -> None:
        if self._past is not None and self.head[0] >= self._target:
            raise self._stop("history", _UNDONE)
        super()._check_caught_up()

    def _may_go_back(self, cut: int) -> bool:
        return self.chronicle.past.seq <= cut

    def _check_invalid(self, entry: Entry, seq: int, verdict: Verdict) -> None:
        """Raise the alarm if an honest member's entry shows that this client was not shown what that one was.

        An authority entry that follows none that was valid here, or an entry of an epoch that never began here.
        """
        super()._check_invalid(entry, seq, verdict)
        state = self.state
        if verdict in (Verdict.BAD, Verdict.BAD_SIG) or entry.sender not in state.membership.members:
            return
        body = parse_body(entry) if entry.is_control and state.membership.is_admin(entry.sender) else None
        follows = body.prev_auth if isinstance(body, AuthorityBody) else None
        is_known = follows is None or follows in self.chronicle.auths
        if is_known and entry.epoch <= state.epoch and not self._has_other_members(entry, body):
            return
        sentence = (
            f"entry {seq} of {self.name!r}, by {tag_of(entry.sender)}, follows a change of the room that the server "
            "did not show to this client"
        )
        raise self._stop("lineage", sentence)

    def _has_other_members(self, entry: Entry, body: Body | None) -> bool:
        """Whether an admin who had seen every control entry that was shown here counted other members than this client.

        A join, a leave or a rekey is hidden then; the members' key is a new one, so nothing may be sealed.
        """
        is_of_now = isinstance(body, Epoch) and entry.epoch == self.state.epoch and body.prev_auth == self.state.auth
        return is_of_now and self.chronicle.past.seq <= entry.head_seq
