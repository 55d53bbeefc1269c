"""Members of a room on real sockets: connected, proven, with keys; their entries sealed before the clock starts.

Blocking and by hand, because the sockets are handed to another program afterwards: nothing beyond
the last whole message may have been read from them. All share one RSA key, which is slow to make.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from websockets.speedups import apply_mask

from bench.load import Link, Upstream
from bench.tls import MAX_PLAIN, TlsSocket
from sendall.crypto.grants import open_grant
from sendall.crypto.identity import NO_LEAF, Identity, client_proof
from sendall.crypto.primitives import RsaKey
from sendall.crypto.sealing import Opener, Sealer
from sendall.protocol import frames as f
from sendall.protocol.chain import link
from sendall.protocol.entry import EntryType, parse
from sendall.protocol.frames import post_frame

ROOM = "bench"
TEXT_CHARACTERS = 128
OPENED = 500
"""Entries of a run that are opened and their signatures checked; chain and numbers are checked for all."""
_HANDSHAKE_S = 30.0
WEBSOCKET_BATCH = 65_535
WEBSOCKET_HEAD = 8

Reply = TypeVar("Reply", f.Hello, f.Welcome, f.SubOk)


class Place(NamedTuple):
    """A place in the log of a room."""

    seq: int
    h: bytes


class Member:
    """One member, from its connection to its place in its rooms."""

    def __init__(
        self,
        port: int,
        rsa: RsaKey,
        *,
        tls: bool = False,
        rooms: Sequence[str] = (ROOM,),
        opens: bool = True,
        receive_buffer: int = 0,
    ) -> None:
        """Connect, prove an identity, enter the rooms and read to their end.

        `opens`: whether it takes the room keys, which it needs for sealing and takes 2 ms. It seals for and
        follows the first of its rooms.
        """
        self.identity = Identity.generate()
        self.session = os.urandom(16)
        self.n = 0
        self.keys: dict[int, bytes] = {}
        plain = socket.socket()
        plain.settimeout(_HANDSHAKE_S)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.connect(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = TlsSocket(plain) if tls else plain
        self.link = Link(plain, self.socket if isinstance(self.socket, TlsSocket) else None)
        self._upgrade(port)
        self._prove(rsa)
        for name in reversed(rooms):
            self._enter(name, rsa if opens else None)
        while isinstance(self.socket, TlsSocket) and not self.socket.is_empty:
            self._frames()  # who else is present

    def _upgrade(self, port: int) -> None:
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):  # byte by byte: the greeting follows at once
            head += self._exactly(1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise RuntimeError(f"the server answered {head.splitlines()[0]!r}")

    def _prove(self, rsa: RsaKey) -> None:
        hello = self._reply(f.Hello)
        nc = os.urandom(32)
        proof = client_proof(hello.server, hello.ns, nc, rsa.modulus, NO_LEAF)
        sig = f.B64(self.identity.sign(proof))
        self.inflight = hello.limits.inflight
        self._say(f.Auth(id=f.B64(self.identity.pk), nc=f.B64(nc), n=f.B64(rsa.modulus), leaf=f.B64(NO_LEAF), sig=sig))
        self._reply(f.Welcome)

    def _enter(self, name: str, rsa: RsaKey | None) -> None:
        self._say(f.Sub(q=1, name=name, after=0, create=True))
        ok = self._reply(f.SubOk)
        self.rid, self.room_id = ok.rid, bytes(ok.room)
        self.head = Place(ok.from_, ok.h)
        is_granted = False
        while not is_granted or self.head.seq < ok.last:
            for frame in self._frames():
                if isinstance(frame, f.Logged):
                    self.head = after(self.head, frame)
                elif isinstance(frame, f.GrantFrame):
                    is_granted = True
                    if rsa is not None:
                        self.keys = open_grant(frame.grant, self.room_id, self.identity.pk, rsa)

    def post(self, entries: Sequence[bytes], batch: int) -> Upstream:
        """Return what writes these entries, `batch` of them in a message (and in a TLS record)."""
        posts = [post_frame(self.rid, entry) for entry in entries]
        batch = min(batch, (WEBSOCKET_BATCH if self.link.tls is None else MAX_PLAIN - WEBSOCKET_HEAD) // len(posts[0]))
        messages = [masked(0x82, b"".join(posts[i : i + batch])) for i in range(0, len(posts), batch)]
        if self.link.tls is not None:
            messages = self.link.tls.sealed(messages)
        size = len(messages[0])
        return Upstream(self.link, b"".join(messages), len(entries), size, batch, self.inflight, self.identity.pk)

    def seal(self, count: int, text: str) -> list[bytes]:
        """Return the next `count` entries of this member; they name the place it is at as their head."""
        epoch = max(self.keys)
        sealer = Sealer(self.keys[epoch], self.room_id, epoch, self.identity.pk, self.session)
        entries = [
            sealer.seal(
                EntryType.MESSAGE,
                self.n + i,
                plaintext(text, self.n + i),
                head_seq=self.head.seq,
                head_hash=self.head.h,
                sign=self.identity.sign,
            )
            for i in range(count)
        ]
        self.n += count
        return entries

    def _say(self, frame: f.FromClient) -> None:
        self.socket.sendall(masked(0x81, f.encode(frame)))

    def _reply(self, kind: type[Reply]) -> Reply:
        while True:
            for frame in self._frames():
                if isinstance(frame, f.ErrorFrame):
                    raise RuntimeError(f"the server answered {frame.code}: {frame.text}")
                if isinstance(frame, kind):
                    return frame

    def _frames(self) -> list[f.FromServer | f.Logged | f.Shown | f.GrantFrame]:
        """Return the frames of the next message."""
        first, size = self._exactly(2)
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        payload = self._exactly(size)
        return list(f.server_frames(payload)) if first == 0x82 else [f.decode_from_server(payload)]

    def _exactly(self, size: int) -> bytes:
        data = self.socket.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise RuntimeError("the server closed a connection in its handshake")
        return data


def plaintext(text: str, n: int) -> bytes:
    """Return the message number `n`: 128 characters of text."""
    return json.dumps({"t": "m", "x": f"{text} {n} ".ljust(TEXT_CHARACTERS, ".")}, separators=(",", ":")).encode()


def masked(first: int, payload: bytes) -> bytes:
    """Return a WebSocket message of a client's."""
    size, mask = len(payload), os.urandom(4)
    head = bytes((first, 0x80 | size)) if size < 126 else struct.pack(">BBH", first, 0x80 | 126, size)
    return head + mask + apply_mask(payload, mask)


def after(place: Place, frame: f.Logged) -> Place:
    """Return the place after `frame`, which must follow."""
    if frame.seq != place.seq + 1:
        raise WrongBytes(f"seq {frame.seq} came after {place.seq}")
    return Place(frame.seq, link(place.h, frame.seq, frame.time_ms, frame.entry))


class WrongBytes(Exception):
    """What came is not what was written."""


def verify(kept: bytes, reader: Member, written: dict[bytes, list[bytes]]) -> None:
    """Check all that `reader` heard in a run: whole, chained, everyone's entries in their order, and readable.

    `written` is what each sender wrote. Moves the reader's place to the end.

    Raises:
        WrongBytes: anything else came.
    """
    left = {sender: iter(entries) for sender, entries in written.items()}
    total = sum(map(len, written.values()))
    opener = Opener(reader.keys[max(reader.keys)], reader.room_id)
    count = 0
    for frame in _logged(kept):
        reader.head = after(reader.head, frame)
        entry = parse(frame.entry)
        if frame.rid != reader.rid or frame.entry != next(left.get(entry.sender, iter(())), None):
            raise WrongBytes(f"seq {frame.seq} is not what its sender wrote")
        if count % max(1, total // OPENED) == 0 and b'"t":"m"' not in opener.open(entry):
            raise WrongBytes(f"seq {frame.seq} holds another text")
        count += 1
    if count != total:
        raise WrongBytes(f"{count:,} of {total:,} entries came")


def _logged(stream: bytes) -> Iterator[f.Logged]:
    at = 0
    while at < len(stream):
        first, size = stream[at], stream[at + 1]
        at += 2
        if size == 126:
            (size,) = struct.unpack_from(">H", stream, at)
            at += 2
        if first == 0x82:
            for frame in f.server_frames(stream[at : at + size]):
                if not isinstance(frame, f.Logged):
                    raise WrongBytes("a frame that is no log entry")
                yield frame
        at += size
