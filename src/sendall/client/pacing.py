"""How much may be under way: the window of unconfirmed entries.

The window is what the server allows until it asks for less; then it halves at each such request and
grows by one entry for every window that was confirmed, so that a client finds the server's rate and
never fails by it. Pure.
"""

from __future__ import annotations

from sendall.errors import Code
from sendall.protocol.entry import MAX_ENTRY

MAX_INFLIGHT = 1024
"""Entries under way before the server named its own limit."""
MAX_INFLIGHT_BYTES = 1024 * 1024
DEFAULT_RETRY_S = 1.0
GAP_QUIET_S = 0.05
"""Seconds without a further refusal before what is open is sent again.

One entry that is refused makes all those behind it gaps, each with a refusal of its own; sending
again at the first of them would answer every one with the whole window. Doubles, up to MAX_GAP_S,
while nothing is confirmed in between.
"""
MAX_GAP_S = 5.0
MAX_RETRY_S = 60.0


class Pacing:
    """The window, what is under way, and the time before which nothing is sent."""

    def __init__(self) -> None:
        self._limit = MAX_INFLIGHT
        self._window = float(MAX_INFLIGHT)
        self._entries = 0
        self._bytes = 0
        self._quiet_s = 0.0
        self.resume_at = 0.0
        """Monotonic seconds."""

    @property
    def window(self) -> int:
        return int(self._window)

    @property
    def has_room(self) -> bool:
        return self._entries < int(self._window) and self._bytes <= MAX_INFLIGHT_BYTES - MAX_ENTRY

    @property
    def is_under_way(self) -> bool:
        return self._entries > 0

    def may_send(self, now: float) -> bool:
        return now >= self.resume_at

    def limit_to(self, inflight: int) -> None:
        """Take the limit that the server named in `hello`."""
        self._limit = max(1, min(inflight, MAX_INFLIGHT))
        self._window = min(self._window, float(self._limit))

    def sent(self, size: int) -> None:
        self._entries += 1
        self._bytes += size

    def answered(self, size: int) -> None:
        """One that was under way is settled: there is room, and a little more of it."""
        self._entries -= 1
        self._bytes -= size
        self._quiet_s = 0.0
        self._window = min(float(self._limit), self._window + 1.0 / self._window)

    def nothing_under_way(self) -> None:
        self._entries = self._bytes = 0

    def step_back(self, code: Code, retry_ms: int | None, now: float) -> float | None:
        """Wait as a refusal asks. Returns the seconds if this is the first that asks for a slower pace."""
        is_first = now >= self.resume_at
        if code is Code.GAP:
            if is_first or not self._quiet_s:
                self._quiet_s = min(MAX_GAP_S, max(GAP_QUIET_S, 2 * self._quiet_s))
            self.resume_at = max(self.resume_at, now + self._quiet_s)
            return None
        retry_s = DEFAULT_RETRY_S if retry_ms is None else min(retry_ms / 1000, MAX_RETRY_S)
        self.resume_at = max(self.resume_at, now + max(retry_s, GAP_QUIET_S))
        if not is_first:
            return None
        self._window = max(1.0, self._window / 2)
        return retry_s
