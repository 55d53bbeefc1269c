"""One PRIVATE room over any number of connections: what `client.room` does, and membership and keys beside it.

A newcomer stands in the foyer: it reads control entries, checks its link against them, and joins. A
member reads all, hands out keys it holds, and, as an admin, sees to it that the room gets new ones. The
rules of the log are `private_following`'s, acts are `acts`', keys `ring`'s and `custody`'s. Pure.
Source: docs/protocol.md, "Rotation and joining".
"""

from __future__ import annotations

from sendall.client import acts as a
from sendall.client import events as ev
from sendall.client.acts import Acts
from sendall.client.beginning import Beginning
from sendall.client.chronicle import Past, SavedRoom, unpack_room
from sendall.client.conversation.kinds import Topic, content_of
from sendall.client.custody import Custody
from sendall.client.duties import Duties
from sendall.client.foyer import Door
from sendall.client.items import Place
from sendall.client.keys import write_content
from sendall.client.origin import Backfill, Means, Origin
from sendall.client.outbox import Outbox
from sendall.client.private_following import PrivateFollowing
from sendall.client.reading import Reader
from sendall.client.ring import Ring
from sendall.client.standing import Standing
from sendall.client.tidings import tiding
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.errors import Code, Refused, SecurityAlarm
from sendall.protocol import bodies as b
from sendall.protocol import frames as f
from sendall.protocol.entry import FIRST_CONTROL, ZERO_32, Entry

WANT_AFTER_S = 0.5
"""Seconds that a grant may take by itself before it is asked for."""
_NEW_LINK = "ask a member for a new link"
_ASK_ANOTHER_WAY = f"if nobody told you so, ask a member by another way; else {_NEW_LINK}"


class PrivateFollower(Standing):
    """A PRIVATE room, from its first subscription to the end of the program."""

    def __init__(
        self,
        name: str,
        *,
        server_pk: bytes,
        identity: Identity,
        outbox: Outbox,
        nick: str,
        beginning: Beginning,
        origin: Origin,
        means: Means,
    ) -> None:
        self.acts = Acts(identity, self._new_epoch_key)
        self.custody = Custody(identity.pk)
        self.duties = Duties(means.wall_ms)
        self.topic: str | None = None
        """What the room is called, as far as it is known."""
        self.is_out = False
        """Whether the log shows that this identity is a member no longer: more than the server's word."""
        self._origin = origin
        self._means = means
        self._has_begun = False
        self._backfill: Backfill | None = None
        self.names = {}
        self._had = 0
        # The epoch whose key this connection was said to have.
        self._is_at_door = False
        # Whether the server was asked for the control entries only, by the link.
        self._why_out: str | None = None
        # What ended the last membership that was read of.
        super().__init__(
            name,
            server_pk=server_pk,
            identity=identity,
            rsa=origin.wraps[-1],
            outbox=outbox,
            nick=nick,
            beginning=beginning,
            room_id=origin.room_id,
        )

    def _meet(self, room_id: bytes, seen: tuple[int, bytes] | None = None) -> None:
        origin = self._origin
        saved, past = self._resumed()
        self.keys = self.ring = Ring(
            room_id, self._identity.pk, origin.wraps, self._means.safe, origin.door and origin.door.keys
        )
        self.log = self.place_in_log = PrivateFollowing(self.name, room_id, self._server_pk, self, saved, past)
        self._reader = Reader(self.name, room_id, self.keys, self.outbox.sessions, self.events)
        for _, e, commit in self.chronicle.epochs:
            self.ring.committed(e, commit)
        self.duties.resumed(self.chronicle)
        if origin.door is not None and room_id != ZERO_32:
            for rsa in origin.wraps:
                self._means.safe.keep_wrap_key(room_id, rsa, self._means.wall_ms())

    def _resumed(self) -> tuple[SavedRoom | None, Past | None]:
        """Return the place to go on from, or what must be met again where all is read anew."""
        if self._origin.saved is None:
            return None, None
        saved = unpack_room(self._origin.saved)
        start = self.outbox.start
        if self._beginning.tail is None or (start is not None and start < saved.state.seq):
            return None, saved.chronicle.past
        return saved, None

    def take_backfill(self) -> Backfill | None:
        """Return, once, what is to be read before everything else; not before there are keys for it."""
        if self._backfill is None or not self.is_ready:
            return None
        backfill, self._backfill = self._backfill, None
        return backfill

    # -- subscribing --------------------------------------------------------------------------

    def sub(self, q: int) -> f.Sub | f.Make:
        origin, state = self._origin, self.log.state
        if not state.seq and origin.genesis is not None:
            return f.Make(q=q, genesis=f.B64(origin.genesis))
        door = None if self.is_member else origin.door
        self._is_at_door = door is not None
        if door is not None:
            return f.Sub(q=q, invite=f.B64(door.invite_hash), after=0)
        room = f.B64(self.room_id)
        if not state.seq:
            tail, since_ms, start = self._beginning.asked(self.outbox.start)
            return f.Sub(q=q, room=room, after=0, tail=tail, since_ms=since_ms, start=start)
        if self.place_in_log.is_head_unknown:
            return f.Sub(q=q, room=room, after=state.seq)
        tail = self._beginning.tail if self.outbox.start is None and not self.log.was_caught_up else None
        return f.Sub(q=q, room=room, after=state.seq, h=f.B64(state.h), tail=tail)

    def subscribed(self, ok: f.SubOk, now: float) -> bool:
        if ok.room != self.room_id and not self._is_pinned:
            self._meet(bytes(ok.room))
            self._is_pinned = True
        if self._is_at_door and ok.room == self.room_id:
            self.place_in_log.enter_foyer(ok)
            self.rid = ok.rid
            return True
        is_first = not self._has_begun
        if not super().subscribed(ok, now):
            return False
        self._has_begun = True
        self.duties.subscribed(now)
        self._want_at = now + WANT_AFTER_S
        if is_first and self.log.state.seq:
            first, since_ms = self._beginning.shown(ok.last)
            self._reader.show_from = first
            if not self.log.state.history:
                first = max(first, self.chronicle.first_seq_for(self.me))  # nobody has keys of older ones for us
            if first <= ok.from_:
                self._backfill = Backfill(max(first, 1), ok.from_, since_ms)
        return True

    def could_not_join(self, refused: Refused) -> None:
        super().could_not_join(refused)
        if refused.code is Code.NOT_MEMBER:
            has_left = self.acts.has_left()
            sentence = (
                f"you left {self.name!r}"
                if has_left
                else f"the server says that you are no member of {self.name!r} any more"
            )
            self._gone(sentence, _NEW_LINK if has_left else _ASK_ANOTHER_WAY)

    def disconnected(self) -> None:
        super().disconnected()
        self._had = 0
        self.acts.disconnected()
        self.custody.disconnected()
        self.duties.disconnected()

    # -- the log ------------------------------------------------------------------------------

    def heard_control(self, seq: int, entry: Entry, body: b.Body, *, early: bool) -> None:
        super().heard_control(seq, entry, body, early=early)
        own = self.acts.came_back(entry.raw, seq) if entry.sender == self.me else None
        self.acts.control_changed(self.log.state)
        self._see_to(seq, entry, body, is_own=own is not None)
        if not early:
            sentence = tiding(entry, body, self.membership, self.nick_of, self.me)
            if sentence:
                self.events.append(ev.Notice(seq, sentence))

    def _see_to(self, seq: int, entry: Entry, body: b.Body, *, is_own: bool) -> None:
        """Do what a control entry asks of this client: hand out keys, make new ones, go."""
        match body:
            case b.Genesis() if self._origin.genesis is not None:
                self.chronicle.is_knock = self._origin.knock
                self.acts.want(a.Rekey(self.ring.wraps[-1].modulus))
                self.acts.want(a.Rotate(0))
            case b.Epoch():
                if self.ring.key(body.e) is None and self.ring.look_in_safe(body.e):
                    self._keys_came([body.e])
                self.duties.epoch_began(self.log.state, is_news=self.log.is_caught_up)
                self.custody.epoch_began()
                if entry.sender == self.me:  # of an earlier program, perhaps, that ended before it gave the key to all
                    self.custody.owe_all(self.log.state)
                self.duties.topic_due = is_own or self.duties.topic_due
                if self.me in body.removed:
                    self._went_out(f"{self.nick_of(entry.sender)} removed you from {self.name!r}")
            case b.Invite() if entry.sender == self.me:
                self.custody.owe_door(body.invite_pk)
            case b.Admit() if body.id_pk == self.me:
                if self.place_in_log.is_foyer_read:
                    self.events.append(ev.Notice(seq, f"{self.nick_of(entry.sender)} let you in"))
            case b.Admit() if entry.sender == self.me:
                self.custody.owe_member(body.id_pk)
            case b.Leave() if entry.sender == self.me:
                self._went_out(f"you left {self.name!r}")
            case b.Leave():
                self.duties.somebody_left(self.log.state.epoch)
            case _:
                pass

    def is_at_head(self) -> None:
        super().is_at_head()
        if not self.is_member:
            self._went_out(self._why_out or f"you are no member of {self.name!r}")

    def _went_out(self, sentence: str) -> None:
        """This identity is out, unless that is an old story, and a later entry let it in again."""
        self._why_out = sentence
        if self.log.is_caught_up or self.place_in_log.is_foyer_read:
            self.is_out = True
            self._gone(sentence, _NEW_LINK)

    def _gone(self, sentence: str, hint: str, code: Code = Code.NOT_MEMBER) -> None:
        self.why_gone = Refused(code, sentence, hint=hint)
        self.events.append(ev.Removed(self.why_gone))

    def present(self, frame: f.Present, now: float) -> None:
        if self.place_in_log.is_foyer:
            self._at_the_door()
            return
        self.log.assume_early_end()
        super().present(frame, now)

    def _at_the_door(self) -> None:
        """All control entries there were have come: join, wait, or go in."""
        self.place_in_log.foyer_was_read()
        if self.is_member or self.is_pending or self.acts.wants(a.Join):
            return
        door = self._origin.door
        assert door is not None, "who has no link is not in the foyer"
        if self._is_door_open(door):
            self.acts.want(a.Join(self.ring.wraps[-1].modulus, door.keys.invite_pk, door.keys.sign_join))

    def _is_door_open(self, door: Door) -> bool:
        """Whether one can join by the link; if not, this is the end of it."""
        try:
            door.check(self.log.state, self.chronicle, self._means.wall_ms())
        except Refused as refused:
            self._gone(str(refused), refused.hint, refused.code)
            return False
        except SecurityAlarm as alarm:
            self.heard_alarm(alarm)
            raise
        return True

    def subscribes_again(self) -> bool:
        """Whether this client became a member in the foyer: what members get comes with a new `sub`."""
        if not (self.place_in_log.is_foyer_read and self.is_member):
            return False
        self.place_in_log.leave_foyer()
        self.rid = None
        return True

    # -- keys ---------------------------------------------------------------------------------

    def granted(self, recipient: bytes, grant: bytes) -> None:
        proved = self.ring.take_grant_for(recipient, grant)
        self._keys_came(proved)
        self.duties.is_wrap_used |= self.ring.is_newest_used
        epoch = self.log.state.epoch
        if not proved and self._had != epoch and self.rid is not None and self.ring.key(epoch) is not None:
            self._had = epoch  # once per connection: an earlier program ended before it could say so
            self.requests.append(f.Have(rid=self.rid, e=epoch))

    def _tell_signals(self, signals: list[ev.Signal]) -> None:
        super()._tell_signals([signal for signal in signals if signal.sender in self.membership.members])

    def wanted(self, frame: f.Want, now: float) -> None:
        if frame.id is not None and frame.id in self.membership.members:
            self.custody.wanted(bytes(frame.id), now)

    def renew_wrap(self, rsa: RsaKey) -> None:
        """Take a new RSA key for this device, as `duties.needs_wrap` asked."""
        self._means.safe.keep_wrap_key(self.room_id, rsa, self._means.wall_ms())
        self.ring.wraps.append(rsa)
        self.duties.rewrapped()
        self.acts.want(a.Rekey(rsa.modulus))

    def _new_epoch_key(self, e: int) -> bytes:
        key = self._means.random(32)
        self._means.safe.keep_keys(self.room_id, [(e, key)])
        self.ring.take_keys({e: key})
        return key

    # -- time and sending -----------------------------------------------------------------------

    def tick(self, now: float) -> None:
        if self.place_in_log.is_foyer:
            return
        super().tick(now)
        self.custody.tick(now)
        if self.rid is None or not self.is_member or not self.log.is_caught_up or self.alarm is not None:
            return
        for act in self.duties.due(self.log.state, self.ring, self.me, now):
            if not self.acts.wants(type(act)):
                self.acts.want(act)
        if self.duties.gave_up_old_keys(now):
            self.ring.newest_granted = self.log.state.epoch
            self._reader.release()
        self.say_topic()

    def say_topic(self) -> None:
        """Say what the room is called, if an epoch of ours began and that was not said since."""
        if self.duties.topic_due and self.topic is not None:
            self.duties.topic_due = False
            topic = write_content(content_of(Topic(self.topic, self.chronicle.is_knock), self.signals.nick))
            self.outbox.write(topic, self._means.wall_ms())

    @property
    def has_more(self) -> bool:
        is_working = self.is_ready and not (self.place_in_log.is_foyer or self.is_gone)
        return self.custody.is_owing and is_working and self.alarm is None

    def refused(self, frame: f.RefusedFrame, now: float) -> None:
        if frame.type < FIRST_CONTROL:
            super().refused(frame, now)
            return
        self.acts.refused(frame, now)
        for wanted, error in self.acts.settled:
            if isinstance(error, Refused) and (isinstance(wanted.act, a.Join) or self.is_beginning):
                self._gone(str(error), error.hint, error.code)

    def place(self) -> Place | None:
        if not self.is_member or self.acts.is_changing_keys:
            return None
        return super().place()

    def flush(self, now: float) -> list[bytes]:
        rid = self.rid
        if rid is None or self.alarm is not None or self.is_gone:
            return []
        out: list[bytes] = []
        is_in_foyer = self.place_in_log.is_foyer
        door = self._origin.door
        is_out_yet = self.place_in_log.is_foyer_read and not (self.is_member or self.is_pending)
        is_joining = is_out_yet and self.acts.is_idle and self.acts.wants(a.Join)
        if is_joining and door is not None and not self._is_door_open(door):
            return []
        if self.place_in_log.is_foyer_read or self.log.is_caught_up:
            raw = self.acts.flush(self.log.state, self.log.head, self.outbox.session, now)
            out += [f.post_frame(rid, raw)] if raw is not None else []
        if self.custody.is_owing and self.log.is_caught_up and not is_in_foyer:
            out += self.custody.flush(
                rid, self.log.state, self.ring.held, self.chronicle.first_epoch_of, self._means.wall_ms()
            )
        return out + super().flush(now)
