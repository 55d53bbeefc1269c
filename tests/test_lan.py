"""Over a network: the real commands in two namespaces with a wire between, so that everything is TLS.

Needs root and ip(8), because it makes network namespaces of its own; skipped where they are missing.
"""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sendall.server.tls import own_tls

ROOT = Path(__file__).parent.parent
SERVER, CLIENT = "198.51.100.5", "198.51.100.6"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="making a network namespace needs root and ip(8)"
)


class Lan:
    """A server here, clients in a namespace on the other end of a wire."""

    def __init__(self, folder: Path, namespace: str, port: int) -> None:
        self.folder = folder
        self.port = port
        self.namespace = namespace

    def sendall(self, *arguments: str, home: str = "ada") -> subprocess.CompletedProcess[str]:
        """Run a command of a person at the other end."""
        return subprocess.run(
            ["ip", "netns", "exec", self.namespace, str(Path(sys.executable).with_name("sendall")), *arguments],
            env={**os.environ, "XDG_DATA_HOME": str(self.folder / home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Lan]:
    with wire() as namespace, server(tmp_path) as port:
        yield Lan(tmp_path, namespace, port)


@contextmanager
def wire() -> Iterator[str]:
    name, near, far = f"sendall-lan{os.getpid()}", f"sl{os.getpid()}a", f"sl{os.getpid()}b"
    ip(f"netns add {name}")
    try:
        ip(f"link add {near} type veth peer name {far} netns {name}")
        ip(f"addr add {SERVER}/30 dev {near}")
        ip(f"link set {near} up")
        ip(f"-n {name} addr add {CLIENT}/30 dev {far}")
        ip(f"-n {name} link set {far} up")
        ip(f"-n {name} link set lo up")
        yield name
    finally:
        ip(f"netns del {name}")


def ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True)


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """A real server on all addresses; yields its port."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "server.py"), "--host", "0.0.0.0", "--port", "0", "--data", str(folder / "data")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_a_message_crosses_the_network_sealed_and_over_tls(lan: Lan) -> None:
    """Two people at the other end talk through the server; plain bytes of theirs are on no wire."""
    address = f"{SERVER}:{lan.port}"
    sent = lan.sendall("send", address, "--room", "ops", "hello across", home="ada")
    assert (sent.returncode, sent.stderr) == (0, ""), sent
    read = lan.sendall("tail", address, "--room", "ops", "--since", "all", "--count", "1", home="bob")
    assert read.returncode == 0, read
    assert "hello across" in read.stdout


def test_somebody_in_between_is_found_out(lan: Lan) -> None:
    """A TLS proxy with a certificate of its own gets no message, whether the server is known or new."""
    with interceptor(lan) as port:
        sent = lan.sendall("send", f"{SERVER}:{port}", "--room", "ops", "secret")
    assert sent.returncode == 3, sent
    assert "certificate" in sent.stderr
    assert "hint:" in sent.stderr
    read = lan.sendall("tail", f"{SERVER}:{lan.port}", "--room", "ops", home="bob")
    assert "no room" in read.stderr, "nothing arrived"


@contextmanager
def interceptor(lan: Lan) -> Iterator[int]:
    """A proxy that ends TLS with its own certificate and opens another TLS connection to the server."""
    now = datetime.datetime.now(datetime.UTC)
    (lan.folder / "evil").mkdir()
    material = own_tls(lan.folder / "evil", [SERVER], now)
    towards_server = ssl.create_default_context()
    towards_server.check_hostname = False
    towards_server.verify_mode = ssl.CERT_NONE
    listening = socket.create_server((SERVER, 0))
    listening.settimeout(20)

    def forward() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            try:
                client = material.context.wrap_socket(raw, server_side=True)
                upstream = towards_server.wrap_socket(socket.create_connection((SERVER, lan.port)))
            except OSError:
                raw.close()
                continue
            pumps = [threading.Thread(target=pump, args=pair) for pair in ((client, upstream), (upstream, client))]
            for each in pumps:
                each.start()
            for each in pumps:
                each.join()
            client.close()
            upstream.close()

    thread = threading.Thread(target=forward)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def pump(source: ssl.SSLSocket, target: ssl.SSLSocket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass
    for each in (source, target):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


def test_plain_requests_are_redirected_once(lan: Lan) -> None:
    """`http://` typed at the TLS port leads to https on the same port."""
    program = (
        "import http.client, sys; c = http.client.HTTPConnection(sys.argv[1], timeout=10);"
        "c.request('GET', '/'); a = c.getresponse(); print(a.status, a.getheader('location'))"
    )
    address = f"{SERVER}:{lan.port}"
    done = subprocess.run(
        ["ip", "netns", "exec", lan.namespace, sys.executable, "-c", program, address],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.split() == ["308", f"https://{address}/"]
