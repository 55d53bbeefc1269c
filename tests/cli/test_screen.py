"""The application and `up` in real terminals: what a person sees.

tmux shows the screens; without it these tests are skipped, and say so.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendall.client.keyring import Keyring
from sendall.client.outbox_store import OutboxFile
from sendall.node import read_server_pk
from tests.cli.programs import HAS_TMUX, SENDALL, Server, Terminal, Tmux, free_port, home_of, run, tmux_in
from tests.client.plaintexts import write_message

Home = dict[str, str]
needs_tmux = pytest.mark.skipif(
    not HAS_TMUX, reason="TMUX IS MISSING: the screens of the application were not looked at"
)


@pytest.fixture
def tmux(home: Home, tmp_path: Path) -> Iterator[Tmux]:
    """Terminals in the home of the test."""
    with tmux_in(home, tmp_path) as terminals:
        yield terminals


def join(server: Server, *args: str) -> list[str]:
    return [*SENDALL, "join", server.address, *args]


def last_rows(screen: str, count: int) -> list[str]:
    """Return the lowest rows that are not blank."""
    return [row.rstrip() for row in screen.splitlines() if row.strip()][-count:]


@needs_tmux
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (60, 16), (132, 50)])
def test_an_arriving_message_never_tears_the_line_being_typed(
    home: Home, server: Server, tmux: Tmux, columns: int, rows: int
) -> None:
    """Whatever arrives goes above; the half-typed line stays whole in its row, over the status."""
    tmux.start("ada", join(server, "--nick", "ada"), columns, rows)
    tmux.see("ada", "# lobby", "❯", "● sealed")
    tmux.type("ada", "half a thou")
    tmux.see("ada", "❯ half a thou")
    bob = home_of(server.data / "bob")
    said = "".join(f"said {n}\n" for n in range(60))
    assert run(bob, "send", server.address, "--nick", "bob", text=said).returncode == 0
    screen = tmux.see("ada", "bob·", " said 59", "❯ half a thou")
    assert screen.count("half a thou") == 1
    assert last_rows(screen, 2)[0].endswith("❯ half a thou")
    numbers = [int(row.split("said ")[1].split()[0]) for row in screen.splitlines() if "said " in row]
    assert numbers == list(range(60 - len(numbers), 60))
    tmux.type("ada", "ght", "Enter")
    screen = tmux.see_not("ada", "❯ half", "half a thought")
    assert last_rows(screen, 2)[0].endswith("❯")


@needs_tmux
def test_two_people_talk_and_leave(home: Home, server: Server, tmux: Tmux) -> None:
    """Two real terminals and a real server: who comes, what is said, who goes; `exit` and Ctrl+D end with 0."""
    tmux.start("ada", join(server, "--nick", "ada"), 120, 30)
    tmux.see("ada", "# lobby", "OPEN", "people · 1 here")
    tmux.start("bob", [*join(server, "--nick", "bob"), "--state", str(server.data / "bob")], 60, 16)
    tmux.see("ada", "bob·", " came", "people · 2 here")
    tmux.type("bob", "hello **ada**", "Enter")
    tmux.see("ada", "bob·", "│ hello ada")
    tmux.type("ada", "hello bob", "Enter")
    tmux.see("bob", "ada·", "  hello bob")
    tmux.type("bob", "", "F1")
    tmux.see("bob", "help", "Esc closes")
    tmux.type("bob", "", "Escape")
    tmux.see_not("bob", "Esc closes", "  hello bob", "❯")
    tmux.type("bob", "/code", "Enter")
    words = next(line for line in server.banner.splitlines() if line.startswith("  words")).split()[1:]
    tmux.see("bob", "server: " + " ".join(words[:4]))
    tmux.type("bob", "/etc/passwd", "Enter")
    assert last_rows(tmux.see("bob", "/etc/passwd is no command"), 2)[0].endswith("❯ /etc/passwd")
    tmux.type("bob", "", "C-c")
    tmux.type("bob", "exit", "Enter")
    assert tmux.wait("bob") == 0
    tmux.see("ada", "bob·", " went")
    tmux.type("ada", "", "C-d")
    assert tmux.wait("ada") == 0


@needs_tmux
def test_lines_typed_while_away_are_sent_once_in_order(home: Home, server: Server, tmux: Tmux) -> None:
    """The loss is a banner with a countdown, what was typed waits, and is sent when the server is back."""
    tmux.start("ada", join(server, "--nick", "ada"))
    tmux.see("ada", "● sealed")
    server.signal(signal.SIGTERM)
    assert server.ended()[0] == 0
    tmux.see("ada", "connection lost: the server restarts", "trying again", "○ not connected")
    for line in ("one", "two", "three", "four", "five"):
        tmux.type("ada", line, "Enter")
    tmux.see("ada", "one …", "five …", "5 not confirmed")
    with Server(home, server.data, port=server.port) as again:
        screen = tmux.see("ada", "connected again", "│ five", "● sealed")
        screen = tmux.see_not("ada", "…")
        said = [row.partition("│ ")[2].split()[0] for row in screen.splitlines() if "│ " in row]
        assert said == ["one", "two", "three", "four", "five"]
        assert screen.count("connection lost") == 1
        done = run(home, "tail", again.address, "--since", "all", "--count", "5")
        assert [line.partition("  ")[2] for line in done.stdout.splitlines()] == said


def leave_behind(server: Server, home: Home, text: str) -> None:
    """Write a line an hour ago that was never sent: what a crash leaves in the outbox."""
    server_pk = read_server_pk(server.data)
    assert server_pk is not None
    keyring = Keyring(Path(home["XDG_DATA_HOME"]) / "sendall" / "client")
    outbox = OutboxFile(keyring.folder)
    now_ms = time.time_ns() // 1_000_000
    lane = outbox.lane(server_pk, keyring.identity().pk, "lobby", now_ms)
    lane.put(write_message(text, "ada"), now_ms - 3_600_000)
    lane.close()
    outbox.close()


@needs_tmux
@pytest.mark.parametrize("args", [[], ["--plain"]])
def test_old_lines_are_held_until_the_person_says_so(home: Home, server: Server, tmux: Tmux, args: list[str]) -> None:
    """What was written an hour ago is shown and not sent; /send-held sends it, /discard-held drops it."""
    leave_behind(server, home, "old news")
    tmux.start("ada", join(server, "--nick", "ada", *args))
    tmux.see("ada", "1 line written", '"old news"')
    tmux.type("ada", "/discard-held", "Enter")
    tmux.type("ada", "exit", "Enter")
    assert tmux.wait("ada") == 0
    leave_behind(server, home, "good news")
    tmux.start("bob", join(server, "--nick", "ada", *args))
    tmux.see("bob", '"good news"')
    tmux.type("bob", "/send-held", "Enter")
    tmux.type("bob", "and more", "Enter")
    tmux.type("bob", "exit", "Enter")
    assert tmux.wait("bob") == 0
    done = run(home, "tail", server.address, "--since", "all", "--count", "2")
    assert [line.partition("  ")[2] for line in done.stdout.splitlines()] == ["good news", "and more"]


@needs_tmux
def test_a_resized_terminal_keeps_the_line(home: Home, server: Server, tmux: Tmux) -> None:
    """After the window changed its size, the typed line and the status are there once."""
    tmux.start("ada", join(server, "--nick", "ada"), 120, 30)
    tmux.see("ada", "people · 1 here")
    tmux.type("ada", "still here")
    tmux.see("ada", "❯ still here")
    tmux.resize("ada", 60, 16)
    tmux.type("ada", "!")
    screen = tmux.see_not("ada", "people", "❯ still here!\n ●")
    assert last_rows(screen, 2)[0].endswith("❯ still here!")
    assert "● sealed" in last_rows(screen, 1)[0]


@needs_tmux
def test_no_color_is_honoured(server: Server, tmp_path: Path, home: Home) -> None:
    """With NO_COLOR set there is no screen: line by line, without a colour or a box."""
    with tmux_in(home | {"NO_COLOR": "1"}, tmp_path) as tmux:
        tmux.start("ada", join(server, "--nick", "ada"))
        words = next(line for line in server.banner.splitlines() if line.startswith("  words")).split()[1:]
        tmux.see("ada", "-- lobby: OPEN · the server can read this", "-- server: " + " ".join(words))
        run(home_of(server.data / "bob"), "send", server.address, "--nick", "bob", "plain")
        tmux.see("ada", "  plain")
        assert "\x1b" not in tmux.screen("ada", has_styles=True)


@needs_tmux
def test_names_have_colours(home: Home, server: Server, tmux: Tmux) -> None:
    """On a screen they tell people apart."""
    tmux.start("ada", join(server, "--nick", "ada"))
    tmux.see("ada", "● sealed")
    tmux.type("ada", "paint", "Enter")
    tmux.see("ada", "│ paint")
    row = next(row for row in tmux.screen("ada", has_styles=True).splitlines() if "paint" in row)
    assert "\x1b[38" in row or "\x1b[3" in row, row


@needs_tmux
def test_up_serves_and_joins_and_asks_once_before_it_stops(home: Home, tmux: Tmux) -> None:
    """One command: the question for a name, the card, the room. A second `up` joins the first; `exit` asks once."""
    port = free_port()
    up = [*SENDALL, "up", "--port", str(port)]
    tmux.start("host", up, rows=40)
    tmux.see("host", "What should others call you?")
    tmux.type("host", "", "Enter")
    tmux.see("host", "how others come in", f"--port {port}", "only from this machine", "readers")
    tmux.type("host", "", "Escape")
    tmux.see_not("host", "how others come in", "# lobby", "❯")
    tmux.start("guest", up)
    assert "how others come in" not in tmux.see("guest", "# lobby", "● sealed")
    tmux.type("guest", "hello host", "Enter")
    tmux.see("host", "│ hello host")
    tmux.type("host", "exit", "Enter")
    tmux.see("host", "1 other is connected, and the server stops when you leave: exit once more")
    tmux.type("host", "exit", "Enter")
    assert tmux.wait("host") == 0
    tmux.see("guest", "connection lost: the server restarts")
    tmux.type("guest", "", "C-c")
    assert tmux.wait("guest") == 0


@needs_tmux
def test_up_alone_stops_without_asking(home: Home, tmp_path: Path) -> None:
    """With nobody else there, one `exit` is enough."""
    with tmux_in(home | {"SENDALL_NICK": "ada"}, tmp_path) as terminals:
        terminals.start("host", [*SENDALL, "up", "--port", str(free_port())], rows=40)
        terminals.see("host", "how others come in")
        terminals.type("host", "", "Escape")
        terminals.see_not("host", "how others come in", "❯")
        terminals.type("host", "exit", "Enter")
        assert terminals.wait("host") == 0


@needs_tmux
def test_up_does_not_join_somebody_elses_server(home: Home, server: Server, tmux: Tmux) -> None:
    """Another data folder's server on the port is a taken port, not an invitation."""
    tmux.start("host", [*SENDALL, "up", "--port", str(server.port)])
    tmux.see("host", f"error: port {server.port} on 127.0.0.1 is taken", "python3 server.py --port")
    assert tmux.wait("host") == 2


def test_plain_redraws_nothing(home: Home, server: Server) -> None:
    """`--plain` on a terminal sends no escape sequence, knows the commands, and tells who comes."""
    raw = Terminal(home, join(server, "--plain", "--nick", "ada"))
    try:
        raw.enter("hello")
        raw.enter("/help")
        raw.expect("/send-held")
        run(home_of(server.data / "bob"), "send", server.address, "--nick", "bob", "hi ada")
        raw.expect("  hi ada")
        raw.enter("/nothing")
        raw.expect("-- /nothing is no command")
        raw.enter("exit")
        assert raw.wait() == 0
        assert "\x1b" not in raw.transcript
    finally:
        raw.close()


def test_a_terminal_that_answers_nothing_is_enough(home: Home, server: Server) -> None:
    """No question is asked of the terminal whose answer could be missing or land in the line."""
    raw = Terminal(home, join(server, "--nick", "ada"))
    try:
        raw.expect("sealed")
        raw.enter("hello")
        raw.expect("│ hello")
        raw.enter("exit")
        assert raw.wait() == 0
        assert "\x1b[6n" not in raw.transcript
        assert "CPR" not in raw.transcript
    finally:
        raw.close()


def test_the_application_ends_with_its_terminal(home: Home, server: Server) -> None:
    """Also where nobody says SIGHUP: it does not go on alone, reading a terminal that is gone."""
    terminal = Terminal(home | {"TERM": "xterm-256color"}, join(server, "--nick", "ada"))
    try:
        terminal.expect("lobby")
        terminal.hang_up()
    finally:
        terminal.close()
