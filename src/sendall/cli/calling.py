"""The client as the full screen sees it: rooms by what people call them, PRIVATE ones too.

The name of a PRIVATE room never reaches a server: a name that this device knows is joined by its id.
"""

from __future__ import annotations

from sendall.cli.entering import enter
from sendall.cli.head import waits_of
from sendall.cli.options import Call
from sendall.client.client import Client, Room
from sendall.client.events import Notice


class Caller:
    """One client and the command line that it was started with."""

    def __init__(self, me: Client, call: Call) -> None:
        self._me = me
        self._call = call

    @property
    def address(self) -> str:
        return self._me.address

    @property
    def nick(self) -> str:
        return self._me.nick

    @property
    def retry_at(self) -> float:
        return self._me.retry_at

    @property
    def id(self) -> bytes:
        return self._me.id

    async def join(self, name: str) -> Room:
        """Join the room of the command line, a PRIVATE room of this server by its name here, or an OPEN one.

        Raises:
            SendallError: as `Client.join`.
        """
        if self._call.is_private and name == self._call.room:
            return _with_waits(await enter(self._me, self._call))
        known = self._me.known_room(name)
        if known is not None:
            return _with_waits(await self._me.join_known(known))
        return await self._me.join(name)

    def rename(self, nick: str) -> None:
        self._me.rename(nick)


def _with_waits(room: Room) -> Room:
    """Let the room tell what is missing before one can read and write."""
    if waits := waits_of(room):
        room.tell(Notice(room.follower.log.head[0], " ".join(line.strip() for line in waits)))
    return room
