"""What a program needs of its world, and the person it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sendall.client.outbox import Outbox
from sendall.crypto.identity import Identity
from tests.simulation.evidence import Said
from tests.simulation.lanes import Lane, Lanes
from tests.simulation.loop import Loop
from tests.simulation.net import Client, Link


class Person:
    """An identity, and what its device keeps for longer than one program runs."""

    def __init__(self, name: str, identity: Identity) -> None:
        self.name = name
        self.identity = identity
        self.pins: dict[str, bytes] = {}
        self.seen: dict[str, tuple[int, bytes]] = {}
        """By room: how far a program that ended orderly had followed it."""
        self.lanes: dict[str, Lanes] = {}
        self.said: dict[tuple[str, int], Said] = {}
        """By room and id in the store."""

    @property
    def left_something(self) -> bool:
        """Whether a program that ended left messages that no other has taken over."""
        return any(lanes.has_orphans for lanes in self.lanes.values())


class MakeOutbox(Protocol):
    """`Outbox`, or a defective one."""

    def __call__(self, store: Lane, identity: Identity, new_session: Callable[[], bytes]) -> Outbox: ...


class Surroundings(Protocol):
    """The world, as its programs see it."""

    loop: Loop
    make_outbox: MakeOutbox
    server_pk: bytes
    kill_chance: float
    """Of a program, at each commit of an outbox."""

    def connect(self, client: Client) -> Link | None:
        """Return a new connection; None: nothing listens."""
        ...

    def restart(self, person: Person) -> None:
        """A program of this person ended because it could not go on: start another."""
        ...

    def problem(self, sentence: str) -> None:
        """Something happened that never may."""
        ...

    def is_pruned(self, room: str, seq: int) -> bool:
        """Whether the server keeps this entry no more."""
        ...
