"""HTTP over real sockets: what is said, to whom, and how strictly requests are taken."""

from __future__ import annotations

import asyncio

import pytest

from sendall.server.hosts import HostPolicy
from sendall.server.http_connection import HEAD_BYTES
from sendall.server.peers import Trust
from tests.server.serving import NobodyTrusted, lines, serving, until


def get(path: str = "/", host: str = "localhost", more: str = "Connection: close\r\n", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


async def test_the_root_says_what_this_is_and_how_to_join(caplog: pytest.LogCaptureFixture) -> None:
    """Plain text with the very command and who can read, under strict security headers, and no line in the log."""
    caplog.set_level("INFO")
    async with serving() as served:
        response = (await served.exchange(get(host=f"localhost:{served.port}"))).decode()
        head, _, body = response.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 ")
        assert f"sendall join localhost:{served.port}\n" in body
        assert "Who can read" in body
        for header in (
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "date: ",
        ):
            assert header in head
        assert "server:" not in head
    assert not lines(caplog)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/nothing"), b"404"),
        (get("/ws/"), b"404"),
        (get("/../../etc/passwd"), b"404"),
        (get("/ws"), b"426"),
        (get(method="POST"), b"405"),
        (get(method="HEAD"), b"200"),
        (get(host="evil.example"), b"421"),
        (get(host="127.0.0.1"), b"200"),
        (get(host="192.0.2.1"), b"421"),
        (get(host=""), b"421"),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"421"),
        (get(more="Host: localhost\r\nConnection: close\r\n"), b"421"),
        (get(more="Connection: close, upgrade\r\nUpgrade: h2c\r\n"), b"200"),
    ],
)
async def test_every_request_has_its_status(request_bytes: bytes, status: bytes) -> None:
    """Unknown paths, wrong methods, foreign and doubled Hosts, and upgrades we do not offer."""
    async with serving() as served:
        response = await served.exchange(request_bytes)
        assert response.startswith(b"HTTP/1.1 " + status)
        assert b"nosniff" in response


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"\x00\x01\x02\x03" * 50, id="random"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="version"),
        pytest.param(b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", id="header"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", id="path"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="two lengths",
        ),
    ],
)
async def test_what_is_no_request_is_closed_with_one_line(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """400, closed, and exactly one line in the log, without anything of what was sent."""
    caplog.set_level("INFO")
    async with serving() as served:
        assert (await served.exchange(request_bytes)).startswith(b"HTTP/1.1 400 ")
    assert lines(caplog) == ["request of 127.0.0.1 refused: 400 Bad Request"]


@pytest.mark.parametrize("sent_at_once", [True, False])
async def test_a_head_has_8_kib(sent_at_once: bool, caplog: pytest.LogCaptureFixture) -> None:
    """One that fits is answered, one byte more is refused, however it is cut."""
    caplog.set_level("INFO")
    fits = get(more="Connection: close\r\nX: \r\n")
    fits = fits.replace(b"X: ", b"X: " + b"x" * (HEAD_BYTES - len(fits)))
    async with serving() as served:
        for head, status in ((fits, b"200"), (fits.replace(b"X: ", b"X: x"), b"431")):
            reader, writer = await served.connect()
            for piece in [head] if sent_at_once else [head[:100], head[100:]]:
                writer.write(piece)
                await writer.drain()
            assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 " + status)
    assert lines(caplog) == ["request of 127.0.0.1 refused: 431 Request Header Fields Too Large"]


async def test_requests_may_follow_each_other() -> None:
    """Kept alive, and sent together; the limit is for each head alone."""
    padding = "X: " + "x" * 6000 + "\r\n"
    async with serving() as served:
        together = get(more=padding) * 3 + get(more="Connection: close\r\n")
        assert (await served.exchange(together)).count(b"HTTP/1.1 200 ") == 4


async def test_a_head_has_10_seconds(caplog: pytest.LogCaptureFixture) -> None:
    """Slowloris: whoever drips a head, or says nothing behind it, is told 408 and closed with one line."""
    caplog.set_level("INFO")
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            served.clock.now += 5
            await asyncio.wait([reading], timeout=0.2)
        assert reading.result().startswith(b"HTTP/1.1 408 ")
        assert served.clock.now > 1010
    assert lines(caplog) == ["request of 127.0.0.1 refused: 408 Request Timeout"]


async def test_half_a_head_leaves_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A peer that goes in the middle of its request is noticed at once."""
    caplog.set_level("INFO")
    async with serving() as served:
        _, writer = await served.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        await until(lambda: served.server.connection_count == 1)
        await writer.drain()
        writer.close()
        await until(lambda: served.server.connection_count == 0)
    assert lines(caplog) == ["connection of 127.0.0.1 ended in the middle of a request head"]


async def test_an_answer_does_not_wait_for_a_body() -> None:
    """A body that never comes cannot hold a connection that was answered already."""
    async with serving() as served:
        response = await served.exchange(get(method="POST", more="Content-Length: 1000000\r\n"))
        assert response.startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/", "/"),
        ("/a/b?c=d%20e&f", "/a/b?c=d%20e&f"),
        ("//evil.example/x", "//evil.example/x"),
        ("/%2e%2e/x", "/%2e%2e/x"),
    ],
)
async def test_plain_http_from_afar_is_redirected_once(target: str, location: str) -> None:
    """To the same host, port and path over https, whatever is there; then the connection ends."""
    async with serving(trust=NobodyTrusted()) as served:
        host = f"localhost:{served.port}"
        response = (await served.exchange(get(target, host=host, more=""))).decode()
        assert response.startswith("HTTP/1.1 308 ")
        assert f"\r\nlocation: https://{host}{location}\r\n" in response


async def test_a_redirect_is_for_our_names_only() -> None:
    """Nobody is sent to a host we do not know to be ours."""
    async with serving(trust=NobodyTrusted()) as served:
        assert (await served.exchange(get(host="evil.example"))).startswith(b"HTTP/1.1 421 ")


async def test_a_trusted_proxy_is_served_plain() -> None:
    """It speaks TLS with its clients for us, under the name that was configured."""
    policy = HostPolicy.of(["chat.example.org"])
    async with serving(trust=Trust(["127.0.0.0/8"]), policy=policy) as served:
        response = await served.exchange(get(host="chat.example.org"))
        assert b"sendall join chat.example.org:443\n" in response
