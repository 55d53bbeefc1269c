"""The key list: what every kind of grant carries, epoch keys by epoch.

36 bytes per key, ascending, so that one set of keys has one list. The relay must never reach this
module. Pure. Source: docs/protocol.md, "Grants".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import pairwise

from sendall.crypto.primitives import CannotOpen

MAX_KEYS = 1024
_KEY = struct.Struct(">I32s")


def pack_keys(keys: Mapping[int, bytes]) -> bytes:
    """Return the list of `keys` (epoch → 32 bytes); the newest 1,024 if there are more."""
    return b"".join(_KEY.pack(e, keys[e]) for e in sorted(keys)[-MAX_KEYS:])


def unpack_keys(packed: bytes) -> dict[int, bytes]:
    """Return the keys by epoch, unverified: compare each with its commitment.

    Raises:
        CannotOpen: no key, more than 1,024, a part of one, or epochs that do not ascend.
    """
    if not packed or len(packed) % _KEY.size or len(packed) > MAX_KEYS * _KEY.size:
        raise CannotOpen
    pairs = list(_KEY.iter_unpack(packed))
    if any(a >= b for (a, _), (b, _) in pairwise(pairs)):
        raise CannotOpen
    return dict(pairs)
