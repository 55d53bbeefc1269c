"""The seams at which a simulation reaches into the code of production, and nothing else does.

Sealers report to the world's audit; signatures are checked once however many readers there are (the
check is a pure function, and most of a world's time); retention passes come every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType

import sendall.client.author
import sendall.client.signals
import sendall.protocol.room
import sendall.server.relay
from sendall.crypto.primitives import verify
from sendall.crypto.sealing import Sealer
from sendall.protocol.entry import EntryType
from tests.simulation.archive import Audit

RETAIN_EVERY_S = 5.0


@contextmanager
def installed(audit: Audit) -> Iterator[None]:
    """Run the block with the seams in place."""
    sealer = _audited(audit)
    seams: list[tuple[ModuleType, str, object]] = [
        (sendall.client.author, "Sealer", sealer),
        (sendall.client.signals, "Sealer", sealer),
        (sendall.protocol.room, "verify", lru_cache(1 << 14)(verify)),
        (sendall.server.relay, "RETAIN_EVERY_S", RETAIN_EVERY_S),
    ]
    before = [getattr(module, name) for module, name, _ in seams]
    for module, name, value in seams:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(seams, before, strict=True):
            setattr(module, name, value)


def _audited(audit: Audit) -> type[Sealer]:
    class AuditedSealer(Sealer):
        def __init__(self, key: bytes, room_id: bytes, epoch: int, sender: bytes, session: bytes) -> None:
            super().__init__(key, room_id, epoch, sender, session)
            self._audited_key = key

        def seal(
            self,
            type_: EntryType,
            n: int,
            plaintext: bytes,
            *,
            head_seq: int,
            head_hash: bytes,
            sign: Callable[[bytes], bytes],
        ) -> bytes:
            raw = super().seal(type_, n, plaintext, head_seq=head_seq, head_hash=head_hash, sign=sign)
            audit.sealed(self._audited_key, raw, plaintext)
            return raw

    return AuditedSealer
