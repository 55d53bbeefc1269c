"""The socket under a session: a WebSocket client that is strict about where it ends up.

Plain to loopback, TLS elsewhere, never one after the other, no proxies, no redirects. TLS is without
WebPKI at first, since the server's identity signs its certificate's hash; only where TLS is not the
server's own does a certificate have to be valid. Every failure becomes a `ConnectError` that names
what to do next.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import ssl
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from sendall.client.address import Address
from sendall.client.events import safe_text
from sendall.client.handshake import Line
from sendall.client.session import Action, SendText
from sendall.config import DEFAULT_PORT
from sendall.crypto.identity import NO_LEAF
from sendall.errors import CloseCode, ConnectError
from sendall.protocol.frames import MAX_MESSAGE

OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
READ_AHEAD = 16
"""WebSocket messages that wait for the reader; beyond it the socket is not read."""


class _Strict(connect):
    """`connect` that follows no redirect: an answer that sends us elsewhere is no answer."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class Connection:
    """An open WebSocket connection; `line` says what a session must know of it."""

    def __init__(self, socket: ClientConnection, line: Line) -> None:
        self._socket = socket
        self.line = line

    async def receive(self) -> bytes | str:
        """Return the next message's payload: text as `str`. Raises ConnectionClosed."""
        return await self._socket.recv()

    async def carry_out(self, actions: Sequence[Action]) -> None:
        """Send in order; waits while the socket takes no more. Raises ConnectionClosed."""
        for action in actions:
            await self._socket.send(action.data, text=isinstance(action, SendText))

    async def close(self, code: int = 1000) -> None:
        await self._socket.close(code)

    def abort(self) -> None:
        """End the connection without another word."""
        self._socket.transport.abort()


async def open_connection(address: Address, *, webpki: bool = False) -> Connection:
    """Connect within 10 s.

    `webpki`: demand a certificate that a public authority vouches for.

    Raises:
        ConnectError: no usable server there; says why and what to do.
    """
    tls = _tls(webpki=webpki) if address.tls else None
    try:
        opened = await _Strict(
            address.url,
            ssl=tls,
            compression=None,
            ping_interval=None,
            max_size=MAX_MESSAGE,
            max_queue=READ_AHEAD,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            proxy=None,
            user_agent_header=None,
        )
    except (OSError, InvalidHandshake, EOFError, ConnectionClosed) as error:
        raise explain(error, address) from error
    return Connection(opened, Line(_leaf(opened, webpki=webpki), webpki or not address.tls, os.urandom(32)))


def _tls(*, webpki: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not webpki:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _leaf(opened: ClientConnection, *, webpki: bool) -> bytes:
    tls = opened.transport.get_extra_info("ssl_object")
    # Behind WebPKI validation TLS is a proxy's: its certificate means nothing to the server.
    if tls is None or webpki:
        return NO_LEAF
    return hashlib.sha256(tls.getpeercert(binary_form=True)).digest()


def explain(error: Exception, address: Address) -> ConnectError:
    """Return what a failure to connect means to a person, and the next command."""
    match error:
        case TimeoutError():
            return ConnectError(
                f"{address} does not answer within {OPEN_TIMEOUT_S:.0f} s",
                hint="a firewall may be in between, or the host is off; on the server's machine try: sendall join",
                retry=True,
            )
        case socket.gaierror():
            return ConnectError(
                f"there is no host {address.host!r}",
                hint=f"check the spelling, or try its IP address: sendall join 192.0.2.1:{address.port}",
                retry=error.errno == socket.EAI_AGAIN,
            )
        case ssl.SSLCertVerificationError():
            return ConnectError(
                f"the certificate of {address} is not valid: {error.verify_message}",
                hint="TLS is not the server's own there: give the proxy a valid certificate, or connect past it",
            )
        case ssl.SSLError():
            return ConnectError(
                f"{address} speaks no TLS 1.3, which this client speaks to all but this machine",
                hint=f"if a proxy stands before it, connect to that: sendall join {address.host}:443",
            )
        case InvalidStatus():
            return _not_sendall(address, f"it answered with HTTP status {error.response.status_code}")
        case InvalidMessage() if not isinstance(error.__cause__, EOFError | ConnectionError):
            return _not_sendall(address, "it does not answer as a WebSocket server does")
        case InvalidMessage() | EOFError() | ConnectionResetError() | ConnectionClosed():
            return _not_sendall(address, "it ended the connection, as a server does that wants TLS on this machine too")
        case InvalidHandshake():
            return _not_sendall(address, "it does not speak WebSocket as it should")
        case _:
            return _of_the_network(error, address)


def not_sendall(address: Address) -> ConnectError:
    """Return the error for something that speaks WebSocket, and not our protocol."""
    return _not_sendall(address, "what it says is not our protocol")


def _not_sendall(address: Address, why: str) -> ConnectError:
    return ConnectError(
        f"what answers at {address} is not a sendall server: {why}",
        hint=f"check the port (sendall's own is {DEFAULT_PORT}), or start a server: sendall serve",
    )


def _of_the_network(error: Exception, address: Address) -> ConnectError:
    numbers = {int(number) for number in re.findall(r"\[Errno (-?\d+)\]", str(error))}
    if isinstance(error, OSError) and error.errno:
        numbers.add(error.errno)
    if numbers and numbers <= {errno.ECONNREFUSED}:
        options = " --host 0.0.0.0" * address.tls + f" --port {address.port}" * (address.port != DEFAULT_PORT)
        hint = f"start a server there: sendall serve{options}"
        return ConnectError(f"nothing listens at {address}", hint=hint, retry=True)
    return ConnectError(
        f"{address} cannot be reached: {os.strerror(min(numbers)) if numbers else error}",
        hint="check the network, then try again: sendall join " + str(address),
        retry=True,
    )


def why_closed(error: ConnectionClosed) -> ConnectError:
    """Return why the connection ended, and whether coming back can help."""
    received = error.rcvd
    if received is None:
        return ConnectError("the connection broke", retry=True)
    reason = safe_text(received.reason)
    match received.code:
        case CloseCode.RESTARTING:
            return ConnectError("the server restarts", retry=True)
        case CloseCode.MALFORMED:
            return ConnectError(f"the server did not understand this client: {reason}", hint="upgrade both sides")
        case CloseCode.NOT_AUTHENTICATED:
            return ConnectError(f"the server did not accept this client's proof: {reason}")
        case code:
            return ConnectError(f"the server ended the connection: {reason or code}", retry=True)
