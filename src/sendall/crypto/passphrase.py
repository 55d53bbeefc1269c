"""The passphrase: an identity's seed, sealed so that a copy of its file is not enough.

The key is Argon2id (RFC 9106) of the passphrase. Its costs stand in the sealed form, so that they can
grow, and are bounded when it is read: a file cannot make a program take more than 256 MiB. One error
for a wrong passphrase and for altered bytes, because nothing can tell them apart. Pure but for
os.urandom. Source: docs/decisions/0019.

    V ‖ "identity\\0" ‖ memory in KiB u32 ‖ passes u8 ‖ lanes u8 ‖ salt 16
      ‖ AES-256-GCM(Argon2id of these, nonce 0^12, aad = all before, seed 32)
"""

from __future__ import annotations

import os
import struct
import unicodedata
from typing import NamedTuple

from sendall.crypto.primitives import Aead, argon2id
from sendall.protocol.entry import VERSION_TAG

SEED_BYTES = 32
_MARK = VERSION_TAG + b"identity\0"
_COSTS = struct.Struct(">IBB")
_SALT_BYTES = 16
_HEAD_BYTES = len(_MARK) + _COSTS.size + _SALT_BYTES
SEALED_BYTES = _HEAD_BYTES + SEED_BYTES + 16
_NONCE = bytes(12)
"""Constant, because every salt is fresh, and so is the key it is used with."""


class Costs(NamedTuple):
    """What one guess at a passphrase costs."""

    memory_kib: int
    passes: int
    lanes: int


COSTS = Costs(memory_kib=128 * 1024, passes=4, lanes=4)
"""About 0.3 s of a laptop; twice the memory of RFC 9106's second choice, and one pass more."""
MAX_COSTS = Costs(memory_kib=256 * 1024, passes=16, lanes=16)
MIN_MEMORY_KIB_PER_LANE = 8
"""RFC 9106, section 3.1."""


def is_sealed(data: bytes) -> bool:
    """Return whether this claims to be a sealed seed."""
    return data.startswith(_MARK)


def costs_of(sealed: bytes) -> Costs:
    """Return what opening will cost.

    Raises:
        ValueError: not of this layout, or costs that no sendall asks for.
    """
    if not is_sealed(sealed) or len(sealed) != SEALED_BYTES:
        raise ValueError("not a sealed identity")
    costs = Costs(*_COSTS.unpack_from(sealed, len(_MARK)))
    is_possible = min(costs) > 0 and costs.memory_kib >= MIN_MEMORY_KIB_PER_LANE * costs.lanes
    if not is_possible or any(cost > most for cost, most in zip(costs, MAX_COSTS, strict=True)):
        raise ValueError(f"a sealed identity with impossible costs: {tuple(costs)}, at most {tuple(MAX_COSTS)}")
    return costs


def seal_seed(seed: bytes, passphrase: str, costs: Costs = COSTS) -> bytes:
    """Return the seed sealed under a passphrase. Takes as long as `costs` say: call it in a thread."""
    head = _MARK + _COSTS.pack(*costs) + os.urandom(_SALT_BYTES)
    return head + _aead(passphrase, head).seal(_NONCE, seed, head)


def open_seed(sealed: bytes, passphrase: str) -> bytes:
    """Return the seed. Takes as long as the costs in it say: call it in a thread.

    Raises:
        ValueError: not of this layout, or costs that no sendall asks for.
        CannotOpen: another passphrase, or altered bytes.
    """
    costs_of(sealed)
    head = sealed[:_HEAD_BYTES]
    return _aead(passphrase, head).open(_NONCE, sealed[_HEAD_BYTES:], head)


def _aead(passphrase: str, head: bytes) -> Aead:
    # NFC, because keyboards differ in how they write one and the same letter. A byte that was no UTF-8 counts as it is.
    password = unicodedata.normalize("NFC", passphrase).encode(errors="surrogatepass")
    costs = Costs(*_COSTS.unpack_from(head, len(_MARK)))
    key = argon2id(
        password, salt=head[-_SALT_BYTES:], memory_kib=costs.memory_kib, passes=costs.passes, lanes=costs.lanes
    )
    return Aead(key)
