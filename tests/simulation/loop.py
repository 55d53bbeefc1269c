"""Virtual time: what is to happen, and when. Nothing here or above it looks at a real clock.

One event at a time, in the order of time; what is due at once happens in the order it was asked for.
Randomness comes in named streams of one seed, so that a new use of one does not shift the others.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

MAX_EVENTS = 300_000
"""Ten times what a busy world needs."""


class TooBusy(Exception):
    """The world spins: something is done again and again without an end."""


class Loop:
    """The event loop of a world."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        self.seed = seed
        self.now = 1000.0
        """Monotonic seconds."""
        self.trace: list[str] = []
        """What happened, a line each; kept only if asked for."""
        self._tracing = tracing
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def stream(self, name: str) -> random.Random:
        """Return the random stream of this name; the same for the same seed and name."""
        return random.Random(f"{self.seed}/{name}")

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Call at `time`, or at once if that is over. Nothing is ever called off: `call` has to look."""
        self._count += 1
        heapq.heappush(self._heap, (max(time, self.now), self._count, call))

    def later(self, delay: float, call: Callable[[], None]) -> None:
        self.at(self.now + delay, call)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self._heap and self._heap[0][0] <= until:
            self.now, number, call = heapq.heappop(self._heap)
            if number > MAX_EVENTS:
                raise TooBusy
            call()
        self.now = until

    def note(self, who: str, what: str) -> None:
        """Write a line of the trace. Never what differs between two runs of a seed, such as keys."""
        if self._tracing:
            self.trace.append(f"{self.now - 1000.0:9.4f} {who:8} {what}")
