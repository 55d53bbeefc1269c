"""A relay without sockets, and members that speak to it in frames: for tests of the server's rules.

Real sessions, real crypto, the in-memory log; only sockets, clocks and the disk are simulated.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator

from sendall.config import Limits, ServerSettings
from sendall.crypto.grants import open_grant
from sendall.crypto.identity import NO_LEAF, Identity, client_proof, token_proof
from sendall.crypto.primitives import RsaKey
from sendall.crypto.sealing import Sealer
from sendall.log.memory import MemoryStore
from sendall.log.roomlog import Store
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType
from sendall.server.connection import Connection
from sendall.server.relay import Relay
from sendall.server.session import Credentials
from sendall.server.wire import Peer
from sendall.steward.authority import Steward

LOOPBACK = Peer("127.0.0.1", trusted=True, tls=False)


class ListWire:
    """A wire that keeps what is written to it; `limit` bytes make it full until `drain`."""

    def __init__(self, peer: Peer = LOOPBACK, limit: int = 1 << 30) -> None:
        self.peer = peer
        self.limit = limit
        self.written: list[bytes] = []
        self.unsent = 0
        self.ended: tuple[int, str] | None = None
        self.is_reading = True
        self.connection: Connection | None = None
        self.is_full = False
        self.write: Callable[[bytes], None] = self._write

    def _write(self, data: bytes) -> None:
        self.written.append(data)
        self.unsent += len(data)
        if self.unsent > self.limit and self.connection is not None and not self.is_full:
            self.is_full = True
            self.connection.paused()

    def close(self, code: int, reason: str) -> None:
        self.ended = (code, reason)

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def unsent_bytes(self) -> int:
        return self.unsent

    def drain(self) -> None:
        self.unsent = 0
        self.is_full = False
        if self.connection is not None:
            self.connection.drained()


def payloads(written: list[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yield (is_binary, payload) of unmasked WebSocket messages."""
    data = b"".join(written)
    at = 0
    while at < len(data):
        opcode, short = data[at] & 15, data[at + 1]
        at += 2
        if short == 126:
            short = int.from_bytes(data[at : at + 2], "big")
            at += 2
        elif short == 127:
            short = int.from_bytes(data[at : at + 8], "big")
            at += 8
        yield opcode == 2, data[at : at + short]
        at += short


class RelayWorld:
    """One relay over a `MemoryStore`; `run` does what an event loop and a disk would do."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        token: bytes | None = None,
        leaf: bytes = NO_LEAF,
        identity: Identity | None = None,
    ) -> None:
        self.now = 1000.0
        self.wall = 1_700_000_000_000
        self.identity = identity or Identity.generate()
        self.soon: deque[Callable[[], None]] = deque()
        self.settings = ServerSettings(limits=limits or Limits())
        self._credentials = Credentials(self.identity.pk, self.identity.sign, leaf, token)
        self.serve(MemoryStore(durable=lambda log, records: None, failed=lambda error: None))

    def serve(self, store: MemoryStore) -> None:
        """Start a relay over `store`, as a new server process would."""
        self.relay = self.relay_over(store)
        self.attach(store)

    def attach(self, store: MemoryStore) -> None:
        """Let `store` tell the relay."""
        self.store = store
        store.durable, store.failed = self.relay.durable, self.relay.failed

    def relay_over(self, store: Store) -> Relay:
        return Relay(
            self.settings,
            self._credentials,
            store,
            Steward(self.identity),
            clock=lambda: self.now,
            wall_ms=lambda: self.wall,
            call_soon=self.soon.append,
            random_bytes=os.urandom,
        )

    def turn(self) -> None:
        """One turn of the loop, without the disk."""
        for _ in range(len(self.soon)):
            self.soon.popleft()()

    def turns(self) -> None:
        """Turns until there is nothing left to do but for the disk."""
        while self.soon:
            self.turn()

    def restart(self) -> None:
        """Stop cleanly and start anew: the window of chain values then begins at the log's end."""
        self.turns()
        self.relay.finish()
        self.store.close()
        self.serve(self.store.crash())

    def run(self) -> None:
        """Turns and commits until nothing is left to do."""
        while True:
            self.turns()
            self.store.commit()
            if not self.soon:
                return

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.wall += int(seconds * 1000)
        for connection in list(self.relay.connections):
            connection.tick(self.now)
        self.relay.tick()
        self.run()

    def member(
        self,
        rsa: RsaKey,
        *,
        peer: Peer = LOOPBACK,
        limit: int = 1 << 30,
        identity: Identity | None = None,
        **kw: object,
    ) -> Member:
        member = Member(self, rsa, ListWire(peer, limit), identity or Identity.generate())
        member.prove(**kw)  # type: ignore[arg-type]  # passes keyword arguments of `prove` through
        self.run()
        return member


class Member:
    """A client by hand: says exactly what it is told to."""

    def __init__(self, world: RelayWorld, rsa: RsaKey, wire: ListWire, identity: Identity) -> None:
        self.world = world
        self.rsa = rsa
        self.modulus = rsa.modulus
        self.wire = wire
        self.identity = identity
        self.session = os.urandom(16)
        self.n = 0
        self.rid = 0
        self.room_id = b""
        self.keys: dict[int, bytes] = {}
        self.head = (0, b"")
        self.connection = world.relay.open(wire)
        wire.connection = self.connection

    def frames(self) -> list[f.FromServer | f.Logged | f.Shown | f.GrantFrame]:
        """Return all frames written so far."""
        found: list[f.FromServer | f.Logged | f.Shown | f.GrantFrame] = []
        for is_binary, payload in payloads(self.wire.written):
            if is_binary:
                found.extend(f.server_frames(payload))
            else:
                found.append(f.decode_from_server(payload))
        return found

    def said(self, *types: type) -> list[object]:
        return [frame for frame in self.frames() if isinstance(frame, types)]

    def logged(self) -> list[f.Logged]:
        return [frame for frame in self.frames() if isinstance(frame, f.Logged)]

    def refused(self) -> list[f.RefusedFrame]:
        return [frame for frame in self.frames() if isinstance(frame, f.RefusedFrame)]

    def errors(self) -> list[f.ErrorFrame]:
        return [frame for frame in self.frames() if isinstance(frame, f.ErrorFrame)]

    def say(self, frame: f.FromClient) -> None:
        self.connection.text(f.encode(frame), self.world.now)

    def prove(
        self,
        *,
        token: bytes | None = None,
        leaf: bytes = NO_LEAF,
        sign_as: Identity | None = None,
        nc: bytes = b"c" * 32,
    ) -> None:
        hello = self.frames()[0]
        assert isinstance(hello, f.Hello)
        proof = client_proof(hello.server, hello.ns, nc, self.modulus, leaf)
        self.say(
            f.Auth(
                id=f.B64(self.identity.pk),
                nc=f.B64(nc),
                n=f.B64(self.modulus),
                leaf=f.B64(leaf),
                sig=f.B64((sign_as or self.identity).sign(proof)),
                proof=f.B64(token_proof(token, hello.server, hello.ns, nc, self.identity.pk)) if token else None,
            )
        )

    def enter(
        self, name: str = "lobby", *, create: bool = True, after: int = 0, h: bytes | None = None, **asked: int
    ) -> f.SubOk:
        """Subscribe, read what comes, and take the grant; the member then can post."""
        before = len(self.said(f.SubOk))
        known = None if h is None else f.B64(h)
        self.say(f.Sub(q=1, name=name, after=after, create=create, h=known, **asked))  # type: ignore[arg-type]  # numbers
        self.world.run()
        oks = [ok for ok in self.said(f.SubOk) if isinstance(ok, f.SubOk)]
        assert len(oks) == before + 1, self.errors()
        ok = oks[-1]
        self.rid, self.room_id = ok.rid, ok.room
        self.take_grants()
        state = self.world.relay.rooms[self.room_id].state
        self.head = (state.seq, state.h)
        return ok

    def take_grants(self) -> None:
        for frame in self.frames():
            if isinstance(frame, f.GrantFrame) and frame.rid == self.rid:
                self.keys |= open_grant(frame.grant, self.room_id, self.identity.pk, self.rsa)

    def sealed(self, text: str, *, n: int | None = None, head: tuple[int, bytes] | None = None) -> bytes:
        """Return a message entry under the newest key; `n` overrides the running number."""
        epoch = max(self.keys)
        sealer = Sealer(self.keys[epoch], self.room_id, epoch, self.identity.pk, self.session)
        if n is None:
            n, self.n = self.n, self.n + 1
        head_seq, head_hash = head or self.head
        return sealer.seal(
            EntryType.MESSAGE, n, text.encode(), head_seq=head_seq, head_hash=head_hash, sign=self.identity.sign
        )

    def post(self, *entries: bytes, card: bool = False) -> None:
        self.connection.binary(b"".join(f.post_frame(self.rid, e, card=card) for e in entries), self.world.now)

    def signal(self, text: str, n: int) -> bytes:
        epoch = max(self.keys)
        sealer = Sealer(self.keys[epoch], self.room_id, epoch, self.identity.pk, self.session)
        return sealer.seal(
            EntryType.SIGNAL, n, text.encode(), head_seq=self.head[0], head_hash=self.head[1], sign=self.identity.sign
        )
