"""The proofs at the beginning of a connection, client side.

The client proves its identity and its RSA key, the server its pinned identity, and both that they see
the same TLS certificate. Pure. Source: docs/protocol.md, "Handshake".
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from sendall.crypto.identity import NO_LEAF, Identity, client_proof, equal, server_proof, token_proof, verify
from sendall.crypto.primitives import RsaKey, is_sane_public_key
from sendall.errors import Code, ConnectError, Malformed, Refused, SecurityAlarm, SendallError
from sendall.protocol import frames as f
from sendall.protocol.frames import B64

VERSION = 1


class LeafNotOwn(ConnectError):
    """TLS is not the server's own (a proxy's): only a certificate that WebPKI validates will do."""


class Credentials(NamedTuple):
    """Who connects, with what, and whom it expects to meet."""

    identity: Identity
    rsa: RsaKey
    server_pk: bytes | None
    """The pinned server identity; None at the first contact."""
    token: bytes | None = None


class Line(NamedTuple):
    """What the transport knows of the connection."""

    leaf: bytes
    """Hash of the certificate that was seen; 32 zero bytes without TLS or behind WebPKI validation."""
    is_vouched: bool
    """Loopback, or a certificate that WebPKI validated: the server may then name no leaf."""
    nonce: bytes
    """32 random bytes, used once."""


class _Version(msgspec.Struct):
    v: int


class Handshake:
    """One handshake: `answer` the hello, then `check` the welcome."""

    def __init__(self, credentials: Credentials, line: Line) -> None:
        self._credentials = credentials
        self._line = line
        self._hello: f.Hello | None = None

    def answer(self, hello: f.Hello) -> f.Auth:
        """Return our proof.

        Raises:
            ConnectError: another version of the protocol.
            SecurityAlarm: another server than the pinned one.
            Malformed: its identity is none.
        """
        if hello.v != VERSION:
            raise _other_version(hello.v)
        identity, rsa, pinned, token = self._credentials
        server_pk = bytes(hello.server)
        if pinned is not None and not equal(pinned, server_pk):
            raise SecurityAlarm("identity", "the server's identity is not the one that is pinned for this address")
        if not is_sane_public_key(server_pk):
            raise Malformed("a server identity that is no sane key")
        self._hello = hello
        ns, nc, leaf = bytes(hello.ns), self._line.nonce, self._line.leaf
        proof = None if token is None else B64(token_proof(token, server_pk, ns, nc, identity.pk))
        sig = identity.sign(client_proof(server_pk, ns, nc, rsa.modulus, leaf))
        return f.Auth(id=B64(identity.pk), nc=B64(nc), n=B64(rsa.modulus), leaf=B64(leaf), sig=B64(sig), proof=proof)

    def check(self, welcome: f.Welcome) -> None:
        """Judge the server's proof.

        Raises:
            SecurityAlarm: it does not hold, or somebody's other certificate is in between.
            LeafNotOwn: the server names no certificate, and nothing else vouches for the line.
        """
        hello, line = self._hello, self._line
        assert hello is not None, "the grammar has hello before welcome"
        leaf = bytes(welcome.leaf)
        proof = server_proof(line.nonce, bytes(hello.ns), self._credentials.identity.pk, leaf)
        if not verify(bytes(hello.server), proof, bytes(welcome.sig)):
            raise SecurityAlarm("identity", "the server could not prove its identity")
        if leaf == NO_LEAF:
            if not line.is_vouched:
                raise LeafNotOwn("the certificate is not the server's own", hint="give the proxy a valid one")
        elif leaf != line.leaf:
            raise _in_between()

    def declined(self, text: str) -> SendallError:
        """Return what it means that the server did not accept our proof."""
        if self._line.leaf != NO_LEAF:
            # The one thing in the proof that somebody else can have spoilt.
            return _in_between()
        return Refused(Code.BAD_AUTH, f"the server did not accept this client's proof: {text}")


def check_version(data: bytes) -> None:
    """Raise what explains a hello that this version cannot read, if it is one of another version."""
    try:
        v = msgspec.json.decode(data, type=_Version).v
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    if v != VERSION:
        raise _other_version(v)


def _in_between() -> SecurityAlarm:
    return SecurityAlarm(
        "certificate",
        "the TLS certificate that was seen is not the server's own: somebody is in between",
        hint="do not go on from this network; compare the server's eight words with its operator",
    )


def _other_version(v: int) -> ConnectError:
    if v > VERSION:
        return ConnectError(
            f"this client is too old: it speaks protocol {VERSION}, the server speaks {v}",
            hint="upgrade this client: pip install --upgrade sendall",
        )
    return ConnectError(
        f"the server is too old: it speaks protocol {v}, this client speaks {VERSION}",
        hint="upgrade the server: pip install --upgrade sendall",
    )
