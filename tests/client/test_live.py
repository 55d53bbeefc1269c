"""The whole client against a real server: real sockets, real files."""

from __future__ import annotations

import asyncio
import datetime
import os
import resource
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sendall
from sendall.client import events as ev
from sendall.client.client import Client, Room
from sendall.client.inbox import LIMIT
from sendall.client.keyring import Keyring
from sendall.config import Limits, ServerSettings
from sendall.crypto.identity import Identity
from sendall.errors import Code, ConnectError, Refused, SecurityAlarm, UsageError
from sendall.node import Node
from tests.conftest import RsaPool

WAIT_S = 30.0


class Host:
    """A server that can be stopped and started again on the same port, and clients of it."""

    def __init__(self, folder: Path, rsa_pool: RsaPool) -> None:
        self.folder = folder
        self.rsa_pool = rsa_pool
        self.port = 0
        self.limits = Limits(member_rate=0, room_rate=0)
        self.token: bytes | None = None
        self.node: Node | None = None

    async def start(self, data: str = "server") -> None:
        settings = ServerSettings(port=self.port, data=self.folder / data, limits=self.limits)
        self.node = Node(settings, token=self.token)
        await self.node.start()
        self.port = self.node.address[1]

    async def stop(self) -> None:
        if self.node is not None:
            await self.node.stop()
            self.node = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self, who: str, *, nick: str | None = None, token: bytes | None = None, wait: bool = False) -> Client:
        return sendall.connect(
            self.address, nick=nick or who, state=self.folder / who, token=token, wait=wait, _rsa=self.rsa_pool[0]
        )


@pytest.fixture
async def host(tmp_path: Path, rsa_pool: RsaPool) -> AsyncIterator[Host]:
    host = Host(tmp_path, rsa_pool)
    await host.start()
    yield host
    await host.stop()


async def heard(room: Room, count: int) -> list[str]:
    """Return the next `count` messages."""
    texts: list[str] = []
    async with asyncio.timeout(WAIT_S):
        async for message in room:
            texts.append(message.text)
            if len(texts) == count:
                return texts
    raise AssertionError(f"the room ended after {texts}")


async def until(room: Room, kind: type[ev.Event]) -> ev.Event:
    async with asyncio.timeout(WAIT_S):
        async for event in room.events():
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the room ended without {kind}")


async def test_what_one_sends_the_other_hears(host: Host) -> None:
    """A receipt has seq and time; both read the same; the server is pinned by then and its words are known."""
    async with host.client("ada") as ada, host.client("bob") as bob:
        lobby, other = await ada.join(), await bob.join()
        receipt = await lobby.send("hello")
        message = await anext(aiter(other))
        assert (message.seq, message.text, message.nick, message.mine) == (receipt.seq, "hello", "ada", False)
        assert message.time == receipt.time
        assert await heard(lobby, 1) == ["hello"]
        assert host.node is not None
        assert ada.server_words == host.node.words
        assert Keyring(host.folder / "ada").server_pk(host.address) == host.node.server_pk
        assert Keyring(host.folder / "ada").room_id(host.node.server_pk, "lobby") == lobby.id
        states = [ada.state]
    assert [*states, ada.state] == ["open", "closed"]


async def test_a_client_knows_how_long_the_server_keeps_messages(host: Host) -> None:
    """In whole days, by the server's word; 0 before the first contact."""
    client = host.client("ada")
    assert client.kept_days == 0
    async with client as me:
        assert me.kept_days == 30


async def test_a_client_comes_back_and_loses_nothing(host: Host) -> None:
    """What is written while the server is down goes out once, in order, when it is back."""
    async with host.client("ada") as ada, host.client("bob") as bob:
        lobby, other = await ada.join(), await bob.join()
        await lobby.send("before")
        await host.stop()
        await until(lobby, ev.Lost)
        waiting = [lobby.post_nowait(f"away {i}") for i in range(20)]
        assert list(lobby.unconfirmed) == waiting
        await host.start()
        async with asyncio.timeout(WAIT_S):
            await lobby.drain()
        assert all(pending.is_confirmed for pending in waiting)
        assert await heard(other, 21) == ["before", *(f"away {i}" for i in range(20))]


async def test_a_cancelled_send_is_sent(host: Host) -> None:
    """Who stops waiting does not unsend."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        sending = asyncio.create_task(lobby.send("said"))
        await asyncio.sleep(0)
        sending.cancel()
        assert await heard(lobby, 1) == ["said"]


async def test_two_programs_of_one_person_see_each_other(host: Host) -> None:
    """One identity, two sessions: each sees the other's line as not its own."""
    async with host.client("ada") as one, host.client("ada") as two:
        assert one.id == two.id
        first, second = await one.join(), await two.join()
        await first.send("from one")
        message = await anext(aiter(second))
        assert (message.text, message.sender, message.mine) == ("from one", one.id, False)
        message = await anext(aiter(first))
        assert message.mine


async def test_a_program_finishes_what_another_left(host: Host) -> None:
    """Lines that an ended program could not send are sent by the next one, once."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        await host.stop()
        await until(lobby, ev.Lost)
        left = lobby.post_nowait("left behind")
    with pytest.raises(ConnectError, match="not confirmed"):
        await left.receipt
    await host.start()
    async with host.client("ada") as ada:
        lobby = await ada.join()
        assert [pending.text for pending in lobby.unconfirmed] == ["left behind"]
        async with asyncio.timeout(WAIT_S):
            await lobby.drain()
        assert await heard(lobby, 1) == ["left behind"]


async def test_what_is_held_waits_for_the_persons_word(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of long ago is shown as held; it goes out when the person says so, or never."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        await host.stop()
        await until(lobby, ev.Lost)
        lobby.post_nowait("old")
    await host.start()
    monkeypatch.setattr("sendall.client.client.now_ms", lambda: 10**13)
    async with host.client("ada") as ada:
        lobby = await ada.join()
        held = await until(lobby, ev.Held)
        assert isinstance(held, ev.Held)
        assert [pending.text for pending in held.pendings] == ["old"]
        await lobby.send("new")
        await lobby.send_held()
        await lobby.drain()
        assert lobby.held == []
        assert await heard(lobby, 2) == ["new", "old"]


async def test_history_pages_back_to_the_beginning(host: Host) -> None:
    """Pages before what was shown, joined, are the log; before the first there is nothing."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        for i in range(700):
            lobby.post_nowait(str(i))
        await lobby.drain()
    async with host.client("bob") as bob:
        lobby = await bob.join(tail=5)
        texts = await heard(lobby, 5)
        assert texts == [str(i) for i in range(695, 700)]
        before = 698
        while page := await lobby.history(before, 300):
            texts = [message.text for message in page] + texts
            before = page[0].seq
        assert texts == [str(i) for i in range(700)]


async def test_since_shows_from_a_seq_a_time_or_everything(host: Host) -> None:
    """`since` and `tail` decide where showing begins."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        receipts = [await lobby.send(str(i)) for i in range(6)]
        hour = datetime.timedelta(hours=1)
        for i, (since, count) in enumerate([("all", 6), (receipts[2].seq, 4), (hour, 6)]):
            async with host.client(f"reader{i}") as reader:
                other = await reader.join(since=since)  # type: ignore[arg-type]  # a tuple of mixed literals
                assert await heard(other, count) == [str(i) for i in range(6 - count, 6)]
        async with host.client("quiet") as quiet:
            other = await quiet.join(tail=0)
            await lobby.send("live")
            assert await heard(other, 1) == ["live"]


async def test_an_echo_does_not_stall_however_much_comes(host: Host) -> None:
    """A consumer that sends from inside its loop gets its receipts, though its inbox is full."""
    count = LIMIT * 2
    async with host.client("ada") as ada, host.client("bot") as bot:
        lobby, other = await ada.join(), await bot.join()
        for i in range(count):
            lobby.post_nowait(str(i))
        await lobby.drain()
        seen: list[str] = []
        async with asyncio.timeout(WAIT_S * 2):
            async for message in other:
                if not message.mine:
                    seen.append(message.text)
                    if len(seen) % 100 == 1:
                        await other.send(f"echo {message.text}")
                if len(seen) == count:
                    break
        assert seen == [str(i) for i in range(count)]


async def test_who_never_reads_can_send_for_ever(host: Host) -> None:
    """A room that nobody iterates stays bounded, and what was passed over is read again when somebody does."""
    count = LIMIT + 500
    async with host.client("ada") as ada:
        lobby = await ada.join()
        for i in range(count):
            lobby.post_nowait(str(i))
        await lobby.drain()
        assert len(lobby.inbox._queue) <= LIMIT + 5
        assert await heard(lobby, count) == [str(i) for i in range(count)]


async def test_a_slow_consumer_stops_the_reading_of_the_socket(host: Host) -> None:
    """While a reader is slow the client's memory stays bounded; afterwards it gets everything, in order."""
    count, size = 6000, 4000
    async with host.client("ada") as ada, host.client("slow") as slow:
        lobby, other = await ada.join(), await slow.join()
        events = other.events()
        await anext(events)  # begins to iterate, and then does not go on
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for i in range(count):
            lobby.post_nowait(f"{i} ".ljust(size, "x"))
            if i % 200 == 199:
                await lobby.drain()
        assert other.inbox.is_full
        assert other.follower.log.state.seq < count  # the socket is left, the rest is with the server
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
        seen = []
        async with asyncio.timeout(WAIT_S * 2):
            async for event in events:
                if isinstance(event, ev.Message):
                    seen.append(int(event.text.split()[0]))
                    if len(seen) == count:
                        break
        assert seen == list(range(count))


async def test_a_token_is_needed_where_the_server_wants_one(host: Host) -> None:
    """Without it, or with another, entering raises `bad_token`."""
    await host.stop()
    host.token = b"a token of 16 bytes"
    await host.start()
    for token in (None, b"another token, not it"):
        with pytest.raises(Refused) as caught:
            async with host.client("ada", token=token):
                raise AssertionError("let in")
        assert caught.value.code is Code.BAD_TOKEN
    async with host.client("ada", token=host.token) as ada:
        await ada.join()


async def test_another_server_at_the_address_is_an_alarm(host: Host) -> None:
    """A server set up anew is not accepted, neither at the start nor by a client that comes back."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        await host.stop()
        await host.start("another folder")
        with pytest.raises(SecurityAlarm) as caught:
            await heard(lobby, 1)
        assert f"sendall forget {host.address}" in caught.value.hint
    with pytest.raises(SecurityAlarm):
        async with host.client("ada"):
            raise AssertionError("let in")
    Keyring(host.folder / "ada").forget(host.address)
    async with host.client("ada") as ada:
        await ada.join()


async def test_a_server_key_or_link_pins_at_the_first_contact(host: Host) -> None:
    """Whoever has the key trusts nobody else, not even once."""
    assert host.node is not None
    right, wrong = host.node.server_pk, Identity.generate().pk
    for key, is_right in ((right, True), (wrong, False)):
        client = sendall.connect(host.address, state=host.folder / key.hex()[:8], server_key=key, _rsa=host.rsa_pool[0])
        if is_right:
            async with client:
                pass
        else:
            with pytest.raises(SecurityAlarm):
                await client.__aenter__()


async def test_an_unknown_room_is_refused_with_the_nearest_name(host: Host) -> None:
    """`create=False` never makes a room."""
    async with host.client("ada") as ada:
        await ada.join("lobby")
        with pytest.raises(Refused) as caught:
            await ada.join("loby", create=False)
        assert caught.value.code is Code.UNKNOWN_ROOM
        assert "lobby" in caught.value.hint
        with pytest.raises(UsageError):
            await ada.join("lobby")
        with pytest.raises(UsageError):
            await ada.join("a\nb")


async def test_wait_connects_once_somebody_listens(host: Host) -> None:
    """Without `wait` the first failure is raised; with it, entering returns when the server is there."""
    await host.stop()
    with pytest.raises(ConnectError, match="nothing listens"):
        async with host.client("ada"):
            raise AssertionError("let in")
    entering = asyncio.create_task(host.client("ada", wait=True).__aenter__())
    await asyncio.sleep(0)
    assert not entering.done()
    await host.start()
    async with asyncio.timeout(WAIT_S):
        ada = await entering
    await ada.close()


async def test_leaving_ends_the_iteration_and_frees_the_name(host: Host) -> None:
    """After `leave` nothing comes any more, sending raises, and the room can be joined again."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        await lobby.send("x")
        await lobby.leave()
        assert [message.text async for message in lobby] in ([], ["x"])
        with pytest.raises(ConnectError):
            lobby.post_nowait("y")
        again = await ada.join()
        assert await heard(again, 1) == ["x"]


async def test_too_long_a_message_is_a_value_error(host: Host) -> None:
    """The limit is said, and nothing is kept."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        with pytest.raises(ValueError, match="65,535"):
            lobby.post_nowait("x" * 65_536)
        with pytest.raises(ValueError, match="surrogate"):
            lobby.post_nowait("\ud800")
        assert list(lobby.unconfirmed) == []
        await lobby.send("x" * 65_000)


async def test_people_and_signals_reach_each_other(host: Host) -> None:
    """Cards bring names, presence the count, signals what is not logged."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        async with host.client("bob") as bob:
            other = await bob.join()
            came = await until(lobby, ev.Came)
            assert isinstance(came, ev.Came)
            assert (came.id, came.nick) == (bob.id, "bob")
            assert lobby.present == 2
            assert [person.nick for person in lobby.members] == ["bob"]
            await other.signal({"t": "poke"})
            signal = await until(lobby, ev.Signal)
            assert isinstance(signal, ev.Signal)
            assert (signal.nick, signal.content) == ("bob", {"t": "poke"})
        went = await until(lobby, ev.Went)
        assert isinstance(went, ev.Went)
        assert went.id == bob.id


async def test_a_fork_of_the_process_shares_no_session(host: Host) -> None:
    """In the child nothing is sealed under the parent's session, and the parent goes on."""
    async with host.client("ada") as ada:
        lobby = await ada.join()
        await lobby.send("parent")
        session = lobby.follower.outbox.session
        child = os.fork()
        if not child:
            os._exit(lobby.follower.outbox.session == session)
        assert os.waitpid(child, 0)[1] == 0  # noqa: ASYNC222  # the child ends at once
        await lobby.send("still the parent")
        assert lobby.follower.outbox.session == session


async def test_beyond_this_machine_everything_is_tls(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS without any authority: the server's identity signs the certificate's hash, and the client checks it."""
    monkeypatch.setattr("sendall.client.address.is_loopback", lambda _: False)
    async with host.client("ada") as ada:
        lobby = await ada.join()
        assert (await lobby.send("sealed twice")).seq > 0
        assert host.node is not None
        assert {connection.wire.peer.tls for connection in host.node.relay.connections} == {True}


async def test_a_server_set_back_to_a_backup_is_an_alarm(host: Host) -> None:
    """What a program saw, the user's next one remembers: a log that is shorter must say so by a restart entry."""
    async with host.client("ada") as ada:
        await (await ada.join()).send("before the backup")
    await host.stop()
    shutil.copytree(host.folder / "server", host.folder / "backup")
    await host.start()
    async with host.client("ada") as ada:
        await (await ada.join()).send("after the backup")
    async with host.client("ada") as ada:
        assert await heard(await ada.join(), 2) == ["before the backup", "after the backup"], "an honest server"
    await host.stop()
    await host.start("backup")
    async with host.client("ada") as ada:
        room = await ada.join()
        alarm = await until(room, ev.Alarm)
        assert isinstance(alarm, ev.Alarm)
        assert alarm.alarm.kind == "history"
        with pytest.raises(SecurityAlarm):
            await room.send("into a changed history")
    async with host.client("bob") as bob:
        assert await heard(await bob.join(), 1) == ["before the backup"], "who knew nothing cannot miss it"
