"""Random interleavings of a PRIVATE room's life: three admins, five members, one server that reorders.

What each person does is decided by the code of production (`acts`, `custody`, `ring`, `chronicle`, and
the one state machine); here is only what lies between them: a server that takes what was sent in any order,
loses refusals and connections, and keeps grants; and people who read the log each at their own pace. Who was
removed goes on with a modified program: he gets the whole log and every grant there ever was.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from sendall.client import acts as a
from sendall.client.acts import Acts
from sendall.client.chronicle import Chronicle, SavedRoom, pack_room, unpack_room
from sendall.client.custody import AGAIN_S, Custody
from sendall.client.ring import Ring
from sendall.client.vault import WrapKey
from sendall.crypto.primitives import RSA_BYTES, RsaKey
from sendall.crypto.sealing import Sealer
from sendall.errors import Code
from sendall.protocol import bodies as b
from sendall.protocol.chain import link
from sendall.protocol.entry import ZERO_32, Entry, EntryType, Kind, Role, header, parse, signed_context
from sendall.protocol.frames import B64, RefusedFrame
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.attacks.modelled import ModelIdentity, ModelLink, ModelRsa, modelled_grant

ADMINS, MEMBERS = 3, 5
INSIDE = 6
"""So many are in at first; the others have a link."""
START_MS = 1_700_000_000_000
STEPS = 60
PATIENCE = 5
ROUNDS = 30
"""More than it takes until everything has arrived."""


class Record(NamedTuple):
    """An entry of the log."""

    seq: int
    time_ms: int
    entry: Entry
    h: bytes


class Safe:
    """Keeps one person's keys."""

    def __init__(self, kept: dict[int, list[bytes]]) -> None:
        self.kept = kept

    def keep_keys(self, room_id: bytes, keys: Iterable[tuple[int, bytes]]) -> None:
        for e, key in keys:
            self.kept.setdefault(e, []).append(key)

    def keys(self, room_id: bytes) -> dict[int, list[bytes]]:
        return {e: list(keys) for e, keys in self.kept.items()}

    def settle_key(self, room_id: bytes, e: int, key: bytes) -> None:
        self.kept[e] = [key]

    def wrap_keys(self, room_id: bytes) -> list[WrapKey]:
        return []

    def keep_wrap_key(self, room_id: bytes, rsa: RsaKey, made_ms: int) -> None: ...

    def wraps_of(self, room_id: bytes) -> list[RsaKey]:
        return []

    def mark_used(self, room_id: bytes, modulus: bytes) -> None: ...

    def drop_wrap_keys(self, room_id: bytes, *, keep: bytes) -> int:
        return 0


def modulus_of(label: str) -> bytes:
    return b"\xff" + label.encode().rjust(RSA_BYTES - 2, b"\0") + b"\1"


PEOPLE = [ModelIdentity(bytes([i + 1]) * 32) for i in range(ADMINS + MEMBERS)]
LINKS = [ModelLink(bytes([i]) * 16) for i in range(24)]
SERVER = ModelIdentity(b"s" * 32)


class Server:
    """Sequences what was sent, in any order; loses what it likes but what it logged."""

    def __init__(self, state: RoomState, log: list[Record], chance: random.Random) -> None:
        self.state = state
        self.log = log
        self.sent: list[tuple[Person, Entry]] = []
        self.grants: dict[bytes, list[bytes]] = defaultdict(list)
        """By recipient; nothing is ever deleted."""
        self._chance = chance

    def sequence(self) -> None:
        """Judge one of those that were sent, whichever; log it if it is OK."""
        if not self.sent:
            return
        person, entry = self.sent.pop(self._chance.randrange(len(self.sent)))
        verdict = self.state.judge(entry, time_ms=self.state.now + 10)
        if verdict is Verdict.OK:
            self.take(entry)
        elif self._chance.random() < 0.7:
            person.refused(entry, verdict)
        else:
            person.cut()  # the refusal is lost with its connection

    def take(self, entry: Entry) -> None:
        seq, time_ms = self.state.seq + 1, self.state.now + 10
        h = link(self.state.h, seq, time_ms, entry.raw)
        self.state.apply_judged(entry, seq, time_ms, h)
        self.log.append(Record(seq, time_ms, entry, h))


class Person:
    """Somebody with the client of production, as far as it decides about membership and keys."""

    def __init__(self, world: World, index: int, saved: bytes, keys: dict[int, list[bytes]]) -> None:
        self.world = world
        self.me = PEOPLE[index]
        self.state, self.chronicle, _ = unpack_room(saved)
        self.session = bytes([index]) * 16
        self.ring = Ring(self.state.room_id, self.me.pk, [ModelRsa(modulus_of(f"{index}"))], Safe(keys), None)
        for _, e, commit in self.chronicle.epochs:
            self.ring.committed(e, commit)
        self.custody = Custody(self.me.pk)
        self.acts = Acts(self.me, self._new_key)
        self.is_gone = self.me.pk not in self.state.membership.members
        self.links: list[ModelLink] = []
        """Of which this person has the secret."""
        self._taken: dict[bytes, int] = defaultdict(int)

    @property
    def is_member(self) -> bool:
        return self.me.pk in self.state.membership.members

    @property
    def is_admin(self) -> bool:
        return self.state.membership.is_admin(self.me.pk)

    def _new_key(self, e: int) -> bytes:
        key = self.world.chance.randbytes(32)
        self.ring._safe.keep_keys(self.state.room_id, [(e, key)])
        self.ring.take_keys({e: key})
        return key

    # -- reading ----------------------------------------------------------------------------------

    def read(self, count: int) -> None:
        """Take the next entries of the log; what is in it is OK to everybody."""
        log = self.world.server.log
        for record in log[self.state.seq : self.state.seq + count]:
            self._take(record)

    def _take(self, record: Record) -> None:
        state, entry = self.state, record.entry
        verdict = state.judge(entry, time_ms=record.time_ms)
        assert verdict is Verdict.OK, f"{verdict} at {record.seq}, which the server found ok"
        if not entry.is_control:
            state.apply_judged(entry, record.seq, record.time_ms, record.h)
            return
        body = b.parse_body(entry)
        self.chronicle.take(record.seq, entry, body, state)
        state.apply_judged(entry, record.seq, record.time_ms, record.h)
        if isinstance(body, b.Epoch):
            self.ring.committed(body.e, body.commit)
            self.ring.look_in_safe(body.e)
        own = self.acts.came_back(entry.raw, record.seq) if entry.sender == self.me.pk else None
        self.acts.control_changed(state)
        if own is not None:
            self._see_to(body)
        self.is_gone = not (self.is_member or self.me.pk in state.membership.pending)

    def _see_to(self, body: b.Body) -> None:
        match body:
            case b.Epoch():
                assert self.ring.key(body.e), "who made an epoch holds its key"
                self.custody.owe_all(self.state)
            case b.Invite():
                self.custody.owe_door(body.invite_pk)
            case b.Admit():
                self.custody.owe_member(body.id_pk)
            case _:
                pass

    def refused(self, entry: Entry, verdict: Verdict) -> None:
        code = {Verdict.STALE: Code.STALE, Verdict.CONFLICT: Code.CONFLICT, Verdict.DENIED: Code.FORBIDDEN}
        frame = RefusedFrame(
            rid=1, session=B64(entry.session), type=entry.type, n=entry.n, code=code.get(verdict, Code.DUP), retry_ms=0
        )
        self.acts.refused(frame, 0.0)

    def cut(self) -> None:
        """The connection ends; what was sent may still arrive."""
        self.acts.disconnected()
        self.custody.disconnected()

    # -- sending ----------------------------------------------------------------------------------

    def send(self) -> None:
        """Send what is wanted and owed."""
        raw = self.acts.flush(self.state, (self.state.seq, self.state.h), self.session, 1.0)
        if raw is not None:
            self.world.server.sent.append((self, parse(raw)))
        if self.is_member:
            self.hand_out()

    def hand_out(self) -> None:
        for frame in self.custody.flush(1, self.state, self.ring.held, self.chronicle.first_epoch_of, self.state.now):
            self.world.server.grants[frame[5:37]].append(frame[41:])

    def say(self) -> None:
        """Send a message, if a client may seal one now."""
        key = self.ring.key(self.state.epoch)
        if key is None or self.acts.is_changing_keys or not self.state.may_post(self.me.pk):
            return
        n = self.state.next_n(self.me.pk, self.session, control=False)
        raw = Sealer(key, self.state.room_id, self.state.epoch, self.me.pk, self.session).seal(
            EntryType.MESSAGE, n, b"{}", head_seq=self.state.seq, head_hash=self.state.h, sign=self.me.sign
        )
        self.world.server.sent.append((self, parse(raw)))

    # -- keys -------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Take the grants that the server has for this person: his own, and those at his invite's door."""
        for recipient in self._recipients():
            waiting = self.world.server.grants.get(recipient, [])
            for grant in waiting[self._taken[recipient] :]:
                self.open(recipient, grant)
            self._taken[recipient] = len(waiting)

    def _recipients(self) -> list[bytes]:
        member = self.state.membership.members.get(self.me.pk)
        return [self.me.pk] if member is None or member.via == ZERO_32 else [self.me.pk, member.via]

    def open(self, recipient: bytes, grant: bytes) -> None:
        self.ring._invite = next((keys for keys in self.links if keys.invite_pk == recipient), None)
        self.ring.take_grant_for(recipient, grant)

    def grab(self) -> None:
        """Try every grant that ever was: with the own RSA key, and with every link this person has."""
        for recipient, grants in self.world.server.grants.items():
            for grant in grants:
                self.open(recipient, grant)
                self.ring.take_grant_for(self.me.pk, grant)


class World:
    """One room, from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.base = base = begun(seed % 2)
        server_state = unpack_room(base.saved).state
        self.server: Server = Server(server_state, list(base.log), self.chance)
        self.people = [Person(self, i, base.saved, {1: [base.key]} if i < INSIDE else {}) for i in range(len(PEOPLE))]
        self._free = list(LINKS[1:])
        for person in self.people:
            person.links.append(LINKS[0])
        self.people[0].custody.owe_door(LINKS[0].invite_pk)
        self._now = 0.0

    def play(self) -> None:
        for _ in range(STEPS):
            self.step()
        self.settle()

    def step(self) -> None:
        person = self.chance.choice(self.people)
        self.chance.choices(*DEEDS)[0](self, person)

    def settle(self) -> None:
        """Everybody is online, everything arrives, and who lacks the key asks for it."""
        for tries in range(ROUNDS):
            self._now += AGAIN_S
            for person in self.people:
                person.read(len(self.server.log))
                person.send()
                person.fetch()
            while self.server.sent:
                self.server.sequence()
            for person in self.people:
                if person.is_member and person.ring.key(person.state.epoch) is None:
                    for other in self.people:
                        other.custody.wanted(person.me.pk, self._now)
            if not self.is_busy():
                break
            if tries >= PATIENCE:
                self._renew()

    def _renew(self) -> None:
        """Who made an epoch may be gone with its key: an admin who waited in vain for it makes a new one."""
        for person in self.people:
            if person.is_admin and person.ring.key(person.state.epoch) is None and not person.acts.wants(a.Rotate):
                person.acts.want(a.Rotate(person.state.epoch))

    def is_busy(self) -> bool:
        """Whether somebody is behind, wants something, or lacks the key."""
        lag = any(person.state.seq < len(self.server.log) for person in self.people)
        open_ = any(list(person.acts.open) for person in self.people)
        keyless = any(p.is_member and p.ring.key(p.state.epoch) is None for p in self.people)
        return lag or open_ or keyless

    # -- deeds ------------------------------------------------------------------------------------

    def read(self, _: Person) -> None:
        """Somebody who is behind reads on."""
        behind = [person for person in self.people if person.state.seq < len(self.server.log)]
        if behind:
            self.chance.choice(behind).read(self.chance.randrange(1, 8))

    def send(self, _: Person) -> None:
        """Somebody who wants or owes something sends."""
        busy = [person for person in self.people if person.acts.open or person.custody.is_owing]
        if busy:
            self.chance.choice(busy).send()

    def _admin(self) -> Person:
        """Return somebody who believes to be an admin; who was kicked may."""
        return self.chance.choice([person for person in self.people if person.is_admin])

    def invite(self, _: Person) -> None:
        """Make a link; some of those outside get it, and one who is in."""
        if not self._free:
            return
        keys = self._free.pop()
        person = self._admin()
        uses, knock = self.chance.choice((0, 1, 2)), self.chance.random() < 0.2
        person.acts.want(a.MakeInvite(keys.invite_pk, ZERO_32 if knock else keys.door_pk, uses, 0, int(knock)))
        for other in self.people:
            if not other.is_member or self.chance.random() < 0.1:
                other.links.append(keys)

    def join(self, _: Person) -> None:
        """Somebody outside who has a link that is open, as far as he has read, wants in."""
        for person in self.chance.sample(self.people, len(self.people)):
            is_open = [keys for keys in person.links if keys.invite_pk in person.state.membership.invites]
            if is_open and not person.is_member and not person.acts.wants(a.Join):
                keys = self.chance.choice(is_open)
                person.acts.want(a.Join(person.ring.wraps[-1].modulus, keys.invite_pk, keys.sign_join))
                break

    def kick(self, _: Person) -> None:
        person = self._admin()
        ids = tuple(other.me.pk for other in self.chance.sample(self.people, self.chance.choice((1, 1, 2))))
        person.acts.want(a.Remove(ids))

    def rotate(self, _: Person) -> None:
        person = self._admin()
        person.acts.want(a.Rotate(person.state.epoch))

    def set_role(self, _: Person) -> None:
        person = self._admin()
        role = self.chance.choice((Role.MEMBER, Role.ADMIN, Role.READER))
        person.acts.want(a.SetRole(self.chance.choice(self.people).me.pk, role))

    def admit(self, _: Person) -> None:
        person = self._admin()
        for id_pk in person.state.membership.pending:
            person.acts.want(a.Admit(id_pk))

    def leave(self, person: Person) -> None:
        if person.is_member:
            person.acts.want(a.Leave())

    def lie(self, person: Person) -> None:
        """Give everybody false keys for this epoch and the next."""
        for other in self.people:
            false = {e: self.chance.randbytes(32) for e in (person.state.epoch, person.state.epoch + 1)}
            member = person.state.membership.members.get(other.me.pk)
            if member is not None:
                grant = modelled_grant(person.state.room_id, other.me.pk, member.modulus, false)
                self.server.grants[other.me.pk].append(grant)


DEEDS: tuple[list[Callable[[World, Person], None]], list[int]] = (
    [
        World.read,
        World.send,
        lambda world, _: world.server.sequence(),
        lambda world, person: person.fetch(),
        lambda world, person: person.say(),
        World.invite,
        World.join,
        World.kick,
        World.rotate,
        World.set_role,
        World.admit,
        World.leave,
        lambda _, person: person.cut(),
        World.lie,
    ],
    [20, 20, 20, 8, 5, 6, 8, 3, 3, 2, 2, 1, 2, 1],
)


class Base(NamedTuple):
    """A room as it was begun, with a link that everybody knows."""

    saved: bytes
    log: list[Record]
    key: bytes


@cache
def begun(history: int) -> Base:
    """Found a room with the first three as admins."""
    maker = PEOPLE[0]
    body = b.Genesis(Kind.PRIVATE, history, bytes(16), "").pack()
    head = header(EntryType.GENESIS, epoch=0, sender=maker.pk, session=bytes(16), n=0, head_seq=0, head_hash=ZERO_32)
    genesis = head + body + maker.sign(signed_context(ZERO_32, head + body))
    state, chronicle = RoomState(b.room_id_of(genesis), SERVER.pk, Kind.PRIVATE), Chronicle()
    log: list[Record] = []
    key = bytes([history]) * 32

    def put(raw: bytes) -> None:
        entry, seq = parse(raw), state.seq + 1
        chronicle.take(seq, entry, b.parse_body(entry), state)
        assert state.apply(seq, START_MS + seq, raw) is Verdict.OK
        log.append(Record(seq, START_MS + seq, entry, state.h))

    def do(index: int, act: a.Act) -> None:
        acts = Acts(PEOPLE[index], lambda e: key)
        acts.want(act)
        raw = acts.flush(state, (state.seq, state.h), bytes([index]) * 16, 0.0)
        assert raw is not None
        put(raw)

    put(genesis)
    do(0, a.Rekey(modulus_of("0")))
    do(0, a.Rotate(0))
    do(0, a.MakeInvite(LINKS[0].invite_pk, LINKS[0].door_pk, 0, 0, 0))
    for index in range(1, INSIDE):
        do(index, a.Join(modulus_of(f"{index}"), LINKS[0].invite_pk, LINKS[0].sign_join))
    for index in range(1, ADMINS):
        do(0, a.SetRole(PEOPLE[index].pk, Role.ADMIN))
    return Base(pack_room(SavedRoom(state, chronicle)), log, key)
