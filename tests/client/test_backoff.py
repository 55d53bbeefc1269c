"""Delays between attempts."""

from __future__ import annotations

from sendall.client.backoff import BASE_S, CAP_S, Backoff


def test_delays_double_up_to_the_cap() -> None:
    """The ceiling is 0.2 s, doubles with each attempt, and stays at 15 s for ever."""
    backoff = Backoff(lambda: 1.0)
    delays = [backoff.next_delay() for _ in range(2000)]
    assert delays[:4] == [BASE_S, 2 * BASE_S, 4 * BASE_S, 8 * BASE_S]
    assert delays[10:] == [CAP_S] * 1990


def test_the_jitter_is_full() -> None:
    """A delay may be anything from nothing to the ceiling."""
    assert Backoff(lambda: 0.0).next_delay() == 0.0
    assert Backoff(lambda: 0.5).next_delay() == BASE_S / 2


def test_success_begins_again() -> None:
    """After a reset the next delay is as short as the first."""
    backoff = Backoff(lambda: 1.0)
    for _ in range(9):
        backoff.next_delay()
    backoff.reset()
    assert backoff.next_delay() == BASE_S
