"""When to try again: full jitter, doubling, capped.

Full jitter spreads the clients of a server that restarts over the whole interval, so that they do
not come back in waves. Pure: randomness is injected.
"""

from __future__ import annotations

from collections.abc import Callable

BASE_S = 0.2
CAP_S = 15.0


class Backoff:
    """Delays between attempts; `random` returns floats in [0, 1)."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._attempts = 0

    def next_delay(self) -> float:
        """Return the seconds to wait before the next attempt: uniform in [0, min(15, 0.2 · 2^attempts))."""
        ceiling = min(CAP_S, BASE_S * 2.0 ** min(self._attempts, 16))
        self._attempts += 1
        return self._random() * ceiling

    def reset(self) -> None:
        """Begin again at the shortest delay: an attempt succeeded."""
        self._attempts = 0
