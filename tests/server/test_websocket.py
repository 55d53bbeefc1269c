"""A WebSocket over real sockets: the handshake, the seam, closing, and peers that misbehave."""

from __future__ import annotations

import asyncio
import datetime
import gc
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import websockets
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from sendall.server.framing import MAX_MESSAGE_BYTES
from sendall.server.hosts import HostPolicy
from sendall.server.http_connection import HttpConnection
from sendall.server.listener import ListenerLimits
from sendall.server.peers import Trust
from sendall.server.tls import own_tls
from tests.server.serving import HANDSHAKE, NobodyTrusted, Serving, lines, serving, until

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True)


async def close_code(reader: asyncio.StreamReader) -> int:
    """Read what is left and return the code of the close frame at its end."""
    rest = await asyncio.wait_for(reader.read(), 10)
    at = rest.rindex(b"\x88")
    return int.from_bytes(rest[at + 2 : at + 4], "big")


async def test_messages_come_back_plain_and_over_tls(tmp_path: Path) -> None:
    """Text, binary, fragments, the largest message and a ping, on one port with and without TLS."""
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    async with serving(tls=own_tls(tmp_path, [], NOW)) as served:
        for uri, context in ((served.uri, None), (served.uri.replace("ws:", "wss:"), unverified)):
            async with websockets.connect(uri, ssl=context, compression=None) as client:
                for message in ("text", b"binary", b"x" * MAX_MESSAGE_BYTES):
                    await client.send(message)
                    assert await client.recv() == message
                await client.send([b"frag", b"men", b"ted"])
                assert await client.recv() == b"fragmented"
                await asyncio.wait_for(await client.ping(), 10)
        peers = [conversation.wire.peer for conversation in served.conversations]
        assert [(peer.address, peer.trusted, peer.tls) for peer in peers] == [
            ("127.0.0.1", True, False),
            ("127.0.0.1", True, True),
        ]


async def test_neither_compression_nor_a_subprotocol_is_agreed() -> None:
    """However much a client offers (compression bombs; docs/protocol.md, "Connection")."""
    async with serving() as served, websockets.connect(served.uri, subprotocols=None) as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers
        assert client.subprotocol is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param((b"/ws", b"/other"), b"404", id="path"),
        pytest.param((b"/ws", b"/ws/"), b"404", id="longer path"),
        pytest.param((b"localhost", b"evil.example"), b"421", id="host"),
        pytest.param((b"Host: localhost\r\n", b""), b"421", id="no host"),
        pytest.param((b"Upgrade: w", b"Origin: https://evil.example\r\nUpgrade: w"), b"403", id="origin"),
        pytest.param((b"Upgrade: w", b"Origin: null\r\nUpgrade: w"), b"403", id="null origin"),
        pytest.param((b"Version: 13", b"Version: 8"), b"426", id="version"),
        pytest.param((b"Key: dGhl", b"Key: x"), b"400", id="key"),
        pytest.param((b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""), b"400", id="no key"),
        pytest.param((b"GET", b"POST"), b"405", id="method"),
    ],
)
async def test_a_wrong_handshake_is_refused(
    change: tuple[bytes, bytes], status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has its status and one line in the log, and no conversation is opened."""
    caplog.set_level("INFO")
    async with serving() as served:
        response = await served.exchange(HANDSHAKE.replace(*change))
        assert response.startswith(b"HTTP/1.1 " + status)
        assert not served.conversations
    assert len(lines(caplog)) == 1
    assert "evil" not in caplog.text


async def test_our_own_page_may_connect() -> None:
    """An Origin that names the same server as Host passes."""
    async with serving() as served:
        await served.upgrade(HANDSHAKE.replace(b"Upgrade: w", b"Origin: http://localhost\r\nUpgrade: w"))


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        pytest.param(b"\x82\x01x", 1002, id="not masked"),
        pytest.param(b"\xff\xff garbage", 1002, id="garbage"),
        pytest.param(client_frame(1, b"\xff"), 1007, id="not utf-8"),
        pytest.param(client_frame(2, bytes(MAX_MESSAGE_BYTES + 1)), 1009, id="too big"),
        pytest.param(b"\x82\xff" + (2**40).to_bytes(8, "big"), 1009, id="far too big"),
        pytest.param(client_frame(0, b"x"), 1002, id="continues nothing"),
    ],
)
async def test_malformed_frames_are_closed_with_their_code(
    stream: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The peer is told why, hears an end, and leaves one line in the log; the conversation saw nothing of it."""
    caplog.set_level("INFO")
    async with serving() as served:
        reader, writer = await served.upgrade()
        writer.write(stream)
        assert await close_code(reader) == code
        writer.close()
        await until(lambda: served.conversations[0].told == ["closed"])
    assert len(lines(caplog)) == 1
    assert str(code) in lines(caplog)[0]


async def test_frames_before_the_handshake_is_answered_are_refused() -> None:
    """They would be lost, so the connection is closed rather than left waiting."""
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(HANDSHAKE + client_frame(2, b"early"))
        assert await close_code(reader) == 1002
        writer.close()


async def test_a_conversation_closes_with_its_code_and_hears_no_more() -> None:
    """What comes in the same read, or later, is ignored; `closed` comes once."""
    async with serving() as served:
        reader, writer = await served.upgrade()
        writer.write(client_frame(1, b"close") + client_frame(2, b"same read"))
        assert await asyncio.wait_for(reader.readexactly(15), 10) == b"\x88\x0d\x0f\xa0as you wish"
        writer.write(client_frame(2, b"later") + client_frame(8, b"\x0f\xa0"))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        conversation = served.conversations[0]
        await until(lambda: "closed" in conversation.told)
        assert conversation.told == ["text", "closed"]
        wire = conversation.wire
        wire.write(b"to nobody")
        wire.close(4000, "again")
        wire.pause_reading()
        wire.resume_reading()
        assert wire.unsent_bytes() == 0


async def test_the_peer_closes_and_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    """Its code comes back, and its words do not reach the log."""
    caplog.set_level("INFO")
    async with serving() as served:
        async with websockets.connect(served.uri) as client:
            await client.close(4321, "secret words")
            assert client.close_code == 4321
        await until(lambda: served.server.connection_count == 0)
    assert lines(caplog) == ["connection of 127.0.0.1 ended: closed by the peer, 4321"]


async def test_a_vanished_peer_is_gone_at_once() -> None:
    """A connection whose socket closed or was reset tells its conversation without waiting for a tick."""
    async with serving() as served:
        for linger in (False, True):
            _, writer = await served.upgrade()
            if linger:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            writer.close()
            await until(lambda: served.conversations[-1].told == ["closed"])


class SlowPeer:
    """A WebSocket that asked for 8 MiB and reads none of it."""

    def __init__(self) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.setblocking(False)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)


@asynccontextmanager
async def slow_peer(served: Serving) -> AsyncIterator[SlowPeer]:
    peer = SlowPeer()
    with peer.sock:
        await asyncio.get_running_loop().sock_connect(peer.sock, ("127.0.0.1", served.port))
        await peer.send(HANDSHAKE)
        await until(lambda: bool(served.conversations))
        await peer.send(client_frame(1, b"flood"))
        await until(lambda: "paused" in served.conversations[0].told)
        yield peer


async def test_a_peer_that_never_reads_is_aborted_after_close() -> None:
    """Unsent bytes do not keep a closed connection alive for more than 5 s."""
    async with serving() as served, slow_peer(served):
        conversation = served.conversations[0]
        assert conversation.wire.unsent_bytes() > 1_000_000
        before = len(conversation.ticks)
        conversation.wire.close(4008, "too slow")
        served.clock.now += 4.1
        await until(lambda: conversation.told[-1] == "closed")
        assert len(conversation.ticks) == before


async def test_a_half_closed_peer_that_never_reads_is_aborted() -> None:
    """An end of stream from the peer does not let it keep what it does not take."""
    async with serving() as served, slow_peer(served) as peer:
        conversation = served.conversations[0]
        write = conversation.wire.write
        peer.sock.shutdown(socket.SHUT_WR)
        await until(lambda: conversation.wire.write != write)
        served.clock.now += 4.1
        await until(lambda: conversation.told[-1] == "closed")


async def test_pings_of_a_peer_that_never_reads_take_no_memory() -> None:
    """While nothing can be written, only the latest ping is remembered."""
    async with serving() as served, slow_peer(served) as peer:
        conversation = served.conversations[0]
        unsent = conversation.wire.unsent_bytes()
        await peer.send(client_frame(9, bytes(125)) * 1000 + client_frame(2, b""))
        await until(lambda: "binary" in conversation.told)
        assert conversation.wire.unsent_bytes() <= unsent + 2


async def test_a_reader_that_takes_up_again_is_told_drained() -> None:
    """`paused` comes when the buffer fills, `drained` when it has room, in turn."""
    async with serving() as served, websockets.connect(served.uri, max_size=None) as client:
        client.transport.pause_reading()
        await client.send("flood")
        await until(lambda: bool(served.conversations) and "paused" in served.conversations[0].told)
        client.transport.resume_reading()
        for _ in range(128):
            await client.recv()
        await until(lambda: served.conversations[0].told == ["text", "paused", "drained"])


async def test_reading_pauses_and_resumes() -> None:
    """A paused connection takes nothing; nothing is lost by it."""
    async with serving() as served, websockets.connect(served.uri) as client:
        await until(lambda: bool(served.conversations))
        wire = served.conversations[0].wire
        wire.pause_reading()
        wire.pause_reading()
        await client.send("later")
        async with websockets.connect(
            served.uri
        ) as other:  # whose answer comes after the server had its chance to read
            await other.send("now")
            assert await other.recv() == "now"
        assert not served.conversations[0].told
        wire.resume_reading()
        wire.resume_reading()
        assert await client.recv() == "later"


async def test_the_address_behind_a_proxy_is_taken_and_limited() -> None:
    """X-Forwarded-For names the peer, and connections count for it."""
    limits = ListenerLimits(connections_per_address=1, handshakes_per_s=0)
    async with serving(trust=Trust(["127.0.0.1"]), limits=limits) as served:
        request = HANDSHAKE.replace(b"Upgrade: w", b"X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nUpgrade: w")
        await served.upgrade(request)
        peer = served.conversations[0].wire.peer
        assert (peer.address, peer.trusted) == ("203.0.113.7", False)
        assert (await served.exchange(request)).startswith(b"HTTP/1.1 429 ")
        await served.upgrade(request.replace(b"203.0.113.7", b"203.0.113.8"))


async def test_plain_websockets_from_afar_are_sent_to_https() -> None:
    """They are not even tried: the answer is the redirect."""
    async with serving(trust=NobodyTrusted(), policy=HostPolicy.of(["localhost"])) as served:
        assert (await served.exchange(HANDSHAKE)).startswith(b"HTTP/1.1 308 ")
        assert not served.conversations


async def test_an_open_websocket_keeps_nothing_of_its_handshake() -> None:
    """Neither uvicorn's objects nor websockets' stay behind, without any help of the garbage collector."""
    async with serving() as served:
        gc.collect()
        gc.disable()
        try:
            await served.upgrade()
            kept = [o for o in gc.get_objects() if isinstance(o, HttpConnection | ServerProtocol)]
            assert kept == []
        finally:
            gc.enable()


async def test_conversations_are_told_the_time() -> None:
    """About once a second, by the server's clock."""
    async with serving() as served:
        await served.upgrade()
        await until(lambda: served.conversations[0].ticks == [served.clock.now])
