"""The public face: connect to a server, join rooms, stay connected.

    async with sendall.connect("127.0.0.1:12345", nick="ada") as me:
        room = await me.join("lobby")
        await room.send("hello")
        async for message in room:
            ...

Owns the attempts to connect and what outlives a connection: rooms, the keyring, the outbox file.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from sendall.client import process
from sendall.client.address import parse_address
from sendall.client.beginning import Beginning, Since, beginning_of
from sendall.client.conversation.kinds import Card
from sendall.client.events import Back, Lost, safe_nick
from sendall.client.joined import Person, Room
from sendall.client.keyring import Keyring, identity_changed
from sendall.client.outbox import Outbox
from sendall.client.outbox_store import OutboxFile
from sendall.client.room import RoomFollower
from sendall.client.runner import Manner, Runner
from sendall.client.session import ClientSession
from sendall.config import DEFAULT_ROOM
from sendall.crypto.identity import Identity, server_fingerprint
from sendall.crypto.primitives import RsaKey
from sendall.errors import ConnectError, Refused, SecurityAlarm, SendallError, UsageError
from sendall.protocol.room import is_room_name
from sendall.protocol.words import words_of

State = Literal["connecting", "open", "away", "closed"]


def connect(
    address: str | None = None,
    *,
    nick: str | None = None,
    token: bytes | str | None = None,
    server_key: bytes | None = None,
    state: Path | None = None,
    identity: Identity | None = None,
    reconnect: bool = True,
    wait: bool = False,
    _rsa: RsaKey | None = None,
) -> Client:
    """Return a client; `async with` makes the first connection and closes it at the end.

    Args:
        address: `HOST`, `HOST:PORT` or an open link; the default is this machine's server.
        nick: shown to others; by default the name of the user's account.
        token: the server's access token, if it wants one.
        server_key: the server identity to demand, 32 bytes; a link names it too.
        state: folder of the identity, the pins and the outbox; by default the user's own.
        identity: another one than the folder's.
        reconnect: come back by itself when a connection ends.
        wait: keep trying also for the first connection.

    Raises:
        UsageError: the address is none (at once); the folder cannot be used (on entering).
        ConnectError, SecurityAlarm, Refused: on entering; see there.
    """
    return Client(address, nick, token, server_key, state, identity, reconnect=reconnect, wait=wait, rsa=_rsa)


class Client:
    """A connection to one server that comes back, and the rooms joined over it."""

    def __init__(
        self,
        address: str | None,
        nick: str | None,
        token: bytes | str | None,
        server_key: bytes | None,
        state: Path | None,
        identity: Identity | None,
        *,
        reconnect: bool,
        wait: bool,
        rsa: RsaKey | None,
    ) -> None:
        self._address = parse_address(address)
        self.address = str(self._address)
        self.nick = safe_nick(nick or _account_name())
        self._card = Card(self.nick)
        self.state: State = "connecting"
        self.rooms: dict[str, Room] = {}
        self.retry_at = 0.0
        """When the next attempt to connect is, by the monotonic clock; of no meaning while connected."""
        self._token = token.encode() if isinstance(token, str) else token
        self._manner = Manner(reconnects=reconnect, waits=wait)
        self._folder = state
        self._given_identity = identity
        self._rsa = rsa
        self._server_pk = server_key or self._address.server_pk
        self._opened = asyncio.Event()
        self._joins: dict[RoomFollower, asyncio.Future[None]] = {}
        self._running: asyncio.Task[None] | None = None
        self._why_ended: SendallError | None = None

    # -- life ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ConnectError: no usable server there (not with `wait`, if trying again can help).
            SecurityAlarm: the server is not the one that is pinned, or its certificate is not its own.
            Refused: the access token is missing or wrong.
            UsageError: the folder, the identity or the outbox cannot be used.
        """
        self._began_ms = _now_ms()
        self._keyring = Keyring(self._folder)
        self._identity = self._given_identity or self._keyring.identity()
        pinned = self._keyring.server_pk(self.address)
        if pinned is not None and self._server_pk not in (None, pinned):
            raise identity_changed(self.address)
        self._server_pk = self._server_pk or pinned
        self._outbox_file = OutboxFile(self._keyring.folder)
        self._runner = Runner(
            self, self._address, self._identity, self._server_pk, self._token, self._manner, self._rsa
        )
        self._running = asyncio.create_task(self._runner.run())
        process.watch(self)
        opened = asyncio.create_task(self._opened.wait())
        try:
            await asyncio.wait((opened, self._running), return_when=asyncio.FIRST_COMPLETED)
            if self._running.done():
                self._running.result()
        except BaseException:
            await self.close()
            raise
        finally:
            opened.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave everything; what is unconfirmed stays in the outbox for the next program. May be repeated."""
        self.state = "closed"
        process.unwatch(self)
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
            self.ended(self._why_ended)
            self._outbox_file.close()

    def rename(self, nick: str, hue: int | None = None) -> None:
        """Go by another name from now on, in all rooms; `hue` is the colour to like, 0 to 359 degrees."""
        self._card = Card(safe_nick(nick), hue)
        self.nick = self._card.name
        for room in self.rooms.values():
            room.rename(self._card)

    @property
    def id(self) -> bytes:
        """Who this user is: 32 bytes."""
        return self._identity.pk

    @property
    def server_pk(self) -> bytes | None:
        """The server's identity; None before the first contact, unless it was pinned."""
        return self._server_pk

    @property
    def server_words(self) -> str:
        """Eight words to compare with those the server shows; empty before the first contact."""
        return "" if self._server_pk is None else words_of(server_fingerprint(self._server_pk))

    # -- rooms --------------------------------------------------------------------------------

    async def join(
        self, name: str = DEFAULT_ROOM, *, tail: int | None = 50, since: Since | None = None, create: bool = True
    ) -> Room:
        """Join a room, and show it from its last `tail` entries on, or from `since` on.

        `since`: a seq, an age, or "all" that is retained. Without `create`, an unknown room is refused.
        Waits for a connection if there is none right now.

        Raises:
            UsageError: no room name, or this client is in the room already.
            Refused: `unknown_room` (the hint names the nearest), `banned`, `full`.
            SecurityAlarm: it is not the room it was.
        """
        if not is_room_name(name):
            raise UsageError(f"{name!r} is no room name", hint="1 to 64 bytes, without control characters")
        if name in self.rooms:
            raise UsageError(f"this client is in {name!r} already")
        if self.state == "closed":
            raise self._why_ended or ConnectError("this client is closed")
        room = self._room(name, beginning_of(tail, since, _now_ms()), create=create)
        self.rooms[name] = room
        joined = self._joins[room.follower] = asyncio.get_running_loop().create_future()
        try:
            if self._runner.link is not None:
                self._runner.link.session.join(room.follower)
                self.wake()
            await joined
        except BaseException:
            self.let_go(room)
            room.end(None)
            raise
        finally:
            self._joins.pop(room.follower, None)
        return room

    def _room(self, name: str, beginning: Beginning, *, create: bool) -> Room:
        server_pk = self._runner.server_pk
        lane = self._outbox_file.lane(server_pk, self.id, name, self._began_ms)
        follower = RoomFollower(
            name,
            server_pk=server_pk,
            identity=self._identity,
            rsa=self._runner.rsa,
            outbox=Outbox(lane, self._identity, _new_session),
            nick=self.nick,
            beginning=beginning,
            room_id=self._keyring.room_id(server_pk, name),
            seen=self._keyring.seen(server_pk, name),
            create=create,
        )
        room = Room(self, follower, lane, self.nick)
        if self._card.hue is not None:
            room.rename(self._card)
        return room

    # -- what rooms ask (Carrier) ---------------------------------------------------------------

    def wake(self) -> None:
        if self._runner.link is not None:
            self._runner.link.wake()

    def let_go(self, room: Room) -> None:
        if self.rooms.pop(room.name, None) is None:
            return
        self._note_seen(room)
        if self._runner.link is not None:
            self._runner.link.session.leave(room.follower)
            self.wake()

    def _note_seen(self, room: Room) -> None:
        seen = room.follower.seen
        if seen is not None:
            with suppress(UsageError):  # the folder is gone or full: the next program compares with less
                self._keyring.note_seen(self._runner.server_pk, room.name, seen)

    def can_page(self, room: Room) -> bool:
        return self._runner.link is not None and room.follower.can_page

    def ask_page(self, room: Room, before: int, limit: int) -> bool:
        assert self._runner.link is not None, "the room looked at `can_page` before"
        asked = self._runner.link.session.ask_page(room.follower, before, limit)
        self.wake()
        return asked

    # -- told by the runner (Owner) ---------------------------------------------------------------

    def followers(self) -> list[RoomFollower]:
        return [room.follower for room in self.rooms.values()]

    def opened(self, session: ClientSession) -> None:
        assert session.server_pk is not None, "proved"
        self._server_pk = session.server_pk
        self._keyring.pin_server(self.address, session.server_pk)
        self.state = "open"
        self._opened.set()

    def told(self, session: ClientSession) -> None:
        joined, session.joined = session.joined, []
        for follower, error in joined:
            self._joined(follower, error)
        for room in list(self.rooms.values()):
            room.collect()
            if room.is_new and room.follower.is_founded:
                room.is_new = False
                self._keyring.pin_room(self._runner.server_pk, room.name, room.id)
            evidence = room.take_evidence()
            if evidence is not None:
                self._keyring.keep_evidence(evidence)

    def _joined(self, follower: RoomFollower, error: Refused | SecurityAlarm | None) -> None:
        waiting = self._joins.get(follower)
        room = self.rooms.get(follower.name)
        if waiting is not None and not waiting.done():
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)
        elif room is not None and error is None:
            room.tell(Back())
        elif room is not None and isinstance(error, Refused):
            self.let_go(room)
            room.end(error)

    def is_readable(self) -> bool:
        rooms = self.rooms.values()
        return not any(room.is_behind for room in rooms) or any(room.is_awaited for room in rooms) or bool(self._joins)

    def disconnected(self, why: SendallError, delay_s: float) -> None:
        was_open = self.state == "open"
        self.retry_at = time.monotonic() + delay_s
        self.state = "away" if self._opened.is_set() else "connecting"
        for room in self.rooms.values():
            room.lost()
            room.collect()
            if was_open:
                room.tell(Lost(str(why), delay_s))

    def ended(self, error: SendallError | None) -> None:
        self.state = "closed"
        self._why_ended = error
        for waiting in self._joins.values():
            if not waiting.done():
                waiting.set_exception(error or ConnectError("this client was closed"))
        for room in self.rooms.values():
            self._note_seen(room)
            room.end(error)
        self.rooms = {}

    # -- fork ---------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """In the child of a fork: nothing is sealed there under a session that the parent has too."""
        self._outbox_file.after_fork()
        for room in self.rooms.values():
            room.after_fork()


def _new_session() -> bytes:
    return os.urandom(16)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _account_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


__all__ = ["Client", "Person", "Room", "connect"]
