"""The entrances of a PRIVATE room: to make it, to follow a link into it, to come back.

Makes the follower with all that it needs from this device: the RSA keys of the room, what an earlier
program saved of it, the outbox. Shell: reads and writes the vault, makes keys in a thread.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import NamedTuple

from sendall.client.address import Address
from sendall.client.beginning import Beginning
from sendall.client.foyer import Door
from sendall.client.origin import Means, Origin
from sendall.client.outbox import Outbox
from sendall.client.outbox_store import Lane, OutboxFile
from sendall.client.private_room import PrivateFollower
from sendall.client.vault import KnownRoom, Vault
from sendall.crypto.identity import Identity
from sendall.crypto.invites import InviteKeys
from sendall.crypto.primitives import RsaKey
from sendall.protocol.bodies import Genesis, room_id_of
from sendall.protocol.entry import ZERO_32, EntryType, Kind, header, signed_context

UNNAMED = "room"
"""What a room is called here until somebody says its name."""


class Entered(NamedTuple):
    """A follower that is to be joined, and the outbox's lane it writes into."""

    follower: PrivateFollower
    lane: Lane


class Entrances:
    """All that one client has in common for the PRIVATE rooms of one server."""

    def __init__(
        self, vault: Vault, outbox_file: OutboxFile, identity: Identity, server_pk: bytes, nick: str, began_ms: int
    ) -> None:
        self._vault = vault
        self._outbox_file = outbox_file
        self._identity = identity
        self._server_pk = server_pk
        self._nick = nick
        self._began_ms = began_ms

    async def make(self, name: str | None, *, history: bool, knock: bool) -> Entered:
        """Return the follower of a new room; the key that its first epoch is granted to is on disk."""
        rsa = await new_wrap()
        genesis = self._genesis(history=history)
        room_id = room_id_of(genesis)
        self._vault.keep_wrap_key(room_id, rsa, now_ms())
        origin = Origin(room_id, genesis=genesis, wraps=(rsa,), knock=knock)
        entered = self._enter(name or UNNAMED, origin, Beginning(tail=0))
        entered.follower.topic = name
        return entered

    async def by_link(self, address: Address, beginning: Beginning) -> Entered:
        """Return the follower of the room that a link leads to: as a newcomer, or as who is in already."""
        assert address.invite is not None, "a PRIVATE link"
        assert address.secret is not None, "a PRIVATE link"
        rsa = await new_wrap()
        origin = Origin(None, door=Door(address.invite, InviteKeys(address.secret)), wraps=(rsa,))
        entered = self._enter(address.room or UNNAMED, origin, beginning)
        entered.follower.topic = address.room
        return entered

    async def again(self, known: KnownRoom, beginning: Beginning) -> Entered:
        """Return the follower of a room that this device is in."""
        wraps = self._vault.wrap_keys(known.room_id)
        if not wraps:
            rsa = await new_wrap()
            self._vault.keep_wrap_key(known.room_id, rsa, now_ms())
            wraps = self._vault.wrap_keys(known.room_id)
        origin = Origin(known.room_id, wraps=tuple(wrap.rsa for wrap in wraps), saved=self._vault.state(known.room_id))
        entered = self._enter(known.name, origin, beginning)
        duties = entered.follower.duties
        duties.wrap_made_ms, duties.is_wrap_used = wraps[-1].made_ms, wraps[-1].is_used
        entered.follower.topic = known.name
        entered.follower.names.update(self._vault.names(known.room_id))
        return entered

    def _enter(self, name: str, origin: Origin, beginning: Beginning) -> Entered:
        place = origin.room_id or (origin.door.invite_hash if origin.door else b"")
        lane = self._outbox_file.lane(self._server_pk, self._identity.pk, place.hex(), self._began_ms)
        follower = PrivateFollower(
            name,
            server_pk=self._server_pk,
            identity=self._identity,
            outbox=Outbox(lane, self._identity, new_session),
            nick=self._nick,
            beginning=beginning,
            origin=origin,
            means=Means(self._vault, os.urandom, now_ms),
        )
        return Entered(follower, lane)

    def _genesis(self, *, history: bool) -> bytes:
        body = Genesis(Kind.PRIVATE, int(history), os.urandom(16), "").pack()
        head = header(
            EntryType.GENESIS,
            epoch=0,
            sender=self._identity.pk,
            session=os.urandom(16),
            n=0,
            head_seq=0,
            head_hash=ZERO_32,
        )
        return head + body + self._identity.sign(signed_context(ZERO_32, head + body))


async def new_wrap() -> RsaKey:
    """Return a new RSA key of this device for one room: up to a second, in a thread."""
    return await asyncio.to_thread(RsaKey.generate)


def new_session() -> bytes:
    return os.urandom(16)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
