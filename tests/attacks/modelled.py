"""Cheap stand-ins for signatures and public-key sealing, so that ten thousand worlds fit into a minute.

A modelled signature is a hash that only its `Identity` makes here, a modelled grant can be opened only with the
object that holds the private half. Nobody forges in the worlds that use them: they ask who *gets* what.
Epoch keys, commitments, and the sealing of messages stay real.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from unittest import mock

from sendall.crypto.identity import Identity
from sendall.crypto.invites import InviteKeys
from sendall.crypto.keylist import pack_keys, unpack_keys
from sendall.crypto.primitives import CannotOpen, RsaKey, X25519Key
from sendall.protocol.bodies import join_context


class ModelIdentity(Identity):
    """An identity whose signatures cost a microsecond."""

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        self.sign = self._sign

    def _sign(self, message: bytes) -> bytes:
        return _signature(self.pk, message)


class ModelLink(InviteKeys):
    """The keys of a link; whoever has the object has the link."""

    def sign_join(self, room_id: bytes, joiner_id: bytes, modulus: bytes) -> bytes:
        return _signature(self.invite_pk, join_context(room_id, joiner_id, modulus))


class ModelRsa(RsaKey):
    """A wrap key; only its modulus is real."""

    def __init__(self, modulus: bytes) -> None:
        self.modulus = modulus


def _signature(public: bytes, message: bytes) -> bytes:
    return hashlib.sha512(b"modelled" + public + message).digest()


def _verify(public: bytes, message: bytes, signature: bytes) -> bool:
    return signature == _signature(public, message)


def modelled_grant(room_id: bytes, recipient: bytes, key: bytes, keys: Mapping[int, bytes]) -> bytes:
    """Return a grant that opens only for this recipient in this room, with the object of this public key."""
    return _tag(room_id, recipient, key) + pack_keys(keys)


@lru_cache(maxsize=1024)
def _tag(room_id: bytes, recipient: bytes, key: bytes) -> bytes:
    return hashlib.sha256(room_id + recipient + key).digest()


def _open(grant: bytes, room_id: bytes, recipient: bytes, key: RsaKey | X25519Key) -> dict[int, bytes]:
    public = key.modulus if isinstance(key, RsaKey) else key.public
    if grant[:32] != _tag(room_id, recipient, public):
        raise CannotOpen
    return unpack_keys(grant[32:])


@contextmanager
def modelled() -> Iterator[None]:
    """Let everything that verifies, seals and opens in a client take the modelled ones."""
    targets = {
        "sendall.protocol.room.verify": _verify,
        "sendall.protocol.members.verify": _verify,
        "sendall.client.custody.seal_grant": modelled_grant,
        "sendall.client.custody.seal_door_grant": modelled_grant,
        "sendall.client.ring.open_grant": _open,
        "sendall.client.ring.open_door_grant": _open,
    }
    patches = [mock.patch(name, new) for name, new in targets.items()]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
