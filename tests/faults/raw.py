"""Members by hand over real sockets: cheap enough that hundreds of them fit into one test process.

They prove an identity, enter a room, and note when each entry came; they open nothing. `stall` stops
reading altogether, with a receive buffer small enough that the server feels it soon.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator

from websockets.frames import Frame, Opcode

from sendall.crypto.grants import open_grant
from sendall.crypto.identity import NO_LEAF, Identity, client_proof
from sendall.crypto.primitives import RsaKey
from sendall.crypto.sealing import Sealer
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType

_UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class RawMember(asyncio.Protocol):
    """One member: entered once `entered` is set; `arrivals` maps seq to the monotonic time it came."""

    def __init__(self, rsa: RsaKey, room: str, *, after: int = 0, h: bytes | None = None) -> None:
        self.identity = Identity.generate()
        self.entered: asyncio.Event = asyncio.Event()
        self.granted: asyncio.Event = asyncio.Event()
        self.ended: asyncio.Event = asyncio.Event()
        self.close_code = 0
        self.arrivals: dict[int, float] = {}
        self.cursor = after
        self.room_id = b""
        self.rid = 0
        self.place = (0, b"")
        self._rsa = rsa
        self._room = room
        self._h = h
        self._buffer = bytearray()
        self._upgraded = False
        self._keys: dict[int, bytes] = {}
        self._session = os.urandom(16)
        self._n = 0
        self._waiting: dict[int, asyncio.Event] = {}

    # -- as asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(_UPGRADE.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        if not self._upgraded:
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._upgraded, self._buffer = True, bytearray(rest)
        for opcode, payload in self._messages():
            if opcode == Opcode.TEXT:
                self._take(f.decode_from_server(payload))
            elif opcode == Opcode.BINARY:
                self._take_entries(payload, now)
            elif opcode == Opcode.CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big")

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    # -- what a test does with it ------------------------------------------------------------------

    def stall(self) -> None:
        """Read nothing more until `go_on`."""
        self.transport.pause_reading()

    def go_on(self) -> None:
        self.transport.resume_reading()

    def say(self, frame: f.FromClient) -> None:
        self._send(Opcode.TEXT, f.encode(frame))

    def post(self, text: bytes) -> None:
        """Seal and post a message; its entry comes back like everybody's."""
        epoch = max(self._keys)
        sealer = Sealer(self._keys[epoch], self.room_id, epoch, self.identity.pk, self._session)
        head_seq, head_hash = self.place
        entry = sealer.seal(
            EntryType.MESSAGE, self._n, text, head_seq=head_seq, head_hash=head_hash, sign=self.identity.sign
        )
        self._n += 1
        self._send(Opcode.BINARY, f.post_frame(self.rid, entry))

    async def reached(self, seq: int) -> None:
        """Wait until the entry `seq` has come."""
        if self.cursor < seq:
            event = self._waiting.setdefault(seq, asyncio.Event())
            await asyncio.wait_for(event.wait(), 60)

    # -- inside ----------------------------------------------------------------------------------

    def _send(self, opcode: Opcode, payload: bytes) -> None:
        self.transport.write(Frame(opcode, payload).serialize(mask=True))

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        buffer = self._buffer
        while len(buffer) >= 2:
            length, at = buffer[1], 2
            if length == 126:
                length, at = int.from_bytes(buffer[2:4], "big"), 4
            elif length == 127:
                length, at = int.from_bytes(buffer[2:10], "big"), 10
            if len(buffer) < at + length:
                return
            opcode, payload = buffer[0] & 15, bytes(buffer[at : at + length])
            del buffer[: at + length]
            yield opcode, payload

    def _take(self, frame: f.FromServer) -> None:
        match frame:
            case f.Hello():
                nc = os.urandom(32)
                proof = client_proof(frame.server, frame.ns, nc, self._rsa.modulus, NO_LEAF)
                self.say(
                    f.Auth(
                        id=f.B64(self.identity.pk),
                        nc=f.B64(nc),
                        n=f.B64(self._rsa.modulus),
                        leaf=f.B64(NO_LEAF),
                        sig=f.B64(self.identity.sign(proof)),
                    )
                )
            case f.Welcome():
                h = None if self._h is None else f.B64(self._h)
                tail = None if self.cursor else 0
                self.say(f.Sub(q=1, name=self._room, after=self.cursor, h=h, tail=tail, create=True))
            case f.SubOk():
                self.rid, self.room_id = frame.rid, frame.room
                self.cursor = frame.from_
                self.place = (frame.from_, frame.h)
                self.entered.set()
            case f.Ping():
                self.say(f.Pong())
            case f.RefusedFrame() | f.ErrorFrame():
                raise AssertionError(frame)
            case _:
                pass

    def _take_entries(self, payload: bytes, now: float) -> None:
        for frame in f.server_frames(payload):
            if isinstance(frame, f.Logged):
                if frame.seq <= self.cursor:
                    continue  # control entries of a late reader
                assert frame.seq == self.cursor + 1, "a hole"
                self.cursor = frame.seq
                self.arrivals[frame.seq] = now
                if frame.seq in self._waiting:
                    self._waiting.pop(frame.seq).set()
            elif isinstance(frame, f.GrantFrame):
                self._keys |= open_grant(frame.grant, self.room_id, self.identity.pk, self._rsa)
                self.granted.set()


async def enter(
    port: int, rsa: RsaKey, room: str, *, after: int = 0, h: bytes | None = None, receive_bytes: int | None = None
) -> RawMember:
    """Connect and enter; `receive_bytes` sets the socket's receive buffer."""
    opened = socket.socket()
    if receive_bytes is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    opened.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(opened, ("127.0.0.1", port))
    _, member = await loop.create_connection(lambda: RawMember(rsa, room, after=after, h=h), sock=opened)
    await asyncio.wait_for(member.entered.wait(), 20)
    await asyncio.wait_for(member.granted.wait(), 20)
    return member
