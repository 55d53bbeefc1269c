"""The server's side of one connection's conversation: handshake, turns, silence.

Pure: takes a frame and the time, returns intentions. It knows no rooms and no sockets; what a
proven member asks for is handed on as `Asked`. Source: docs/protocol.md, "Connection".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, assert_never

from sendall.config import Limits
from sendall.crypto.identity import NO_LEAF, client_proof, equal, server_proof, token_proof
from sendall.crypto.primitives import is_sane_modulus, is_sane_public_key, verify
from sendall.errors import CloseCode, Code, Malformed
from sendall.protocol import frames as f
from sendall.protocol.entry import MAX_ENTRY
from sendall.protocol.turns import Side, State, after
from sendall.server.admission import Bucket

PROTOCOL_VERSION = 1


class Credentials(NamedTuple):
    """What the server proves itself with, and what it asks for."""

    server_pk: bytes
    sign: Callable[[bytes], bytes]
    leaf: bytes
    """Hash of its own TLS certificate; 32 zero bytes if it has none."""
    token: bytes | None
    """Access token that clients must prove to hold."""


class Say(NamedTuple):
    """Send this JSON frame."""

    frame: f.FromServer


class Close(NamedTuple):
    """End the connection."""

    code: CloseCode
    reason: str


class Proven(NamedTuple):
    """The client proved to be `id_pk`; grants go to the RSA key `modulus`."""

    id_pk: bytes
    modulus: bytes


Request = f.Sub | f.Make | f.Read | f.Unsub | f.Have | f.Want
"""What a proven member may ask for about rooms."""


class Asked(NamedTuple):
    """A proven member asks for something about rooms."""

    frame: Request


Intent = Say | Close | Proven | Asked


class Session:
    """One conversation. `tls` tells whether TLS of our own protects it, `kept_days` for how long messages are kept."""

    def __init__(
        self, credentials: Credentials, limits: Limits, ns: bytes, now: float, *, tls: bool, kept_days: int
    ) -> None:
        self.state = State.GREETING
        self._credentials = credentials
        self._limits = limits
        self._ns = ns
        self._leaf = credentials.leaf if tls else NO_LEAF
        self._tls = tls
        self._kept_days = kept_days
        self._began = now
        self.heard = now
        """When the peer was last heard (monotonic seconds); the connection keeps it for binary messages."""
        self._pinged = False
        self._requests = Bucket(limits.request_rate, limits.request_rate * 5, now)

    def greet(self) -> Say:
        self.state = after(self.state, Side.SERVER, f.Hello)
        ping_s = max(1, int(self._limits.ping_s))
        limits = f.Limits(entry=MAX_ENTRY, inflight=self._limits.inflight, ping_s=ping_s, days=self._kept_days)
        return Say(
            f.Hello(v=PROTOCOL_VERSION, server=f.B64(self._credentials.server_pk), ns=f.B64(self._ns), limits=limits)
        )

    def text(self, data: bytes, now: float) -> list[Intent]:
        """Take one JSON frame of the client."""
        self.heard = now
        self._pinged = False
        try:
            frame = f.decode_from_client(data)
            self.state = after(self.state, Side.CLIENT, type(frame))
        except Malformed as error:
            return self._end(CloseCode.MALFORMED, str(error))
        match frame:
            case f.Auth():
                return self._judge_auth(frame)
            case f.Ping():
                return [Say(f.Pong())]
            case f.Pong():
                return []
            case f.Have():
                return [Asked(frame)]  # never refused: it answers a grant, and costs less than a ping
            case f.Sub() | f.Make() | f.Read() | f.Unsub() | f.Want():
                wait = self._requests.spend(now)
                if wait:
                    q = getattr(frame, "q", None)
                    text = f"too many requests; the next is taken in {wait:.1f} s"
                    return [Say(f.ErrorFrame(q=q, code=Code.SLOW_DOWN, text=text))]
                return [Asked(frame)]
            case never:
                assert_never(never)

    def may_post(self, now: float) -> bool:
        """Whether a binary message has its turn now."""
        self.heard = now
        self._pinged = False
        return self.state is State.OPEN

    def tick(self, now: float) -> list[Intent]:
        """About once a second, while the peer is read from and written to, until the end."""
        if self.state is not State.OPEN:
            if now - self._began > self._limits.auth_s:
                return self._end(CloseCode.NOT_AUTHENTICATED, "no proof of identity in time")
            return []
        silent = now - self.heard
        if silent > self._limits.dead_s:
            return self._end(CloseCode.GOING_AWAY, "not heard for too long")
        if silent > self._limits.ping_s and not self._pinged:
            self._pinged = True
            return [Say(f.Ping())]
        return []

    def _judge_auth(self, auth: f.Auth) -> list[Intent]:
        known = self._credentials
        if auth.id == known.server_pk or not is_sane_public_key(auth.id) or not is_sane_modulus(auth.n):
            return self._decline(Code.BAD_AUTH, "the identity or RSA key is none that can be used")
        if self._tls and auth.leaf not in (NO_LEAF, known.leaf):
            return self._decline(Code.BAD_AUTH, "the client saw another TLS certificate: somebody is in between")
        proof = client_proof(known.server_pk, self._ns, auth.nc, auth.n, auth.leaf)
        if not verify(auth.id, proof, auth.sig):
            return self._decline(Code.BAD_AUTH, "the signature does not prove the identity")
        if known.token is not None:
            expected = token_proof(known.token, known.server_pk, self._ns, auth.nc, auth.id)
            if auth.proof is None or not equal(auth.proof, expected):
                return self._decline(Code.BAD_TOKEN, "this server wants its access token")
        self.state = after(self.state, Side.SERVER, f.Welcome)
        sig = known.sign(server_proof(auth.nc, self._ns, auth.id, self._leaf))
        return [Say(f.Welcome(leaf=f.B64(self._leaf), sig=f.B64(sig))), Proven(bytes(auth.id), bytes(auth.n))]

    def _decline(self, code: Code, text: str) -> list[Intent]:
        return [Say(f.ErrorFrame(code=code, text=text)), *self._end(CloseCode.NOT_AUTHENTICATED, code.value)]

    def _end(self, code: CloseCode, reason: str) -> list[Intent]:
        self.state = State.CLOSED
        return [Close(code, reason)]
