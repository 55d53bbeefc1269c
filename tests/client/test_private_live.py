"""PRIVATE rooms with the whole client against a real server: real sockets, real files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sendall
from sendall.client import events as ev
from sendall.client.client import Client
from sendall.client.keyring import Keyring
from sendall.client.private_joined import PrivateRoom
from sendall.client.vault import KnownRoom, Vault
from sendall.errors import Code, Refused, SecurityAlarm, UsageError
from sendall.protocol.entry import Role
from tests.client.test_live import WAIT_S, Host, heard, until
from tests.conftest import RsaPool


@pytest.fixture
async def host(tmp_path: Path, rsa_pool: RsaPool) -> AsyncIterator[Host]:
    host = Host(tmp_path, rsa_pool)
    await host.start()
    yield host
    await host.stop()


def follows(host: Host, who: str, link: str) -> Client:
    """Return a client of somebody who was given a link."""
    return sendall.connect(link, nick=who, state=host.folder / who, _rsa=host.rsa_pool[0])


def known(host: Host, who: str) -> list[KnownRoom]:
    """Return the rooms that this person's folder knows."""
    vault = Vault(host.folder / who, Keyring(host.folder / who).identity(None))
    rooms = vault.rooms()
    vault.close()
    return rooms


async def comes_back(client: Client, host: Host, who: str) -> PrivateRoom:
    [room] = known(host, who)
    return await client.join_known(room)


async def ready(room: PrivateRoom) -> None:
    """Wait until a message can be sent, by sending one."""
    async with asyncio.timeout(WAIT_S):
        await room.send("ready")


async def test_a_room_is_made_and_entered_by_link_while_nobody_is_there(host: Host) -> None:
    """The link is usable when it is shown, even if its maker goes away at that moment."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        await room.send("welcome")
        link = (await room.invite()).link
    async with follows(host, "bob", link) as bob:
        joined = await bob.join_link()
        assert await heard(joined, 1) == ["welcome"]
        await joined.send("thanks")
        assert joined.my_role is Role.MEMBER
    async with host.client("ada") as ada:
        again = await comes_back(ada, host, "ada")
        assert await heard(again, 2) == ["welcome", "thanks"]
        assert {member.nick for member in again.all_members()} == {"ada", "bob"} or len(again.all_members()) == 2
        assert again.my_role is Role.ADMIN
        assert len(again.code().split()) == 8
    assert [room.name for room in known(host, "bob")] == ["ops"]


async def test_both_show_the_same_code_until_membership_changes(host: Host) -> None:
    """Comparing it once verifies everybody."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        async with follows(host, "bob", (await room.invite()).link) as bob:
            joined = await bob.join_link()
            await ready(joined)
            assert "ready" in await heard(room, 1)
            before = room.code()
            assert joined.code() == before
            await room.kick(bob.id)
            assert room.code() != before


async def test_who_is_kicked_is_told_and_forgets_while_the_rest_goes_on(host: Host) -> None:
    """Also who was away when it happened: the one who kicked went away at once."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        links = [(await room.invite()).link for _ in range(2)]
        async with follows(host, "carol", links[1]) as carol:
            await carol.join_link()
        async with follows(host, "bob", links[0]) as bob:
            joined = await bob.join_link()
            await ready(joined)
            await heard(room, 1)
            await room.kick(bob.id)
            gone = await until(joined, ev.Removed)
            assert isinstance(gone, ev.Removed)
            assert gone.why.code is Code.NOT_MEMBER
            with pytest.raises(Refused):
                await joined.send("still here?")
    assert known(host, "bob") == []
    async with host.client("carol") as carol:
        again = await comes_back(carol, host, "carol")
        await ready(again)
        assert len(again.all_members()) == 2


async def test_a_room_outlives_its_server(host: Host) -> None:
    """Everybody comes back by themselves; links that were made before still lead in."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        link = (await room.invite()).link
        await host.stop()
        waiting = room.post_nowait("while it was down")
        await host.start()
        async with asyncio.timeout(WAIT_S):
            await waiting.receipt
        async with follows(host, "bob", link) as bob:
            joined = await bob.join_link()
            assert await heard(joined, 1) == ["while it was down"]


async def test_who_must_be_admitted_waits_and_is_let_in(host: Host) -> None:
    """`join_link` returns while one waits; what is written meanwhile goes out afterwards."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        invitation = await room.invite(approve=True)
        assert invitation.needs_admit
        async with follows(host, "bob", invitation.link) as bob:
            joined = await bob.join_link()
            assert joined.is_pending
            pending = joined.post_nowait("let me in")
            while room.find_member(bob.id.hex()) not in room.follower.membership.pending:
                await until(room, ev.Notice)
            await room.admit(bob.id)
            async with asyncio.timeout(WAIT_S):
                await pending.receipt
            assert joined.my_role is Role.MEMBER


async def test_a_used_link_leads_nowhere_and_says_so(host: Host) -> None:
    """A second person is told, by whoever follows it."""
    async with host.client("ada") as ada:
        link = (await (await ada.new_room("ops")).invite()).link
        async with follows(host, "bob", link) as bob:
            await bob.join_link()
    async with follows(host, "carol", link) as carol:
        with pytest.raises(Refused, match="as often as it may be"):
            await carol.join_link()
    assert known(host, "carol") == []


async def test_a_link_is_a_way_back_for_who_is_in(host: Host) -> None:
    """Used up as it is: this device knows the room that it led to."""
    async with host.client("ada") as ada:
        link = (await (await ada.new_room("ops")).invite()).link
        async with follows(host, "bob", link) as bob:
            first = await bob.join_link()
            await ready(first)
    async with follows(host, "bob", link) as bob:
        again = await bob.join_link()
        assert await heard(again, 1) == ["ready"]
        with pytest.raises(UsageError, match="already"):
            await bob.join_link()
        with pytest.raises(UsageError, match="already"):
            await comes_back(bob, host, "bob")
        await ready(again)


async def test_the_same_link_twice_at_once_is_one_joining(host: Host) -> None:
    """The second is told that this client is in already, whichever is first."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        async with follows(host, "bob", (await room.invite(uses=2)).link) as bob:
            results = await asyncio.gather(bob.join_link(), bob.join_link(), return_exceptions=True)
            assert [type(result) for result in results if isinstance(result, BaseException)] == [UsageError]
            [joined] = [result for result in results if isinstance(result, PrivateRoom)]
            await ready(joined)
            assert len(joined.all_members()) == 2


async def test_a_link_to_another_servers_room_is_refused(host: Host) -> None:
    """The link pins the server."""
    async with host.client("ada") as ada:
        link = (await (await ada.new_room("ops")).invite()).link
    await host.stop()
    await host.start("another server")
    with pytest.raises(SecurityAlarm):
        async with follows(host, "bob", link):
            raise AssertionError("another server was let in")


async def test_two_private_rooms_of_one_name_and_an_open_one(host: Host) -> None:
    """Each can be called; the server knows none of the names."""
    async with host.client("ada") as ada:
        open_room = await ada.join("ops")
        rooms = [await ada.new_room("ops") for _ in range(2)]
        for number, room in enumerate([open_room, *rooms]):
            await room.send(f"{number}")
            assert await heard(room, 1) == [f"{number}"]
        assert len(ada.rooms) == 3
    names = [room.name for room in known(host, "ada")]
    assert len(set(names)) == 2
    assert names[0] == "ops"


async def test_a_passphrase_guards_all_that_is_kept_of_a_room(host: Host) -> None:
    """With it one comes back; without, nothing of the room can be read from the folder."""
    folder = host.folder / "ada"
    Keyring(folder).identity(None)
    Keyring(folder).set_passphrase("correct horse")

    def ada(passphrase: str) -> Client:
        return sendall.connect(
            host.address, nick="ada", state=folder, passphrase=lambda: passphrase, _rsa=host.rsa_pool[0]
        )

    async with ada("correct horse") as me:
        room = await me.new_room("war room")
        await room.send("secret")
    with pytest.raises(UsageError):
        async with ada("wrong"):
            raise AssertionError("a wrong passphrase opened the folder")
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"war room" not in kept
    assert b"secret" not in kept
    vault = Vault(folder, Keyring(folder).identity(lambda: "correct horse"))
    [again] = vault.rooms()
    vault.close()
    async with ada("correct horse") as me:
        assert await heard(await me.join_known(again), 1) == ["secret"]


async def test_a_newcomer_is_shown_what_was_said_before_in_order(host: Host) -> None:
    """Over epochs and pages, and then what is said now; nothing twice, nothing missing."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        for number in range(300):
            room.post_nowait(f"{number}")
            if number % 100 == 99:
                await room.drain()
                await room.rotate()
        async with follows(host, "bob", (await room.invite()).link) as bob:
            joined = await bob.join_link(since="all")
            await room.send("now")
            assert await heard(joined, 301) == [*(f"{number}" for number in range(300)), "now"]


async def test_leaving_for_good_ends_the_room_here(host: Host) -> None:
    """The folder forgets it; who stays is told."""
    async with host.client("ada") as ada:
        room = await ada.new_room("ops")
        async with follows(host, "bob", (await room.invite()).link) as bob:
            joined = await bob.join_link()
            await ready(joined)
            await joined.leave_for_good()
        assert known(host, "bob") == []
        while len(room.all_members()) > 1:
            await until(room, ev.Notice)
