"""The room code: a hash whose eight words members compare, once, to know that they are in one room.

It binds the last authority entry, everybody's identity, role and RSA key, the open invites, and the
epoch key. Slow, because an insider could seek two rooms with one code: 88 bits are shown. Pure.
Source: docs/protocol.md, "Words".
"""

from __future__ import annotations

from sendall.crypto.primitives import pbkdf2_sha256
from sendall.protocol.entry import VERSION_TAG

ROUNDS = 200_000


def room_code(room_id: bytes, auth: bytes, members_hash: bytes, commit: bytes) -> bytes:
    """Return the 32 bytes of the code, for `words_of`. Takes about 0.1 s of one core: call it in a thread.

    `auth` and `commit` are those of the room's state, `members_hash` is that of its members now.
    """
    return pbkdf2_sha256(auth + members_hash + commit, salt=VERSION_TAG + b"code\0" + room_id, rounds=ROUNDS)
