"""One server process from its settings to its port: what stops its start, and a disk that fails and comes back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sendall
from sendall import node as node_module
from sendall.config import Limits, ServerSettings
from sendall.errors import UsageError
from sendall.log.roomlog import FolderInUse
from sendall.node import IDENTITY_FILE, Node, PortTaken, listen, load_identity, read_server_pk
from tests.conftest import RsaPool


def settings(tmp_path: Path, **given: object) -> ServerSettings:
    return ServerSettings(port=0, data=tmp_path / "data", limits=Limits(member_rate=0), **given)  # type: ignore[arg-type]  # passed through


def test_the_identity_is_made_once_and_private(tmp_path: Path) -> None:
    """The first start makes it with mode 0600, later ones find it; who only asks makes none."""
    assert read_server_pk(tmp_path) is None
    first = load_identity(tmp_path)
    assert (tmp_path / IDENTITY_FILE).stat().st_mode & 0o777 == 0o600
    assert load_identity(tmp_path).pk == first.pk == read_server_pk(tmp_path)


def test_a_damaged_identity_is_said_and_not_replaced(tmp_path: Path) -> None:
    """A file that is no identity stops the start with what to restore."""
    (tmp_path / IDENTITY_FILE).write_bytes(b"too short")
    with pytest.raises(UsageError, match="cannot be read") as caught:
        load_identity(tmp_path)
    assert "backup" in caught.value.hint
    assert (tmp_path / IDENTITY_FILE).read_bytes() == b"too short"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "198.51.100.77"])
def test_a_host_of_another_machine_is_refused(host: str) -> None:
    """Neither an unknown name nor an address that is not ours can be listened on."""
    with pytest.raises(UsageError, match="cannot listen on") as caught:
        listen(host, 0)
    assert "address of this machine" in caught.value.hint


def test_every_address_of_a_host_has_the_same_port() -> None:
    """`localhost` may be two addresses: clients find the server under each."""
    sockets = listen("localhost", 0)
    try:
        assert len({opened.getsockname()[1] for opened in sockets}) == 1
    finally:
        for opened in sockets:
            opened.close()


async def test_a_taken_port_leaves_the_data_folder_alone(tmp_path: Path) -> None:
    """The port is tried first: a second server neither makes nor locks anything."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken):
            await Node(ServerSettings(port=port, data=tmp_path / "data")).start()
    assert not (tmp_path / "data").exists()


async def test_a_start_that_fails_frees_port_and_folder(tmp_path: Path) -> None:
    """A wrong certificate stops the start; corrected, it starts on the same folder."""
    (tmp_path / "cert.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="belong together"):
        await Node(settings(tmp_path, cert=tmp_path / "cert.pem")).start()
    with pytest.raises(UsageError):
        await Node(settings(tmp_path, cert=tmp_path / "cert.pem", key=tmp_path / "cert.pem")).start()
    async with Node(settings(tmp_path)):
        with pytest.raises(FolderInUse):
            await Node(settings(tmp_path)).start()


async def test_a_stop_may_be_repeated(tmp_path: Path) -> None:
    """Who stops twice stops once."""
    node = Node(settings(tmp_path))
    await node.start()
    await node.stop()
    await node.stop()


async def test_a_defect_in_a_tick_stops_no_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A tick that raises is logged, and the next one comes."""
    monkeypatch.setattr(node_module, "TICK_S", 0.01)
    async with Node(settings(tmp_path)) as node:
        ticks = asyncio.Queue[None]()

        def tick() -> None:
            ticks.put_nowait(None)
            raise RuntimeError("a defect")

        monkeypatch.setattr(node.relay, "tick", tick)
        async with asyncio.timeout(10):
            await ticks.get()
            await ticks.get()
    assert "a tick failed" in caplog.text


async def test_a_full_disk_stops_posting_and_is_gone_on_with_by_itself(
    tmp_path: Path, rsa_pool: RsaPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite says full: nothing is lost or shown, and once the log is open again everything appears once, in order."""
    monkeypatch.setattr(node_module, "REOPEN_EVERY_S", 0.01)
    caplog.set_level("INFO", "sendall.server")
    async with Node(settings(tmp_path)) as node:
        address = f"127.0.0.1:{node.address[1]}"
        async with (
            sendall.connect(address, nick="ada", state=tmp_path / "ada", _rsa=rsa_pool[0]) as ada,
            sendall.connect(address, nick="bob", state=tmp_path / "bob", _rsa=rsa_pool[0]) as bob,
        ):
            lobby, other = await ada.join(), await bob.join()
            await lobby.send("before")
            # As a full disk does: the database may not grow by a page, until it is opened anew.
            node._store._connection.execute("PRAGMA max_page_count = 1")
            pending = [lobby.post_nowait(f"{i} " + "x" * 20_000) for i in range(3)]
            async with asyncio.timeout(60):
                await asyncio.gather(*(each.receipt for each in pending))
                heard = [message.text[:6] async for message in _first(other, 4)]
    assert heard == ["before", "0 xxxx", "1 xxxx", "2 xxxx"]
    assert "the log failed" in caplog.text
    assert "the log is open again" in caplog.text


async def _first(room: sendall.Room, count: int) -> AsyncIterator[sendall.Message]:
    async for message in room:
        yield message
        count -= 1
        if not count:
            return
