"""Seats: whose connections are in a room, by identity.

A PRIVATE room asks it who is to be handed a grant, whom a `want` can be passed to, and who must go. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sendall.server.delivery import Reader

if TYPE_CHECKING:
    from sendall.server.connection import Connection


class Seats:
    """The connections of each identity, with their readers."""

    def __init__(self) -> None:
        self._by_id: dict[bytes, dict[Connection, Reader]] = {}

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the identities that have a connection here; they may change meanwhile."""
        return iter(list(self._by_id))

    def __contains__(self, id_pk: bytes) -> bool:
        return id_pk in self._by_id

    def of(self, id_pk: bytes) -> list[tuple[Connection, Reader]]:
        return list(self._by_id.get(id_pk, {}).items())

    def take(self, connection: Connection, reader: Reader) -> None:
        self._by_id.setdefault(connection.id_pk, {})[connection] = reader

    def give_up(self, connection: Connection) -> None:
        """Free the connection's seat; one without a seat changes nothing."""
        seats = self._by_id.get(connection.id_pk, {})
        seats.pop(connection, None)
        if not seats:
            self._by_id.pop(connection.id_pk, None)
