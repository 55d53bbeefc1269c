"""Patience: how long a room's writers wait for the disk, and for its readers.

They wait for the disk while more than so many bytes of theirs are not on it. When most readers drain but
fall off the tape, everybody would read from the disk: the writers are paced then, but not for ever. Pure;
asked for every message, so it answers from what it saw a moment ago.
Source: docs/decisions/0013-silence-and-slowness.md.
"""

from __future__ import annotations

from sendall.log.tape import Tape
from sendall.server.delivery import Audience

WAIT_FOR_READERS_S = 1.0
"""How long writers wait at most for readers who drain but do not catch up."""
IMPATIENCE_S = 10.0
"""How long they then do not wait at all."""
LOOK_EVERY_S = 0.005


class Patience:
    """Of one room's writers, who may have `pending_bytes` under way to the disk."""

    def __init__(self, audience: Audience, tape: Tape, pending_bytes: int) -> None:
        self._pending_bytes = pending_bytes
        self._audience = audience
        self._tape = tape
        self._waiting_since: float | None = None
        self._looked_at = float("-inf")
        self._are_behind = False
        self._impatient_until = float("-inf")

    def must_wait(self, pending_bytes: int, now: float) -> bool:
        """Whether writers must wait, with so much of theirs under way."""
        if pending_bytes > self._pending_bytes:
            return True
        if not self._audience.many_lag or now < self._impatient_until or not self._most_are_behind(now):
            self._waiting_since = None
            return False
        if self._waiting_since is None:
            self._waiting_since = now
        if now - self._waiting_since <= WAIT_FOR_READERS_S:
            return True
        # They drain, but never catch up: they go on from the log, and nobody waits for them for a while.
        self._waiting_since = None
        self._impatient_until = now + IMPATIENCE_S
        return False

    def _most_are_behind(self, now: float) -> bool:
        # Counting looks at every reader, and every reader that drains asks: the answer holds for a moment.
        if now - self._looked_at >= LOOK_EVERY_S:
            half = self._tape.half
            self._looked_at = now
            self._are_behind = half is not None and self._audience.is_outrunning(half, now)
        return self._are_behind
