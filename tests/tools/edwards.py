"""Ed25519 by hand (RFC 8032, section 5.1), as slow as it is short: for vectors no library would make.

Points of small and of mixed order, and signatures over them. Never used but for vectors.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def decoded(raw: bytes) -> Point | None:
    """Return the point of 32 bytes; None if there is none. The y may be one that is not canonical."""
    number = int.from_bytes(raw, "little")
    y, sign = number % 2**255 % P, number >> 255
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x % 2 != sign and x else x), y


def encoded(point: Point) -> bytes:
    x, y = point
    return (y + (x % 2 << 255)).to_bytes(32, "little")


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    both = _D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - both, -1, P)
    return x % P, y % P


def times(scalar: int, point: Point) -> Point:
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def _base() -> Point:
    base = decoded(bytes([0x58]) + b"\x66" * 31)
    assert base is not None
    return base


BASE = _base()


def secret_scalar(seed: bytes) -> int:
    """Return the secret scalar of an Ed25519 seed."""
    number = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return number & ~7 & (2**254 - 1) | 2**254


def challenge(r: bytes, public: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


def signature(r: bytes, nonce: int, scalar: int, public: bytes, message: bytes) -> bytes:
    """Return R and S for a chosen R, whatever R and the public key are."""
    return r + ((nonce + challenge(r, public, message) * scalar) % L).to_bytes(32, "little")
