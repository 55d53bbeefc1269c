"""Door grants: how a link gives the keys of a PRIVATE room when nobody is online.

The same keys as in a grant to a member, sealed to the door key that an invite entry names; its
private half comes from the link's secret, so no member learns anything of a link but who made it.
Not signed: the commitments decide. The relay must never reach this module. Pure but for os.urandom.
Source: docs/protocol.md, "Grants", "Invite grant".
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sendall.crypto.keylist import pack_keys, unpack_keys
from sendall.crypto.primitives import Aead, X25519Key, hkdf, sha256
from sendall.protocol.entry import VERSION_TAG

_NONCE = bytes(12)
"""Constant, because the key it is used with is used once."""
_KEY_BYTES = 32


def seal_door_grant(room_id: bytes, invite_pk: bytes, door_pk: bytes, keys: Mapping[int, bytes]) -> bytes:
    """Return a grant of `keys` (epoch → 32 bytes; the newest 1,024 if there are more) to whoever has the link.

    Raises:
        CannotOpen: `door_pk` is of small order, as the 32 zeros of an invite without a door are. Everybody
            could open such a grant: leave that invite out, and go on with the others.
    """
    once = X25519Key(os.urandom(32))
    aead = _aead(once.exchange(door_pk), room_id, once.public, door_pk)
    return once.public + aead.seal(_NONCE, pack_keys(keys), _label(room_id, invite_pk, door_pk))


def open_door_grant(grant: bytes, room_id: bytes, invite_pk: bytes, door: X25519Key) -> dict[int, bytes]:
    """Return the epoch keys of a door grant, unverified: compare each with its commitment.

    Raises:
        CannotOpen: not for this invite and door, altered, or not of the layout.
    """
    once = grant[:_KEY_BYTES]
    aead = _aead(door.exchange(once), room_id, once, door.public)
    return unpack_keys(aead.open(_NONCE, grant[_KEY_BYTES:], _label(room_id, invite_pk, door.public)))


def _label(room_id: bytes, invite_pk: bytes, door_pk: bytes) -> bytes:
    return sha256(VERSION_TAG + b"door\0" + room_id + invite_pk + door_pk)


def _aead(shared: bytes, room_id: bytes, once: bytes, door_pk: bytes) -> Aead:
    return Aead(hkdf(shared, salt=room_id, info=VERSION_TAG + b"door" + once + door_pk))
