"""The composition root: one server process, from its settings to its port.

Above the relay and the steward, and the only place where they meet: wires the log, the identity,
the steward, the relay and the transport to one event loop, starts and stops them, and opens the
log again when the disk failed.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from sendall.config import DEFAULT_PORT, ServerSettings
from sendall.crypto.identity import NO_LEAF, Identity, server_fingerprint
from sendall.errors import CloseCode, LogError, UsageError
from sendall.log.sqlite import SqliteStore
from sendall.protocol.words import words_of
from sendall.server.hosts import HostPolicy
from sendall.server.relay import Relay
from sendall.server.session import Credentials
from sendall.steward.authority import Steward

log = logging.getLogger("sendall.server")

IDENTITY_FILE = "identity.key"
REOPEN_EVERY_S = 1.0
BACKLOG = 4096


class PortTaken(UsageError):
    """Something already listens there.

    Attributes:
        port: the port that was asked for.
    """

    def __init__(self, host: str, port: int) -> None:
        free = port + 1 if port < 65_535 else DEFAULT_PORT
        super().__init__(
            f"port {port} on {host} is taken by another program",
            hint=f"take another port:\n  python3 server.py --port {free}\n  python3 client.py --port {free}",
        )
        self.port = port


def data_folder(settings: ServerSettings) -> Path:
    """Return the folder the server keeps everything in; the same for every way to start it."""
    return settings.data or Path(platformdirs.user_data_dir("sendall", appauthor=False)) / "server"


def read_server_pk(data: Path) -> bytes | None:
    """Return the public identity of the server that keeps its data there; None if there is none yet."""
    try:
        return Identity((data / IDENTITY_FILE).read_bytes()).pk
    except (OSError, ValueError):
        return None


def load_identity(data: Path) -> Identity:
    """Return the server identity of a data folder, made at the first start (file mode 0600).

    Raises:
        UsageError: the file is there but is none, or cannot be read.
    """
    path = data / IDENTITY_FILE
    try:
        if not path.exists():
            _write_secret(path, os.urandom(32))
        return Identity(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the server identity {path} cannot be read: {error}",
            hint="restore it from a backup; without it clients will see another server, and stored messages stay sealed",
        ) from error


def _write_secret(path: Path, secret: bytes) -> None:
    # Written aside and renamed, so that a crash leaves either no identity or a whole one.
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets on every address of `host`.

    Raises:
        PortTaken: something listens there already.
        UsageError: the host is not an address of this machine, or the port may not be used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise UsageError(f"cannot listen on {host}: {error.strerror}", hint="give an address of this machine") from error
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            chosen = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_listen_on(family, str(address[0]), int(chosen)))
    except OSError as error:
        for opened in sockets:
            opened.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host, port) from error
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            hint="give an address of this machine, and a port from 1024 on",
        ) from error
    return sockets


def _listen_on(family: int, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened
