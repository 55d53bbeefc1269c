"""Links that do not lead in, and what else is not as it should be: one sentence each, and what to do.

Through the real commands against a real server, as a person would run into it.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from sendall.client.address import make_private_link, parse_address
from sendall.config import ServerSettings
from sendall.node import Node
from sendall.server.rooms import Rooms
from tests.cli.private import done, link_for_a_moment, new_link, new_room, person, refused
from tests.cli.programs import Program, Server, free_port, run

Home = dict[str, str]
COPY = "ask for the link again, and copy all of it"
NEW_LINK = "ask a member for a new link"


@pytest.fixture
def ada(tmp_path: Path) -> Home:
    return person(tmp_path, "ada")


@pytest.fixture
def bob(tmp_path: Path) -> Home:
    return person(tmp_path, "bob")


def with_secret(link: str, secret: bytes) -> str:
    """Return the link with another secret: as if its end was taken from another one."""
    address = parse_address(link)
    assert address.server_pk is not None
    assert address.invite is not None
    return make_private_link(address.host, address.port, address.server_pk, address.invite, secret, address.room)


@pytest.mark.parametrize(
    ("damage", "sentence", "hint"),
    [
        (lambda link: link[:90], "this link is cut off: the key after its # has ", COPY),
        (lambda link: link.replace("/ops", "x/ops"), "this link is damaged: the key after its # has 108 ", COPY),
        (lambda link: link.replace("/ops", " /ops"), "this link is damaged: ' ' has no place in the key", COPY),
        (lambda link: link.replace("#", "%23"), "this link is damaged: a program on its way turned its #", "put the #"),
        (lambda link: link.removeprefix("http://"), "this is a link without its beginning", COPY),
        (lambda link: link + "%ff", "this link is damaged: its room name is none", COPY),
    ],
    ids=["cut off", "too long", "a space", "escaped", "no beginning", "its name"],
)
def test_a_damaged_link_is_told_before_anything_is_tried(ada: Home, damage: object, sentence: str, hint: str) -> None:
    """Which damage it is, without the secret, and without a server."""
    assert callable(damage)
    link = make_private_link("127.0.0.1", free_port(), b"s" * 32, b"i" * 32, b"0123456789abcdef", "ops")
    for command in (["join"], ["send", "-"]):
        told = refused(ada, command[0], damage(link), *command[1:], status=2)
        assert told[0].startswith(sentence)
        assert told[1].startswith(hint)
        assert parse_address(link).secret is not None
        assert "MDEyMzQ1Njc4OWFiY2RlZg" not in "".join(told)


def test_links_that_lead_nowhere_any_more(ada: Home, bob: Home, server: Server) -> None:
    """Used up, expired, revoked, ended by a removal, damaged at its end: each is told as what it is."""
    used_up = new_room(ada, server)
    done(bob, "send", used_up, "the one who may")
    expired = asyncio.run(link_for_a_moment(ada, used_up))
    revoked = new_link(ada)
    done(ada, "room", "lock", "ops")
    ended = new_link(ada)
    done(ada, "room", "kick", "ops", "bob")
    damaged = with_secret(new_link(ada), b"another secret!!")
    eve = person(server.data, "eve")
    for link, sentence, hint in (
        (used_up, "this link was used as often as it may be", NEW_LINK),
        (expired, "this link was revoked by an admin of the room", NEW_LINK),
        (revoked, "this link was revoked by an admin of the room", NEW_LINK),
        (ended, "this link ended when somebody was removed from the room, as all links do then", NEW_LINK),
        (damaged, "this link is damaged: its last part does not belong to its first", COPY),
    ):
        assert refused(eve, "join", link, status=1) == (sentence, hint)
    expired = asyncio.run(link_for_a_moment(ada, used_up))
    assert refused(eve, "join", expired, status=1) == ("this link has expired", NEW_LINK)
    assert run(eve, "room", "list").stdout == ""


def test_a_link_of_another_server_is_foreign(ada: Home, server: Server, tmp_path: Path) -> None:
    """Under the address of a server that never made it: the identity is not the link's; nothing is joined."""
    link = new_room(ada, server)
    with Server(ada, tmp_path / "other") as other:
        foreign = link.replace(server.address, other.address)
        sentence, hint = refused(person(tmp_path, "eve"), "join", foreign, status=3)
    assert sentence.startswith(f"the server at {other.address} has another identity than ")
    assert "compare its eight words" in hint


def test_a_link_whose_room_is_gone(ada: Home, server: Server, tmp_path: Path) -> None:
    """A server that kept its identity and lost its rooms knows no such invite."""
    link = new_room(ada, server)
    server.signal(signal.SIGTERM)
    server.ended()
    for file in server.data.glob("log.sqlite*"):
        file.unlink()
    with Server(ada, server.data, port=server.port):
        sentence, hint = refused(person(tmp_path, "eve"), "join", link, status=1)
        assert sentence == "this server knows no such link: it is damaged, or its room is gone"
        assert hint == "ask for the link again, and copy all of it"
        for command in ("join", "tail"):  # neither of which names the room to the server
            assert refused(ada, command, "ops", status=3)[0] == "the server knows the room 'ops' no more"


async def test_a_room_that_is_not_the_links_is_an_alarm(
    ada: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that leads a newcomer into another of its rooms is found out by the link, before anything is sent."""
    async with Node(ServerSettings(port=0, data=tmp_path / "server")) as node:
        address = f"127.0.0.1:{node.address[1]}"
        ops, lab = [
            (await asyncio.to_thread(done, ada, "room", "new", address, "--name", name)).strip()
            for name in ("ops", "lab")
        ]
        truth, other = Rooms.invited, parse_address(lab).invite
        assert other is not None
        monkeypatch.setattr(Rooms, "invited", lambda rooms, _: truth(rooms, other))
        told = await asyncio.to_thread(refused, person(tmp_path, "eve"), "join", ops, status=3)
    assert told == (
        "the server shows a room in which this link was never made",
        "do not trust this server; ask whoever gave you the link, by another way",
    )


def test_a_server_that_changed_is_an_alarm(ada: Home, server: Server) -> None:
    """Another identity at the address of a known room: nothing is sent, and the way to go on is named."""
    new_room(ada, server)
    server.signal(signal.SIGTERM)
    server.ended()
    with Server(ada, server.data / "anew", port=server.port):
        for command in (["join", "ops"], ["send", "ops", "x"], ["room", "members", "ops"], ["keep", "ops"]):
            sentence, hint = refused(ada, *command, status=3)
            assert sentence.startswith(f"the server at {server.address} has another identity than before")
            assert hint.endswith(f"only then: sendall forget {server.address}")


def test_missing_keys_are_told_until_a_member_is_online(ada: Home, bob: Home, server: Server) -> None:
    """In a room whose links have no door a newcomer is a member without a key; what it writes is kept."""
    link = new_room(ada, server, "--knock")
    knocked = run(bob, "send", link, "knocking", "--timeout", "0.5")
    assert knocked.returncode == 4
    no_key = "you have no key of this room yet: the next member who is online gives it to you"
    assert f"-- {no_key}\n" in knocked.stderr
    assert f"error: 1 line is not confirmed: {no_key}\n" in knocked.stderr


def test_a_device_without_its_vault_comes_back_by_a_new_link(ada: Home, bob: Home, server: Server) -> None:
    """Who lost the folder's vault knows no room; by a new link the next member online gives it all keys again."""
    link = new_room(ada, server)
    done(bob, "send", link, "before")
    for file in (Path(bob["XDG_DATA_HOME"]) / "sendall" / "client").glob("vault.db*"):
        file.unlink()
    assert "is neither an address nor a room that this device knows" in refused(bob, "join", "ops", status=2)[0]
    new = new_link(ada)
    with Program(ada, "keep", "ops") as keeper:
        keeper.read_until("daily", "stderr")
        done(bob, "send", new, "after")
    said = done(bob, "tail", "ops", "--since", "all", "--count", "2")
    assert [line.partition("  ")[2] for line in said.splitlines()] == ["before", "after"]
