"""Buckets by their owner: nobody gains by leaving, and nobody who left costs memory for ever."""

from __future__ import annotations

import weakref

from sendall.server.admission import Buckets


def test_who_left_and_is_owed_nothing_is_forgotten() -> None:
    """A bucket that is full again and that nobody holds costs no memory any more."""
    buckets: Buckets[str] = Buckets(rate=1, burst=2)
    buckets.of("ada", 0.0).spend(0.0)
    remembered = weakref.ref(buckets.of("ada", 0.0))
    buckets.forget_full(0.5)
    assert remembered() is not None
    buckets.forget_full(2.0)
    assert remembered() is None


def test_nobody_gains_by_leaving_and_coming_back() -> None:
    """Whoever spends a bucket that was full at the last look, and leaves, finds it as it was left."""
    buckets: Buckets[str] = Buckets(rate=1, burst=2)
    held = buckets.of("ada", 0.0)
    buckets.forget_full(60.0)
    assert (held.spend(60.0), held.spend(60.0)) == (0.0, 0.0)
    del held
    assert buckets.of("ada", 60.0).spend(60.0) == 1.0
