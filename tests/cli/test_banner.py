"""The banner: everything a person must know, in lines that can be typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendall.cli.banner import Facts, Invocation, banner, invocation, reachable_host
from sendall.client.address import parse_address
from sendall.config import ServerSettings

INSTALLED = Invocation("sendall join", "sendall send")
CHECKOUT = Invocation("python3 client.py", None)
WORDS = "one two three four five six seven eight"


def facts(host: str = "127.0.0.1", port: int = 12345, **changes: object) -> Facts:
    settings = ServerSettings(host=host, port=port)
    made = Facts(settings, (host, port), bytes(32), WORDS, Path("/data"), None, has_token=False, stop="Ctrl-C")
    return made._replace(**changes)  # type: ignore[arg-type]


def row(text: str, name: str) -> str:
    return next(line.strip().removeprefix(name).strip() for line in text.splitlines() if line.strip().startswith(name))


def test_the_banner_says_all_there_is_to_know() -> None:
    """Address, how to join, the pipe, the server's words, what is stored, who can read it, how to stop."""
    text = banner(facts(), INSTALLED)
    assert text.startswith("sendall is up: 127.0.0.1:12345\n")
    assert row(text, "join") == "sendall join"
    assert row(text, "pipe") == "echo hi | sendall send 127.0.0.1:12345 --room lobby"
    assert row(text, "words") == WORDS
    assert row(text, "stored") == "messages for 30 days, on disk before anybody sees them;"
    assert "at most 256 MiB or 1,000,000 a room, in\n           /data\n" in text
    assert row(text, "readers") == "whoever reaches this port, and this server itself; nobody in between"
    assert row(text, "stop") == "Ctrl-C"
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("host", "port", "line"),
    [
        ("127.0.0.1", 12345, "python3 client.py"),
        ("127.0.0.1", 12346, "python3 client.py --port 12346"),
        ("127.0.0.2", 12345, "python3 client.py --host 127.0.0.2"),
        ("::1", 7, "python3 client.py --host ::1 --port 7"),
    ],
)
def test_a_checkout_is_told_its_own_commands(host: str, port: int, line: str) -> None:
    """Where server.py was started, the lines use client.py, for the pipe as well."""
    text = banner(facts(host, port), CHECKOUT)
    assert row(text, "join") == line
    assert row(text, "pipe") == f"echo hi | {line}"


def test_beyond_this_machine_the_line_is_a_link_that_pins_the_server() -> None:
    """Whoever pastes the line has the server's identity before the first contact, and the room."""
    text = banner(facts("192.0.2.7"), INSTALLED)
    link = row(text, "join").removeprefix("sendall join ").strip("'")
    address = parse_address(link)
    assert (str(address), address.server_pk, address.room) == ("192.0.2.7:12345", bytes(32), "lobby")
    assert "only from this machine" not in text
    assert "only from this machine" in banner(facts(), INSTALLED)


def test_a_server_with_a_token_says_how_to_give_it() -> None:
    """With a token the lines for others name its file, and the readers are who holds it."""
    text = banner(facts(has_token=True, token_file=Path("/data/token")), INSTALLED)
    assert row(text, "join") == "sendall join --token-file /data/token"
    assert row(text, "pipe").endswith("--room lobby --token-file /data/token")
    assert row(text, "readers").startswith("who holds the token, and this server itself")


def test_a_server_that_may_lose_a_second_says_so() -> None:
    """--sync os is not hidden."""
    changed = facts()._replace(settings=ServerSettings(sync="os"))
    assert "a power cut may lose the last second" in banner(changed, INSTALLED)


def test_a_wildcard_host_is_shown_as_an_address() -> None:
    """Nobody can type 0.0.0.0 to reach a server."""
    assert reachable_host("0.0.0.0") not in ("0.0.0.0", "")
    assert reachable_host("127.0.0.5") == "127.0.0.5"


@pytest.mark.parametrize(
    ("program", "join"),
    [("server.py", "python3 client.py"), ("./server.py", "python3 client.py"), ("/x/bin/sendall", "bin/sendall join")],
)
def test_the_commands_are_those_that_work_here(monkeypatch: pytest.MonkeyPatch, program: str, join: str) -> None:
    """The lines repeat the way this program was started, if `sendall` is not on the path."""
    monkeypatch.setattr("sys.argv", [program])
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("os.getcwd", lambda: "/x")
    assert invocation().join == join
