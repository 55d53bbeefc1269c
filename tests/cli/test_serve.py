"""`sendall serve` as a process: banner, signals, tokens, logs, settings from everywhere."""

from __future__ import annotations

import re
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.cli.programs import Program, Server, free_port, run

Home = dict[str, str]


def test_the_banner_comes_on_stdout_and_holds_lines_that_work(home: Home, server: Server) -> None:
    """The pipe line of the banner, typed as it stands, puts a message into the room."""
    assert server.banner.startswith(f"sendall is up: 127.0.0.1:{server.port}\n")
    assert str(server.data) in server.banner
    line = next(line for line in server.banner.splitlines() if line.startswith("  pipe "))
    command = line.partition("sendall send ")[2].split()
    assert run(home, "send", *command, text="hi\n").returncode == 0
    assert run(home, "tail", server.address, "--since", "all", "--count", "1").stdout.endswith("  hi\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_in_order(home: Home, server: Server, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end with 0, free port and folder, and keep every message."""
    assert run(home, "send", server.address, "kept").returncode == 0
    server.signal(number)
    assert server.ended()[0] == 0
    with Server(home, server.data, port=server.port) as again:
        done = run(home, "tail", again.address, "--since", "all", "--count", "1")
        assert done.stdout.endswith("  kept\n")
        assert done.returncode == 0


def test_clients_are_told_when_the_server_stops(home: Home, server: Server) -> None:
    """A client that is connected says why the connection ended, and comes back when the server does."""
    assert run(home, "send", server.address, "one").returncode == 0
    with Program(home, "tail", server.address, "--since", "all") as tail:
        tail.read_until("one")
        server.signal(signal.SIGTERM)
        assert server.ended()[0] == 0
        assert "connection lost: the server restarts" in tail.read_until("--", "stderr")
        with Server(home, server.data, port=server.port) as again:
            assert "connected again" in tail.read_until("--", "stderr")
            assert run(home, "send", again.address, "two").returncode == 0
            tail.read_until("two")


def test_a_new_token_is_made_kept_and_demanded(home: Home, tmp_path: Path) -> None:
    """`--token new` writes a private file, names it in the lines for others, and nobody joins without it."""
    with Server(home, tmp_path / "data", "--token", "new") as server:
        file = tmp_path / "data" / "token"
        assert f"--token-file {file}" in server.banner
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert run(home, "send", server.address, "x").returncode == 1
        assert run(home, "send", server.address, "x", "--token-file", str(file)).returncode == 0
        token = file.read_text().strip()
        assert run(home | {"SENDALL_TOKEN": token}, "send", server.address, "x").returncode == 0
        assert run(home | {"SENDALL_TOKEN_FILE": str(file)}, "send", server.address, "x").returncode == 0
        warned = run(home, "send", server.address, "x", "--token", token)
        assert (warned.returncode, warned.stderr[:9]) == (0, "warning: ")


def test_a_token_of_the_environment_is_not_taken_for_one_of_a_file(home: Home, tmp_path: Path) -> None:
    """The lines for others name a file only if the token that is demanded came from it."""
    file = tmp_path / "other token"
    file.write_text("what the settings name, and a variable overrules")
    named = home | {"SENDALL_TOKEN_FILE": str(file)}
    with Server(named | {"SENDALL_TOKEN": "a token of the environment"}, tmp_path / "d") as server:
        assert "--token-file FILE\n" in server.banner
    with Server(named, tmp_path / "d") as server:
        assert f"--token-file '{file}'\n" in server.banner


def test_a_weak_token_does_not_start_a_server(home: Home, tmp_path: Path) -> None:
    """Refused with the reason before anything is made."""
    done = run(home | {"SENDALL_TOKEN": "letmein"}, "serve", "--port", "0", "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert "SENDALL_TOKEN has 7 bytes" in done.stderr
    assert not (tmp_path / "data").exists()


def test_the_log_is_one_line_an_event_on_stderr(home: Home, server: Server) -> None:
    """Each line has time and level; never a name or a text that somebody sent."""
    assert run(home, "send", server.address, "--nick", "ada\nFAKE", "secret words").returncode == 0
    server.signal(signal.SIGTERM)
    status, out, err = server.ended()
    assert (status, out) == (0, "")
    lines = err.splitlines()
    assert lines
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S", line) for line in lines)
    assert "secret" not in err
    assert "FAKE" not in err


def test_settings_reach_the_server_from_file_and_environment(home: Home, tmp_path: Path) -> None:
    """--config, SENDALL_CONFIG and the user's own sendall.toml are read, and a variable wins over them."""
    file = tmp_path / "sendall.toml"
    file.write_text('[server]\nhost = "127.0.0.2"\nretention_days = 3\ndata = "rooms"\n')
    usual = Path(home["XDG_CONFIG_HOME"]) / "sendall" / "sendall.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text("[server]\nretention_days = 5\n")
    with Server(home | {"SENDALL_HOST": "127.0.0.3"}, tmp_path / "d", "--config", str(file)) as server:
        assert server.address.startswith("127.0.0.3:")
        assert "messages for 3 days" in server.banner
    with Server(home | {"SENDALL_CONFIG": str(file)}, tmp_path / "d") as server:
        assert server.address.startswith("127.0.0.2:")
    with Server(home, tmp_path / "d") as server:
        assert "messages for 5 days" in server.banner


def test_up_without_a_terminal_is_serve(home: Home, tmp_path: Path) -> None:
    """In a service or a pipe, `up` prints the banner and serves."""
    port = free_port()
    with Program(home, "up", "--port", str(port), "--data", str(tmp_path / "data")) as up:
        up.read_until("  stop ")
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        up.signal(signal.SIGTERM)
        assert up.ended()[0] == 0
