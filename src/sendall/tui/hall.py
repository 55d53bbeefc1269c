"""All the rooms of one client that are open, and which of them is shown. Knows no Textual."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from sendall.client.joined import Room
from sendall.client.names import safe_nick
from sendall.errors import UsageError
from sendall.protocol.base64url import from_base64, to_base64
from sendall.protocol.entry import Kind
from sendall.tui.clock import Clock
from sendall.tui.naming import usable_name
from sendall.tui.open_room import Mentioned, OpenRoom
from sendall.tui.profile import Profile
from sendall.tui.shelf import Shelf


class Caller(Protocol):
    """What a hall asks of its client; `client.Client` has it."""

    @property
    def address(self) -> str: ...

    @property
    def nick(self) -> str: ...

    @property
    def retry_at(self) -> float: ...

    @property
    def id(self) -> bytes: ...

    async def join(self, name: str) -> Room: ...

    def rename(self, nick: str) -> None: ...


class Hall:
    """The rooms of one client.

    Args:
        changed: called after every change in any room; cheap, and called often.
        mentioned: called when somebody means this person.
    """

    def __init__(
        self,
        client: Caller,
        profile: Profile,
        clock: Clock,
        shelf: Shelf,
        changed: Callable[[], None],
        mentioned: Callable[[Mentioned], None],
    ) -> None:
        self.client = client
        self.profile = profile
        self.clock = clock
        self.shelf = shelf
        self.rooms: list[OpenRoom] = []
        self._current = 0
        self._changed = changed
        self._mentioned = mentioned
        self._following: dict[OpenRoom, asyncio.Task[None]] = {}

    @property
    def current(self) -> OpenRoom | None:
        """The room that is shown; None before the first is open."""
        return self.rooms[self._current] if self.rooms else None

    @property
    def server(self) -> str:
        return self.client.address

    def find(self, name: str) -> OpenRoom | None:
        return next((room for room in self.rooms if room.name == name), None)

    async def open(self, name: str) -> OpenRoom:
        """Join a room, unless it is open, and return it.

        Raises:
            SendallError: no room name; refused; it is not the room it was.
        """
        known = self.find(name)
        if known is not None:
            return known
        joined = await self.client.join(name)
        room = OpenRoom(
            joined,
            self.client.id,
            self.ignored(),
            self.profile.seen(self.server, _key_of(joined)),
            lambda: self.client.nick,
            self.clock,
            self.shelf,
            self._changed,
            self._mentioned,
        )
        self.rooms.append(room)
        self._following[room] = asyncio.create_task(room.follow())
        self._note_rooms()
        self._changed()
        return room

    async def close_room(self, room: OpenRoom) -> None:
        """Leave a room; what is not confirmed stays in the outbox.

        Raises:
            UsageError: it is the only one.
        """
        if len(self.rooms) == 1:
            raise UsageError("this is the only room that is open", hint="/quit leaves, /join NAME opens another one")
        at = self.rooms.index(room)
        self._note_seen(room)
        self.rooms.remove(room)
        self._current = max(0, self._current - (at <= self._current))
        await room.room.leave()
        await self._end(room)
        self._note_rooms()
        self._changed()

    def show(self, room: OpenRoom) -> None:
        """Make it the one that is shown."""
        if self.current is not room:
            if self.current is not None:
                self.current.mark.watch(is_watched=False, last_seq=0)
            self._current = self.rooms.index(room)
            self._changed()

    def step(self, by: int) -> None:
        """Show the next room, or the one before."""
        if self.rooms:
            self.show(self.rooms[(self._current + by) % len(self.rooms)])

    def rename(self, nick: str) -> None:
        """Go by another name from now on, in all rooms.

        Raises:
            UsageError: nothing of it can be shown.
        """
        name = usable_name(nick)
        if name is None:
            raise UsageError(f"{safe_nick(nick)!r} is no name", hint="it needs at least one letter or digit")
        self.client.rename(name)
        self.profile.nick = self.client.nick
        self.profile.save()
        self._changed()

    # -- whom one does not want to hear -----------------------------------------------------------

    def ignored(self) -> frozenset[bytes]:
        """Return the keys of those whose messages are not shown on this device."""
        return frozenset(bytes(from_base64(each)) for each in self.profile.ignored)

    def ignore(self, id_pk: bytes, *, is_on: bool) -> None:
        """Show what somebody says no more, or again."""
        key = to_base64(id_pk)
        (self.profile.ignored.add if is_on else self.profile.ignored.discard)(key)
        self.profile.save()
        for room in self.rooms:
            room.ignored = self.ignored()
        self._changed()

    # -- time and end -----------------------------------------------------------------------------

    def retry_in_s(self) -> float:
        """Return the seconds until the next attempt to connect; 0 if it is under way."""
        return max(0.0, self.client.retry_at - self.clock.monotonic())

    def watch(self, *, is_watched: bool) -> None:
        """Whether the end of the shown room is in sight of somebody."""
        room = self.current
        if room is not None:
            room.mark.watch(is_watched=is_watched, last_seq=room.timeline.last_seq)
            if is_watched and room.why_ended is None and room.mark.seen:
                room.room.seen(room.mark.seen)

    async def close(self) -> None:
        """End the following of all rooms. The client stays connected."""
        for room in self.rooms:
            self._note_seen(room)
        self.profile.save()
        for room in list(self._following):
            await self._end(room)
        await self.shelf.close()

    async def _end(self, room: OpenRoom) -> None:
        task = self._following.pop(room)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await room.close()

    def _note_rooms(self) -> None:
        # Not the PRIVATE ones: who is in one no more would tell the server its name, and open another room.
        self.profile.note_rooms(self.server, [room.name for room in self.rooms if not room.is_private])

    def _note_seen(self, room: OpenRoom) -> None:
        self.profile.note_seen(self.server, _key_of(room.room), room.mark.seen)


def _key_of(room: Room) -> str:
    """Return under what the profile, which anybody with the file can read, knows a room: a PRIVATE one by no name."""
    return room.id.hex() if room.kind is Kind.PRIVATE else room.name
