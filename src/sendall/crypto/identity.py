"""Who is who: member and server identities, and the proofs of the handshake.

An identity is an Ed25519 key pair; its public key is its name in the protocol. The proofs bind
both identities, both nonces, the member's RSA key and the TLS certificate, so that nobody can
relay a handshake. Pure but for `Identity.generate`. Source: docs/protocol.md, "Handshake".
"""

from __future__ import annotations

import os

from sendall.crypto.primitives import SigningKey, equal, hkdf, hmac_sha256, sha256, spki_of, verify
from sendall.protocol.entry import VERSION_TAG

NO_LEAF = bytes(32)
"""Leaf hash of a connection without TLS, or with TLS that is not the server's own."""
MIN_TOKEN_BYTES = 16


class Identity:
    """An Ed25519 key pair and its public name."""

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.pk = self._key.public
        self.sign = self._key.sign

    @classmethod
    def generate(cls) -> Identity:
        return cls(os.urandom(32))

    @property
    def seed(self) -> bytes:
        """The secret: 32 bytes, never logged, kept in a file of mode 0600."""
        return self._key.seed

    def derive(self, purpose: bytes) -> bytes:
        """Return a 32-byte key for one purpose of this identity's holder, such as sealing at rest."""
        return hkdf(self._key.seed, salt=b"", info=VERSION_TAG + purpose)


def client_proof(server_pk: bytes, ns: bytes, nc: bytes, modulus: bytes, leaf: bytes) -> bytes:
    """Return what the client signs in `auth`."""
    return VERSION_TAG + b"client\0" + server_pk + ns + nc + sha256(spki_of(modulus)) + leaf


def server_proof(nc: bytes, ns: bytes, id_pk: bytes, leaf: bytes) -> bytes:
    """Return what the server signs in `welcome`."""
    return VERSION_TAG + b"server\0" + nc + ns + id_pk + leaf


def token_proof(token: bytes, server_pk: bytes, ns: bytes, nc: bytes, id_pk: bytes) -> bytes:
    """Return the proof that a client holds the access token; the token itself never travels."""
    return hmac_sha256(token, VERSION_TAG + b"token\0" + server_pk + ns + nc + id_pk)


def person_fingerprint(id_pk: bytes) -> bytes:
    """Return the hash whose words people compare to know each other."""
    return sha256(VERSION_TAG + b"person\0" + id_pk)


def server_fingerprint(server_pk: bytes) -> bytes:
    """Return the hash whose words people compare to know a server."""
    return sha256(VERSION_TAG + b"server\0" + server_pk)


__all__ = [
    "MIN_TOKEN_BYTES",
    "NO_LEAF",
    "Identity",
    "client_proof",
    "equal",
    "person_fingerprint",
    "server_fingerprint",
    "server_proof",
    "token_proof",
    "verify",
]
