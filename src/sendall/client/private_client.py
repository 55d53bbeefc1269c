"""What a client keeps of its PRIVATE rooms while it runs: entered, named, saved for the next program.

The part of `client.client` that only PRIVATE rooms need. Shell: the vault is its.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from sendall.client.address import Address
from sendall.client.beginning import Beginning
from sendall.client.chronicle import unpack_room
from sendall.client.entrance import UNNAMED, Entered, Entrances, new_wrap
from sendall.client.joined import Carrier, Room
from sendall.client.outbox_store import Lane
from sendall.client.private_joined import PrivateRoom
from sendall.client.private_room import PrivateFollower
from sendall.client.vault import KnownRoom, Vault
from sendall.errors import UsageError
from sendall.protocol.entry import ZERO_32

SAVE_EVERY_S = 5.0
"""Seconds between two savings of a room that changed; what a crash loses of it is read again.

A new epoch is saved at once: no later program takes an older one for the newest, and a removal for undone.
"""
RENEW_AGAIN_S = 60.0


class PrivateRooms:
    """The PRIVATE rooms of one client."""

    def __init__(
        self, carrier: Carrier, vault: Vault, entrances: Entrances, address: Address, server_pk: bytes
    ) -> None:
        self._carrier = carrier
        self._vault = vault
        self._entrances = entrances
        self._address = address
        self._server_pk = server_pk
        self._lanes: dict[PrivateFollower, Lane] = {}
        self._saved: dict[
            PrivateFollower, tuple[int, int, float]
        ] = {}  # (seq of the newest control entry, epoch, when)
        self._known: set[PrivateFollower] = set()
        self._making: set[asyncio.Task[None]] = set()
        self._renew_at = 0.0
        self._entering = asyncio.Lock()
        # Making an RSA key takes a while, in which the same room might be entered twice.

    # -- entering -----------------------------------------------------------------------------

    async def make(self, name: str | None, *, history: bool, knock: bool) -> PrivateRoom:
        return self._room(await self._entrances.make(name, history=history, knock=knock))  # nobody else can be in it

    async def by_link(self, address: Address, beginning: Beginning) -> PrivateRoom:
        async with self._entering:
            self._check_not_in(lambda follower: address.invite is not None and follower.knows_link(address.invite))
            known = self._known_by(address)
            if known is None:
                return self._room(await self._entrances.by_link(address, beginning))
        return await self.again(known, beginning)

    def known(self, name: str) -> KnownRoom | None:
        """Return the room that is called so here, if it is one of this server."""
        room = self._vault.find(name)
        return room if room is not None and room.server_pk == self._server_pk else None

    async def again(self, known: KnownRoom, beginning: Beginning) -> PrivateRoom:
        async with self._entering:
            self._check_not_in(lambda follower: follower.room_id == known.room_id)
            return self._room(await self._entrances.again(known, beginning))

    def _check_not_in(self, is_it: Callable[[PrivateFollower], bool]) -> None:
        # A second `sub` for a room would end the first: the connection has one place in each.
        if any(is_it(follower) for follower in self._lanes):
            raise UsageError("this client is in that room already")

    def _known_by(self, address: Address) -> KnownRoom | None:
        """Return the room that this link leads to, if this device is in it."""
        for known in self._vault.rooms():
            saved = self._vault.state(known.room_id) if known.server_pk == self._server_pk else None
            if saved is not None and address.invite in unpack_room(saved).chronicle.invites:
                return known
        return None

    def _room(self, entered: Entered) -> PrivateRoom:
        follower, lane = entered
        self._lanes[follower] = lane
        return PrivateRoom(self._carrier, follower, lane, self._carrier.nick, self._address, self._name)

    # -- following ----------------------------------------------------------------------------

    def told(self, room: Room) -> None:
        """Something arrived: name, save, renew as is due."""
        assert isinstance(room, PrivateRoom), "others have another keeper"
        follower = room.follower
        if follower.room_id == ZERO_32 or follower.alarm is not None:
            return
        self._lanes[follower].move_to(follower.room_id.hex())
        if (follower.is_member or follower.is_pending) and follower not in self._known:
            self._known.add(follower)
            self._remember(room)
        if follower.is_gone:
            if follower.is_out:  # and not merely by the server's word, which may be wrong
                self._vault.forget(follower.room_id)
            return
        if follower.duties.needs_wrap and not self._making and time.monotonic() >= self._renew_at:
            task = asyncio.get_running_loop().create_task(self._renew(follower))
            self._making.add(task)
            task.add_done_callback(self._making.discard)
        self._save_if_due(room)

    async def _renew(self, follower: PrivateFollower) -> None:
        rsa = await new_wrap()
        if follower.duties.needs_wrap:
            with suppress(UsageError):  # a folder that is full: another is made in a minute
                follower.renew_wrap(rsa)
                self._carrier.wake()
                return
        self._renew_at = time.monotonic() + RENEW_AGAIN_S

    def _name(self, room: PrivateRoom, topic: str) -> None:
        """An admin's client said what the room is called: that is how this device knows it, unless it knew before."""
        follower = room.follower
        if follower.topic is None:
            follower.topic = topic
        if follower in self._known:
            self._remember(room)

    def _remember(self, room: PrivateRoom) -> None:
        follower = room.follower
        host_port = self._address.authority
        known = KnownRoom(follower.topic or UNNAMED, host_port, self._server_pk, follower.room_id)
        name = self._vault.remember(known)
        if name != room.name:
            self._carrier.renamed(room, name)

    def _save_if_due(self, room: PrivateRoom) -> None:
        follower = room.follower
        past, epoch, at = self._saved.get(follower, (0, 0, float("-inf")))
        is_due = time.monotonic() - at >= SAVE_EVERY_S or follower.log.state.epoch != epoch
        if follower.chronicle.past.seq != past and is_due:
            self._keep(follower)

    def save(self, room: Room) -> None:
        assert isinstance(room, PrivateRoom), "others have another keeper"
        follower = room.follower
        self._keep(follower)
        self._lanes.pop(follower, None)
        self._saved.pop(follower, None)
        self._known.discard(follower)

    def _keep(self, follower: PrivateFollower) -> None:
        """Keep what a later program goes on from; a folder that cannot be written is the next program's concern."""
        saved = None if follower.alarm is not None or follower.is_gone else follower.place_in_log.save()
        if saved is not None:
            self._saved[follower] = (follower.chronicle.past.seq, follower.log.state.epoch, time.monotonic())
            with suppress(UsageError):
                self._vault.keep_names(follower.room_id, follower.names)
                if follower.log.has_lost:
                    self._vault.replace_state(follower.room_id, saved[1], saved[0])
                else:
                    self._vault.save_state(follower.room_id, *saved)

    def after_fork(self) -> None:
        self._vault.after_fork()

    def close(self) -> None:
        for task in self._making:
            task.cancel()
        self._vault.close()
