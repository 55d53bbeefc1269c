"""The brief, literally: an empty venv, `pip install -r requirements.txt`, server.py, client.py.

Runs in a network of its own where that is allowed, so that port 12345 is free whatever else the
machine serves. Needs the package index for the one installation, and nothing else from outside.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.programs import ROOT, Program, Terminal, home_of

INSTALL_S = 300


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has who cloned the project and typed the first two lines of the brief."""
    folder = tmp_path_factory.mktemp("brief")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("server.py", "client.py", "requirements.txt"):
        shutil.copy(ROOT / name, folder / name)
    venv.create(folder / "venv", with_pip=True)
    install = [str(folder / "venv" / "bin" / "pip"), "install", "--quiet", "-r", "requirements.txt"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=INSTALL_S)
    return folder


@pytest.fixture
def network() -> Iterator[list[str]]:
    """What must stand before a command to run it where port 12345 is free."""
    name = f"sendall-brief-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode == 0:
        inside = ["ip", "netns", "exec", name]
        try:
            subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True, capture_output=True)
            yield inside
        finally:
            subprocess.run(["ip", "netns", "delete", name], check=True, capture_output=True)
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 12345))
        except OSError:
            pytest.skip("PORT 12345 IS IN USE and no network namespace can be made: the brief was not tried")
    yield []


class Brief:
    """The brief's commands, each in a terminal or a process of its own."""

    def __init__(self, checkout: Path, network: list[str], home: Path) -> None:
        self._checkout = checkout
        self._python = [*network, "python3"]
        self._env = home_of(home)
        del self._env["PYTHONPATH"]
        self._env["PATH"] = f"{checkout / 'venv' / 'bin'}:{self._env['PATH']}"

    def server(self, *args: str) -> Program:
        return Program(self._env, "server.py", *args, program=self._python, cwd=self._checkout)

    @contextmanager
    def client(self, name: str, *args: str) -> Iterator[Terminal]:
        """Somebody else's terminal."""
        env = self._env | {"SENDALL_STATE": str(self._checkout / name)}
        terminal = Terminal(env, [*self._python, "client.py", "--nick", name, *args], cwd=self._checkout)
        try:
            terminal.expect("# lobby")
            yield terminal
        finally:
            terminal.close()


@pytest.mark.timeout(INSTALL_S + 120)
def test_the_brief(checkout: Path, network: list[str], tmp_path: Path) -> None:
    """`python3 server.py`, two `python3 client.py`: each sees what the other types, and `exit` leaves."""
    brief = Brief(checkout, network, tmp_path)
    with brief.server() as server:
        assert server.read_until("  stop ").startswith("sendall is up: 127.0.0.1:12345\n  join     python3 client.py\n")
        with brief.client("ada") as ada, brief.client("bob") as bob:
            ada.expect("bob·")
            ada.enter("hello from ada")
            bob.expect("hello from ada")
            bob.enter("hello from bob")
            ada.expect("hello from bob")
            bob.enter("exit")
            assert bob.wait() == 0
            ada.expect(" went")
        server.signal(signal.SIGTERM)
        assert server.ended()[0] == 0


@pytest.mark.timeout(INSTALL_S + 120)
def test_a_killed_client_is_gone_at_once(checkout: Path, network: list[str], tmp_path: Path) -> None:
    """When a client is killed the kernel closes its socket, and the others see it go; on the brief's other port."""
    brief = Brief(checkout, network, tmp_path)
    port = ("--port", "12346")
    with brief.server(*port) as server:
        assert "python3 client.py --port 12346" in server.read_until("  stop ")
        with brief.client("ada", *port) as ada, brief.client("eve", *port) as eve:
            ada.expect("eve·")
            eve.process.kill()
            ada.expect(" went")
