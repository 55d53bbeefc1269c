"""Private rooms by command: made, entered, led, left. Each test asks for what a person would ask for."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from sendall.client.address import parse_address
from tests.cli.private import done, members, new_link, new_room, person, refused
from tests.cli.programs import Server, run

Home = dict[str, str]
KIND = "PRIVATE · the server cannot read · kept 30 d · server sees: sizes, times, addresses"


@pytest.fixture
def ada(tmp_path: Path) -> Home:
    return person(tmp_path, "ada")


@pytest.fixture
def bob(tmp_path: Path) -> Home:
    return person(tmp_path, "bob")


@pytest.fixture
def both(server: Server, ada: Home, bob: Home) -> str:
    """A room `ops` of Ada's, in which Bob is and said something; its link, which is used up."""
    link = new_room(ada, server)
    done(bob, "send", link, "bob is here")
    return link


def test_one_command_makes_a_room_and_one_link_lets_somebody_in(server: Server, ada: Home, bob: Home) -> None:
    """The link alone is on stdout; all there is to know is on stderr; whoever has it reads what was said before."""
    made = run(ada, "room", "new", server.address, "--name", "ops")
    assert made.returncode == 0
    link = made.stdout.strip()
    assert made.stdout == f"{link}\n"
    address = parse_address(link)
    assert (address.is_private, address.room, address.authority) == (True, "ops", server.address)
    for words in (f"ops: {KIND}", "lets one person in, until ", "the server sees ", "sendall room invite ops"):
        assert words in made.stderr
    assert "█" not in made.stderr  # no code where nobody looks at it
    done(ada, "send", "ops", "first words")
    assert done(bob, "tail", link, "--since", "all", "--count", "1").endswith("  first words\n")


def test_after_the_first_join_a_name_is_enough(ada: Home, bob: Home, both: str, server: Server) -> None:
    """`join`, `send` and `tail` take it, and the used-up link again; other devices know no such room."""
    done(bob, "send", "ops", "by name")
    done(bob, "send", both, "by link")
    said = done(ada, "tail", "ops", "--since", "all", "--count", "3").splitlines()
    assert [line.partition("  ")[2] for line in said] == ["bob is here", "by name", "by link"]
    joined = run(ada, "join", "ops", text="from a pipe\n")
    assert joined.returncode == 0
    assert "  by link\n" in joined.stdout
    assert done(bob, "room", "list").startswith(f"ops  {server.address}  ")
    stranger = person(server.data, "eve")
    sentence, hint = refused(stranger, "join", "ops", status=2)
    assert sentence == "'ops' is neither an address nor a room that this device knows"
    assert "write an address as 127.0.0.1:12345" in hint
    assert "once a private room was joined by its link, its name is enough" in hint


def test_members_are_listed_with_words_to_compare(ada: Home, bob: Home, both: str) -> None:
    """The same eight words that `sendall id` shows there; also of who is away; the room's code is the same to all."""
    rows = done(ada, "room", "members", "ops").splitlines()
    assert [row.partition("·")[0] for row in rows[::2]] == ["ada", "bob"]
    assert rows[0].endswith("  admin, you")
    assert rows[2].endswith("  member")
    assert rows[3].strip() in done(bob, "id")
    told = members(bob)
    assert told["ada"]["role"] == "admin"
    assert (told["bob"]["me"], told["bob"]["waits"], told["bob"]["words"]) == (True, False, rows[3].strip())
    assert done(ada, "room", "code", "ops") == done(bob, "room", "code", both)


def test_a_kick_ends_it_for_who_is_kicked(ada: Home, bob: Home, both: str) -> None:
    """Neither sending nor any earlier link works; Ada is told how to let others in; the room goes on."""
    open_link = new_link(ada, "--uses", "5")
    told = done(ada, "room", "kick", "ops", "bob")
    assert "is out, and cannot read what is written from now on: the room has a new key" in told
    assert "all links ended: sendall room invite ops makes a new one" in told
    done(ada, "send", "ops", "without bob")
    sentence, hint = refused(bob, "send", "ops", "still here?", status=1)
    assert sentence == "the server says that you are no member of 'ops' any more"
    assert hint.endswith("ask a member for a new link")
    for link in (both, open_link):
        assert refused(bob, "send", link, "again?", status=1)[1].endswith("ask a member for a new link")
    assert list(members(ada)) == ["ada"]
    again = new_link(ada)
    assert "  without bob\n" in done(bob, "tail", again, "--since", "all", "--count", "2")


def test_a_lost_device_is_kicked_by_its_tag(ada: Home, bob: Home, both: str) -> None:
    """Who cannot say anything any more is named as the list of members shows."""
    tag = members(ada)["bob"]["tag"]
    assert done(ada, "room", "kick", "ops", tag).startswith(f"bob·{tag} is out")
    assert refused(ada, "room", "kick", "ops", tag, status=2) == (
        f"nobody in 'ops' is called '{tag}'",
        "sendall room members ops shows who is there",
    )


def test_readers_read(ada: Home, bob: Home, both: str, tmp_path: Path) -> None:
    """A reader cannot send; with `default reader` whoever joins from then on is one: a room for announcements."""
    assert done(ada, "room", "role", "ops", "bob", "reader").endswith(" is a reader now\n")
    assert refused(bob, "send", "ops", "may I?", status=2) == (
        "in 'ops' you may only read",
        "an admin can change that; /members shows who is one",
    )
    assert done(ada, "room", "role", "ops", "default", "reader") == "whoever joins from now on is a reader\n"
    eve = person(tmp_path, "eve")
    link = new_link(ada)
    assert refused(eve, "send", link, "hello", status=2)[0] == "in 'ops' you may only read"
    done(ada, "send", "ops", "an announcement")
    assert done(eve, "tail", "ops", "--since", "all", "--count", "2").endswith("  an announcement\n")
    done(ada, "room", "role", "ops", "bob", "admin")
    assert members(bob)["bob"]["role"] == "admin"


def test_only_an_admin_leads(ada: Home, bob: Home, both: str) -> None:
    """Each command of an admin is refused to others before anything is sent; the hint says who can."""
    for args in (["invite", "ops"], ["kick", "ops", "ada"], ["rotate", "ops"], ["role", "ops", "ada", "reader"]):
        assert refused(bob, "room", *args, status=2) == (
            "only an admin of the room may do that",
            "ask one: sendall room members ops shows who is",
        )
    assert refused(ada, "room", "role", "ops", "ada", "member", status=2)[0] == "the last admin must stay one"
    assert refused(ada, "room", "leave", "ops", status=2) == (
        "the last admin cannot leave",
        "make another member admin first: sendall room role ops WHO admin",
    )


def test_leaving_and_forgetting(ada: Home, bob: Home, both: str) -> None:
    """Who leaves is a member no longer and knows the room no more; forgetting is for this device alone."""
    assert done(bob, "room", "leave", "ops") == "you left 'ops' for good; to come back takes a new link\n"
    assert list(members(ada)) == ["ada"]
    assert run(bob, "room", "list").stdout == ""
    assert "the room has you as a member still" in done(ada, "room", "forget", "ops")
    assert run(ada, "room", "list").stdout == ""
    assert refused(ada, "room", "forget", "ops", status=2) == (
        "this device knows no room 'ops'",
        "sendall room list shows those it knows",
    )


def test_an_admin_lets_in_who_waits(ada: Home, bob: Home, server: Server) -> None:
    """By a link with --approve one waits, and is told so with the words by which the admin knows them."""
    new_room(ada, server)
    link = new_link(ada, "--approve")
    waits = run(bob, "send", link, "let me in", "--timeout", "0.5")
    assert waits.returncode == 4
    words = next(line for line in done(bob, "id").splitlines() if line.startswith("words")).split(maxsplit=1)[1]
    assert "-- you wait to be let in by an admin, who sees you as bob·" in waits.stderr
    assert f"--   {words}\n" in waits.stderr
    assert "error: 1 line is not confirmed: you wait to be let in by an admin\n" in waits.stderr
    (waiting,) = (row for row in members(ada).values() if row["waits"])
    assert (waiting["words"], waiting["role"]) == (words, None)
    assert done(ada, "room", "admit", "ops", waiting["tag"]).endswith(" is in\n")
    assert refused(ada, "room", "admit", "ops", waiting["tag"], status=2)[0].endswith(" is a member already")
    done(bob, "send", "ops", "thank you")  # sends first what was kept
    said = done(ada, "tail", "ops", "--since", "all", "--count", "2").splitlines()
    assert [line.partition("  ")[2] for line in said] == ["let me in", "thank you"]


def test_links_for_scripts(ada: Home, server: Server) -> None:
    """`--json` tells uses and end; --lock ends all links; a new key is made on demand."""
    new_room(ada, server)
    made = json.loads(done(ada, "room", "invite", "ops", "--uses", "3", "--for", "ever", "--json"))
    assert (made["uses"], made["expires"], made["approve"]) == (3, None, False)
    assert parse_address(made["link"]).is_private
    assert done(ada, "room", "lock", "ops") == "2 links are revoked; sendall room invite ops makes a new one\n"
    assert done(ada, "room", "lock", "ops") == "there was no open link\n"
    assert done(ada, "room", "rotate", "ops").startswith("the room has a new key")
    (known,) = map(json.loads, done(ada, "room", "list", "--json").splitlines())
    assert (known["name"], known["address"]) == ("ops", server.address)


def test_two_rooms_of_one_name_are_told_apart(ada: Home, server: Server) -> None:
    """The second gets a tag behind its name; both are reached."""
    new_room(ada, server)
    new_room(ada, server)
    first, second = (line.split()[0] for line in done(ada, "room", "list").splitlines())
    assert first == "ops"
    assert second.startswith("ops~")
    done(ada, "send", second, "to the second")
    assert done(ada, "tail", second, "--since", "all", "--count", "1").endswith("  to the second\n")


def test_the_server_is_told_no_name(ada: Home, both: str, server: Server) -> None:
    """Neither the name of the room nor a text is in the server's folder, whatever was done."""
    done(ada, "send", "ops", "a secret text")
    done(ada, "room", "rotate", "ops")
    server.signal(signal.SIGTERM)
    assert server.ended()[0] == 0
    stored = b"".join(path.read_bytes() for path in server.data.iterdir() if path.is_file())
    assert b"a secret text" not in stored
    assert b"ops" not in stored


def test_what_is_no_private_room_is_told(ada: Home, server: Server) -> None:
    """An address alone, and --room beside a name or a link, lead nowhere; a wrong number of uses is told."""
    assert refused(ada, "room", "members", server.address, status=2)[0].startswith("that is no private room")
    assert refused(ada, "keep", server.address, status=2)[0].startswith("that is no private room")
    link = new_room(ada, server)
    for where in ("ops", link):
        sentence, hint = refused(ada, "send", where, "x", "--room", "lobby", status=2)
        assert (sentence, hint) == ("a private room is called by its name or its link alone", "leave --room away")
    assert refused(ada, "room", "invite", "ops", "--uses", "many", status=2) == (
        "'many' is no number of uses: 1 to 65,535, or 0 for no limit",
        "for example --uses 5 --for 7d",
    )
    assert refused(ada, "room", "role", "ops", "ada", "king", status=2)[0].startswith("'king' is no role")
    assert refused(ada, "room", "new", server.address, "--name", "x" * 65, status=2)[1].startswith("1 to 64 bytes")
