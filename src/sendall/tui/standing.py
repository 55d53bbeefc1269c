"""How a room and its connection stand, as facts for the status line and the banner. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

LAG_FROM = 20
"""Messages that wait to be shown before the status line says so."""
SLOW_FROM_MS = 250
"""Round trips from here on are shown as a warning."""


class Standing(NamedTuple):
    """What the status line tells of the room that is shown."""

    server: str
    lock: str
    """What keeps others out: "sealed + TLS", or "sealed" on this machine."""
    kind: str
    """OPEN or PRIVATE."""
    latency_ms: int | None
    unconfirmed: int
    held: int
    lag: int
    """Messages that arrived and are not shown yet."""
    is_away: bool
    is_stopped: bool
    """Nothing is sent here any more."""
    is_quiet: bool
    slow_s: int
    """Seconds for which the server asked for a slower pace; 0 if it did not."""

    def pieces(self) -> list[tuple[str, str]]:
        """Return what to show with its inks, the most important first."""
        found = []
        if self.is_stopped:
            found.append(("■ nothing is sent", "alarm"))
        elif self.is_away:
            found.append(("○ not connected", "warning"))
        else:
            found.append((f"● {self.lock}", "done"))
        if self.unconfirmed:
            found.append((f"{self.unconfirmed} not confirmed", "pending"))
        if self.held:
            found.append((f"{self.held} held: /send-held", "warning"))
        if self.slow_s:
            found.append((f"slower pace for {self.slow_s} s", "warning"))
        if self.lag >= LAG_FROM:
            found.append((f"{self.lag:,} to come", "pending"))
        found.append((self.kind, "key"))
        found.append((self.server, ""))
        if self.latency_ms is not None and not self.is_away:
            found.append((f"{self.latency_ms} ms", "warning" if self.latency_ms >= SLOW_FROM_MS else ""))
        if self.is_quiet:
            found.append(("do not disturb", "faint"))
        found.append(("F1 help", "faint"))
        return found


class Outage(NamedTuple):
    """The connection is lost: since when, why, and when the next attempt is; times are monotonic, in seconds."""

    reason: str
    retry_at: float
    unconfirmed: int

    def sentence(self, now: float) -> str:
        """Return it for the banner; the countdown is in whole seconds."""
        left = math.ceil(self.retry_at - now)
        again = f"trying again in {left} s" if left > 0 else "trying again …"
        lines = f"{self.unconfirmed} line{'s' * (self.unconfirmed != 1)}"
        kept = f"{lines} kept, sent once when back" if self.unconfirmed else "what you type is kept and sent once"
        return f"connection lost: {self.reason} · {again} · {kept}"
