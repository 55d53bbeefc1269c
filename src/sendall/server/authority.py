"""What the relay asks of the authority of OPEN rooms.

The relay knows this interface only: it cannot import what makes keys and grants. The steward
implements it. Pure.
"""

from __future__ import annotations

from typing import Protocol

from sendall.log.roomlog import RoomLog
from sendall.protocol.entry import Role
from sendall.protocol.room import RoomState


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
