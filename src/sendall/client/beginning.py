"""From where a room is shown at first, and how the server is asked for that. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple, assert_never

from sendall.errors import UsageError

Since = int | timedelta | Literal["all"]
"""A seq, an age, or all that is retained."""


class Beginning(NamedTuple):
    """Where showing begins; nothing set: with all that is retained."""

    tail: int | None = None
    """With the last so many entries."""
    since_seq: int | None = None
    since_ms: int | None = None

    def asked(self, needed: int | None) -> tuple[int | None, int | None, int | None]:
        """Return `tail`, `since_ms` and `start` of the first `sub`.

        `needed`: the seq after which the log must be read to learn what became of the outbox; None if nothing
        is sealed there. It has precedence (docs/protocol.md, "Exactly once", rule 8): `shown` does the rest.
        """
        start = None if self.since_seq is None else max(0, self.since_seq - 1)
        if needed is None:
            return self.tail, self.since_ms, start
        if start is not None:
            return None, None, min(start, needed)
        return None, None, 0 if self == Beginning() else needed

    def shown(self, last: int) -> tuple[int, int]:
        """Return the seq and the time from which messages are shown, where the log ends at `last`."""
        if self.tail is not None:
            return max(0, last - self.tail) + 1, 0
        return self.since_seq or 0, self.since_ms or 0


def beginning_of(tail: int | None, since: Since | None, now_ms: int) -> Beginning:
    """Return what the arguments of `join` mean; `since` has precedence.

    Raises:
        UsageError: a negative number of messages.
    """
    match since:
        case None:
            if tail is not None and tail < 0:
                raise UsageError(f"tail = {tail}: a number of messages cannot be negative")
            return Beginning(tail=tail)
        case "all":
            return Beginning()
        case timedelta():
            return Beginning(since_ms=max(0, now_ms - int(since.total_seconds() * 1000)))
        case int():
            return Beginning(since_seq=max(0, since))
        case never:
            assert_never(never)
