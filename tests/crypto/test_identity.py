from __future__ import annotations

import hashlib
import hmac

import pytest

from sendall.crypto.identity import (
    Identity,
    client_proof,
    person_fingerprint,
    server_fingerprint,
    server_proof,
    token_proof,
)
from sendall.crypto.primitives import hkdf, sha256, spki_of, verify

S, NS, NC, ID, LEAF = (bytes([i]) * 32 for i in range(1, 6))
MODULUS = b"\x80" + bytes(382) + b"\1"
V = b"sendall-v1 "


def test_an_identity_is_its_seed() -> None:
    """The same seed is the same name; its signatures verify under it."""
    one, two = Identity(b"\7" * 32), Identity(b"\7" * 32)
    assert (one.pk, one.seed) == (two.pk, b"\7" * 32)
    assert verify(one.pk, b"x", two.sign(b"x"))


def test_a_new_identity_is_nobody_else_s() -> None:
    """Two of them differ."""
    assert Identity.generate().pk != Identity.generate().pk


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_has_32_bytes(size: int) -> None:
    """A damaged file is noticed when it is read."""
    with pytest.raises(ValueError, match="32"):
        Identity(bytes(size))


def test_each_purpose_has_its_own_key() -> None:
    """Derived from the seed with V and the purpose as info."""
    one = Identity(b"\7" * 32)
    assert one.derive(b"at rest") == hkdf(one.seed, salt=b"", info=V + b"at rest")
    assert one.derive(b"at rest") != one.derive(b"at work")


def test_the_proofs_are_those_of_the_specification() -> None:
    """Byte by byte: purpose, both nonces, both names, the RSA key, the certificate."""
    assert client_proof(S, NS, NC, MODULUS, LEAF) == V + b"client\0" + S + NS + NC + sha256(spki_of(MODULUS)) + LEAF
    assert server_proof(NC, NS, ID, LEAF) == V + b"server\0" + NC + NS + ID + LEAF
    message = V + b"token\0" + S + NS + NC + ID
    assert token_proof(b"secret", S, NS, NC, ID) == hmac.new(b"secret", message, hashlib.sha256).digest()


def test_fingerprints_of_persons_and_servers_differ() -> None:
    """The same key has other words as a person than as a server."""
    assert person_fingerprint(ID) == sha256(V + b"person\0" + ID)
    assert server_fingerprint(ID) == sha256(V + b"server\0" + ID)
