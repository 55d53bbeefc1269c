"""Connecting: every way it fails is told apart, and names what to do next. Real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sendall.client.address import Address
from sendall.client.connection import explain, open_connection
from sendall.errors import ConnectError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(data: bytes) -> AsyncIterator[int]:
    """A server that says `data` to whoever speaks, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def failure(host: str, port: int, *, address: Address | None = None) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        await open_connection(address or Address(host, port))
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nothing_listening_names_the_command_that_starts_a_server(host: str) -> None:
    """A refused connection says so, by name and by address, and that waiting may help."""
    port = free_port()
    error = await failure(host, port)
    assert str(error) == f"nothing listens at {host}:{port}"
    assert f"sendall serve --port {port}" in error.hint
    assert error.retry


@pytest.mark.parametrize(
    "data", [b"", b"rubbish\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]
)
async def test_something_else_that_listens_is_no_sendall_server(data: bytes) -> None:
    """Whatever answers otherwise is named as not being a sendall server."""
    async with answering(data) as port:
        error = await failure("127.0.0.1", port)
    assert "is not a sendall server" in str(error)
    assert not error.retry


async def test_a_redirect_is_not_followed() -> None:
    """An answer that sends the client elsewhere is no answer."""
    async with answering(b"HTTP/1.1 301 Moved\r\nLocation: ws://127.0.0.1:1/ws\r\nContent-Length: 0\r\n\r\n") as port:
        assert "301" in str(await failure("127.0.0.1", port))


async def test_a_plain_server_where_tls_is_spoken_is_told_apart() -> None:
    """Plain and TLS mixed up has a sentence of its own, and there is no falling back."""
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:

        class Elsewhere(Address):
            tls = True

        error = await failure("", 0, address=Elsewhere("127.0.0.1", port))
    assert "speaks no TLS" in str(error)


async def test_a_host_that_is_none_says_so() -> None:
    """A name that does not resolve is told apart from a server that is down."""
    error = explain(socket.gaierror(socket.EAI_NONAME, "x"), Address("nowhere.example"))
    assert "there is no host 'nowhere.example'" in str(error)
    assert not error.retry


@pytest.mark.parametrize(
    ("cause", "part"),
    [
        (TimeoutError(), "does not answer"),
        (OSError(113, "No route to host"), "No route to host"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] Connect call failed"), "nothing"),
        (OSError("Multiple exceptions: [Errno 111] x, [Errno 101] y"), "cannot be reached"),
        (ConnectionResetError(104, "reset"), "is not a sendall server"),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), "speaks no TLS"),
    ],
)
def test_each_cause_has_its_sentence(cause: Exception, part: str) -> None:
    """What the system says becomes one sentence, with a hint."""
    error = explain(cause, Address("192.0.2.1"))
    assert part in str(error)
    assert error.hint


async def test_a_websocket_opens_at_the_path_of_the_protocol() -> None:
    """No subprotocol, no extensions, path /ws, no TLS on this machine."""
    seen: list[tuple[str, list[str]]] = []

    async def take(connection: ServerConnection) -> None:
        assert connection.request is not None
        names = [name.lower() for name in connection.request.headers]
        seen.append((connection.request.path, [name for name in names if "extension" in name or "subproto" in name]))
        await connection.send("hello")
        await connection.wait_closed()

    async with serve(take, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        connection = await open_connection(Address("127.0.0.1", port))
        assert await connection.receive() == "hello"
        assert connection.line.leaf == bytes(32)
        assert connection.line.is_vouched
        await connection.close()
    assert seen == [("/ws", [])]
