"""The times of events."""

from __future__ import annotations

import pytest

from sendall.client.events import utc


@pytest.mark.parametrize("time_ms", [0, 1_700_000_000_000, 2**53 - 1])
def test_any_time_of_the_protocol_is_a_time(time_ms: int) -> None:
    """A server's time that no calendar holds does not break the reader."""
    assert utc(time_ms).tzinfo is not None
