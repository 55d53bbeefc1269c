"""The rule of retention: how many of the oldest messages have to go.

Pure; the stores bring the messages and do the deleting. Control entries never come here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sendall.log.roomlog import Retention

MIN_PASS = 1_000
"""A pass may drop so many messages of a room, however few it holds."""


class Message(NamedTuple):
    """A retained message, as far as retention is concerned."""

    seq: int
    time_ms: int
    size: int


class Holding(NamedTuple):
    """The messages that a room retains."""

    messages: int
    size: int


class Surplus(NamedTuple):
    """The messages to drop: all up to and with `seq`."""

    seq: int
    messages: int
    size: int


def pass_limit(messages: int) -> int:
    """Return how many of a room's messages one pass may drop: a tenth, so that a clock that jumps empties no room."""
    return max(MIN_PASS, messages // 10)


def surplus(oldest: Iterable[Message], held: Holding, retention: Retention, now_ms: int) -> Surplus | None:
    """Return which of `oldest` (ascending, from the very oldest on) exceed the retention; None if none does."""
    found: Surplus | None = None
    messages, size = held
    for message in oldest:
        if (
            messages <= retention.max_count
            and size <= retention.max_bytes
            and now_ms - message.time_ms <= retention.max_age_ms
        ):
            break
        messages -= 1
        size -= message.size
        found = Surplus(message.seq, held.messages - messages, held.size - size)
    return found
