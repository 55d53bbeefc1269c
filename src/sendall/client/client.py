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
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from sendall.client import process
from sendall.client.address import Address, parse_address
from sendall.client.conversation.kinds import Card
from sendall.client.entrance import now_ms
from sendall.client.events import Back, Lost, safe_nick
from sendall.client.identity_file import AskPassphrase
from sendall.client.joined import Person, Room
from sendall.client.keyring import Keyring, identity_changed
from sendall.client.outbox_store import OutboxFile
from sendall.client.room import RoomFollower
from sendall.client.runner import Manner, Runner
from sendall.client.session import ClientSession
from sendall.client.ways_in import WaysIn
from sendall.crypto.identity import Identity, server_fingerprint
from sendall.crypto.primitives import RsaKey
from sendall.errors import ConnectError, Refused, SecurityAlarm, SendallError
from sendall.protocol.words import words_of

State = Literal["connecting", "open", "away", "closed"]


def connect(
    address: str | Address | None = None,
    *,
    nick: str | None = None,
    token: bytes | str | None = None,
    server_key: bytes | None = None,
    state: Path | None = None,
    identity: Identity | None = None,
    passphrase: AskPassphrase | None = None,
    reconnect: bool = True,
    wait: bool = False,
    _rsa: RsaKey | None = None,
) -> Client:
    """Return a client; `async with` makes the first connection and closes it at the end.

    Args:
        address: `HOST`, `HOST:PORT`, a link or what `parse_address` made of one; by default this machine's server.
        nick: shown to others; by default the name of the user's account.
        token: the server's access token, if it wants one.
        server_key: the server identity to demand, 32 bytes; a link names it too.
        state: folder of the identity, the pins and the outbox; by default the user's own.
        identity: another one than the folder's.
        passphrase: asks for the passphrase of the folder's identity, and is called only if it has one.
        reconnect: come back by itself when a connection ends.
        wait: keep trying also for the first connection.

    Raises:
        UsageError: the address is none (at once); the folder cannot be used (on entering).
        ConnectError, SecurityAlarm, Refused: on entering; see there.
    """
    return Client(
        address, nick, token, server_key, state, identity, passphrase, reconnect=reconnect, wait=wait, rsa=_rsa
    )


class Client(WaysIn):
    """A connection to one server that comes back, and the rooms joined over it."""

    def __init__(
        self,
        address: str | Address | None,
        nick: str | None,
        token: bytes | str | None,
        server_key: bytes | None,
        state: Path | None,
        identity: Identity | None,
        passphrase: AskPassphrase | None,
        *,
        reconnect: bool,
        wait: bool,
        rsa: RsaKey | None,
    ) -> None:
        super().__init__()
        self._address = address if isinstance(address, Address) else parse_address(address)
        self.address = str(self._address)
        self.nick = safe_nick(nick or _account_name())
        self._card = Card(self.nick)
        self.state: State = "connecting"
        self.kept_days = 0
        """Whole days for which the server says it keeps messages; 0 before the first contact."""
        self.rooms: dict[str, Room] = {}
        self.retry_at = 0.0
        """When the next attempt to connect is, by the monotonic clock; of no meaning while connected."""
        self._token = token.encode() if isinstance(token, str) else token
        self._manner = Manner(reconnects=reconnect, waits=wait)
        self._folder = state
        self._given_identity = identity
        self._passphrase = passphrase
        self._rsa = rsa
        self._server_pk = server_key or self._address.server_pk
        self._opened = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ConnectError: no usable server there (not with `wait`, if trying again can help).
            SecurityAlarm: the server is not the one that is pinned, or its certificate is not its own.
            Refused: the access token is missing or wrong.
            UsageError: the folder, the identity or the outbox cannot be used.
        """
        self._began_ms = now_ms()
        self._keyring = Keyring(self._folder)
        self._identity = self._given_identity or self._keyring.identity(self._passphrase)
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
            if self._private is not None:
                self._private.close()

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

    @property
    def is_closed(self) -> bool:
        return self.state == "closed"

    def _as_carrier(self) -> Client:
        return self

    # -- what rooms ask (Carrier) ---------------------------------------------------------------

    async def written(self) -> None:
        if self._runner.link is not None:
            await self._runner.link.written()

    def wake(self) -> None:
        if self._runner.link is not None:
            self._runner.link.wake()

    def let_go(self, room: Room) -> None:
        if self.rooms.pop(room.name, None) is None:
            return
        self._keeper_of(room).save(room)
        if self._runner.link is not None:
            self._runner.link.session.leave(room.follower)
            self.wake()

    def renamed(self, room: Room, name: str) -> None:
        if self.rooms.get(room.name) is room and name not in self.rooms:
            del self.rooms[room.name]
            room.name = name
            self.rooms[name] = room

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
        self.kept_days = session.kept_days
        self._keyring.pin_server(self.address, session.server_pk)
        self.state = "open"
        self._opened.set()

    def told(self, session: ClientSession) -> None:
        joined, session.joined = session.joined, []
        for follower, error in joined:
            self._joined(follower, error)
        for room in list(self.rooms.values()):
            room.collect()
            self._keeper_of(room).told(room)
            self._settle(room)
            evidence = room.take_evidence()
            if evidence is not None:
                self._keyring.keep_evidence(evidence)

    def _settle(self, room: Room) -> None:
        """Tell who waits to be in the room how that ended."""
        follower = room.follower
        waiting = self._joins.get(follower)
        if waiting is None or waiting.done():
            if follower.why_gone is not None:
                self.let_go(room)
        elif follower.why_gone is not None:
            waiting.set_exception(follower.why_gone)
        elif not follower.is_alive and follower.alarm is not None:
            waiting.set_exception(follower.alarm)
        elif follower.is_settled:
            waiting.set_result(None)

    def _joined(self, follower: RoomFollower, error: Refused | SecurityAlarm | None) -> None:
        """Take the answer to a `sub`."""
        waiting = self._joins.get(follower)
        room = next((room for room in self.rooms.values() if room.follower is follower), None)
        if room is None:
            return
        if waiting is None and error is None:
            room.tell(Back())
        elif waiting is not None and error is not None and not waiting.done():
            waiting.set_exception(follower.why_gone or follower.alarm or error)
        elif waiting is None and isinstance(error, Refused):
            self.let_go(room)
            room.end(follower.why_gone or error)

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
            self._keeper_of(room).save(room)
            room.end(error)
        self.rooms = {}

    # -- fork ---------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """In the child of a fork: nothing is sealed there under a session that the parent has too."""
        self._outbox_file.after_fork()
        if self._private is not None:
            self._private.after_fork()
        for room in self.rooms.values():
            room.after_fork()


def _account_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


__all__ = ["Client", "Person", "Room", "connect"]
