"""The handshake at the server: who is let in, and every way not to be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.config import ServerSettings
from sendall.crypto.identity import NO_LEAF, Identity, client_proof, server_proof
from sendall.crypto.primitives import RsaKey, verify
from sendall.errors import CloseCode, Code
from sendall.protocol import frames as f
from sendall.server.wire import Peer
from tests.server.members import LOOPBACK, ListWire, Member, RelayWorld, payloads

LEAF = b"L" * 32
LAN = Peer("192.0.2.7", trusted=False, tls=True)
TOKEN = b"a token of sufficient length"


def declined(member: Member) -> Code:
    """Return the code of the one error after which the connection ended with 4001."""
    assert member.wire.ended is not None
    assert member.wire.ended[0] == CloseCode.NOT_AUTHENTICATED
    assert not member.said(f.Welcome)
    (error,) = member.errors()
    return error.code


def test_the_server_proves_itself_to_the_client(rsa: RsaKey) -> None:
    """`welcome` is signed over both nonces, the client's identity and the certificate."""
    world = RelayWorld(leaf=LEAF)
    ada = world.member(rsa, peer=LAN, leaf=LEAF)
    hello, welcome = ada.frames()
    assert isinstance(hello, f.Hello)
    assert isinstance(welcome, f.Welcome)
    assert welcome.leaf == LEAF
    assert verify(world.identity.pk, server_proof(b"c" * 32, hello.ns, ada.identity.pk, LEAF), welcome.sig)


@pytest.mark.parametrize(("days", "said"), [(30.0, 30), (1.5, 2), (0.01, 1)])
def test_the_greeting_says_how_long_messages_are_kept(days: float, said: int) -> None:
    """In whole days, rounded up: what is shown is never less than what the server may do."""
    world = RelayWorld()
    world.settings = ServerSettings(retention_days=days)
    world.serve(world.store.crash())
    wire = ListWire()
    world.relay.open(wire)
    (hello,) = (f.decode_from_server(payload) for _, payload in payloads(wire.written))
    assert isinstance(hello, f.Hello)
    assert hello.limits.days == said


def test_a_plain_connection_has_no_leaf(rsa: RsaKey) -> None:
    """Without TLS of its own the server says so, whatever certificate a proxy showed."""
    world = RelayWorld(leaf=LEAF)
    ada = world.member(rsa, peer=LOOPBACK, leaf=b"P" * 32)
    (welcome,) = (w for w in ada.said(f.Welcome) if isinstance(w, f.Welcome))
    assert welcome.leaf == NO_LEAF


def test_nonces_are_never_the_same(world: RelayWorld, rsa: RsaKey) -> None:
    """Each connection is greeted with fresh 32 bytes."""
    members = [Member(world, rsa, ListWire(), Identity.generate()) for _ in range(5)]
    assert len({m.frames()[0].ns for m in members if isinstance(m.frames()[0], f.Hello)}) == 5  # type: ignore[union-attr]


def test_another_key_cannot_prove_an_identity(world: RelayWorld, rsa: RsaKey) -> None:
    """A signature by somebody else is refused."""
    assert declined(world.member(rsa, sign_as=Identity.generate())) == Code.BAD_AUTH


def test_a_proof_for_another_certificate_is_refused(rsa: RsaKey) -> None:
    """A client that saw another certificate was intercepted: the server does not let it in."""
    world = RelayWorld(leaf=LEAF)
    assert declined(world.member(rsa, peer=LAN, leaf=b"M" * 32)) == Code.BAD_AUTH


@pytest.mark.parametrize("defect", ["nonce", "server", "modulus", "signature"])
def test_a_proof_made_for_something_else_is_refused(world: RelayWorld, rsa: RsaKey, defect: str) -> None:
    """A replayed nonce, another server's key, another RSA key or a flipped bit: all are refused."""
    member = Member(world, rsa, ListWire(), Identity.generate())
    hello = member.frames()[0]
    assert isinstance(hello, f.Hello)
    ns = b"o" * 32 if defect == "nonce" else hello.ns
    server = Identity.generate().pk if defect == "server" else hello.server
    modulus = b"\xff" * 384 if defect == "modulus" else rsa.modulus
    sig = bytearray(member.identity.sign(client_proof(server, ns, b"c" * 32, modulus, NO_LEAF)))
    if defect == "signature":
        sig[5] ^= 1
    member.say(
        f.Auth(
            id=f.B64(member.identity.pk),
            nc=f.B64(b"c" * 32),
            n=f.B64(rsa.modulus),
            leaf=f.B64(NO_LEAF),
            sig=f.B64(bytes(sig)),
        )
    )
    assert declined(member) == Code.BAD_AUTH


@pytest.mark.parametrize("modulus", [b"\x7f" + b"\xff" * 383, b"\xff" * 383 + b"\xfe"], ids=["top bit", "even"])
def test_an_rsa_key_that_is_none_is_refused(world: RelayWorld, rsa: RsaKey, modulus: bytes) -> None:
    """A modulus needs 3,072 bits and to be odd."""
    member = Member(world, rsa, ListWire(), Identity.generate())
    member.modulus = modulus
    member.prove()
    assert declined(member) == Code.BAD_AUTH


def test_nobody_may_be_the_server(world: RelayWorld, rsa: RsaKey) -> None:
    """The server's own identity is no member, even with its key."""
    member = Member(world, rsa, ListWire(), world.identity)
    member.prove()
    assert declined(member) == Code.BAD_AUTH


def test_a_small_order_identity_is_refused(world: RelayWorld, rsa: RsaKey) -> None:
    """Keys for which libraries differ are no identities."""
    identity = Identity.generate()
    identity.pk = bytes(32)
    member = Member(world, rsa, ListWire(), identity)
    member.prove()
    assert declined(member) == Code.BAD_AUTH


@pytest.mark.parametrize(("token", "expected"), [(None, Code.BAD_TOKEN), (b"another token, also long", Code.BAD_TOKEN)])
def test_a_missing_or_wrong_token_is_refused(rsa: RsaKey, token: bytes | None, expected: Code) -> None:
    """With a token set, only who proves to hold it is let in."""
    world = RelayWorld(token=TOKEN)
    assert declined(world.member(rsa, token=token)) == expected


def test_the_right_token_lets_in_and_never_travels(rsa: RsaKey) -> None:
    """The proof is an HMAC over the nonces; the token is in no frame."""
    world = RelayWorld(token=TOKEN)
    assert world.member(rsa, token=TOKEN).said(f.Welcome)


def test_nothing_is_answered_before_the_proof(world: RelayWorld, rsa: RsaKey) -> None:
    """A request or an entry before `auth` ends the connection with 4000; a second `auth` too."""
    speaks: tuple[Callable[[Member], None], ...] = (
        lambda m: m.say(f.Sub(q=1, name="lobby", after=0)),
        lambda m: m.connection.binary(f.post_frame(1, b"x" * 300), world.now),
    )
    for speak in speaks:
        member = Member(world, rsa, ListWire(), Identity.generate())
        speak(member)
        assert member.wire.ended is not None
        assert member.wire.ended[0] == CloseCode.MALFORMED
    member = world.member(rsa)
    member.prove()
    assert member.wire.ended is not None
    assert member.wire.ended[0] == CloseCode.MALFORMED
