from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.crypto.doors import open_door_grant, seal_door_grant
from sendall.crypto.invites import InviteKeys
from sendall.crypto.keylist import MAX_KEYS
from sendall.crypto.primitives import Aead, CannotOpen, X25519Key, hkdf, sha256

ROOM = b"r" * 32
V = b"sendall-v1 "
LINK = InviteKeys(b"s" * 16)


def by_hand(keys: Sequence[tuple[int, bytes]], tail: bytes = b"") -> bytes:
    """Build a door grant as the specification writes it, with any content."""
    once = X25519Key(b"e" * 32)
    label = sha256(V + b"door\0" + ROOM + LINK.invite_pk + LINK.door_pk)
    key = hkdf(once.exchange(LINK.door_pk), salt=ROOM, info=V + b"door" + once.public + LINK.door_pk)
    plaintext = b"".join(struct.pack(">I", e) + key for e, key in keys) + tail
    return once.public + Aead(key).seal(bytes(12), plaintext, label)


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32), min_size=1, max_size=20))
def test_a_door_grant_holds_the_keys_that_were_put_in(keys: dict[int, bytes]) -> None:
    """Whoever has the link's secret opens it; the sealer knew the public door key only."""
    grant = seal_door_grant(ROOM, LINK.invite_pk, LINK.door_pk, keys)
    assert len(grant) == 32 + 36 * len(keys) + 16
    assert open_door_grant(grant, ROOM, LINK.invite_pk, InviteKeys(b"s" * 16).door) == keys


def test_a_door_grant_is_that_of_the_specification() -> None:
    """One built by hand opens."""
    keys = {1: b"1" * 32, 7: b"7" * 32}
    assert open_door_grant(by_hand(list(keys.items())), ROOM, LINK.invite_pk, LINK.door) == keys


def test_two_door_grants_of_the_same_keys_differ() -> None:
    """Each is sealed with a key of its own, so its nonce may be constant."""
    grants = {seal_door_grant(ROOM, LINK.invite_pk, LINK.door_pk, {1: b"1" * 32}) for _ in range(2)}
    assert len({grant[:32] for grant in grants}) == 2


def test_a_door_grant_has_the_newest_keys_if_there_are_too_many() -> None:
    """At most 1,024, as every grant."""
    grant = seal_door_grant(ROOM, LINK.invite_pk, LINK.door_pk, {e: b"k" * 32 for e in range(MAX_KEYS + 2)})
    assert list(open_door_grant(grant, ROOM, LINK.invite_pk, LINK.door)) == list(range(2, MAX_KEYS + 2))


@pytest.mark.parametrize("defect", ["room", "invite", "door", "ephemeral key", "sealed part", "cut", "empty"])
def test_a_door_grant_opens_for_its_link_and_room_only(defect: str) -> None:
    """One error for everything else."""
    grant = seal_door_grant(ROOM, LINK.invite_pk, LINK.door_pk, {1: b"1" * 32})
    room, invite_pk, door = ROOM, LINK.invite_pk, LINK.door
    match defect:
        case "room":
            room = b"R" * 32
        case "invite":
            invite_pk = InviteKeys(b"t" * 16).invite_pk
        case "door":
            door = InviteKeys(b"t" * 16).door
        case "ephemeral key":
            grant = X25519Key(b"x" * 32).public + grant[32:]
        case "sealed part":
            grant = grant[:-1] + bytes([grant[-1] ^ 1])
        case "cut":
            grant = grant[:-1]
        case _:
            grant = b""
    with pytest.raises(CannotOpen):
        open_door_grant(grant, room, invite_pk, door)


def test_an_ephemeral_key_of_small_order_does_not_open() -> None:
    """Though it is sealed with just the key that everybody would then share."""
    once = bytes(32)
    key = hkdf(bytes(32), salt=ROOM, info=V + b"door" + once + LINK.door_pk)
    label = sha256(V + b"door\0" + ROOM + LINK.invite_pk + LINK.door_pk)
    grant = once + Aead(key).seal(bytes(12), struct.pack(">I", 1) + b"1" * 32, label)
    with pytest.raises(CannotOpen):
        open_door_grant(grant, ROOM, LINK.invite_pk, LINK.door)


@pytest.mark.parametrize("door_pk", [bytes(32), b"\1" + bytes(31)], ids=["no door", "small order"])
def test_nothing_is_sealed_to_a_door_that_anybody_could_open(door_pk: bytes) -> None:
    """An invite whose maker put in such a key gets no grant."""
    with pytest.raises(CannotOpen):
        seal_door_grant(ROOM, LINK.invite_pk, door_pk, {1: b"1" * 32})


@pytest.mark.parametrize(
    ("keys", "tail"),
    [
        ([], b""),
        ([(1, b"1" * 32)], b"x"),
        ([(1, b"1" * 32), (1, b"2" * 32)], b""),
        ([(2, b"2" * 32), (1, b"1" * 32)], b""),
        ([(e, b"k" * 32) for e in range(MAX_KEYS + 1)], b""),
    ],
    ids=["no key", "a byte too many", "an epoch twice", "descending", "too many keys"],
)
def test_a_door_grant_of_another_layout_does_not_open(keys: list[tuple[int, bytes]], tail: bytes) -> None:
    """Though everything is sealed as it should be."""
    with pytest.raises(CannotOpen):
        open_door_grant(by_hand(keys, tail), ROOM, LINK.invite_pk, LINK.door)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_door_grant_or_do_not_open(data: bytes) -> None:
    """A peer's bytes raise nothing else."""
    with pytest.raises(CannotOpen):
        open_door_grant(data, ROOM, LINK.invite_pk, LINK.door)
