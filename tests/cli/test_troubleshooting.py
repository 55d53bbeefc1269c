"""README, "When something does not work": each case, its sentence, and the next command in its hint.

Real sockets and processes; the sentence is what a person sees on stderr.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import sysconfig
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sendall.cli import main, notices
from sendall.client import connection
from sendall.node import PortTaken
from tests.cli.programs import ROOT, Server, free_port, run

Home = dict[str, str]
TLS_TO_LOOPBACK = "127.1"
"""A name of 127.0.0.1 that is no loopback address to read, so that a client speaks TLS to it."""


def explained(done: subprocess.CompletedProcess[str], status: int = 1) -> tuple[str, str]:
    """Return the sentence and the hint of a command that failed with `status`."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    match = re.fullmatch(r"error: ([^\n]+)\nhint: (.+)\n", done.stderr, re.DOTALL)
    assert match, done.stderr
    return match[1], match[2]


@contextmanager
def listening(answer: type[BaseHTTPRequestHandler] | None = None) -> Iterator[int]:
    """Something else than sendall on a port: a web server, or what accepts and never answers."""
    if answer is None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            yield silent.getsockname()[1]
        return
    with HTTPServer(("127.0.0.1", 0), answer) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web.server_port
        finally:
            web.shutdown()
            thread.join()


class Page(BaseHTTPRequestHandler):
    """A web page, whatever is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def test_port_taken(home: Home) -> None:
    """The hint holds the very two commands of the brief."""
    with listening() as port:
        sentence, hint = explained(run(home, "serve", "--port", str(port)), status=2)
    assert sentence == f"port {port} on 127.0.0.1 is taken by another program"
    assert f"\n  python3 server.py --port {port + 1}\n  python3 client.py --port {port + 1}" in f"\n{hint}"
    usual = PortTaken("127.0.0.1", 12345).hint
    assert {"python3 server.py --port 12346", "python3 client.py --port 12346"} <= {
        line.strip() for line in usual.splitlines()
    }


def test_nothing_listening(home: Home) -> None:
    """The hint starts a server just there."""
    port = free_port()
    sentence, hint = explained(run(home, "send", f"127.0.0.1:{port}", "x"))
    assert sentence == f"nothing listens at 127.0.0.1:{port}"
    assert hint == f"start a server there: sendall serve --port {port}"


def test_no_answer_in_time(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A firewall that swallows packets, or a host that hangs: told after a time-out."""
    monkeypatch.setattr(connection, "OPEN_TIMEOUT_S", 1.0)
    with listening() as port:
        assert main(["send", f"127.0.0.1:{port}", "x", "--state", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert f"error: 127.0.0.1:{port} does not answer within 1 s\n" in error
    assert "firewall" in error


def test_wrong_host(home: Home) -> None:
    """A name that no resolver knows is repeated, to be read again."""
    sentence, hint = explained(run(home, "send", "no-such-host.invalid", "x"))
    assert sentence == "there is no host 'no-such-host.invalid'"
    assert hint.startswith("check the spelling")


def test_not_a_sendall_server(home: Home) -> None:
    """A web server on the port is told from a sendall server."""
    with listening(Page) as port:
        sentence, hint = explained(run(home, "send", f"127.0.0.1:{port}", "x"))
    assert sentence.startswith(
        f"what answers at 127.0.0.1:{port} is not a sendall server: it answered with HTTP status"
    )
    assert "sendall serve" in hint


def test_tls_spoken_to_plain(home: Home) -> None:
    """Beyond this machine the client speaks TLS; what answers in plain words is told."""
    with listening(Page) as port:
        sentence, hint = explained(run(home, "send", f"{TLS_TO_LOOPBACK}:{port}", "x"))
    assert sentence == f"{TLS_TO_LOOPBACK}:{port} speaks no TLS 1.3, which this client speaks to all but this machine"
    assert "sendall join" in hint


def test_plain_spoken_to_tls(home: Home, server: Server) -> None:
    """On this machine the client speaks plainly; a port that wants TLS is told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(server))
    port = free_port()

    async def ask() -> subprocess.CompletedProcess[str]:
        tls = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port, ssl=context)
        async with tls:
            return await asyncio.to_thread(run, home, "send", f"127.0.0.1:{port}", "x")

    sentence, hint = explained(asyncio.run(ask()))
    assert "is not a sendall server: it ended the connection, as a server does that wants TLS" in sentence
    assert "check the port" in hint


def _certificate(server: Server) -> tuple[Path, Path]:
    """Return the certificate and key that a server made for itself."""
    chain = next(
        path for path in server.data.rglob("*") if path.is_file() and b"BEGIN CERTIFICATE" in path.read_bytes()
    )
    key = next(path for path in server.data.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes())
    return chain, key


def test_server_identity_changed(home: Home, tmp_path: Path) -> None:
    """Another server at a known address is an alarm (status 3); `sendall forget ADDR`, as the hint says, ends it."""
    with Server(home, tmp_path / "first") as first:
        assert run(home, "send", first.address, "x").returncode == 0
    with Server(home, tmp_path / "second", port=first.port) as second:
        sentence, hint = explained(run(home, "send", second.address, "x"), status=3)
        assert sentence.startswith(f"the server at {second.address} has another identity than before")
        assert hint.endswith(f"sendall forget {second.address}")
        assert run(home, "forget", second.address).returncode == 0
        assert run(home, "send", second.address, "x").returncode == 0
    sentence, hint = explained(run(home, "forget", "127.0.0.9:1"), status=2)
    assert sentence == "nothing is known of 127.0.0.9:1"


def test_token_wrong(home: Home, tmp_path: Path) -> None:
    """Without the token, and with another one, the hint says how to pass it."""
    with Server(home, tmp_path / "data", "--token", "new") as server:
        for env in (home, home | {"SENDALL_TOKEN": "another token, long enough"}):
            sentence, hint = explained(run(env, "send", server.address, "x"))
            assert sentence == "the access token is missing or wrong"
            assert "--token-file" in hint


@pytest.mark.parametrize(
    ("version", "sentence", "hint"),
    [
        (2, "this client is too old: it speaks protocol 1, the server speaks 2", "upgrade this client: pip install"),
        (0, "the server is too old: it speaks protocol 0, this client speaks 1", "upgrade the server: pip install"),
    ],
)
async def test_version_too_old(home: Home, version: int, sentence: str, hint: str) -> None:
    """Whichever side is older is told, with the command that upgrades it."""
    async with speaking(version) as port:
        said = explained(await asyncio.to_thread(run, home, "send", f"127.0.0.1:{port}", "x"))
    assert said[0] == sentence
    assert said[1].startswith(hint)


@asynccontextmanager
async def speaking(version: int) -> AsyncIterator[int]:
    """A server of another version of the protocol."""

    async def greet(peer: ServerConnection) -> None:
        await peer.send(json.dumps({"t": "hello", "v": version, "new": True}))
        await peer.wait_closed()

    async with serve(greet, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@pytest.mark.parametrize("program", ["server.py", "client.py"])
def test_python_too_old(tmp_path: Path, program: str) -> None:
    """A Python that sendall cannot run on gets a sentence, not a SyntaxError."""
    checkout = bare_checkout(tmp_path)
    pretend = f"import sys, runpy; sys.version_info = (3, 10, 1); sys.argv = ['{program}']"
    command = [sys.executable, "-c", f"{pretend}; runpy.run_path('{program}', run_name='__main__')"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=30)
    sentence, hint = explained(done, status=2)
    assert sentence.startswith("sendall needs Python 3.11 or newer, and this is 3.")
    assert hint == f"python3.11 {program}"


def test_the_old_pythons_that_are_here(tmp_path: Path) -> None:
    """The same with real old Pythons, where a version manager has any."""
    found = [path for minor in (7, 8, 9, 10) for path in Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")]
    if not found:
        pytest.skip("no older Python on this machine")
    checkout = bare_checkout(tmp_path)
    for python in found:
        command = [str(python), "client.py"]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=30)
        assert explained(done, status=2)[0].startswith("sendall needs Python 3.11 or newer, and this is 3.")


def test_packages_missing(tmp_path: Path) -> None:
    """A checkout without its packages names the command that installs them."""
    command = [sys.executable, "-I", "-S", "server.py"]  # -S: without site-packages
    done = subprocess.run(command, cwd=bare_checkout(tmp_path), capture_output=True, text=True, check=False, timeout=30)
    sentence, hint = explained(done)
    assert re.match(r"the Python package \w+ is not installed for /", sentence)
    assert "pip install -r requirements.txt" in hint


def test_python_externally_managed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip refuses to install (PEP 668), the hint makes a venv first."""
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["server.py"])
    assert notices.missing_package("typer").hint == "pip install -r requirements.txt"  # in a venv pip may
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert notices.missing_package("typer").hint == (
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt, then .venv/bin/python server.py"
    )


def bare_checkout(folder: Path) -> Path:
    """Copy what a checkout runs, without any .venv."""
    checkout = folder / "checkout"
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("server.py", "client.py"):
        shutil.copy(ROOT / name, checkout / name)
    return checkout


def test_data_folder_in_use(home: Home, server: Server) -> None:
    """A second server on a folder names the process of the first."""
    sentence, hint = explained(run(home, "serve", "--port", "0", "--data", str(server.data)))
    assert sentence.endswith(f"is in use by another sendall server (process {server.process.pid})")
    assert "sendall join" in hint
    assert "--data" in hint


def test_data_folder_of_somebody_else(home: Home, tmp_path: Path) -> None:
    """A folder that cannot be made is told with the flag that names another."""
    (tmp_path / "file").touch()
    sentence, hint = explained(run(home, "serve", "--port", "0", "--data", str(tmp_path / "file" / "data")))
    assert "cannot be used" in sentence
    assert "--data" in hint
