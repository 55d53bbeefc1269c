from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendall.crypto.grants import open_grant, seal_grant
from sendall.crypto.keylist import MAX_KEYS
from sendall.crypto.primitives import RSA_BYTES, Aead, CannotOpen, RsaKey, hkdf, rsa_encrypt, sha256, spki_of

ROOM = b"r" * 32
ADA = b"a" * 32
V = b"sendall-v1 "


def by_hand(rsa: RsaKey, keys: Sequence[tuple[int, bytes]], *, kek: bytes = b"K" * 32, tail: bytes = b"") -> bytes:
    """Build a grant as the specification writes it, with any content."""
    label = sha256(V + b"grant\0" + ROOM + ADA + sha256(spki_of(rsa.modulus)))
    aead = Aead(hkdf(kek, salt=ROOM, info=V + b"grant"))
    plaintext = b"".join(struct.pack(">I", e) + key for e, key in keys) + tail
    return rsa_encrypt(rsa.modulus, kek, label) + aead.seal(bytes(12), plaintext, label)


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32), min_size=1, max_size=20))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_grant_holds_the_keys_that_were_put_in(rsa: RsaKey, keys: dict[int, bytes]) -> None:
    """By epoch, ascending, 36 bytes each."""
    grant = seal_grant(ROOM, ADA, rsa.modulus, keys)
    assert len(grant) == RSA_BYTES + 36 * len(keys) + 16
    opened = open_grant(grant, ROOM, ADA, rsa)
    assert opened == keys
    assert list(opened) == sorted(keys)


def test_a_grant_is_that_of_the_specification(rsa: RsaKey) -> None:
    """One built by hand opens."""
    keys = {1: b"1" * 32, 7: b"7" * 32}
    assert open_grant(by_hand(rsa, list(keys.items())), ROOM, ADA, rsa) == keys


def test_two_grants_of_the_same_keys_differ(rsa: RsaKey) -> None:
    """The key-encryption key is used once."""
    assert seal_grant(ROOM, ADA, rsa.modulus, {1: ADA}) != seal_grant(ROOM, ADA, rsa.modulus, {1: ADA})


def test_a_grant_has_the_newest_keys_if_there_are_too_many(rsa: RsaKey) -> None:
    """At most 1,024: who needs older ones can no longer read them."""
    keys = {e: struct.pack(">I", e) * 8 for e in range(MAX_KEYS + 2)}
    opened = open_grant(seal_grant(ROOM, ADA, rsa.modulus, keys), ROOM, ADA, rsa)
    assert list(opened) == list(range(2, MAX_KEYS + 2))


@pytest.mark.parametrize(
    "defect",
    ["room", "recipient", "RSA key", "RSA part", "sealed part", "cut", "empty"],
)
def test_a_grant_opens_for_its_recipient_and_room_only(rsa: RsaKey, other_rsa: RsaKey, defect: str) -> None:
    """One error for everything else."""
    grant = seal_grant(ROOM, ADA, rsa.modulus, {1: b"1" * 32})
    room, recipient, key = ROOM, ADA, rsa
    match defect:
        case "room":
            room = b"R" * 32
        case "recipient":
            recipient = b"b" * 32
        case "RSA key":
            key = other_rsa
        case "RSA part":
            grant = bytes([grant[0] ^ 1]) + grant[1:]
        case "sealed part":
            grant = grant[:-1] + bytes([grant[-1] ^ 1])
        case "cut":
            grant = grant[:-1]
        case _:
            grant = b""
    with pytest.raises(CannotOpen):
        open_grant(grant, room, recipient, key)


@pytest.mark.parametrize(
    "content",
    [
        {"keys": []},
        {"keys": [(1, b"1" * 32)], "tail": b"x"},
        {"keys": [(1, b"1" * 32), (1, b"2" * 32)]},
        {"keys": [(2, b"2" * 32), (1, b"1" * 32)]},
        {"keys": [(e, b"k" * 32) for e in range(MAX_KEYS + 1)]},
        {"keys": [(1, b"1" * 32)], "kek": b"K" * 31},
    ],
    ids=["no key", "a byte too many", "an epoch twice", "descending", "too many keys", "a short kek"],
)
def test_a_grant_of_another_layout_does_not_open(rsa: RsaKey, content: dict[str, list[tuple[int, bytes]]]) -> None:
    """Though everything is sealed as it should be."""
    grant = by_hand(rsa, **content)  # type: ignore[arg-type]  # one dict for three parameters
    with pytest.raises(CannotOpen):
        open_grant(grant, ROOM, ADA, rsa)


@given(st.binary(max_size=600))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_grant_or_do_not_open(rsa: RsaKey, data: bytes) -> None:
    """A peer's bytes raise nothing else."""
    with pytest.raises(CannotOpen):
        open_grant(data, ROOM, ADA, rsa)
