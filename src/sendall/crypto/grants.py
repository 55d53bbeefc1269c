"""Grants: how RSA carries the shared keys of a room to one member.

A grant is a fresh key-encryption key sealed by RSA-OAEP to the member's RSA-3072 key, and the epoch
keys sealed under it. It is not signed: a key is accepted only if it fits the commitment of a valid
epoch entry, which also makes sure that all members hold the same key. The relay must never reach
this module. Pure but for os.urandom. Source: docs/protocol.md, "Grants".
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sendall.crypto.keylist import pack_keys, unpack_keys
from sendall.crypto.primitives import RSA_BYTES, Aead, CannotOpen, RsaKey, hkdf, rsa_encrypt, sha256, spki_of
from sendall.protocol.entry import VERSION_TAG

_NONCE = bytes(12)
"""Constant, because the key it is used with is used once."""


def seal_grant(room_id: bytes, recipient: bytes, modulus: bytes, keys: Mapping[int, bytes]) -> bytes:
    """Return a grant of `keys` (epoch → 32 bytes; the newest 1,024 if there are more). About 92 µs."""
    kek = os.urandom(32)
    label = _label(room_id, recipient, modulus)
    return rsa_encrypt(modulus, kek, label) + _aead(kek, room_id).seal(_NONCE, pack_keys(keys), label)


def open_grant(grant: bytes, room_id: bytes, recipient: bytes, rsa: RsaKey) -> dict[int, bytes]:
    """Return the epoch keys of a grant, unverified: compare each with its commitment.

    Raises:
        CannotOpen: not for this recipient and key, altered, or not of the layout.
    """
    label = _label(room_id, recipient, rsa.modulus)
    kek = rsa.decrypt(grant[:RSA_BYTES], label)
    if len(kek) != 32:
        raise CannotOpen
    return unpack_keys(_aead(kek, room_id).open(_NONCE, grant[RSA_BYTES:], label))


def _label(room_id: bytes, recipient: bytes, modulus: bytes) -> bytes:
    return sha256(VERSION_TAG + b"grant\0" + room_id + recipient + sha256(spki_of(modulus)))


def _aead(kek: bytes, room_id: bytes) -> Aead:
    return Aead(hkdf(kek, salt=room_id, info=VERSION_TAG + b"grant"))
