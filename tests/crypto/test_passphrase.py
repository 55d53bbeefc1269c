from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendall.crypto.passphrase import COSTS, MAX_COSTS, Costs, costs_of, is_sealed, open_seed, seal_seed
from sendall.crypto.primitives import Aead, CannotOpen, argon2id

SEED = bytes(range(32))
CHEAP = Costs(memory_kib=64, passes=1, lanes=1)
MARK = b"sendall-v1 identity\0"


@given(st.text(max_size=40))
@settings(deadline=None)
def test_a_sealed_seed_opens_with_its_passphrase(passphrase: str) -> None:
    """Whatever was typed, also what is no UTF-8."""
    sealed = seal_seed(SEED, passphrase, CHEAP)
    assert is_sealed(sealed)
    assert open_seed(sealed, passphrase) == SEED


def test_a_sealed_seed_is_that_of_the_decision_page() -> None:
    """Mark, costs and salt, which are the additional data, then the seed under the Argon2id of the passphrase."""
    head = MARK + struct.pack(">IBB", 64, 1, 1) + b"a salt, 16 bytes"
    key = argon2id("pässword".encode(), salt=b"a salt, 16 bytes", memory_kib=64, passes=1, lanes=1)
    assert open_seed(head + Aead(key).seal(bytes(12), SEED, head), "pässword") == SEED


def test_a_passphrase_is_the_same_on_every_keyboard() -> None:
    """One letter, or a letter and its accent."""
    assert open_seed(seal_seed(SEED, "café", CHEAP), "cafe\u0301") == SEED


def test_the_same_seed_is_sealed_to_other_bytes_each_time() -> None:
    """Every salt is fresh, and so is every key."""
    assert seal_seed(SEED, "x", CHEAP) != seal_seed(SEED, "x", CHEAP)


@pytest.mark.parametrize("place", [-1, -20, -48, -49, -64])
def test_another_passphrase_and_altered_bytes_are_one_error(place: int) -> None:
    """Nothing can tell them apart: seed, tag and salt."""
    sealed = seal_seed(SEED, "right", CHEAP)
    with pytest.raises(CannotOpen):
        open_seed(sealed, "Right")
    altered = bytearray(sealed)
    altered[place] ^= 1
    with pytest.raises(CannotOpen):
        open_seed(bytes(altered), "right")


def test_lowered_costs_do_not_open() -> None:
    """The costs are part of what is authenticated."""
    sealed = seal_seed(SEED, "x", Costs(64, 2, 1))
    assert costs_of(sealed) == (64, 2, 1)
    with pytest.raises(CannotOpen):
        open_seed(sealed.replace(struct.pack(">IBB", 64, 2, 1), struct.pack(">IBB", 64, 1, 1)), "x")


def with_costs(memory_kib: int, passes: int, lanes: int) -> bytes:
    return MARK + struct.pack(">IBB", memory_kib, passes, lanes) + bytes(16 + 48)


@pytest.mark.parametrize(
    "costs",
    [
        (MAX_COSTS.memory_kib + 1, 1, 1),
        (2**32 - 1, 1, 1),
        (64, MAX_COSTS.passes + 1, 1),
        (1024, 1, MAX_COSTS.lanes + 1),
        (0, 1, 1),
        (64, 0, 1),
        (64, 1, 0),
        (63, 1, 8),
    ],
)
def test_a_file_cannot_ask_for_impossible_costs(costs: tuple[int, int, int]) -> None:
    """It is refused before memory is taken: too much, nothing, or less than Argon2id needs."""
    with pytest.raises(ValueError, match="impossible costs"):
        open_seed(with_costs(*costs), "x")


def test_the_costs_of_today_are_possible() -> None:
    """Those that are written can be read, as can the dearest."""
    assert costs_of(with_costs(*COSTS)) == COSTS
    assert costs_of(with_costs(*MAX_COSTS)) == MAX_COSTS
    assert COSTS.memory_kib >= 64 * 1024
    assert COSTS.passes >= 3


@pytest.mark.parametrize("data", [b"", SEED, with_costs(64, 1, 1)[:-1], with_costs(64, 1, 1) + b"x"])
def test_what_is_no_sealed_seed_is_said(data: bytes) -> None:
    """Too short, too long, or a seed that is not sealed."""
    with pytest.raises(ValueError, match="not a sealed identity"):
        open_seed(data, "x")
    assert not is_sealed(SEED)
