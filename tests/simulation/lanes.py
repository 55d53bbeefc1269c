"""Outbox stores in memory: what survives of a client program, as its file does.

Lanes as in `client/outbox_store.py`: a program writes into its own, and takes over those of programs
that ended. A program can be killed at any commit, before or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sendall.client.items import Row
from sendall.client.outbox_store import HOLD_AFTER_MS


class Killed(Exception):
    """The program ended here, in the middle of what it did."""


class Lanes:
    """All lanes of one identity in one room."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Lane, Row]] = {}
        self.last_id = 0

    @property
    def has_orphans(self) -> bool:
        """Whether there are messages of nobody's."""
        return any(lane.holder is None for lane, _ in self.rows.values())

    def begin(self, now_ms: int, is_killed: Callable[[], bool]) -> Lane:
        return Lane(self, now_ms, is_killed)


class Lane:
    """One program's messages and those it took over: an `OutboxStore`."""

    def __init__(self, lanes: Lanes, began_ms: int, is_killed: Callable[[], bool]) -> None:
        """`is_killed` is asked before and after every commit."""
        self._lanes = lanes
        self._began_ms = began_ms
        self._is_killed = is_killed
        self._taken: list[Lane] = []
        self.holder: Lane | None = self
        """Whose program has the lane now; None: nobody's, its program ended."""

    def rows(self) -> list[Row]:
        lanes = {lane for lane, _ in self._lanes.rows.values()}
        for lane in lanes:
            if lane.holder is None:
                lane.holder = self
                self._taken.append(lane)
        found = []
        for lane, row in sorted(self._lanes.rows.values(), key=lambda pair: pair[1].id):
            if lane.holder is self:
                is_old = lane is not self and self._oldest_ms(lane) < self._began_ms - HOLD_AFTER_MS
                found.append(row._replace(held=is_old))
        return found

    def _oldest_ms(self, lane: Lane) -> int:
        return min(row.written_ms for other, row in self._lanes.rows.values() if other is lane)

    def put(self, plaintext: bytes, written_ms: int) -> int:
        self._check()
        self._lanes.last_id += 1
        id_ = self._lanes.last_id
        self._lanes.rows[id_] = (self, Row(id_, written_ms, plaintext, None, held=False))
        self._check()
        return id_

    def update(self, changes: Sequence[tuple[int, bytes | None, bool]]) -> None:
        if changes:
            self._check()
            for id_, entry, doubt in changes:
                lane, row = self._lanes.rows[id_]
                self._lanes.rows[id_] = (lane, row._replace(entry=entry, doubt=doubt))
            self._check()

    def delete(self, ids: Sequence[int]) -> None:
        if ids:
            self._check()
            for id_ in ids:
                self._lanes.rows.pop(id_, None)
            self._check()

    def end(self) -> None:
        """The program ended, however: its lanes are free."""
        for lane in (self, *self._taken):
            lane.holder = None
        self._taken = []

    def _check(self) -> None:
        if self._is_killed():
            raise Killed
