"""What the relay asks of a room's authority, and the queue in which it hands out its grants.

The relay knows this interface only: it cannot import what makes keys and grants. The steward
implements it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Protocol

from sendall.log.roomlog import RoomLog
from sendall.protocol import frames as f
from sendall.protocol.chunks import binary_message
from sendall.protocol.entry import Role
from sendall.protocol.room import RoomState
from sendall.server.connection import Connection
from sendall.server.room import Room

GRANTS_PER_TURN = 20
"""About 2 ms of RSA between two turns of the loop. A thread would not help: pyca's OAEP encryption
does not scale over threads."""


class Authority(Protocol):
    """Who makes the authority entries and the grants of OPEN rooms: the steward.

    Entries are made on `state`, the state after everything accepted so far; the caller accepts each
    before it asks for the next.
    """

    @property
    def server_pk(self) -> bytes:
        """The identity that signs them."""
        ...

    def genesis(self, name: str) -> tuple[bytes, bytes]:
        """Return (room_id, genesis entry) of a new room."""
        ...

    def open_room(self, log: RoomLog) -> None:
        """Read the room's sealed keys.

        Raises:
            LogError: they cannot be read.
        """
        ...

    def has_key(self, state: RoomState) -> bool:
        """Whether it holds the key of the room's current epoch."""
        ...

    def drop_keys(self, log: RoomLog, below: int) -> None:
        """Forget the keys of the epochs below `below`: what they open is pruned."""
        ...

    def epoch(self, state: RoomState, log: RoomLog) -> bytes:
        """Return an epoch entry; its key is queued to `log` first."""
        ...

    def role(self, state: RoomState, id_pk: bytes, role: Role) -> bytes:
        """Return a role entry; an `id_pk` of 32 zero bytes means the default of everybody."""
        ...

    def restart(self, state: RoomState) -> bytes:
        """Return a restart entry: what was sealed before it and is not in the log is void."""
        ...

    def grant(self, state: RoomState, id_pk: bytes, modulus: bytes) -> bytes:
        """Return a grant of the room's keys to one member."""
        ...


class GrantQueue:
    """Grants waiting to be made, in slices between the turns of the loop; one per connection and room."""

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
            self._later(self._make_some)

    def _make_some(self) -> None:
        self._is_scheduled = False
        try:
            for connection, room in list(islice(self._waiting, GRANTS_PER_TURN)):
                del self._waiting[connection, room]
                self._make(connection, room)
        finally:
            self._schedule()

    def _make(self, connection: Connection, room: Room) -> None:
        _, reader = connection.rooms.get(room.rid, (None, None))
        if reader is None or connection.is_closed or room.state.is_banned(connection.id_pk):
            return
        if connection.is_stalled:
            reader.wants_grant = True
            return
        reader.wants_grant = False
        grant = self._authority.grant(room.state, connection.id_pk, connection.modulus)
        connection.wire.write(binary_message(f.grant_frame(room.rid, connection.id_pk, grant)))
