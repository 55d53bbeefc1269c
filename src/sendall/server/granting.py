"""The queue in which grants are handed out, in slices between the turns of the loop.

In an OPEN room the authority makes one for whoever is in it; in a PRIVATE room members have left them.
Pure; it cannot open or make any.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from sendall.errors import LogError
from sendall.protocol import frames as f
from sendall.protocol.chunks import binary_message
from sendall.server.authority import Authority
from sendall.server.connection import Connection
from sendall.server.private_room import PrivateRoom
from sendall.server.room import Room

GRANTS_PER_TURN = 20
"""About 2 ms of RSA between two turns of the loop. A thread would not help: pyca's OAEP encryption
does not scale over threads."""


class GrantQueue:
    """Who waits for grants; once per connection and room."""

    def __init__(self, authority: Authority, later: Callable[[Callable[[], None]], object]) -> None:
        self._authority = authority
        self._later = later
        self._waiting: dict[tuple[Connection, Room], None] = {}
        self._is_scheduled = False

    def put(self, connection: Connection, room: Room) -> None:
        self._waiting[connection, room] = None
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._is_scheduled:
            self._is_scheduled = True
            self._later(self._hand_out_some)

    def _hand_out_some(self) -> None:
        self._is_scheduled = False
        try:
            for connection, room in list(islice(self._waiting, GRANTS_PER_TURN)):
                del self._waiting[connection, room]
                self._hand_out(connection, room)
        finally:
            self._schedule()

    def _hand_out(self, connection: Connection, room: Room) -> None:
        _, reader = connection.rooms.get(room.rid, (None, None))
        if reader is None or connection.is_closed or not room.admits(connection.id_pk):
            return
        if connection.is_stalled or reader.is_early:
            reader.wants_grant = True
            return
        reader.wants_grant = False
        try:
            for recipient, grant in self._grants_for(connection, room):
                connection.wire.write(binary_message(f.grant_frame(room.rid, recipient, grant)))
        except LogError as error:
            connection.end_unserved(error)

    def _grants_for(self, connection: Connection, room: Room) -> list[tuple[bytes, bytes]]:
        """Return grants, each with the id_pk or invite_pk it is sealed to."""
        id_pk = connection.id_pk
        if isinstance(room, PrivateRoom):
            return [(grant.sealed_to, grant.sealed) for grant in room.grants.of(id_pk)]
        return [(id_pk, self._authority.grant(room.state, id_pk, connection.modulus))]
