"""The evil server: the real one, with somebody at its connections who changes what is told and heard.

It has all that an operator has: the server's identity key, every byte of the log, the order in which
things happen. It has no key of a member and no secret of a link. What it does to whom is a `Tampering`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from unittest import mock

from sendall.client.client import Client, connect
from sendall.config import Limits, ServerSettings
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.node import Node
from sendall.protocol import frames as f
from sendall.protocol.chunks import binary_message, text_message
from sendall.protocol.room import RoomState
from sendall.server.connection import Connection
from sendall.server.relay import Relay
from sendall.server.session import Credentials
from sendall.server.wire import Wire
from tests.conftest import RsaPool
from tests.server.members import payloads

Told = f.FromServer | f.Logged | f.Shown | f.GrantFrame
Heard = f.FromClient | f.Post | f.GrantFrame


class Tampering:
    """What is done to one connection. As it is here: nothing."""

    def __init__(self, server: EvilServer) -> None:
        self.server = server
        self.connection: Connection | None = None
        """None until it was greeted."""

    @property
    def is_of_victim(self) -> bool:
        """Whether this connection proved to be the victim's; without a victim everybody is."""
        victim = self.server.victim
        return victim is None or (self.connection is not None and self.connection.id_pk == victim)

    def told(self, frame: Told) -> Iterable[Told]:
        """Return what is told in place of a frame to the client."""
        return [frame]

    def heard(self, frame: Heard) -> Iterable[Heard]:
        """Return what is heard in place of a frame of the client's."""
        return [frame]

    def state(self, room_id: bytes) -> RoomState:
        """Return the state of a room as it is in truth."""
        return self.server.relay.rooms[room_id].state


class EvilWire:
    """Stands between a connection of the relay and its socket."""

    def __init__(self, inner: Wire, tampering: Tampering) -> None:
        self._inner = inner
        self.tampering = tampering
        self.peer = inner.peer
        self.write: Callable[[bytes], None] = self._write

    def _write(self, data: bytes) -> None:
        for is_binary, payload in payloads([data]):
            frames: list[Told] = list(f.server_frames(payload)) if is_binary else [f.decode_from_server(payload)]
            for frame in frames:
                for told in self.tampering.told(frame):
                    self._inner.write(_told_message(told))

    def close(self, code: int, reason: str) -> None:
        self._inner.close(code, reason)

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def unsent_bytes(self) -> int:
        return self._inner.unsent_bytes()


class EvilConversation:
    """Stands between a socket and a connection of the relay."""

    def __init__(self, connection: Connection, wire: EvilWire) -> None:
        self._connection = connection
        self._wire = wire
        self.paused, self.drained = connection.paused, connection.drained
        self.tick, self.closed = connection.tick, connection.closed

    def text(self, data: bytes, now: float) -> None:
        for heard in self._wire.tampering.heard(f.decode_from_client(data)):
            assert not isinstance(heard, f.Post | f.GrantFrame), "binary frames are put in place of binary ones"
            self._connection.text(f.encode(heard), now)

    def binary(self, data: bytes, now: float) -> None:
        for frame in f.client_frames(data):
            for heard in self._wire.tampering.heard(frame):
                self._connection.binary(_heard_message(heard), now)


def _told_message(frame: Told) -> bytes:
    match frame:
        case f.Logged():
            return binary_message(f.logged_frame(*frame))
        case f.Shown():
            return binary_message(f.shown_frame(*frame))
        case f.GrantFrame():
            return binary_message(f.grant_frame(*frame))
        case _:
            return text_message(f.encode(frame))


def _heard_message(frame: Heard) -> bytes:
    match frame:
        case f.Post():
            return f.post_frame(frame.rid, frame.entry, card=frame.kind == f.CARD)
        case f.GrantFrame():
            return f.grant_frame(*frame)
        case _:
            raise AssertionError("text frames are put in place of text ones")


class EvilServer:
    """A server on a free loopback port, and clients of it, each with a folder of its own."""

    def __init__(self, folder: Path, rsa_pool: RsaPool) -> None:
        self.tampering: Callable[[EvilServer], Tampering] = Tampering
        """What is done to connections from now on, and to those that are there."""
        self.victim: bytes | None = None
        self._folder = folder
        self._rsa_pool = rsa_pool
        self._node: Node | None = None
        self._wires: list[EvilWire] = []

    @property
    def relay(self) -> Relay:
        assert self._node is not None, "started"
        return self._node.relay

    @property
    def identity(self) -> Identity:
        """The server's own key, which an operator has."""
        assert self._node is not None, "started"
        return self._node._identity

    @property
    def address(self) -> str:
        assert self._node is not None, "started"
        return f"127.0.0.1:{self._node.address[1]}"

    async def start(self) -> None:
        limits = Limits(member_rate=0, room_rate=0, control_rate=0)
        self._node = Node(ServerSettings(port=0, data=self._folder / "server", limits=limits))
        with mock.patch("sendall.node.Relay", self._evil_relay):
            await self._node.start()

    async def stop(self) -> None:
        if self._node is not None:
            await self._node.stop()

    def turn_evil(self, tampering: Callable[[EvilServer], Tampering], victim: bytes | None = None) -> None:
        """Tamper with all connections from now on, also with those that stand."""
        self.tampering, self.victim = tampering, victim
        for wire in self._wires:
            connection = wire.tampering.connection
            wire.tampering = tampering(self)
            wire.tampering.connection = connection

    def cut(self, who: bytes) -> None:
        """End somebody's connections: he comes back by himself."""
        for connection in list(self.relay.connections):
            if connection.id_pk == who:
                connection.wire.close(1012, "")

    def client(self, who: str, address: str = "") -> Client:
        return connect(address or self.address, nick=who, state=self._folder / who, _rsa=self.rsa(who))

    def rsa(self, who: str) -> RsaKey:
        return self._rsa_pool[0 if who == "ada" else 1]

    def _evil_relay(self, settings: ServerSettings, credentials: Credentials, *parts: object, **more: object) -> Relay:
        server = self

        class EvilRelay(Relay):
            def open(self, wire: Wire) -> Connection:
                tampering = server.tampering(server)
                evil = EvilWire(wire, tampering)
                server._wires.append(evil)
                tampering.connection = connection = super().open(evil)
                return EvilConversation(connection, evil)  # type: ignore[return-value]  # a conversation, as the shell wants it

        return EvilRelay(settings, credentials, *parts, **more)  # type: ignore[arg-type]  # passes them through
