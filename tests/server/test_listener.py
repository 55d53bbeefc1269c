"""The accept loop over real sockets: TLS and plain on one port, limits, and what must not stop it."""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import datetime
import hashlib
import os
import resource
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sendall.server.listener import ListenerLimits
from sendall.server.tls import own_tls
from tests.server.serving import NobodyTrusted, Serving, lines, serving, until

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def unverified(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    return context


@contextmanager
def open_files(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def neighbour() -> Iterator[tuple[str, str]]:
    """Make a network namespace with a wire to it; yield our address on that wire, and its name."""
    name, ours, theirs = f"sendall{os.getpid()}", "198.51.100.1", "198.51.100.2"
    wire, far_end = f"sa{os.getpid()}a", f"sa{os.getpid()}b"
    ip(f"netns add {name}")
    try:
        ip(f"link add {wire} type veth peer name {far_end} netns {name}")
        ip(f"addr add {ours}/30 dev {wire}")
        ip(f"link set {wire} up")
        ip(f"-n {name} addr add {theirs}/30 dev {far_end}")
        ip(f"-n {name} link set {far_end} up")
        yield ours, name
    finally:
        ip(f"netns del {name}")


def ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True)


async def get_from(namespace: str, scheme: str, address: str, target: str) -> str:
    """Return status and Location of a GET made in another network namespace."""
    program = (
        "import http.client, ssl, sys; scheme, address, target = sys.argv[1:];"
        "plain = scheme == 'http'; kind = http.client.HTTPConnection if plain else http.client.HTTPSConnection;"
        "connection = kind(address, timeout=10, **({} if plain else {'context': ssl._create_unverified_context()}));"
        "connection.request('GET', target); answer = connection.getresponse();"
        "print(answer.status, answer.getheader('location'))"
    )
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", program, scheme, address, target]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode().strip()


async def advance_until(served: Serving, done: asyncio.Task[bytes], step_s: float) -> bytes:
    """Move the server's clock until a read is over."""
    while not done.done():
        served.clock.now += step_s
        await asyncio.wait([done], timeout=0.2)
    return done.result()


async def test_one_port_speaks_tls_and_plain(tmp_path: Path) -> None:
    """The first byte decides; the certificate shown is the one whose hash is signed."""
    material = own_tls(tmp_path, [], NOW)
    async with serving(tls=material) as served:
        assert (await served.exchange(GET)).startswith(b"HTTP/1.1 200 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=unverified())
        tls = writer.get_extra_info("ssl_object")
        assert tls.version() == "TLSv1.3"
        assert hashlib.sha256(tls.getpeercert(binary_form=True)).digest() == material.leaf_hash
        writer.write(GET)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


async def test_tls_of_others_is_served_where_plain_is_not(tmp_path: Path) -> None:
    """A peer from afar that comes over TLS gets the page, not a redirect."""
    async with serving(tls=own_tls(tmp_path, [], NOW), trust=NobodyTrusted()) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=unverified())
        writer.write(GET)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


async def test_tls_12_is_refused(tmp_path: Path) -> None:
    """There is no older version to fall back to."""
    async with serving(tls=own_tls(tmp_path, [], NOW)) as served:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", served.port, ssl=unverified(ssl.TLSVersion.TLSv1_2))


@pytest.mark.parametrize("hello", [b"\x16" + b"garbage" * 100, b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"])
async def test_a_broken_handshake_is_closed_with_one_line(
    hello: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that begin like TLS and are not leave one line and no connection."""
    caplog.set_level("INFO")
    async with serving(tls=own_tls(tmp_path, [], NOW)) as served:
        await served.exchange(hello)
        await until(lambda: served.server.connection_count == 0)
    assert len(lines(caplog)) == 1
    assert lines(caplog)[0].startswith("TLS handshake of 127.0.0.1 failed: ")


async def test_half_a_handshake_that_goes_away_leaves_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So does a peer that leaves in the middle of its hello."""
    caplog.set_level("INFO")
    async with serving(tls=own_tls(tmp_path, [], NOW)) as served:
        _, writer = await served.connect()
        writer.write(b"\x16\x03\x01")
        await until(lambda: served.server.connection_count == 1)
        writer.close()
        await until(lambda: served.server.connection_count == 0)
    assert len(lines(caplog)) == 1


async def test_tls_without_a_certificate_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """It is closed and said, rather than taken for a broken request."""
    caplog.set_level("INFO")
    async with serving() as served:
        with pytest.raises(ConnectionResetError):
            await served.exchange(b"\x16\x03\x01")
    assert lines(caplog) == ["connection of 127.0.0.1 refused: TLS is off"]


async def test_silence_is_closed_after_10_seconds(caplog: pytest.LogCaptureFixture) -> None:
    """Who says nothing keeps no connection; who comes and goes leaves no line."""
    caplog.set_level("INFO")
    async with serving() as served:
        reader, _ = await served.connect()
        _, other = await served.connect()
        await until(lambda: served.server.connection_count == 2)
        other.close()
        await until(lambda: served.server.connection_count == 1)
        assert await advance_until(served, asyncio.create_task(reader.read()), 2) == b""
        assert served.clock.now >= 1009
    assert lines(caplog) == ["connection of 127.0.0.1 ended: it said nothing for 10 s"]


async def test_an_address_has_its_share(caplog: pytest.LogCaptureFixture) -> None:
    """One more is closed at once, as long as none of the others has left."""
    limits = ListenerLimits(connections_per_address=2, handshakes_per_s=0)
    async with serving(trust=NobodyTrusted(), limits=limits) as served:
        _, first = await served.connect()
        await served.connect()
        await until(lambda: served.server.connection_count == 2)
        reader, _ = await served.connect()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        first.close()
        await until(lambda: served.server.connection_count == 1)
        await served.connect()
        await until(lambda: served.server.connection_count == 2)
        await until(lambda: bool(lines(caplog)))
    assert lines(caplog) == [
        "1 connections refused, the last because there are 2 connections of 2 allowed from 127.0.0.1"
    ]


async def test_loopback_has_no_share_but_a_total() -> None:
    """The limit in all holds for everybody."""
    async with serving(limits=ListenerLimits(1, 3, 0)) as served:
        for _ in range(3):
            await served.connect()
        await until(lambda: served.server.connection_count == 3)
        reader, _ = await served.connect()
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_the_total_is_80_percent_of_the_open_files() -> None:
    """Unless it is set; the rest is for the log, the loop and whoever is just being accepted."""
    with open_files(100):
        server = serving()
        served = await server.__aenter__()
    try:
        for _ in range(80):
            await served.connect()
        await until(lambda: served.server.connection_count == 80)
        reader, _ = await served.connect()
        assert await asyncio.wait_for(reader.read(), 10) == b""
    finally:
        await server.__aexit__(None, None, None)


async def test_too_fast_waits_in_the_backlog() -> None:
    """With the clock standing still the burst is answered, and the next only once a token has grown."""
    async with serving(limits=ListenerLimits(handshakes_per_s=20)) as served:
        for _ in range(2):
            assert await served.exchange(GET)
        waiting = asyncio.create_task(served.exchange(GET))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        served.clock.now += 0.051
        assert (await waiting).startswith(b"HTTP/1.1 200 ")


async def test_out_of_files_it_waits_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """EMFILE stops nothing: said once, and accepted as soon as there is a file again."""
    caplog.set_level("INFO")
    async with serving() as served:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            with open_files(sock.fileno() + 1):
                await loop.sock_connect(sock, ("127.0.0.1", served.port))
                await until(lambda: bool(lines(caplog)))
            await loop.sock_sendall(sock, GET)
            assert (await loop.sock_recv(sock, 100)).startswith(b"HTTP/1.1 200 ")
    assert lines(caplog) == ["cannot accept connections, trying on: EMFILE"]


async def test_the_standard_loops_tls_buffer_is_small() -> None:
    """The private attribute that saves 240 KB a connection exists in this Python, and is set."""
    assert hasattr(asyncio.sslproto.SSLProtocol, "max_size")
    async with serving():
        assert asyncio.sslproto.SSLProtocol.max_size == 16 * 1024


async def test_it_listens_on_several_sockets() -> None:
    """IPv4 and IPv6 at once."""
    sockets = [socket.create_server(("127.0.0.1", 0)), socket.create_server(("::1", 0), family=socket.AF_INET6)]
    port = sockets[1].getsockname()[1]
    async with serving(sockets=sockets) as served:
        assert (await served.exchange(GET)).startswith(b"HTTP/1.1 200 ")
        reader, writer = await asyncio.open_connection("::1", port)
        writer.write(GET.replace(b"localhost", b"[::1]"))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and ip(8)")
async def test_a_neighbour_on_the_network_is_redirected(tmp_path: Path) -> None:
    """From a real other address: plain HTTP is answered with the way to https, TLS with the page."""
    with neighbour() as (ours, namespace):
        sockets = [socket.create_server((ours, 0))]
        async with serving(sockets=sockets, tls=own_tls(tmp_path, [ours], NOW)) as served:
            address = f"{ours}:{served.port}"
            assert await get_from(namespace, "http", address, "/x?y") == f"308 https://{address}/x?y"
            assert await get_from(namespace, "https", address, "/") == "200 None"
