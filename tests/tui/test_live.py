"""The application against a real server: what one sends the other sees, also over a restart, and it is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

import sendall
from sendall.client.archive import Archive
from sendall.client.keyring import Keyring
from sendall.config import Limits, ServerSettings
from sendall.node import Node
from sendall.tui.app import SendallApp
from sendall.tui.opening import Opening
from tests.conftest import RsaPool
from tests.tui.stage import WAYS, Staged, StillClock

WAIT_S = 20.0


class House:
    """A server on a free port, and applications of people."""

    def __init__(self, folder: Path, rsa_pool: RsaPool) -> None:
        self.folder = folder
        self.rsa_pool = rsa_pool
        self.port = 0
        self.node: Node | None = None

    async def start(self) -> None:
        settings = ServerSettings(
            port=self.port, data=self.folder / "server", limits=Limits(member_rate=0, room_rate=0)
        )
        self.node = Node(settings)
        await self.node.start()
        self.port = self.node.address[1]

    async def stop(self) -> None:
        if self.node is not None:
            await self.node.stop()
            self.node = None

    @asynccontextmanager
    async def person(self, name: str) -> AsyncIterator[Staged]:
        """Run somebody's application."""
        folder = self.folder / name
        address = f"127.0.0.1:{self.port}"
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                sendall.connect(address, nick=name, state=folder, _rsa=self.rsa_pool[0])
            )
            archive = Archive(folder, Keyring(folder).identity())
            app = SendallApp(Opening(client, "lobby", folder, WAYS, is_tls=False, archive=archive))
            pilot = await stack.enter_async_context(app.run_test(size=(100, 30)))
            running = Staged(app, None, StillClock(), pilot)  # type: ignore[arg-type]  # no stage: the server is real
            await seen(running, "# lobby")
            yield running


@pytest.fixture
async def house(tmp_path: Path, rsa_pool: RsaPool) -> AsyncIterator[House]:
    house = House(tmp_path, rsa_pool)
    await house.start()
    yield house
    await house.stop()


async def seen(person: Staged, *words: str, gone: str = "") -> str:
    """Wait until all of `words` are on a screen and `gone` is not."""
    deadline = time.monotonic() + WAIT_S
    while True:
        await person.settle()
        screen = person.screen()
        if all(each in screen for each in words) and not (gone and gone in screen):
            return screen
        assert time.monotonic() < deadline, f"{words!r} (without {gone!r}) did not come:\n{screen}"
        await asyncio.sleep(0.01)  # the server and its sockets run in this loop too


async def test_two_people_talk(house: House) -> None:
    """What one writes the other sees: messages, who writes, answers, reactions, edits; drafts become messages."""
    async with house.person("ada") as ada, house.person("bob") as bob:
        await seen(ada, "bob·", "came")
        await bob.type("is it")
        await seen(ada, "bob is writing …")
        await bob.enter(" up?")
        await seen(bob, "is it up?", gone="not confirmed")
        await seen(ada, "│ is it up?", gone="is writing")
        await ada.press("ctrl+up", "r")
        await ada.enter("yess")
        await seen(bob, "↱ bob·", "yess")
        await seen(ada, "│ yess", gone="…")
        await ada.press("ctrl+up", "e", "backspace")
        await ada.press("enter")
        await seen(bob, "yes (edited)")
        await bob.press("ctrl+up", "plus")
        await bob.enter("tada")
        await seen(ada, "🎉 1")
        await ada.enter("/nick Ada L")
        await ada.enter("hello again")
        await seen(bob, "Ada L·", "hello again")
    async with house.person("eve") as eve:
        await seen(eve, "yes (edited)", "🎉 1", "hello again")


async def test_what_is_typed_while_the_server_is_away_arrives_once(house: House) -> None:
    """The banner counts down, typing goes on, and when the server is back everything is there once, in order."""
    async with house.person("ada") as ada:
        await ada.enter("before")
        await seen(ada, "│ before", gone="not confirmed")
        await house.stop()
        await seen(ada, "connection lost", "trying again")
        for line in ("one", "two", "three"):
            await ada.enter(line)
        await seen(ada, "3 lines kept", "3 not confirmed")
        await house.start()
        screen = await seen(ada, "connected again", gone="not confirmed")
        said = [row.partition("│ ")[2] for row in screen.splitlines() if "│ " in row]
        assert said == ["before", "one", "two", "three"]


async def test_what_was_read_is_found_after_a_restart_of_the_application(house: House) -> None:
    """The archive has it although only the newest is loaded; Enter loads up to it and goes there."""
    async with house.person("ada") as ada:
        room = ada.app.desk.room
        for n in range(400):
            room.outgoing.say(f"entry number {n}")
        await seen(ada, "entry number 399", gone="not confirmed")
    async with house.person("ada") as ada:
        await seen(ada, "entry number 399")
        assert len(ada.app.desk.room.timeline) < 100
        await ada.press("ctrl+f")
        await ada.type("number 17")
        await seen(ada, "found in what this device has kept", "entry number 17")
        for _ in range(60):
            await ada.press("down")
        await ada.press("enter")
        screen = await seen(ada, "entry number 17")
        assert "entry number 399" not in screen


async def test_scrolling_up_loads_from_the_server(house: House) -> None:
    """Page by page, to the first message, and what is loaded is in order."""
    async with house.person("ada") as ada:
        for n in range(400):
            ada.app.desk.room.outgoing.say(f"entry {n:03d}")
        await seen(ada, "entry 399", gone="not confirmed")
    async with house.person("bob") as bob:
        await seen(bob, "entry 399")

        async def has_all() -> bool:
            await bob.press("ctrl+home")
            return bob.app.desk.room.has_all

        await until(has_all)
        await bob.press("ctrl+home")
        await seen(bob, "entry 000", "this is where the room begins")
        timeline = bob.app.desk.room.timeline
        texts = [getattr(timeline[n], "text", "") for n in range(len(timeline))]
        assert [each for each in texts if each.startswith("entry")] == [f"entry {n:03d}" for n in range(400)]


async def until(condition: Callable[[], object]) -> None:
    """Wait until an awaited condition holds."""
    deadline = time.monotonic() + WAIT_S
    while not await condition():  # type: ignore[misc]  # whoever calls gives a coroutine function
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
