"""Invites: what a link's secret is good for.

From its 16 bytes come two keys, whose public halves stand in the invite entry: the invite key, which
signs that a joiner holds the link, and the door key, to which members leave the room's keys. So the
server and the other members see who joined by which link, and learn nothing of its secret. Pure.
Source: docs/protocol.md, "Keys", "Entry".
"""

from __future__ import annotations

from sendall.crypto.primitives import SigningKey, X25519Key, hkdf
from sendall.protocol.bodies import join_context
from sendall.protocol.entry import VERSION_TAG

SECRET_BYTES = 16


class InviteKeys:
    """The two key pairs of one link."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: the 16 random bytes of the link."""
        assert len(secret) == SECRET_BYTES, "whoever reads a link checks its length"
        self._signing = SigningKey(hkdf(secret, salt=b"", info=VERSION_TAG + b"invite"))
        self.door = X25519Key(hkdf(secret, salt=b"", info=VERSION_TAG + b"door"))
        self.invite_pk = self._signing.public
        self.door_pk = self.door.public

    def sign_join(self, room_id: bytes, joiner_id: bytes, modulus: bytes) -> bytes:
        """Return the 64 bytes that prove, in a join entry, that this joiner with this RSA key holds the link."""
        return self._signing.sign(join_context(room_id, joiner_id, modulus))
