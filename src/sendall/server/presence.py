"""Presence: which identities are in a room, and when to say so.

An id came with its first connection and went with its last. Told at most once a second and room,
with ids only while few are present. The server's word, not proof. Pure.
"""

from __future__ import annotations

from collections import Counter

from sendall.protocol.frames import B64, Present

INTERVAL_S = 1.0


class Presence:
    """The identities present in one room, and what was not told yet."""

    def __init__(self, rid: int, max_ids: int) -> None:
        self._rid = rid
        self._max_ids = max_ids
        self._connections: Counter[bytes] = Counter()
        self._came: set[bytes] = set()
        self._went: set[bytes] = set()
        self._told_at = float("-inf")
        self._told_ids = True

    @property
    def count(self) -> int:
        return len(self._connections)

    @property
    def is_small(self) -> bool:
        """Whether ids and cards are told one by one."""
        return self.count <= self._max_ids

    def enter(self, id_pk: bytes) -> None:
        self._connections[id_pk] += 1
        if self._connections[id_pk] == 1:
            if id_pk in self._went:
                self._went.discard(id_pk)
            else:
                self._came.add(id_pk)

    def leave(self, id_pk: bytes) -> None:
        self._connections[id_pk] -= 1
        if not self._connections[id_pk]:
            del self._connections[id_pk]
            if id_pk in self._came:
                self._came.discard(id_pk)
            else:
                self._went.add(id_pk)

    def news(self, now: float) -> Present | None:
        """Return what to tell those present now; None if there is nothing, or it is too soon."""
        if not (self._came or self._went) or now - self._told_at < INTERVAL_S:
            return None
        self._told_at = now
        came, went = self._came, self._went
        self._came, self._went = set(), set()
        knew_ids, self._told_ids = self._told_ids, self.is_small
        if not self.is_small:
            return Present(rid=self._rid, count=self.count)
        if not knew_ids:
            return self.roster()
        return Present(rid=self._rid, count=self.count, came=_sorted(came), went=_sorted(went))

    def roster(self) -> Present:
        """Return what a newcomer is told, and all once ids are told again."""
        came = _sorted(set(self._connections)) if self.is_small else []
        return Present(rid=self._rid, count=self.count, came=came)


def _sorted(ids: set[bytes]) -> list[B64]:
    return [B64(i) for i in sorted(ids)]
