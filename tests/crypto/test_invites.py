from __future__ import annotations

import pytest

from sendall.crypto.invites import InviteKeys
from sendall.crypto.primitives import SigningKey, X25519Key, hkdf, is_sane_public_key, sha256, spki_of, verify
from sendall.protocol.bodies import join_context

ROOM, ADA = b"r" * 32, b"a" * 32
MODULUS = b"\x80" + bytes(382) + b"\1"
V = b"sendall-v1 "
SECRET = bytes(range(16))


def test_the_keys_of_a_link_are_those_of_the_specification() -> None:
    """Both follow from the secret alone, by different labels."""
    keys = InviteKeys(SECRET)
    assert keys.invite_pk == SigningKey(hkdf(SECRET, salt=b"", info=V + b"invite")).public
    assert keys.door_pk == X25519Key(hkdf(SECRET, salt=b"", info=V + b"door")).public
    assert keys.door.public == keys.door_pk
    assert is_sane_public_key(keys.invite_pk)


def test_every_secret_has_other_keys() -> None:
    """A link says nothing about another one."""
    one, two = InviteKeys(SECRET), InviteKeys(bytes(16))
    assert one.invite_pk != two.invite_pk
    assert one.door_pk != two.door_pk


def test_a_join_is_signed_for_one_room_one_joiner_and_one_rsa_key() -> None:
    """The signature holds under the invite key for exactly these three."""
    keys = InviteKeys(SECRET)
    signature = keys.sign_join(ROOM, ADA, MODULUS)
    signed = V + b"join\0" + ROOM + ADA + sha256(spki_of(MODULUS))
    assert verify(keys.invite_pk, signed, signature)
    other = b"\x81" + MODULUS[1:]
    for room, joiner, modulus in ((ADA, ADA, MODULUS), (ROOM, ROOM, MODULUS), (ROOM, ADA, other)):
        assert not verify(keys.invite_pk, join_context(room, joiner, modulus), signature)


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_secret_has_16_bytes(size: int) -> None:
    """Anything else is a mistake of ours: whoever reads a link has looked."""
    with pytest.raises(AssertionError):
        InviteKeys(bytes(size))
