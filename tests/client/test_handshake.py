"""The proofs, client side: what a client says no to, and whose doing it says that is."""

from __future__ import annotations

import pytest

from sendall.client.handshake import Credentials, Handshake, Line, check_version
from sendall.crypto.identity import NO_LEAF, Identity
from sendall.errors import Code, ConnectError, Malformed, Refused, SecurityAlarm
from sendall.protocol import frames as f
from tests.conftest import RsaPool

LEAF = b"l" * 32


def handshake(rsa_pool: RsaPool, leaf: bytes = NO_LEAF) -> Handshake:
    """One with a server that was never met."""
    return Handshake(Credentials(Identity(b"m" * 32), rsa_pool[0], None), Line(leaf, leaf == NO_LEAF, bytes(32)))


@pytest.mark.parametrize("server_pk", [bytes(32), bytes([1]) + bytes(31), b"\xff" * 32])
def test_an_identity_under_which_anybody_can_sign_is_never_pinned(rsa_pool: RsaPool, server_pk: bytes) -> None:
    """At the first contact a key of small order, or one that is not canonical, is no server's."""
    limits = f.Limits(entry=65_720, inflight=1024, ping_s=20, days=30)
    with pytest.raises(Malformed):
        handshake(rsa_pool).answer(f.Hello(v=1, server=f.B64(server_pk), ns=f.B64(bytes(32)), limits=limits))


def test_a_proof_that_is_not_accepted_under_tls_means_somebody_in_between(rsa_pool: RsaPool) -> None:
    """The certificate that was seen is the one thing in the proof that others can spoil: it is an alarm."""
    declined = handshake(rsa_pool, LEAF).declined("no")
    assert isinstance(declined, SecurityAlarm)
    assert declined.kind == "certificate"
    assert declined.hint


def test_a_proof_that_is_not_accepted_without_tls_is_the_servers_no(rsa_pool: RsaPool) -> None:
    """Where no certificate is in the proof, nobody is accused: the refusal says what the server said."""
    declined = handshake(rsa_pool).declined("id is the server's")
    assert isinstance(declined, Refused)
    assert declined.code is Code.BAD_AUTH
    assert "id is the server's" in str(declined)


@pytest.mark.parametrize("data", [b'{"t":"hello","v":1,"new":true}', b'{"t":"hello"}', b"GET /", b"[" * 9000, b"\xff"])
def test_only_a_greeting_of_another_version_is_explained_by_one(data: bytes) -> None:
    """Rubbish, and a wrong hello of this very version, send nobody to upgrade anything."""
    check_version(data)
    with pytest.raises(ConnectError):
        check_version(b'{"t":"hello","v":2}')
