"""From where a room is shown at first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sendall.client.beginning import Beginning, Since, beginning_of
from sendall.errors import UsageError

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("tail", "since", "meant"),
    [
        (50, None, Beginning(tail=50)),
        (0, None, Beginning(tail=0)),
        (None, None, Beginning()),
        (50, "all", Beginning()),
        (50, 7, Beginning(since_seq=7)),
        (50, -7, Beginning(since_seq=0)),
        (50, timedelta(hours=1), Beginning(since_ms=NOW_MS - 3_600_000)),
        (50, timedelta(days=99_999), Beginning(since_ms=0)),
    ],
)
def test_what_is_asked_for_since_wins_over_the_tail(tail: int | None, since: Since | None, meant: Beginning) -> None:
    """A seq, an age or "all" says where showing begins; the number of messages counts only without it."""
    assert beginning_of(tail, since, NOW_MS) == meant


def test_fewer_than_no_messages_is_a_mistake_of_the_callers() -> None:
    """A negative tail is said to be one, and never sent to a server, which would end the connection for it."""
    with pytest.raises(UsageError, match="-1"):
        beginning_of(-1, None, NOW_MS)


@pytest.mark.parametrize(
    ("beginning", "shown"),
    [
        (Beginning(), (0, 0)),
        (Beginning(tail=10), (91, 0)),
        (Beginning(tail=0), (101, 0)),
        (Beginning(tail=1000), (1, 0)),
        (Beginning(since_seq=42), (42, 0)),
        (Beginning(since_ms=NOW_MS), (0, NOW_MS)),
    ],
)
def test_showing_begins_where_the_person_asked(beginning: Beginning, shown: tuple[int, int]) -> None:
    """Of a log that ends at 100: the first seq and the first time that are shown."""
    assert beginning.shown(100) == shown
