"""Staying connected: connect, converse, wait, and again, until it is no use.

Decides which end of a connection is worth another attempt. What outlives a connection is its
`Owner`'s. Shell.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import NamedTuple, Protocol

from websockets.exceptions import ConnectionClosed

from sendall.client import process
from sendall.client.address import Address
from sendall.client.backoff import Backoff
from sendall.client.connection import Connection, not_sendall, open_connection, why_closed
from sendall.client.handshake import Credentials, LeafNotOwn
from sendall.client.keyring import identity_changed
from sendall.client.link import Link
from sendall.client.room import RoomFollower
from sendall.client.session import ClientSession
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.errors import ConnectError, Malformed, SecurityAlarm, SendallError

GOODBYE_S = 0.5
"""How long a program that leaves waits for the server's answer to its close frame."""


class Manner(NamedTuple):
    """How persistent to be."""

    reconnects: bool
    """Come back when a connection ends."""
    waits: bool
    """Keep trying also before the first connection."""


class Owner(Protocol):
    """What outlives a connection."""

    def followers(self) -> list[RoomFollower]:
        """Return the rooms to follow."""
        ...

    def opened(self, session: ClientSession) -> None:
        """Both sides proved themselves."""
        ...

    def told(self, session: ClientSession) -> None:
        """Something arrived."""
        ...

    def is_readable(self) -> bool:
        """Whether to read the socket: not while a reader is slow, unless somebody waits for what it brings."""
        ...

    def disconnected(self, why: SendallError, delay_s: float) -> None:
        """An attempt or a connection ended; unless it is given up, the next is in `delay_s` seconds."""
        ...

    def ended(self, error: SendallError | None) -> None:
        """There will be no further attempt."""
        ...


class Runner:
    """The attempts of one client to be connected to one server."""

    def __init__(
        self,
        owner: Owner,
        address: Address,
        identity: Identity,
        server_pk: bytes | None,
        token: bytes | None,
        manner: Manner,
        rsa: RsaKey | None,
    ) -> None:
        """`server_pk`: whom to demand; None: whoever answers at the first contact, and that one from then on."""
        self.link: Link | None = None
        """The connection that is open; None between two."""
        self._owner = owner
        self._address = address
        self._identity = identity
        self._demanded = server_pk
        self._token = token
        self._manner = manner
        self._rsa = rsa
        self._has_been_open = False
        self._is_open = False
        self._needs_webpki = False

    @property
    def server_pk(self) -> bytes:
        """Whom this client is connected to. Only after the first connection."""
        assert self._demanded is not None, "nobody was met yet"
        return self._demanded

    @property
    def rsa(self) -> RsaKey:
        """The key that grants are made to. Only after the first connection."""
        assert self._rsa is not None, "made with the first connection"
        return self._rsa

    async def run(self) -> None:
        """Stay connected. Returns only by raising what makes another attempt useless."""
        backoff = Backoff(random.random)
        while True:
            self._is_open = False
            why = await self._until_the_end()
            if isinstance(why, LeafNotOwn) and not self._needs_webpki:
                self._needs_webpki = True
                continue
            if self._is_open:
                backoff.reset()
            delay_s = backoff.next_delay()
            self._owner.disconnected(why, delay_s)
            if self._is_final(why):
                self._owner.ended(why)
                raise why
            await asyncio.sleep(delay_s)

    def _is_final(self, why: SendallError) -> bool:
        if not isinstance(why, ConnectError):
            return True
        if self._has_been_open:
            return not (self._manner.reconnects and (why.retry or not self._is_open))
        return not (self._manner.waits and why.retry)

    async def _until_the_end(self) -> SendallError:
        """Connect once; return why it ended."""
        try:
            await self._connect()
        except ConnectionClosed as error:
            return why_closed(error)
        except Malformed as error:
            if self._is_open:
                return ConnectError(f"the server broke the protocol: {error}", retry=True)
            return not_sendall(self._address)
        except SecurityAlarm as alarm:
            return identity_changed(str(self._address)) if alarm.kind == "identity" and self._demanded else alarm
        except SendallError as error:
            return error
        except Exception as defect:
            # Who waits must not wait for ever because of a defect of ours.
            self._owner.ended(SendallError(f"a defect of sendall ended this client: {defect!r}"))
            raise
        raise AssertionError("a connection ends by an exception")

    async def _connect(self) -> None:
        opening = open_connection(self._address, webpki=self._needs_webpki)
        # Both at once: an RSA key takes longer to make than most connections.
        connection, rsa = await asyncio.gather(opening, self._rsa_key(), return_exceptions=True)
        if isinstance(connection, BaseException):
            raise connection
        try:
            if isinstance(rsa, BaseException):
                raise rsa
            await self._converse(connection, rsa)
        except SendallError as error:
            await connection.close(error.close_code if isinstance(error, Malformed) else 1000)
            raise
        except asyncio.CancelledError:  # the program leaves: said, but not waited for by a server that is gone
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.close(1000), GOODBYE_S)
            raise
        finally:
            connection.abort()

    async def _converse(self, connection: Connection, rsa: RsaKey) -> None:
        credentials = Credentials(self._identity, rsa, self._demanded, self._token)
        session = ClientSession(credentials, connection.line, self._owner.followers(), time.monotonic())
        self.link = Link(connection, session, lambda: self._told(session), self._owner.is_readable)
        try:
            await self.link.run()
        finally:
            self.link = None
            session.closed()

    def _told(self, session: ClientSession) -> None:
        if not self._is_open and session.is_open:
            self._is_open = self._has_been_open = True
            self._demanded = session.server_pk
            self._owner.opened(session)
        self._owner.told(session)

    async def _rsa_key(self) -> RsaKey:
        if self._rsa is None:
            self._rsa = await asyncio.to_thread(process.rsa_key)
        return self._rsa
