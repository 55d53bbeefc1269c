"""One room over any number of connections: what is told, asked and sent.

Takes what the server says about the room and returns nothing: what people are to be told gathers in
`events`, what the server is to be asked in `requests`, and `flush` returns what is to be sent. The
place in the log is `following`'s; this module joins it with keys, people and the outbox. Pure.
Source: docs/protocol.md, "Exactly once" and "Connection".
"""

from __future__ import annotations

from typing import assert_never

from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.client.conversation.kinds import Card, Seen, Typing, read_hint
from sendall.client.following import Following
from sendall.client.history import PageRead
from sendall.client.items import Place
from sendall.client.keys import EpochKeys
from sendall.client.outbox import Outbox
from sendall.client.people import People
from sendall.client.reading import Reader
from sendall.client.signals import Signals
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.errors import Code, Refused, SecurityAlarm
from sendall.protocol import frames as f
from sendall.protocol.bodies import Body, Epoch, Restart, RoleChange
from sendall.protocol.entry import ZERO_32, Entry, EntryType, Kind, Role
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict

_FORGET = "ask whoever runs the server; if it was set up anew, `sendall forget` its address"
WANT_EVERY_S = 5.0
"""Seconds between two requests for a missing key."""


class RoomFollower:
    """One room, from its first subscription to the end of the program."""

    kind = Kind.OPEN

    def __init__(
        self,
        name: str,
        *,
        server_pk: bytes,
        identity: Identity,
        rsa: RsaKey,
        outbox: Outbox,
        nick: str,
        beginning: Beginning,
        room_id: bytes | None = None,
        seen: tuple[int, bytes] | None = None,
        create: bool = True,
    ) -> None:
        """`room_id` is what this name was pinned to; None: never met, taken from the server and to be pinned.

        `seen` is the last (seq, h) of it that an earlier program of this user had.
        """
        self.name = name
        self.outbox = outbox
        self.people = People(identity.pk)
        self.signals = Signals(identity, nick)
        self.events: list[ev.Event] = []
        self.requests: list[f.FromClient] = []
        self.pages: list[PageRead] = []
        self.alarm: SecurityAlarm | None = None
        """Set once; from then on nothing is sent."""
        self.rid: int | None = None
        """The server process's number for the room; None while not subscribed."""
        self._server_pk = server_pk
        self._identity = identity
        self._rsa = rsa
        self._beginning = beginning
        self._create = create
        self._is_pinned = room_id is not None
        self._was_told_of_loss = False
        self._kept: int | None = None  # the last seq that an earlier program saw and the server still has
        self._want_at = 0.0
        self._meet(room_id or ZERO_32, seen)

    def _meet(self, room_id: bytes, seen: tuple[int, bytes] | None = None) -> None:
        self.keys = EpochKeys(room_id, self._identity.pk, self._rsa)
        self.log = Following(self.name, RoomState(room_id, self._server_pk), self, seen)
        self._reader = Reader(self.name, room_id, self.keys, self.outbox.sessions, self.events)

    @property
    def room_id(self) -> bytes:
        return self.log.state.room_id

    @property
    def is_founded(self) -> bool:
        """Whether the room's genesis was read, and so its identity and name are sure."""
        return self.log.state.auth != ZERO_32

    @property
    def seen(self) -> tuple[int, bytes] | None:
        """The (seq, h) up to which the log was followed; None before that, and after an alarm."""
        return self.log.head if self.log.was_caught_up and self.alarm is None else None

    why_gone: Refused | None = None
    """Why this identity is not in the room (any more); only PRIVATE rooms tell."""

    @property
    def is_settled(self) -> bool:
        """Whether a program that joins may go on with the room."""
        return self.rid is not None

    @property
    def is_alive(self) -> bool:
        """Whether the room can be followed: not after an alarm about its identity or its history."""
        return self.alarm is None or self.alarm.kind == "fork"

    @property
    def evidence(self) -> ev.Evidence | None:
        """What raised a fork alarm."""
        return self.log.evidence

    def take_events(self) -> list[ev.Event]:
        """Return what is to be told since the last call."""
        told = self.events[:]
        self.events.clear()
        return told

    # -- subscribing --------------------------------------------------------------------------

    def sub(self, q: int) -> f.Sub | f.Make:
        """Return the request that begins following, or goes on with it."""
        state = self.log.state
        if state.seq:
            return f.Sub(q=q, name=self.name, after=state.seq, h=f.B64(state.h))
        tail, since_ms, start = self._beginning.asked(self.outbox.start)
        return f.Sub(q=q, name=self.name, after=0, tail=tail, since_ms=since_ms, start=start, create=self._create)

    def subscribed(self, ok: f.SubOk, now: float) -> bool:
        """Take the answer to `sub`; False: the room went back to where a restart cut it, `sub` again.

        Raises:
            Malformed: it contradicts itself or the request.
            SecurityAlarm: another room under this name (`room`), or another history (`history`).
        """
        if ok.room != self.room_id:
            if self._is_pinned:
                alarm = SecurityAlarm("room", f"{self.name!r} is another room than it was on this server", hint=_FORGET)
                self.heard_alarm(alarm)
                raise alarm
            self._meet(bytes(ok.room))
            self._is_pinned = True
        if not self.log.state.seq:
            self._reader.show_from, self._reader.show_since_ms = self._beginning.shown(ok.last)
        if not self.log.subscribed(ok):
            self.keys.forget_after(self.log.state.epoch)
            self._reader.forget_after(self.log.state.seq)
            return False
        self.rid = ok.rid
        self._want_at = now + WANT_EVERY_S
        self.signals.card_due = True
        return True

    @property
    def is_reading_many(self) -> bool:
        """Whether many control entries may be on their way, whose signatures are worth verifying ahead."""
        return False

    @property
    def has_more(self) -> bool:
        """Whether `flush` kept something back only so that one turn does not take too long."""
        return False

    def subscribes_again(self) -> bool:
        """Whether what the server tells this client changes in kind, which takes a new `sub`."""
        return False

    def could_not_join(self, refused: Refused) -> None:
        """The server declined `sub`. That a room is gone which was followed before is an alarm."""
        if refused.code is Code.UNKNOWN_ROOM and self.log.state.seq:
            self.heard_alarm(SecurityAlarm("history", f"the server knows the room {self.name!r} no more", hint=_FORGET))

    def disconnected(self) -> None:
        """The connection ended; the cursor, the keys and what is open stay."""
        self.rid = None
        self.requests.clear()
        self.signals.clear()
        self.log.disconnected()
        self.outbox.disconnected()
        self.keys.disconnected()
        self.people.disconnected()

    # -- the log ------------------------------------------------------------------------------

    def logged(self, seq: int, time_ms: int, raw: bytes) -> None:
        """Take a log entry. Raises Malformed, SecurityAlarm: see `Following.logged`."""
        log = self.log
        if not log.history.expects(seq):
            log.logged(seq, time_ms, raw)
        elif log.history.take(seq, time_ms, raw):
            self._finish_page()

    def heard_message(self, seq: int, time_ms: int, entry: Entry) -> None:
        if entry.sender == self._identity.pk:
            self.outbox.came_back(entry, seq, time_ms)
        self._reader.take(seq, time_ms, entry)

    def heard_control(self, seq: int, entry: Entry, body: Body, *, early: bool) -> None:
        match body:
            case Epoch():
                self._reader.epoch_passed()
                if self.keys.committed(body.e, body.commit):
                    self._keys_came([body.e])
                self.signals.card_due = True
                if not early:
                    self.outbox.epoch_passed(body.e)
            case RoleChange() if not early and self.kind is Kind.OPEN:
                self.events.append(ev.Notice(seq, self._role_sentence(body)))
            case Restart() if not early:
                self.outbox.restarted(seq, went_back=self._was_told_of_loss)
                if self._was_told_of_loss:
                    self.outbox.lost_behind(seq - 1)
                self.signals.card_due = True
                if not self._was_told_of_loss:
                    self.events.append(ev.Notice(seq, "the server restarted without its newest entries"))
                self._was_told_of_loss = False
            case _:
                pass
        if early:
            self._check_early_end()

    def heard_invalid(self, seq: int, verdict: Verdict) -> None:
        self.events.append(ev.Unreadable(seq, f"not a valid entry of the room ({verdict.value})"))

    def heard_loss(self, count: int, kept: int) -> None:
        self._was_told_of_loss = True
        self.events.append(ev.ServerLost(count, kept))

    def heard_old_loss(self, count: int, kept: int) -> None:
        self._kept = kept
        self.events.append(ev.ServerLost(count, kept, was_before=True))

    def heard_alarm(self, alarm: SecurityAlarm) -> None:
        self.alarm = alarm
        self.events.append(ev.Alarm(alarm))

    def heard_gap(self, first: int, last: int) -> None:
        self.events.append(ev.Notice(last, f"entries {first} to {last} were deleted before they were read here"))

    def skipped_to(self, seq: int) -> None:
        self.outbox.skipped(seq, self.log.state.epoch, self.log.state.floor)

    def is_at_head(self) -> None:
        self.outbox.void_lost_heads(self.log.head[0], self.log.h_at)
        if self._kept is not None:
            self.outbox.lost_behind(self._kept)
            self._kept = None
        self.outbox.caught_up()

    def _check_early_end(self) -> None:
        epoch = self.log.state.epoch
        if epoch and self.keys.newest_granted == epoch and self.keys.key(epoch) is not None:
            self.log.assume_early_end()

    def _role_sentence(self, body: RoleChange) -> str:
        may = {Role.READER: "may only read", Role.BANNED: "is banned"}.get(body.role, "may write")
        if body.id_pk == ZERO_32:
            return f"whoever has no role of their own {may}"
        return f"{self.people.nicks.get(body.id_pk, ev.NO_NICK)} ({ev.tag_of(body.id_pk)}) {may}"

    # -- keys, people, refusals, pages ----------------------------------------------------------

    def wanted(self, frame: f.Want, now: float) -> None:
        """The server says that a member lacks the key: nobody's concern in an OPEN room."""

    def granted(self, recipient: bytes, grant: bytes) -> None:
        """Take a grant: keys count once their commitment was read. In an OPEN room all that come are ours."""
        self._keys_came(self.keys.take_grant(grant))
        self._check_early_end()

    def _keys_came(self, epochs: list[int]) -> None:
        self._reader.release()
        self._tell_signals(self._reader.release_signals(self.log.state.epoch))
        if epochs and self.rid is not None:
            self.requests.append(f.Have(rid=self.rid, e=max(epochs)))

    def shown(self, raw: bytes) -> None:
        """Take a signal or card."""
        self._tell_signals(self._reader.signals(raw, self.log.state.epoch))

    def _tell_signals(self, signals: list[ev.Signal]) -> None:
        for signal in signals:
            sender, nick = signal.sender, self.people.nicks.get(signal.sender, ev.NO_NICK)
            match read_hint(signal.content):
                case Card() as card:
                    self.events += self.people.card(sender, card)
                case Typing(is_over):
                    self.events.append(ev.Typing(sender, nick, is_over))
                case Seen(seq):
                    self.events.append(ev.SeenUpTo(sender, nick, seq))
                case None:
                    self.events.append(ev.Signal(sender, nick, signal.content))
                case never:
                    assert_never(never)

    def present(self, frame: f.Present, now: float) -> None:
        self.events += self.people.present(frame, now)

    def refused(self, frame: f.RefusedFrame, now: float) -> None:
        """Take a refusal: a hint. Those of signals and cards tell nothing."""
        if frame.type == EntryType.MESSAGE:
            slower_s = self.outbox.refused(bytes(frame.session), frame.n, frame.code, frame.retry_ms, now)
            if slower_s is not None:
                self.events.append(ev.SlowDown(slower_s))

    @property
    def can_page(self) -> bool:
        """Whether a page can be asked for now: not before the beginning was read, nor while one is under way."""
        return self.rid is not None and self.log.has_begun and not self.log.history.is_asked

    def ask_page(self, q: int, before: int, limit: int) -> bool:
        """Ask for a page of entries before seq `before`, for `pages`; False if there can be none now."""
        if not self.can_page or self.rid is None:
            return False
        read = self.log.history.ask(q, self.rid, before, limit, self.log.h_at(before - 1))
        if read is not None:
            self.requests.append(read)
        return read is not None

    def paged(self, frame: f.Page) -> None:
        """Take the head of a page. Raises Malformed: it was not asked for."""
        self.log.history.page(frame)

    def could_not_page(self, q: int, refused: Refused) -> None:
        """The server declined request `q`, if it was for a page of this room."""
        if self.log.history.declined(q):
            self.pages.append(PageRead(q, 0, [], refused))

    def _finish_page(self) -> None:
        try:
            self.pages.append(self.log.history.finish(self._reader))
        except SecurityAlarm as alarm:
            self.heard_alarm(alarm)
            raise

    def tick(self, now: float) -> None:
        """About once a second."""
        self.events += self.people.tick(now)
        if self.rid is not None and now >= self._want_at and self.keys.key(self.log.state.epoch) is None:
            self._want_at = now + WANT_EVERY_S
            self.requests.append(f.Want(rid=self.rid))

    # -- sending ------------------------------------------------------------------------------

    def place(self) -> Place | None:
        """Return what a new entry is sealed with; None while nothing may be sent."""
        epoch = self.log.state.epoch
        key = self.keys.key(epoch)
        if not self.log.is_caught_up or self.alarm is not None or key is None or self.keys.newest_granted > epoch:
            return None
        return Place(*self.log.head, epoch, key)

    def flush(self, now: float) -> list[bytes]:
        """Return the binary frames to send now, in order; what is new in them is on disk."""
        rid, place = self.rid, self.place()
        if rid is None or place is None:
            return []
        out = self.signals.flush(rid, place, self.room_id, self.outbox.session)
        return out + [f.post_frame(rid, entry) for entry in self.outbox.flush(place, self.room_id, now)]
