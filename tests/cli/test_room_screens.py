"""Private rooms on a terminal: what a person sees who makes one, is in one, waits, or is removed.

Pseudo-terminals for the line mode; tmux where a screen must be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.private import done, members, new_link, new_room, person
from tests.cli.programs import HAS_TMUX, SENDALL, Server, Terminal, tmux_in

Home = dict[str, str]
needs_tmux = pytest.mark.skipif(not HAS_TMUX, reason="TMUX IS MISSING: the screens of private rooms were not looked at")
KIND = "PRIVATE · the server cannot read · kept 30 d · server sees: sizes, times, addresses"


@pytest.fixture
def ada(tmp_path: Path) -> Home:
    return person(tmp_path, "ada")


@pytest.fixture
def bob(tmp_path: Path) -> Home:
    return person(tmp_path, "bob")


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Those that a test opened; closed at its end."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def sitting(terminals: list[Terminal], home: Home, *args: str) -> Terminal:
    """Return a terminal in which somebody runs a command."""
    terminals.append(Terminal(home, [*SENDALL, *args]))
    return terminals[-1]


@needs_tmux
def test_a_new_room_is_told_with_a_code_to_scan(ada: Home, server: Server, tmp_path: Path) -> None:
    """Link, QR code, how long it lives, what newcomers can read, what the server sees: all in 80 columns."""
    with tmux_in(ada, tmp_path) as tmux:
        tmux.start("ada", [*SENDALL, "room", "new", server.address, "--name", "ops"], 80, 50)
        assert tmux.wait("ada") == 0
        rows = tmux.screen("ada").splitlines()
    code = [row for row in rows if "█" in row]
    assert 20 < len(code) < 32
    assert len({len(row.strip()) for row in code}) == 1
    text = "\n".join(rows)
    assert f"ops: {KIND}"[:80] in text
    for words in (
        f"http://{server.address}/#",
        "  lets one person in, until ",
        "  whoever has it is in: give it only to whom you want there",
        "  newcomers are let in also while nobody is online,",
        "  the server sees sizes, times, addresses and the keys of members;",
        "  come in: sendall join ops",
        "  another link: sendall room invite ops",
    ):
        assert words in text


def test_members_lead_a_room_by_what_they_type(ada: Home, bob: Home, server: Server, terminals: list[Terminal]) -> None:
    """Kind of the room first; each command answers in lines; a kick offers a new link; who is kicked is told."""
    link = new_room(ada, server)
    hers = sitting(terminals, ada, "join", "ops", "--plain")
    hers.expect(f"-- ops: {KIND}")
    his = sitting(terminals, bob, "join", link, "--plain")
    his.expect(f"-- ops: {KIND}")
    his.enter("hello")
    hers.expect("  hello")
    hers.enter("/members")
    for words in ("ada·", "  admin, you", "bob·", "  member"):
        hers.expect(words)
    hers.enter("/code")
    hers.expect("every member sees the same eight")
    hers.enter("/role bob reader")
    hers.expect(" is a reader now")
    his.expect("you are a reader now")
    his.enter("may I?")
    his.expect("-- in 'ops' you may only read")
    his.expect("-- hint: an admin can change that; /members shows who is one")
    his.enter("/rotate")
    his.expect("-- only an admin of the room may do that")
    hers.enter("/invite --uses 2 --for 7d")
    hers.expect("lets 2 people in, until ")
    hers.enter("/rotate")
    hers.expect("the room has a new key")
    hers.enter("/kick bob")
    hers.expect(" is out, and cannot read what is written from now on")
    hers.expect("all links ended: /invite makes a new one")
    his.expect("error: ada (")
    his.expect(") removed you from 'ops'")
    assert his.wait() == 1
    hers.enter("exit")
    assert hers.wait() == 0
    assert "\x1b" not in hers.transcript


def test_who_waits_is_shown_the_words_and_comes_in(
    ada: Home, bob: Home, server: Server, terminals: list[Terminal]
) -> None:
    """By a link with --approve: the admin sees who waits and what to type; what was typed meanwhile is sent."""
    new_room(ada, server)
    link = new_link(ada, "--approve")
    hers = sitting(terminals, ada, "join", "ops", "--plain")
    hers.expect(KIND)
    his = sitting(terminals, bob, "join", link, "--plain")
    his.expect("-- you wait to be let in by an admin, who sees you as bob·")
    his.enter("am I in?")
    hers.expect(" asked to join and waits: /admit ")
    (waiting,) = (row for row in members(ada).values() if row["waits"])
    hers.enter(f"/admit {waiting['tag']}")
    hers.expect(" is in")
    hers.expect("  am I in?")
    his.enter("/leave")
    his.expect("you left 'ops' for good; to come back takes a new link")
    assert his.wait() == 0
    hers.expect("left the room for good")


def test_in_an_open_room_these_commands_say_where_they_exist(
    ada: Home, server: Server, terminals: list[Terminal]
) -> None:
    """The kind of the room stands first; what begins with one slash is never sent; two slashes send one."""
    hers = sitting(terminals, ada, "join", server.address, "--plain")
    hers.expect("-- lobby: OPEN · the server can read this")
    hers.enter("/kick bob")
    hers.expect("-- /kick is for private rooms, and this room is open: whoever reaches the server may join and read")
    hers.expect("-- hint: sendall room new makes a private room")
    hers.enter("/kik bob")
    hers.expect("-- /kik is no command")
    hers.expect("-- hint: did you mean /kick? /help lists them, //kik sends it as text")
    hers.enter("/help")
    hers.expect("in private rooms there is more: /invite")
    hers.enter("//slash")
    hers.enter("exit")
    assert hers.wait() == 0
    assert done(ada, "tail", server.address, "--since", "all", "--count", "1").endswith("  /slash\n")


def test_send_and_tail_say_what_the_room_is(ada: Home, server: Server, terminals: list[Terminal]) -> None:
    """On a terminal, beside what they print; in a pipe they say nothing."""
    new_room(ada, server)
    for where, kind in (("ops", KIND), (server.address, "OPEN · the server can read this")):
        sending = sitting(terminals, ada, "send", where, "one line")
        sending.expect(kind)
        assert sending.wait() == 0
        tailing = sitting(terminals, ada, "tail", where, "--since", "all", "--count", "1")
        tailing.expect(kind)
        tailing.expect("  one line")
        assert tailing.wait() == 0


@needs_tmux
def test_the_full_screen_shows_a_private_room(ada: Home, bob: Home, server: Server, tmp_path: Path) -> None:
    """Its kind on top, its members on demand, a link for who is an admin; the commands of OPEN rooms stay there."""
    link = new_room(ada, server)
    done(bob, "send", link, "bob was here")
    with tmux_in(ada, tmp_path) as tmux:
        tmux.start("ada", [*SENDALL, "join", "ops"], 160, 34)
        tmux.see("ada", KIND, "◆ ops", "bob was here")
        tmux.type("ada", "/members", "Enter")
        tmux.see("ada", "admin, you", "member")
        tmux.type("ada", "", "Escape")
        tmux.type("ada", "/invite", "Enter")
        assert re.search(r"http://127\.0\.0\.1:\d+/#", tmux.see("ada", "lets one person in, until "))
        tmux.type("ada", "", "Escape")
        tmux.type("ada", "/join lobby", "Enter")
        tmux.see("ada", "OPEN · the server can read this")
        tmux.type("ada", "/kick bob", "Enter")
        tmux.see("ada", "/kick is for PRIVATE rooms")
        tmux.type("ada", "", "C-u")
        tmux.see("ada", "❯\n")
        tmux.type("ada", "exit", "Enter")
        tmux.see("ada", "ended with 0")
    kept = "".join(path.read_text() for path in (Path(ada["XDG_DATA_HOME"]) / "sendall" / "client").glob("*.json"))
    assert "ops" not in kept


@needs_tmux
def test_the_full_screen_says_what_one_waits_for(ada: Home, bob: Home, server: Server, tmp_path: Path) -> None:
    """Who follows a link with --approve sees the words by which the admin knows them; once in, the conversation."""
    new_room(ada, server)
    link = new_link(ada, "--approve")
    words = next(line for line in done(bob, "id").splitlines() if line.startswith("words")).split()[1:]
    with tmux_in(bob, tmp_path) as tmux:
        tmux.start("bob", [*SENDALL, "join", link], 160, 34)
        tmux.see("bob", "you wait to be let in by an admin, who sees you as bob·", words[0], words[-1])
        (waiting,) = (row for row in members(ada).values() if row["waits"])
        done(ada, "room", "admit", "ops", waiting["tag"])
        done(ada, "send", "ops", "welcome bob")
        tmux.see("bob", "│ welcome bob")
        tmux.type("bob", "exit", "Enter")
        tmux.see("bob", "ended with 0")
