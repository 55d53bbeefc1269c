"""A world: one server, a few people with several programs each, and what surrounds them.

What it is like follows from its seed; what happens to it is the turmoil's, what it proves the judge's.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from typing import NamedTuple

from sendall.client.beginning import Beginning
from sendall.client.outbox import Outbox
from sendall.config import Limits, ServerSettings
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.server.relay import Relay
from sendall.server.room import Room
from tests.simulation.archive import Archives, Audit
from tests.simulation.client import Program
from tests.simulation.loop import Loop
from tests.simulation.membership import Membership
from tests.simulation.net import Client, Link, Quality
from tests.simulation.server import MakeRelay, SimServer
from tests.simulation.surroundings import MakeOutbox, Person

QUIET_S = 400.0
"""Virtual seconds in which a healed world must come to rest."""
DAY_MS = 24 * 3600 * 1000


class Parts(NamedTuple):
    """What the world is made of: the code of production, or a defective piece in its place."""

    make_relay: MakeRelay = Relay
    make_outbox: MakeOutbox = Outbox
    is_clean_lie: bool = False
    """Whether a disk that lost its tail says that it lost nothing."""


class World:
    """One seed's world."""

    def __init__(self, seed: int, parts: Parts, *, tracing: bool) -> None:
        self.loop = Loop(seed, tracing=tracing)
        self.rng = self.loop.stream("world")
        self.archives = Archives()
        self.audit = Audit()
        self.problems: list[str] = []
        """What happened that never may; with the judge's findings the verdict."""
        rng = self.rng
        self.loses_tails = rng.random() < 0.25
        """Whether the server runs with sync "os", and power cuts take tails."""
        self.kill_chance = rng.choice((0.0, 0.0, 0.001, 0.01))
        self.make_outbox = parts.make_outbox
        self.server = SimServer(
            self.loop,
            _settings(rng),
            self.archives,
            parts.make_relay,
            commit_s=rng.choice((0.001, 0.005, 0.05, 0.3)),
            is_clean_lie=parts.is_clean_lie,
        )
        self.server_pk = self.server.identity.pk
        self.room_names = ["lobby", "attic"][: rng.choice((1, 1, 2))]
        self.people: list[Person] = []
        self.programs: list[Program] = []
        self.links: list[Link] = []
        self.pardons: Counter[tuple[str, str]] = Counter()
        """By room and person: how often the operator said that they are not banned."""
        self._quality = (rng.choice((0.001, 0.01, 0.1)), rng.choice((400, 4000, 16384)), rng.choice((400, 4000, 16384)))
        self._is_healed = False
        for _ in range(rng.randint(2, 4)):
            self._new_person()

    # -- what programs see --------------------------------------------------------------------------

    def connect(self, client: Client) -> Link | None:
        delay_s, buffer, window = self._quality
        rng = self.loop.stream(f"link {len(self.links)}")
        if not self._is_healed and rng.random() < 0.1:
            delay_s = 1.0
        link = Link(self.loop, rng, Quality(delay_s, buffer, window), client)
        self.links.append(link)
        return link if self.server.accept(link) else None

    def restart(self, person: Person) -> None:
        self.start(person, Beginning())

    def is_pruned(self, room: str, seq: int) -> bool:
        ids = (info.room_id for info in self.server.store.rooms() if info.name == room)
        return any(seq < self.server.store.open(room_id).extent.first for room_id in ids)

    def problem(self, sentence: str) -> None:
        self.loop.note("PROBLEM", sentence)
        self.problems.append(sentence)

    # -- people ---------------------------------------------------------------------------------------

    def _new_person(self) -> Person:
        name = ("ada", "bob", "cyd", "dan", "eve", "fay")[len(self.people)]
        person = Person(name, Identity(self.loop.stream(name).randbytes(32)))
        self.people.append(person)
        return person

    @property
    def running(self) -> list[Program]:
        return [program for program in self.programs if program.is_running]

    def start(self, person: Person, beginning: Beginning | None = None) -> Program:
        """Start a program of this person."""
        name = f"{person.name}{sum(p.person is person for p in self.programs) + 1}"
        if beginning is None:
            beginning = self.rng.choice(
                (
                    Beginning(),
                    Beginning(),
                    Beginning(tail=self.rng.randint(0, 20)),
                    Beginning(since_seq=self.rng.randint(1, 60)),
                )
            )
        self.loop.note(name, f"starts, {beginning}")
        rsa = rsa_pool()[len(self.programs) % len(rsa_pool())]
        program = Program(name, person, rsa, self.room_names, beginning, self)
        self.programs.append(program)
        return program

    # -- the course of the world ------------------------------------------------------------------------

    def begin(self) -> None:
        self.server.start()
        for person in self.people:
            self.start(person)

    def heal(self) -> None:
        """End every fault; whoever left a message behind has a program that takes it over."""
        self.loop.note("world", "is healed")
        self._is_healed = True
        self.server.heal()
        for program in self.running:
            program.unstall()
        self.kill_chance = 0.0
        for person in self.people:
            if person.left_something or not any(program.person is person for program in self.running):
                self.start(person, Beginning())
        self.start(self._new_person(), Beginning())

    def come_to_rest(self) -> None:
        """Wait until nothing moves any more, or for so long that something must be stuck."""
        waited = 0.0
        while waited < QUIET_S:
            self.loop.run(1.0)
            waited += 1.0
            if waited % 60 == 0:
                self.server.wall_ahead_ms += 2 * DAY_MS  # a new epoch frees what a limit of sessions held up
            if self.is_at_rest:
                break
        self.loop.note("world", f"at rest after {waited} s" if self.is_at_rest else "does not come to rest")
        self.loop.run(2.0)

    @property
    def is_at_rest(self) -> bool:
        relay = self.server.relay
        if relay is None or not relay.is_writable:
            return False
        return all(
            self._is_at_rest(member, relay.rooms.named(name))
            for program in self.running
            for name, member in program.present.items()
        )

    def _is_at_rest(self, member: Membership, kept: Room | None) -> bool:
        follower = member.follower
        if kept is None or follower.rid is None or follower.log.head[0] != kept.state.seq:
            return False
        return follower.place() is not None and not member.outbox.has_open


@cache
def rsa_pool() -> tuple[RsaKey, ...]:
    """Return a few RSA keys: making one takes longer than a world."""
    return tuple(RsaKey.generate() for _ in range(3))


def _settings(rng: random.Random) -> ServerSettings:
    tight = rng.random() < 0.4
    limits = Limits(
        inflight=rng.choice((1, 3, 1024)) if tight else 1024,
        member_rate=rng.choice((5.0, 20.0, 200.0)) if tight else 200.0,
        member_burst=rng.choice((5, 20, 2000)) if tight else 2000,
        room_rate=rng.choice((20.0, 5000.0)) if tight else 5000.0,
        sessions_per_sender=rng.choice((2, 4096)) if tight else 4096,
        sessions_per_room=rng.choice((6, 65536)) if tight else 65536,
        tape_bytes=rng.choice((1, 4000, 1 << 23)),
        pending_bytes=rng.choice((1000, 1 << 20)),
        presence_ids=rng.choice((2, 256)),
    )
    return ServerSettings(limits=limits, retention_count=rng.choice((20, 50, 1_000_000, 1_000_000)))
