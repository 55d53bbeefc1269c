"""Clients of PRIVATE rooms without sockets: real sessions, followers and keys against the real relay.

Only the wire, the clock and the disks are simulated: a `MemorySafe` outlives its client, as a vault does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sendall.client import acts as a
from sendall.client.beginning import Beginning
from sendall.client.foyer import Door
from sendall.client.origin import Means, Origin
from sendall.client.outbox import Outbox
from sendall.client.private_room import PrivateFollower
from sendall.crypto.identity import Identity
from sendall.crypto.invites import InviteKeys
from sendall.crypto.primitives import RsaKey
from sendall.errors import SendallError
from sendall.protocol.bodies import Genesis, room_id_of
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role, entry_hash, header, signed_context
from tests.client.worlds import MemoryOutboxStore, Party, new_session
from tests.server.members import RelayWorld


class KeptKey(NamedTuple):
    rsa: RsaKey


class MemorySafe:
    """A `Safe` that outlives its client."""

    def __init__(self) -> None:
        self.kept: dict[bytes, dict[int, list[bytes]]] = {}
        self.wraps: dict[bytes, list[RsaKey]] = {}
        self.used: set[bytes] = set()

    def keep_keys(self, room_id: bytes, keys: Iterable[tuple[int, bytes]]) -> None:
        for e, key in keys:
            self.kept.setdefault(room_id, {}).setdefault(e, []).append(key)

    def keys(self, room_id: bytes) -> dict[int, list[bytes]]:
        return {e: list(keys) for e, keys in self.kept.get(room_id, {}).items()}

    def settle_key(self, room_id: bytes, e: int, key: bytes) -> None:
        self.kept.setdefault(room_id, {})[e] = [key]

    def keep_wrap_key(self, room_id: bytes, rsa: RsaKey, made_ms: int) -> None:
        self.wraps.setdefault(room_id, []).append(rsa)

    def wrap_keys(self, room_id: bytes) -> list[KeptKey]:
        return [KeptKey(rsa) for rsa in self.wraps.get(room_id, [])]

    def mark_used(self, room_id: bytes, modulus: bytes) -> None:
        self.used.add(modulus)

    def drop_wrap_keys(self, room_id: bytes, *, keep: bytes) -> int:
        had = self.wraps.get(room_id, [])
        self.wraps[room_id] = [rsa for rsa in had if rsa.modulus == keep] or had
        return len(had) - len(self.wraps[room_id])


def genesis_of(identity: Identity, *, history: int = 1) -> bytes:
    """Return the signed genesis entry of a new PRIVATE room."""
    body = Genesis(Kind.PRIVATE, history, os.urandom(16), "").pack()
    head = header(
        EntryType.GENESIS, epoch=0, sender=identity.pk, session=os.urandom(16), n=0, head_seq=0, head_hash=ZERO_32
    )
    return head + body + identity.sign(signed_context(ZERO_32, head + body))


class PrivateParty(Party):
    """One client in one PRIVATE room of a `RelayWorld`."""

    room: PrivateFollower

    def __init__(
        self,
        world: RelayWorld,
        rsa: RsaKey,
        *,
        origin: Origin,
        identity: Identity | None = None,
        store: MemoryOutboxStore | None = None,
        safe: MemorySafe | None = None,
        nick: str = "ada",
        beginning: Beginning = Beginning(tail=50),  # noqa: B008  # a named tuple does not change
    ) -> None:
        super().__init__(world, rsa, identity=identity, store=store, nick=nick)
        self.outbox = Outbox(self.store, self.identity, new_session)
        self.safe = safe or MemorySafe()
        self.acts_settled: list[tuple[a.Wanted, SendallError | None]] = []
        self.room = PrivateFollower(
            "ops",
            server_pk=world.identity.pk,
            identity=self.identity,
            outbox=self.outbox,
            nick=nick,
            beginning=beginning,
            origin=origin,
            means=Means(self.safe, os.urandom, lambda: world.wall),
        )
        self.room.topic = "ops"

    @classmethod
    def maker(
        cls, world: RelayWorld, rsa: RsaKey, *, history: int = 1, knock: bool = False, nick: str = "ada"
    ) -> PrivateParty:
        """Return who makes a room, connected, with its first epoch done."""
        identity = Identity.generate()
        genesis = genesis_of(identity, history=history)
        origin = Origin(room_id_of(genesis), genesis=genesis, wraps=(rsa,), knock=knock)
        party = cls(world, rsa, origin=origin, identity=identity, nick=nick)
        party.connect()
        return party

    def newcomer(
        self, rsa: RsaKey, link: tuple[bytes, bytes], *, nick: str = "bob", identity: Identity | None = None
    ) -> PrivateParty:
        """Return somebody who follows a link (as `invite` returns it), connected."""
        party = PrivateParty(self.world, rsa, origin=by_link(rsa, link), nick=nick, identity=identity)
        party.connect()
        return party

    def again(
        self,
        rsa: RsaKey | None = None,
        *,
        is_saved: bool = True,
        beginning: Beginning = Beginning(tail=50),  # noqa: B008  # a named tuple does not change
        store: bool = False,
    ) -> PrivateParty:
        """Return a later program of the same identity and device, not connected; `store`: with an outbox of its own."""
        saved = self.room.place_in_log.save() if is_saved else None
        wraps: Sequence[RsaKey] = [rsa] if rsa is not None else self.room.ring.wraps
        origin = Origin(self.room.room_id, wraps=wraps, saved=saved[1] if saved else None)
        return PrivateParty(
            self.world,
            wraps[-1],
            origin=origin,
            identity=self.identity,
            store=None if store else self.store,
            safe=self.safe,
            nick=self.nick,
            beginning=beginning,
        )

    def tick(self) -> None:
        """About once a second, by this client's clock."""
        self._carry_out(self.session.tick(self.world.now))
        self.pump()

    def do(self, act: a.Act) -> a.Wanted:
        """Want something and carry it through; raises what came of it."""
        wanted = self.room.acts.want(act)
        self.pump()
        error = next(error for settled, error in self.acts_settled if settled is wanted)
        if error is not None:
            raise error
        return wanted

    def invite(
        self, *, uses: int = 1, expires_ms: int = 0, needs_admit: bool = False, has_door: bool = True
    ) -> tuple[bytes, bytes]:
        """Make a link; return (H(invite entry), secret)."""
        secret = os.urandom(16)
        keys = InviteKeys(secret)
        door_pk = keys.door_pk if has_door and not needs_admit else ZERO_32
        wanted = self.do(a.MakeInvite(keys.invite_pk, door_pk, uses, expires_ms, int(needs_admit)))
        return entry_hash(wanted.raw), secret

    def kick(self, *who: PrivateParty) -> None:
        self.do(a.Remove(tuple(party.identity.pk for party in who)))

    @property
    def roles(self) -> dict[bytes, Role]:
        return {id_pk: member.role for id_pk, member in self.room.membership.members.items()}

    def _collect(self) -> None:
        super()._collect()
        self.acts_settled += self.room.acts.take_settled()


def settle(*parties: PrivateParty) -> None:
    """Let everybody who is connected hear everything."""
    for _ in range(4):
        for party in parties:
            if party.wire is not None:
                party.pump()


def pass_seconds(count: int, *parties: PrivateParty) -> None:
    """Let time pass for the server and these clients."""
    for _ in range(count):
        parties[0].world.pass_time(1)
        for party in parties:
            if party.wire is not None:
                party.tick()
    settle(*parties)


def by_link(rsa: RsaKey, link: tuple[bytes, bytes]) -> Origin:
    return Origin(None, door=Door(link[0], InviteKeys(link[1])), wraps=(rsa,))
