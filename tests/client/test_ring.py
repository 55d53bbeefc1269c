"""The keys one member holds, and what brought them."""

from __future__ import annotations

import pytest

from sendall.client.ring import Ring
from sendall.crypto.doors import seal_door_grant
from sendall.crypto.grants import seal_grant
from sendall.crypto.invites import InviteKeys
from sendall.crypto.sealing import commitment
from tests.client.private_worlds import MemorySafe
from tests.conftest import RsaPool

ROOM, ME, KEY = b"r" * 32, b"m" * 32, b"k" * 32
INVITE = InviteKeys(b"s" * 16)


@pytest.fixture
def safe() -> MemorySafe:
    return MemorySafe()


@pytest.fixture
def ring(safe: MemorySafe, rsa_pool: RsaPool) -> Ring:
    for number in (0, 1):
        safe.keep_wrap_key(ROOM, rsa_pool[number], number)
    ring = Ring(ROOM, ME, [rsa_pool[0], rsa_pool[1]], safe, INVITE)
    ring.committed(1, commitment(KEY, ROOM, 1))
    return ring


def test_any_rsa_key_of_the_device_opens_a_grant(ring: Ring, safe: MemorySafe, rsa_pool: RsaPool) -> None:
    """Which one was used is kept; the key is on the disk before it is said to be held."""
    assert ring.take_grant_for(ME, seal_grant(ROOM, ME, rsa_pool[0].modulus, {1: KEY})) == [1]
    assert safe.used == {rsa_pool[0].modulus}
    assert not ring.is_newest_used
    assert safe.keys(ROOM) == {1: [KEY]}
    assert ring.held == {1: KEY}
    assert ring.take_grant_for(ME, seal_grant(ROOM, ME, rsa_pool[1].modulus, {1: KEY})) == []
    assert ring.is_newest_used
    assert ring.take_grant_for(ME, seal_grant(ROOM, ME, rsa_pool[1].modulus, {1: KEY})) == []


def test_the_door_of_ones_invite_opens_its_grant(ring: Ring) -> None:
    """And nothing else that comes for it."""
    grant = seal_door_grant(ROOM, INVITE.invite_pk, INVITE.door_pk, {1: KEY})
    assert ring.take_grant_for(INVITE.invite_pk, grant[:-1]) == []
    assert ring.take_grant_for(INVITE.invite_pk, grant) == [1]


def test_what_opens_with_nothing_is_ignored(ring: Ring, safe: MemorySafe, rsa_pool: RsaPool) -> None:
    """Rubbish, and grants to others; nothing is noted."""
    assert ring.take_grant_for(ME, b"rubbish") == []
    assert ring.take_grant_for(ME, seal_grant(ROOM, ME, rsa_pool[2].modulus, {1: KEY})) == []
    assert safe.used == set()


def test_keys_on_the_disk_are_proved_as_their_epochs_are_read(safe: MemorySafe, rsa_pool: RsaPool) -> None:
    """Of several for one epoch the one that fits is kept."""
    safe.keep_keys(ROOM, [(1, b"x" * 32), (1, KEY)])
    ring = Ring(ROOM, ME, [rsa_pool[0]], safe, None)
    assert ring.key(1) is None
    assert ring.committed(1, commitment(KEY, ROOM, 1))
    assert ring.key(1) == KEY
    assert safe.keys(ROOM) == {1: [KEY]}


def test_a_key_that_another_program_kept_is_found(ring: Ring, safe: MemorySafe) -> None:
    """Only one that fits."""
    assert not ring.look_in_safe(1)
    safe.keep_keys(ROOM, [(1, b"x" * 32)])
    assert not ring.look_in_safe(1)
    safe.keep_keys(ROOM, [(1, KEY)])
    assert ring.look_in_safe(1)
    assert ring.look_in_safe(1)


def test_an_rsa_key_that_another_program_made_is_found(ring: Ring, safe: MemorySafe, rsa_pool: RsaPool) -> None:
    """It is the newest from then on; an unknown one is not found, and takes nothing away."""
    assert ring.has_wrap(rsa_pool[1].modulus)
    assert not ring.has_wrap(rsa_pool[2].modulus)
    assert {rsa.modulus for rsa in ring.wraps} == {rsa_pool[0].modulus, rsa_pool[1].modulus}
    safe.keep_wrap_key(ROOM, rsa_pool[2], 2)
    assert ring.has_wrap(rsa_pool[2].modulus)
    assert ring.wraps[-1].modulus == rsa_pool[2].modulus


def test_a_safe_without_rsa_keys_takes_none_away(rsa_pool: RsaPool) -> None:
    """The keys in memory remain."""
    ring = Ring(ROOM, ME, [rsa_pool[0]], MemorySafe(), None)
    assert not ring.has_wrap(rsa_pool[1].modulus)
    assert ring.has_wrap(rsa_pool[0].modulus)


def test_old_rsa_keys_go_once_the_newest_is_granted_to(ring: Ring, safe: MemorySafe, rsa_pool: RsaPool) -> None:
    """Not while members still grant to an older one."""
    ring.settle_wrap(rsa_pool[0].modulus)
    assert len(ring.wraps) == 2
    for _ in range(2):
        ring.settle_wrap(rsa_pool[1].modulus)
        assert [rsa.modulus for rsa in ring.wraps] == [rsa_pool[1].modulus]
        assert [rsa.modulus for rsa in safe.wraps[ROOM]] == [rsa_pool[1].modulus]
