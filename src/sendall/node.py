"""The composition root: one server process, from its settings to its port.

Above the relay and the steward, and the only place where they meet: wires the log, the identity,
the steward, the relay and the transport to one event loop, starts and stops them, and opens the
log again when the disk failed.
"""

from __future__ import annotations

import asyncio
import datetime
import errno
import gc
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine
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
from sendall.server.http_server import HttpServer
from sendall.server.listener import ListenerLimits
from sendall.server.peers import Trust
from sendall.server.relay import Relay
from sendall.server.session import Credentials
from sendall.server.tls import TlsMaterial, given_tls, own_tls
from sendall.steward.authority import Steward

log = logging.getLogger("sendall.server")

IDENTITY_FILE = "identity.key"
TICK_S = 1.0
REOPEN_EVERY_S = 1.0
BACKLOG = 4096
GC_AFTER = 50_000
"""Objects after which the garbage collector looks at the young ones; Python's 700 is reached by every other batch.
Next to nothing here is in cycles. At 1,000 rooms of 10 it took 8 % of the CPU, and takes 1 % now."""


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
            hint="restore it from a backup; without it clients see another server, and what is stored stays sealed",
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
        raise UsageError(
            f"cannot listen on {host}: {error.strerror}", hint="give an address of this machine"
        ) from error
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


class Node:
    """One running server. `async with Node(settings)` starts and stops it."""

    def __init__(self, settings: ServerSettings, *, token: bytes | None = None) -> None:
        self.settings = settings
        self.data = data_folder(settings)
        self._token = token
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def start(self) -> None:
        """Bind, open the log, and serve.

        Raises:
            PortTaken: see `listen`.
            FolderInUse: another server has the data folder.
            UsageError, LogError: a setting, the certificate or the log cannot be used.
        """
        sockets = listen(self.settings.host, self.settings.port)
        try:
            self._loop = asyncio.get_running_loop()
            gc.set_threshold(GC_AFTER)
            self._store = self._open_store()
            try:
                self._identity = load_identity(self.data)
                self._serve_on(sockets)
            except BaseException:
                self._store.close()
                raise
        except BaseException:
            for opened in sockets:
                opened.close()
            raise
        self._store.durable = self.relay.durable
        self._store.failed = self._log_failed
        await self._http.start()
        self._run(self._tick())

    def _open_store(self) -> SqliteStore:
        return SqliteStore(
            self.data,
            sync=self.settings.sync,
            durable=lambda _log, _records: None,
            failed=lambda _error: None,
            call_soon=self._call_soon_threadsafe,
            max_bytes=int(self.settings.data_gib * 2**30),
        )

    def _serve_on(self, sockets: list[socket.socket]) -> None:
        settings = self.settings
        self.address = (settings.host, int(sockets[0].getsockname()[1]))
        trust = Trust(settings.trust_proxy)
        tls = self._tls()
        leaf = tls.leaf_hash if tls else NO_LEAF
        self.relay = Relay(
            settings,
            Credentials(self._identity.pk, self._identity.sign, leaf, self._token),
            self._store,
            Steward(self._identity),
            clock=time.monotonic,
            wall_ms=_wall_ms,
            call_soon=self._loop.call_soon,
            random_bytes=os.urandom,
        )
        self._http = HttpServer(
            sockets=sockets,
            tls=tls,
            policy=HostPolicy.of((*settings.names, *tls.names), settings.allow_origin),
            trust=trust,
            limits=ListenerLimits(
                connections_per_address=settings.limits.connections_per_address,
                handshakes_per_s=settings.limits.handshakes_per_s,
            ),
            open_conversation=self.relay.open,
            clock=time.monotonic,
            stopping=self._finish,
        )

    def _tls(self) -> TlsMaterial:
        settings = self.settings
        if settings.cert and settings.key:
            return given_tls(settings.cert, settings.key)
        if settings.cert or settings.key:
            raise UsageError("--cert and --key belong together", hint="give both, or neither for a self-made one")
        now = datetime.datetime.now(datetime.UTC)
        return own_tls(self.data, (settings.host, *settings.names), now)

    @property
    def server_pk(self) -> bytes:
        return self._identity.pk

    @property
    def words(self) -> str:
        """The eight words by which people know this server."""
        return words_of(server_fingerprint(self._identity.pk))

    def connections_present(self) -> int:
        """Return how many connections are in any room now; one identity may have several."""
        return sum(1 for connection in self.relay.connections if connection.rooms)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Serve nobody more: what was accepted is committed and shown, clients are told (1012), the folder is freed.

        May be repeated.
        """
        if self._stopped:
            return
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await self._http.stop(grace_s)

    def _finish(self) -> None:
        # One step without an await: nothing can be accepted between the last commit and the goodbye.
        self.relay.finish()
        self._store.close()
        self.relay.dismiss(CloseCode.RESTARTING, "the server restarts")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self.relay.tick()
            except Exception:  # a defect here must not end everybody's pings, epochs and retention
                log.exception("! a tick failed")

    def _log_failed(self, error: LogError) -> None:
        self.relay.failed(error)
        if not self._stopped:
            self._run(self._reopen())

    async def _reopen(self) -> None:
        """Open the log anew until the disk serves again: a failed sync is never tried a second time."""
        self._store.close()
        while True:
            await asyncio.sleep(REOPEN_EVERY_S)
            try:
                store = self._open_store()
            except LogError as error:
                log.error("! the log cannot be opened yet: %s", error)
                continue
            store.durable = self.relay.durable
            store.failed = self._log_failed
            self._store = store
            self.relay.recover(store)
            return

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: `SqliteStore.close` passes on what is left
            self._loop.call_soon_threadsafe(callback)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _wall_ms() -> int:
    return int(time.time() * 1000)
