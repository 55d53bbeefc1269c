"""What a client keeps of its OPEN rooms: entered, pinned, and how far each was followed.

The counterpart of `client.private_client`. Shell: the keyring is its.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from sendall.client.beginning import Beginning
from sendall.client.entrance import new_session
from sendall.client.joined import Carrier, Room
from sendall.client.keyring import Keyring
from sendall.client.outbox import Outbox
from sendall.client.outbox_store import OutboxFile
from sendall.client.room import RoomFollower
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.errors import UsageError


class Keeper(Protocol):
    """What keeps something of a room for later programs; one for each kind of room."""

    def told(self, room: Room) -> None:
        """Something of the room arrived."""
        ...

    def save(self, room: Room) -> None:
        """The program leaves the room."""
        ...


class OpenRooms:
    """The OPEN rooms of one client on one server."""

    def __init__(
        self,
        carrier: Carrier,
        keyring: Keyring,
        outbox_file: OutboxFile,
        identity: Identity,
        rsa: RsaKey,
        server_pk: bytes,
        began_ms: int,
    ) -> None:
        """`began_ms`: when the program began, which tells old messages of ended programs from its own."""
        self._carrier = carrier
        self._keyring = keyring
        self._outbox_file = outbox_file
        self._identity = identity
        self._rsa = rsa
        self._server_pk = server_pk
        self._began_ms = began_ms
        self._pinned: set[RoomFollower] = set()

    def room(self, name: str, beginning: Beginning, *, create: bool) -> Room:
        """Return a room that is to be joined."""
        lane = self._outbox_file.lane(self._server_pk, self._identity.pk, name, self._began_ms)
        follower = RoomFollower(
            name,
            server_pk=self._server_pk,
            identity=self._identity,
            rsa=self._rsa,
            outbox=Outbox(lane, self._identity, new_session),
            nick=self._carrier.nick,
            beginning=beginning,
            room_id=self._keyring.room_id(self._server_pk, name),
            seen=self._keyring.seen(self._server_pk, name),
            create=create,
        )
        return Room(self._carrier, follower, lane, self._carrier.nick)

    def told(self, room: Room) -> None:
        follower = room.follower
        if follower not in self._pinned and follower.is_founded:
            self._pinned.add(follower)
            self._keyring.pin_room(self._server_pk, follower.name, room.id)

    def save(self, room: Room) -> None:
        self._pinned.discard(room.follower)
        seen = room.follower.seen
        if seen is not None:
            with suppress(UsageError):  # the folder is gone or full: the next program compares with less
                self._keyring.note_seen(self._server_pk, room.follower.name, seen)
