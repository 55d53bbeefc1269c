"""Clients without sockets: real sessions, rooms and outboxes against the real relay, wired by hand.

Only the wire, the clock and the disks are simulated. An outbox store here survives its client, as a
file does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.client.handshake import Credentials, Line
from sendall.client.items import Row, Settlement
from sendall.client.outbox import Outbox
from sendall.client.room import RoomFollower
from sendall.client.session import ClientSession, SendText
from sendall.crypto.identity import NO_LEAF, Identity
from sendall.crypto.primitives import RsaKey
from tests.client.plaintexts import write_message
from tests.server.members import ListWire, RelayWorld, payloads


class MemoryOutboxStore:
    """An `OutboxStore` that outlives its outbox. `commits` counts what a disk would have had to do."""

    def __init__(self) -> None:
        self.kept: dict[int, Row] = {}
        self.commits = 0
        self._last = 0

    def rows(self) -> list[Row]:
        return [self.kept[id_] for id_ in sorted(self.kept)]

    def put(self, plaintext: bytes, written_ms: int) -> int:
        self._last += 1
        self.commits += 1
        self.kept[self._last] = Row(self._last, written_ms, plaintext, None, held=False)
        return self._last

    def update(self, changes: Sequence[tuple[int, bytes | None, bool]]) -> None:
        self.commits += bool(changes)
        for id_, entry, doubt in changes:
            self.kept[id_] = self.kept[id_]._replace(entry=entry, doubt=doubt)

    def delete(self, ids: Sequence[int]) -> None:
        self.commits += bool(ids)
        for id_ in ids:
            self.kept.pop(id_, None)

    def hold(self) -> None:
        """Make everything in it look old to the next outbox."""
        self.kept = {id_: row._replace(held=True) for id_, row in self.kept.items()}


def new_session() -> bytes:
    return os.urandom(16)


class Party:
    """One client in one room of a `RelayWorld`."""

    def __init__(
        self,
        world: RelayWorld,
        rsa: RsaKey,
        *,
        identity: Identity | None = None,
        store: MemoryOutboxStore | None = None,
        nick: str = "ada",
        room: str = "lobby",
        beginning: Beginning = Beginning(),  # noqa: B008  # a named tuple does not change
    ) -> None:
        self.world = world
        self.identity = identity or Identity.generate()
        self.store = store or MemoryOutboxStore()
        self.outbox = Outbox(self.store, self.identity, new_session)
        self.nick = nick
        self.room = RoomFollower(
            room,
            server_pk=world.identity.pk,
            identity=self.identity,
            rsa=rsa,
            outbox=self.outbox,
            nick=nick,
            beginning=beginning,
        )
        self.credentials = Credentials(self.identity, rsa, world.identity.pk)
        self.told: list[ev.Event] = []
        self.settled: list[Settlement] = []
        self.wire: ListWire | None = None

    def connect(self, *, pump: bool = True) -> None:
        self.wire = ListWire()
        self.connection = self.world.relay.open(self.wire)
        self.wire.connection = self.connection
        self.session = ClientSession(self.credentials, Line(NO_LEAF, True, os.urandom(32)), [self.room], self.world.now)
        if pump:
            self.pump()

    def cut(self, *, lose: bool = False) -> None:
        """End the connection; `lose`: what the server wrote last never arrives."""
        if not lose:
            self.pump()
        self.connection.closed()
        self.session.closed()
        self.wire = None
        self._collect()
        self.world.run()

    def write(self, *texts: str) -> None:
        for text in texts:
            self.outbox.write(write_message(text, self.nick), self.world.wall)

    def pump(self) -> None:
        """Carry messages both ways until nobody has more to say."""
        while True:
            self.world.run()
            was_told, has_said = self.read(), self.send()
            if not (was_told or has_said):
                return

    def read(self) -> bool:
        """Take what the server wrote; what it makes this client say is sent."""
        assert self.wire is not None
        written, self.wire.written = self.wire.written, []
        for is_binary, payload in payloads(written):
            take = self.session.binary if is_binary else self.session.text
            self._carry_out(take(payload, self.world.now))
        self._collect()
        return bool(written)

    def send(self) -> bool:
        """Send what the rooms want sent now."""
        actions = self.session.flush(self.world.now)
        self._carry_out(actions)
        return bool(actions)

    def _carry_out(self, actions: Sequence[object]) -> None:
        for action in actions:
            data = action.data  # type: ignore[attr-defined]  # SendText and SendBinary both have it
            tell = self.connection.text if isinstance(action, SendText) else self.connection.binary
            tell(data, self.world.now)

    def _collect(self) -> None:
        self.told += self.room.take_events()
        self.settled += self.outbox.take_settled()

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, ev.Message)]

    def of(self, kind: type) -> list[object]:
        return [event for event in self.told if isinstance(event, kind)]
