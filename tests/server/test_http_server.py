"""Stopping: nobody new, everybody told, nobody waited for longer than said."""

from __future__ import annotations

import asyncio
import datetime
import gc
from pathlib import Path

import pytest
import websockets

from sendall.server.tls import own_tls
from tests.server.serving import HANDSHAKE, lines, serving, until


async def test_stop_tells_every_websocket_and_waits() -> None:
    """Each is closed with 1012, after the owner had its say, and `stop` returns when they have gone."""
    said: list[int] = []

    def say() -> None:
        said.append(served.server.connection_count)

    async with serving(stopping=say) as served:
        clients = [await websockets.connect(served.uri) for _ in range(3)]
        await until(lambda: len(served.conversations) == 3)
        await served.server.stop()
        assert said == [3]
        assert served.server.connection_count == 0
        for client in clients:
            await client.wait_closed()
            assert client.close_code == 1012
        assert [conversation.told for conversation in served.conversations] == [["closed"]] * 3


async def test_what_was_written_before_stop_arrives() -> None:
    """The owner's last words go before the close frame, in whole."""
    last = b"\x82\x7f" + (100_000).to_bytes(8, "big") + bytes(100_000)

    def say() -> None:
        served.conversations[0].wire.write(last)

    async with serving(stopping=say) as served, websockets.connect(served.uri) as client:
        await until(lambda: bool(served.conversations))
        stopping = asyncio.create_task(served.server.stop())
        assert await client.recv() == bytes(100_000)
        await stopping


async def test_stop_aborts_who_does_not_leave(caplog: pytest.LogCaptureFixture) -> None:
    """A peer that ignores the close frame costs the grace time and no more."""
    async with serving() as served:
        reader, _ = await served.upgrade(HANDSHAKE)
        await asyncio.wait_for(served.server.stop(grace_s=0.05), 5)
        assert served.server.connection_count == 0
        assert served.conversations[0].told == ["closed"]
        assert (await reader.read()).startswith(b"\x88")


async def test_stop_ends_what_is_no_websocket_yet(tmp_path: Path) -> None:
    """Silent connections, half handshakes, half heads and idle HTTP connections end at once."""
    tls = own_tls(tmp_path, [], datetime.datetime.now(datetime.UTC))
    async with serving(tls=tls) as served:
        for start in (b"", b"\x16\x03\x01", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            _, writer = await served.connect()
            writer.write(start)
        await until(lambda: served.server.connection_count == 4)
        await asyncio.wait_for(served.server.stop(), 2)
        assert served.server.connection_count == 0


async def test_after_stop_nobody_is_accepted() -> None:
    """The port is free again, and stopping twice is no error."""
    async with serving() as served:
        await served.server.stop()
        await served.server.stop()
        with pytest.raises(ConnectionRefusedError):
            await served.connect()


async def test_a_conversation_that_fails_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    """An exception at a tick ends that connection, says so, and the others go on being ticked."""
    async with serving() as served:
        await served.upgrade()
        await served.upgrade()
        broken, sound = served.conversations
        del broken.ticks
        await until(lambda: broken.told == ["closed"])
        await until(lambda: bool(sound.ticks))
        assert sound.told == []
    assert lines(caplog) == ["a connection failed at its tick and is ended"]


async def test_connections_leave_nothing_behind(tmp_path: Path) -> None:
    """After many connections of every kind no place is taken and no transport is left."""
    async with serving() as served:
        for request in (b"", b"GET / HTTP/1.1\r\n", b"\x16garbage", b"\x00garbage", HANDSHAKE) * 5:
            _, writer = await served.connect()
            writer.write(request)
            await writer.drain()
            writer.close()
        await until(lambda: served.server.connection_count == 0)
        gc.collect()
        assert not served.server._state.connections
