"""The ways into rooms: join an OPEN one, make a PRIVATE one, follow a link, come back. One half of `client.Client`.

Each registers the room, lets the session ask for it, and waits until it can be used. Shell.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

from sendall.client.address import Address
from sendall.client.beginning import Since, beginning_of
from sendall.client.conversation.kinds import Card
from sendall.client.entrance import Entrances, now_ms
from sendall.client.joined import Carrier, Room
from sendall.client.keyring import Keyring
from sendall.client.open_client import Keeper, OpenRooms
from sendall.client.outbox_store import OutboxFile
from sendall.client.private_client import PrivateRooms
from sendall.client.private_joined import PrivateRoom
from sendall.client.room import RoomFollower
from sendall.client.runner import Runner
from sendall.client.vault import KnownRoom, Vault
from sendall.config import DEFAULT_ROOM
from sendall.crypto.identity import Identity
from sendall.errors import ConnectError, SendallError, UsageError
from sendall.protocol.entry import Kind
from sendall.protocol.roles import is_room_name

Progress = Callable[[int, int], None]
"""Called with how far the entries of a PRIVATE room were checked, and how far there are some."""


class WaysIn(ABC):
    """Who joins rooms over one connection that comes back."""

    rooms: dict[str, Room]
    nick: str
    _address: Address
    _card: Card
    _keyring: Keyring
    _identity: Identity
    _outbox_file: OutboxFile
    _runner: Runner
    _began_ms: int

    def __init__(self) -> None:
        self._joins: dict[RoomFollower, asyncio.Future[None]] = {}
        self._open: OpenRooms | None = None
        self._private: PrivateRooms | None = None
        self._why_ended: SendallError | None = None

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether nothing can be joined any more."""

    @abstractmethod
    def _as_carrier(self) -> Carrier:
        """Return what carries rooms."""

    async def join(
        self, name: str | None = None, *, tail: int | None = 50, since: Since | None = None, create: bool = True
    ) -> Room:
        """Join a room, and show it from its last `tail` entries on, or from `since` on.

        Without a name it is the room that this client's link leads to, else `lobby`. `since`: a seq, an age, or
        "all" that is retained. Without `create`, an unknown room is refused. Waits for a connection if there is
        none right now.

        Raises:
            UsageError: no room name, or this client is in the room already.
            Refused: `unknown_room` (the hint names the nearest), `banned`, `full`.
            SecurityAlarm: it is not the room it was.
        """
        if name is None and self._address.is_private:
            return await self.join_link(tail=tail, since=since)
        name = _checked(name or self._address.room or DEFAULT_ROOM)
        if name in self.rooms:
            raise UsageError(f"this client is in {name!r} already")
        self._check_open()
        room = self._open_rooms().room(name, beginning_of(tail, since, now_ms()), create=create)
        await self._come_in(room)
        return room

    async def new_room(
        self, name: str | None = None, *, history: Literal["all", "epoch"] = "all", knock: bool = False
    ) -> PrivateRoom:
        """Make a PRIVATE room and be in it, as its first admin. The server is not told its name.

        `history`: whether newcomers may read all that is retained, or what is said from their epoch on. With
        `knock`, links open nothing while no member is online. Make a link with `PrivateRoom.invite`.

        Raises:
            UsageError: the name is none.
            Refused: `full`, `slow_down`: the server takes no more rooms (now).
        """
        self._check_open()
        room = await self._private_rooms().make(name and _checked(name), history=history == "all", knock=knock)
        await self._come_in(room)
        return room

    async def join_link(
        self, *, tail: int | None = 50, since: Since | None = None, progress: Progress | None = None
    ) -> PrivateRoom:
        """Join the PRIVATE room that this client's link leads to, or come back to it.

        `progress` is called while the room's control entries are checked, which takes seconds where there are
        thousands. Waits until the room can be written to, or an admin has to let this client in
        (`PrivateRoom.is_pending`).

        Raises:
            UsageError: this client was not connected by a PRIVATE link.
            Refused: `unknown_invite`: the link is used up, expired, revoked, ended or damaged.
            SecurityAlarm: the server shows another room than the link was made for.
        """
        if not self._address.is_private:
            raise UsageError("this client was connected without a private link", hint="connect with the whole link")
        self._check_open()
        room = await self._private_rooms().by_link(self._address, beginning_of(tail, since, now_ms()))
        room.progress = progress
        await self._come_in(room)
        return room

    def known_room(self, name: str) -> KnownRoom | None:
        """Return the PRIVATE room of this server that this device calls so; None if there is none."""
        self._check_open()
        return self._private_rooms().known(name)

    async def join_known(
        self,
        known: KnownRoom,
        *,
        tail: int | None = 50,
        since: Since | None = None,
        progress: Progress | None = None,
    ) -> PrivateRoom:
        """Come back to a PRIVATE room that this device is in; see `known_rooms`.

        Raises:
            Refused: `not_member`: the server says that this identity was removed.
            SecurityAlarm: the room is not what it was.
        """
        self._check_open()
        room = await self._private_rooms().again(known, beginning_of(tail, since, now_ms()))
        room.progress = progress
        await self._come_in(room)
        return room

    def _check_open(self) -> None:
        if self.is_closed:
            raise self._why_ended or ConnectError("this client is closed")

    def _open_rooms(self) -> OpenRooms:
        if self._open is None:
            runner = self._runner
            self._open = OpenRooms(
                self._as_carrier(),
                self._keyring,
                self._outbox_file,
                self._identity,
                runner.rsa,
                runner.server_pk,
                self._began_ms,
            )
        return self._open

    def _private_rooms(self) -> PrivateRooms:
        if self._private is None:
            server_pk = self._runner.server_pk
            vault = Vault(self._keyring.folder, self._identity)
            entrances = Entrances(vault, self._outbox_file, self._identity, server_pk, self.nick, self._began_ms)
            self._private = PrivateRooms(self._as_carrier(), vault, entrances, self._address, server_pk)
        return self._private

    def _keeper_of(self, room: Room) -> Keeper:
        return self._private_rooms() if room.kind is Kind.PRIVATE else self._open_rooms()

    async def _come_in(self, room: Room) -> None:
        name, number = room.name, 1
        while room.name in self.rooms:
            number += 1
            room.name = f"{name}~{number}"
        self.rooms[room.name] = room
        if self._card.hue is not None:
            room.rename(self._card)
        joined = self._joins[room.follower] = asyncio.get_running_loop().create_future()
        try:
            if self._runner.link is not None:
                self._runner.link.session.join(room.follower)
                self._as_carrier().wake()
            await joined
        except BaseException:
            self._as_carrier().let_go(room)
            room.end(None)
            raise
        finally:
            self._joins.pop(room.follower, None)


def _checked(name: str) -> str:
    if not is_room_name(name):
        raise UsageError(f"{name!r} is no room name", hint="1 to 64 bytes, without control characters")
    return name
