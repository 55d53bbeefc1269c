"""A connection at the relay: a session, a wire, and the rooms it is in.

Turns what the session makes of frames into calls of the relay, and posts into verdicts. This is the
per-message path: a header is parsed, its sender compared, budgets and numbers checked, nothing is
opened. Synchronous; implements `wire.Conversation`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from sendall.errors import CloseCode, Code, LogError, Malformed
from sendall.protocol import frames as f
from sendall.protocol.chunks import binary_message, text_message
from sendall.protocol.entry import MAX_ENTRY, Entry, EntryType, parse
from sendall.protocol.turns import State
from sendall.server.admission import Bucket, spend_all
from sendall.server.delivery import NEVER, Reader
from sendall.server.private_room import FROM_MEMBERS, PrivateRoom
from sendall.server.reading import Pruned
from sendall.server.room import Refusal, Room, slow_down
from sendall.server.session import Asked, Close, Intent, Proven, Say, Session
from sendall.server.wire import Wire

if TYPE_CHECKING:
    from sendall.server.relay import Relay

log = logging.getLogger("sendall.server")

MAX_SIGNAL = 1024
"""Bytes of a signal or card: everybody present is written it at once."""
_MESSAGE, _SIGNAL = EntryType.MESSAGE, EntryType.SIGNAL  # bound once, as in protocol.room
TOO_BIG = Refusal(Code.TOO_BIG)
FULL = Refusal(Code.FULL, 2000)
FORBIDDEN = Refusal(Code.FORBIDDEN)


class Connection:
    """One client's connection, from its greeting to its end."""

    def __init__(self, relay: Relay, wire: Wire, session: Session, now: float) -> None:
        self.relay = relay
        self.wire = wire
        self.session = session
        self.id_pk = b""
        """The proven identity; empty before the proof."""
        self.modulus = b""
        self.rooms: dict[int, tuple[Room, Reader]] = {}
        """The rooms it is in, by rid."""
        self.listening: dict[int, tuple[PrivateRoom, Reader]] = {}
        """Where it is not, and only listens: to control entries, or to the last entries it has a right to."""
        self.is_stalled = False
        """Whether the transport takes nothing more for the moment."""
        self.is_closed = False
        self._held_by: set[Room] = set()
        self._progress_at = now
        self._unsent = 0
        limits = relay.settings.limits
        self._signals = Bucket(limits.signal_rate, limits.signal_rate * 2, now)
        self._controls = Bucket(limits.control_rate, limits.control_rate * 10, now)
        self._grants = Bucket(limits.grant_rate, limits.grant_rate * 10, now)
        self._address_bucket: Bucket | None = None
        self._member_bucket: Bucket | None = None
        self.say(session.greet().frame)

    # -- told by the shell ----------------------------------------------------------------------

    def text(self, data: bytes, now: float) -> None:
        try:
            self._carry_out(self.session.text(data, now), now)
        except LogError as error:
            self.end_unserved(error)

    def binary(self, data: bytes, now: float) -> None:
        if not self.session.may_post(now):
            self.end(CloseCode.MALFORMED, "an entry before the handshake was done")
            return
        try:
            for frame in f.client_frames(data):
                held = self.rooms.get(frame.rid)
                if isinstance(frame, f.GrantFrame):
                    self._take_grant(frame, now)
                elif held is None:
                    self._post_from_outside(frame, now)
                elif frame.kind == f.POST:
                    self._post(held[0], frame, now)
                else:
                    self._keep_card(held[0], frame.entry, now)
        except Malformed as error:
            self.end(CloseCode.MALFORMED, str(error))
        except LogError as error:
            self.end_unserved(error)

    def paused(self) -> None:
        self.is_stalled = True
        self._unsent = self.wire.unsent_bytes()
        self._progress_at = self.relay.clock()
        # Who does not read is not read from: its requests would pile up our answers.
        self.wire.pause_reading()
        for reader in self._readers():
            reader.audience.fall_behind(reader)

    def drained(self) -> None:
        self.is_stalled = False
        now = self.relay.clock()
        self.session.heard = now
        if not self._held_by:
            self.wire.resume_reading()
        for reader in self._readers():
            reader.has_room = True
            reader.alive_at = now
        for room, reader in [*self.rooms.values(), *self.listening.values()]:
            if reader.wants_grant:
                self.relay.grants.put(self, room)
            self.pull(room, reader)
            self.relay.release(room, now)

    def hold(self, room: Room) -> None:
        """Read nothing more from this client until `unhold`: its room cannot keep up."""
        self._held_by.add(room)
        self.wire.pause_reading()

    def unhold(self, room: Room) -> None:
        self._held_by.discard(room)
        self.session.heard = self.relay.clock()
        if not self.is_stalled and not self._held_by:
            self.wire.resume_reading()

    def tick(self, now: float) -> None:
        if self.is_closed:
            return
        if self.is_stalled:
            self._look_for_progress(now)
        elif not self._held_by:  # whom we do not read from, we cannot hear
            self._carry_out(self.session.tick(now), now)

    def _look_for_progress(self, now: float) -> None:
        unsent = self.wire.unsent_bytes()
        if unsent < self._unsent:
            self._unsent = unsent
            self._progress_at = now
        elif now - self._progress_at > self.relay.settings.limits.stall_s:
            self.end(CloseCode.TOO_SLOW, "no progress in reading; come back and resume")

    def closed(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.session.state = State.CLOSED
        self._leave_all()
        self.relay.forget(self)

    # -- doing ----------------------------------------------------------------------------------

    def say(self, frame: f.FromServer) -> None:
        if not self.is_closed:
            self.wire.write(text_message(f.encode(frame)))

    def fail(self, q: int, code: Code, text: str) -> None:
        """Answer the request `q` with an error."""
        self.say(f.ErrorFrame(q=q, code=code, text=text))

    def end(self, code: CloseCode, reason: str) -> None:
        """Close the connection with `code`; repeated calls do nothing."""
        if self.is_closed:
            return
        self.is_closed = True
        self.session.state = State.CLOSED
        if code is CloseCode.MALFORMED:
            log.info("x %s broke the protocol: %s", self.wire.peer.address, reason)
        # Readers hold the transport's own write: nothing may follow the close frame.
        self._leave_all()
        self.wire.close(code, reason.encode()[:120].decode(errors="ignore"))

    def end_unserved(self, error: LogError) -> None:
        """Close the connection because what it asked for cannot be read."""
        log.error("! %s cannot be served: %s", self.wire.peer.address, error)
        self.end(CloseCode.GOING_AWAY, "the server cannot read its log; its operator sees why")

    def enter(self, room: Room, cursor: int, *, early: int) -> Reader:
        """Be in a room: everything after `cursor` follows, up to `early` the control entries only."""
        reader = Reader(room.audience, self.wire.write, cursor, self.relay.clock(), early=early)
        reader.has_room = not self.is_stalled
        self.rooms[room.rid] = (room, reader)
        room.enter(self, reader)
        return reader

    def watch(self, room: PrivateRoom, cursor: int) -> Reader:
        """See the control entries of a room after `cursor`, and nothing else of it."""
        reader = Reader(room.watchers, self.wire.write, cursor, self.relay.clock(), early=NEVER)
        reader.has_room = not self.is_stalled
        self.listening[room.rid] = (room, reader)
        room.watch(self, reader)
        return reader

    def leave(self, rid: int) -> None:
        """Neither be in that room nor listen to it any more; elsewhere, this changes nothing."""
        if rid in self.rooms:
            room, reader = self.rooms.pop(rid)
            room.leave(self)
            self._end_reader(room, reader)
        elif rid in self.listening:
            room, reader = self.listening.pop(rid)
            room.watch_no_more(self)
            self._end_reader(room, reader)

    def _end_reader(self, room: Room, reader: Reader) -> None:
        reader.audience.remove(reader)
        self.relay.touch(room)

    def dismiss(self, room: PrivateRoom, reader: Reader, seq: int) -> None:
        """The entry at `seq` removes this identity: what the reader lacks up to it still comes, then nothing more."""
        reader.limit = seq
        if room.rid in self.rooms:
            del self.rooms[room.rid]
            self.listening[room.rid] = (room, reader)
            room.leave(self)
        if reader.is_current or reader.is_done:
            self.leave(room.rid)
        self.relay.touch(room)

    def is_at(self, rid: int) -> bool:
        """Whether it is in that room, or listens to it."""
        return rid in self.rooms or rid in self.listening

    @property
    def places(self) -> int:
        """How many rooms it is in or listens to."""
        return len(self.rooms) + len(self.listening)

    def _readers(self) -> list[Reader]:
        return [reader for _, reader in (*self.rooms.values(), *self.listening.values())]

    def _leave_all(self) -> None:
        for rid in (*self.rooms, *self.listening):
            self.leave(rid)

    def pull(self, room: Room, reader: Reader) -> None:
        """Give a LAGGING reader what its transport takes; goes on in later turns if that is much."""
        try:
            if reader.audience.pull(reader):
                self.relay.later(lambda: self.pull(room, reader))
                return
        except Pruned:
            self.end(CloseCode.TOO_SLOW, "retention passed this reader; come back and resume")
            return
        except LogError as error:
            self.end_unserved(error)
            return
        if reader.is_done:
            self.leave(room.rid)
        elif reader.is_current and reader.missed:
            reader.missed = False
            self._tell_who_is_here(room)
        if reader.wants_grant and reader.has_room and not reader.is_early:
            self.relay.grants.put(self, room)

    def _tell_who_is_here(self, room: Room) -> None:
        if room.rid not in self.rooms:
            self.say(f.Present(rid=room.rid, count=room.presence.count))
            return
        self.say(room.presence.roster())
        if room.presence.is_small:
            for _, card in list(room.cards.values()):
                self.wire.write(card)

    def _carry_out(self, intents: list[Intent], now: float) -> None:
        for intent in intents:
            match intent:
                case Say(frame):
                    self.say(frame)
                case Close(code, reason):
                    self.end(code, reason)
                case Proven(id_pk, modulus):
                    self.id_pk, self.modulus = id_pk, modulus
                    self._member_bucket, self._address_bucket = self.relay.buckets_of(self, now)
                    log.info("= %s is %s", self.wire.peer.address, id_pk.hex()[:8])
                case Asked(frame):
                    self.relay.asked(self, frame, now)
                case never:
                    assert_never(never)

    def _post(self, room: Room, post: f.Post, now: float) -> None:
        raw = post.entry
        if len(raw) > MAX_ENTRY:
            self._refuse(room, parse(raw[:MAX_ENTRY]), TOO_BIG)
            return
        entry = parse(raw)
        if entry.type == _MESSAGE:
            self._post_message(room, entry, post.run, now)
        elif entry.type == _SIGNAL:
            if self._may_signal(room, entry, now):
                room.audience.tell(binary_message(f.shown_frame(room.rid, raw)))
        else:
            self._post_control(room, entry, now)

    def _post_message(self, room: Room, entry: Entry, run: Sequence[bytes], now: float) -> None:
        refusal = self._judge(entry, now) or room.judge_post(entry, now)
        if refusal is None:
            room.accept(entry, self.relay.wall_ms())
            if run and spend_all((self._member_bucket, self._address_bucket, room.bucket), len(run), now):
                room.accept_run(entry, run, self.relay.wall_ms())
                run = ()
            self.relay.accepted(room, self, now)
        else:
            self._refuse(room, entry, refusal)
        for raw in run:
            self._post_message(room, parse(raw), (), now)

    def _post_from_outside(self, post: f.Post, now: float) -> None:
        """Take the join of whoever listens to a room; nothing else comes from outside."""
        room, _ = self.listening.get(post.rid, (None, None))
        is_join = post.kind == f.POST and post.entry[1] == EntryType.JOIN and len(post.entry) <= MAX_ENTRY
        if room is not None and is_join:
            self._post_control(room, parse(post.entry), now)
        else:
            # Left, removed or never entered: also the answer to a post that crossed an `unsub`.
            self.say(f.ErrorFrame(code=Code.NOT_MEMBER, text=f"not in the room of rid {post.rid}"))

    def _post_control(self, room: Room, entry: Entry, now: float) -> None:
        # One look at the clock: an invite must not expire between the verdict and the log.
        wall_ms = self.relay.wall_ms()
        refusal = self._judge(entry, now) or self._judge_control(room, entry, now, wall_ms)
        if refusal is not None:
            self._refuse(room, entry, refusal)
            return
        room.accept(entry, wall_ms)
        self.relay.accepted(room, self, now)

    def _judge_control(self, room: Room, entry: Entry, now: float, wall_ms: int) -> Refusal | None:
        if not isinstance(room, PrivateRoom) or entry.type not in FROM_MEMBERS:
            return FORBIDDEN
        wait = self._controls.spend(now)  # each costs a check of a signature, also if it is refused
        return slow_down(wait) if wait else room.judge_control(entry, now, wall_ms)

    def _judge(self, entry: Entry, now: float) -> Refusal | None:
        if entry.sender != self.id_pk:
            return FORBIDDEN
        for bucket in (self._member_bucket, self._address_bucket):
            if bucket is not None:
                wait = bucket.spend(now)
                if wait:
                    return slow_down(wait)
        return None if self.relay.is_writable else FULL

    def _take_grant(self, grant: f.GrantFrame, now: float) -> None:
        # A hint, as a signal is: what does not fit is dropped without a word; in an OPEN room nobody leaves any.
        room, _ = self.rooms.get(grant.rid, (None, None))
        if isinstance(room, PrivateRoom) and self.relay.is_writable and not self._grants.spend(now):
            room.take_grant(self.id_pk, grant.recipient, grant.grant, self.relay.wall_ms())
            self.relay.touch(room)

    def _refuse(self, room: Room, entry: Entry, refusal: Refusal) -> None:
        self.say(
            f.RefusedFrame(
                rid=room.rid,
                session=f.B64(entry.session),
                type=entry.type,
                n=entry.n,
                code=refusal.code,
                retry_ms=refusal.retry_ms,
            )
        )

    def _may_signal(self, room: Room, entry: Entry, now: float) -> bool:
        # A signal may always be lost: what does not fit is dropped without a word.
        return (
            entry.sender == self.id_pk
            and entry.epoch == room.state.epoch
            and room.admits(entry.sender)
            and len(entry.raw) <= MAX_SIGNAL
            and not self._signals.spend(now)
        )

    def _keep_card(self, room: Room, raw: bytes, now: float) -> None:
        entry = parse(raw)
        if entry.type != EntryType.SIGNAL or not self._may_signal(room, entry, now):
            return
        if not room.presence.is_small:
            return
        card = binary_message(f.shown_frame(room.rid, raw))
        room.cards[self.id_pk] = (self, card)
        room.audience.tell(card)
