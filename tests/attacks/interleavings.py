"""Random interleavings of a PRIVATE room's life: three admins, five members, one server that reorders.

What each person does is decided by the code of production (`acts`, `custody`, `ring`, `chronicle`, and
the one state machine); here is only what lies between them: a server that takes what was sent in any order,
loses refusals and connections, and keeps grants; and people who read the log each at their own pace. Who was
removed goes on with a modified program: he gets the whole log and every grant there ever was.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from sendall.client import acts as a
from sendall.client.acts import Acts
from sendall.client.chronicle import Chronicle, SavedRoom, pack_room, unpack_room
from sendall.client.custody import AGAIN_S
from sendall.protocol import bodies as b
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role, header, parse, signed_context
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.attacks.modelled import modelled_grant
from tests.attacks.participants import ADMINS, LINKS, PEOPLE, SERVER, Person, Record, Server, modulus_of

INSIDE = 6
"""So many are in at first; the others have a link."""
START_MS = 1_700_000_000_000
STEPS = 60
PATIENCE = 5
ROUNDS = 30
"""More than it takes until everything has arrived."""


class World:
    """One room, from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.base = base = begun(seed % 2)
        server_state = unpack_room(base.saved).state
        self.server: Server = Server(server_state, list(base.log), self.chance)
        self.people = [
            Person(self.server, self.chance, i, base.saved, {1: [base.key]} if i < INSIDE else {})
            for i in range(len(PEOPLE))
        ]
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
