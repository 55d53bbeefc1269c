"""The hash chain over a log, and the window of recent chain values a reader keeps.

Every stored entry enters the chain, whatever its verdict; each entry names the chain value its
sender last saw, so a server that drops, reorders, forks or rewrites is found out by the next
honest entry. Pure. Source: docs/protocol.md, "Log, frames, chain".
"""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import count

from sendall.protocol.entry import VERSION_TAG

WINDOW = 4096
"""How many recent chain values a reader keeps to compare heads with."""

_PREFIX = VERSION_TAG + b"log\0"
_LINK = struct.Struct(f">{len(_PREFIX)}s32sQQ32s")
_sha256 = hashlib.sha256


def link(previous: bytes, seq: int, time_ms: int, entry: bytes) -> bytes:
    """Return h[seq] from h[seq - 1]; h[0] is the room_id."""
    return _sha256(_LINK.pack(_PREFIX, previous, seq, time_ms, _sha256(entry).digest())).digest()


def link_run(previous: bytes, seq: int, time_ms: int, entries: Iterable[bytes]) -> list[bytes]:
    """Return h[seq], h[seq + 1], … of entries that share a time; as `link`, one after the other."""
    sha256, pack, prefix = _sha256, _LINK.pack, _PREFIX
    values = []
    for entry in entries:
        previous = sha256(pack(prefix, previous, seq, time_ms, sha256(entry).digest())).digest()
        values.append(previous)
        seq += 1
    return values


class Window:
    """The chain values of the last `size` seqs that were passed on to it."""

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._values: OrderedDict[int, bytes] = OrderedDict()

    def put(self, seq: int, h: bytes) -> None:
        self._values[seq] = h
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def put_run(self, seq: int, values: Sequence[bytes]) -> None:
        """Put the values of `seq`, `seq` + 1, …"""
        kept = self._values
        kept.update(zip(count(seq), values, strict=False))
        for _ in range(len(kept) - self._size):
            kept.popitem(last=False)

    def at(self, seq: int) -> bytes | None:
        """Return the value at `seq`; None if it left the window or never was in it."""
        return self._values.get(seq)

    def cut(self, seq: int) -> None:
        """Forget everything after `seq` (a restart entry took it back)."""
        while self._values and next(reversed(self._values)) > seq:
            self._values.popitem(last=True)
