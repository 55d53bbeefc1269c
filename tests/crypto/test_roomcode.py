from __future__ import annotations

import hashlib

from sendall.crypto.roomcode import ROUNDS, room_code
from sendall.protocol.words import words_of

ROOM, AUTH, MEMBERS, COMMIT = (bytes([i]) * 32 for i in range(1, 5))


def test_the_room_code_is_that_of_the_specification() -> None:
    """PBKDF2 over authority, members and epoch key, salted with the room, 200,000 rounds, as eight words."""
    code = room_code(ROOM, AUTH, MEMBERS, COMMIT)
    salt = b"sendall-v1 code\0" + ROOM
    assert code == hashlib.pbkdf2_hmac("sha256", AUTH + MEMBERS + COMMIT, salt, 200_000)
    assert ROUNDS == 200_000
    assert words_of(code) == "sound inject quote like trend flee steak merry"


def test_a_room_code_changes_with_everything_it_is_made_of() -> None:
    """Another room, last act of the authority, member or key has other words."""
    other = b"x" * 32
    codes = {
        room_code(ROOM, AUTH, MEMBERS, COMMIT),
        room_code(other, AUTH, MEMBERS, COMMIT),
        room_code(ROOM, other, MEMBERS, COMMIT),
        room_code(ROOM, AUTH, other, COMMIT),
        room_code(ROOM, AUTH, MEMBERS, other),
    }
    assert len({words_of(code) for code in codes}) == 5
