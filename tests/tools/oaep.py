"""RSA-OAEP by hand (RFC 8017, sections 7.1.1 and 9.1), so that its random seed and every part of it can be chosen.

For vectors: the library chooses the seed itself, and never makes a block that is wrong.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

RSA_BYTES = 384


class Block(NamedTuple):
    """How a block deviates from the one that is right."""

    digest: str = "sha256"
    """Of the label."""
    mask_digest: str = "sha256"
    lead: int = 0
    filler: int = 0
    separator: int = 1


RIGHT = Block()


def oaep_seal(modulus: bytes, message: bytes, label: bytes, seed: bytes, block: Block = RIGHT) -> bytes:
    """Return the 384 bytes; `seed` has the size of the digest (longer ones are cut)."""
    label_hash = hashlib.new(block.digest, label).digest()
    seed = seed[: len(label_hash)]
    room = RSA_BYTES - 2 * len(label_hash) - 2 - len(message)
    data = label_hash + bytes([block.filler]) * room + bytes([block.separator]) + message
    masked_data = _xor(data, _mask(seed, len(data), block.mask_digest))
    masked_seed = _xor(seed, _mask(masked_data, len(seed), block.mask_digest))
    return rsa(modulus, bytes([block.lead]) + masked_seed + masked_data)


def pkcs1_seal(modulus: bytes, message: bytes, filler: int = 0xAA) -> bytes:
    """Return the same message in the older padding, which nobody may accept."""
    return rsa(modulus, b"\0\2" + bytes([filler]) * (RSA_BYTES - 3 - len(message)) + b"\0" + message)


def rsa(modulus: bytes, block: bytes) -> bytes:
    """Return block^65537 mod n."""
    n = int.from_bytes(modulus, "big")
    return pow(int.from_bytes(block, "big"), 65537, n).to_bytes(RSA_BYTES, "big")


def _mask(seed: bytes, size: int, digest: str) -> bytes:
    counted = (hashlib.new(digest, seed + i.to_bytes(4, "big")).digest() for i in range(size // 20 + 1))
    return b"".join(counted)[:size]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
