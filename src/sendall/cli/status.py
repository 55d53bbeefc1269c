"""The state of a room in one row: its kind, who is there, and how the connection is. Pure."""

from __future__ import annotations

import math

from sendall.client.events import Back, Event, Lost, Presence, SlowDown


class Status:
    """What the last events say of a room; `now` is monotonic, in seconds."""

    def __init__(self, name: str, kind_line: str) -> None:
        self._name = name
        self._kind_line = kind_line
        self._count = 0
        self.is_away = False
        self._retry_at = 0.0
        self._slow_until = 0.0

    def note(self, event: Event, now: float) -> None:
        """Take an event; those that change no state are passed over."""
        match event:
            case Presence(count):
                self._count = count
            case Lost(_, retry_s):
                self.is_away, self._retry_at = True, now + retry_s
            case Back():
                self.is_away = False
            case SlowDown(retry_s):
                self._slow_until = now + retry_s
            case _:
                pass

    def row(self, now: float, unconfirmed: int) -> str:
        """Return the row; the countdown is in whole seconds."""
        lines = f"{unconfirmed} line{'s' * (unconfirmed != 1)}"
        if self.is_away:
            left = math.ceil(self._retry_at - now)
            again = f"trying again in {left} s" if left > 0 else "trying again"
            kept = f" · {lines} kept" if unconfirmed else ""
            return f"connection lost · {again}{kept}"
        here = f" · {self._count} here" if self._count else ""
        slow = f" · the server asks for a slower pace, {lines} to go" if now < self._slow_until and unconfirmed else ""
        return f"{self._name}{here}{slow} · {self._kind_line}"
