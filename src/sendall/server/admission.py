"""Admission: who may take how much of the server, as token buckets and counters.

Pure: time enters as an argument (monotonic seconds). The figures come from `config.Limits`; their
reasons are in docs/threat-model.md, "Denial of service".
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary


class Bucket:
    """A token bucket that starts full. A rate of 0 means no limit."""

    __slots__ = ("__weakref__", "_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def spend(self, now: float) -> float:
        """Take one token; return 0, or, taking nothing, the seconds until there is one."""
        rate = self._rate
        if not rate:
            return 0.0
        level = self._level + (now - self._at) * rate
        self._at = now
        if level > self._burst:
            level = self._burst
        if level >= 1.0:
            self._level = level - 1.0
            return 0.0
        self._level = level
        return (1.0 - level) / rate

    def has(self, count: int, now: float) -> bool:
        """Whether there are `count` tokens now."""
        return not self._rate or min(self._burst, self._level + (now - self._at) * self._rate) >= count

    def take(self, count: int, now: float) -> None:
        """Take `count` tokens, which it `has`."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate) - count
        self._at = now

    def is_full(self, now: float) -> bool:
        """Whether forgetting this bucket would change nothing."""
        return not self._rate or self._level + (now - self._at) * self._rate >= self._burst


def spend_all(buckets: Iterable[Bucket | None], count: int, now: float) -> bool:
    """Take `count` tokens of each, or none at all if one has fewer; return whether they were taken."""
    asked = [bucket for bucket in buckets if bucket is not None]
    is_enough = all(bucket.has(count, now) for bucket in asked)
    if is_enough:
        for bucket in asked:
            bucket.take(count, now)
    return is_enough


K = TypeVar("K", bound=Hashable)


class Buckets(Generic[K]):
    """Buckets of one kind by their owner, who may leave and come back without gaining by it."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._by_owner: WeakValueDictionary[K, Bucket] = WeakValueDictionary()
        self._kept: dict[K, Bucket] = {}

    def of(self, owner: K, now: float) -> Bucket:
        """Return the owner's one bucket, however many connections hold it."""
        bucket = self._by_owner.get(owner)
        if bucket is None:
            bucket = self._by_owner[owner] = self._kept[owner] = Bucket(self._rate, self._burst, now)
        return bucket

    def forget_full(self, now: float) -> None:
        """Drop the buckets that are full again and that nobody holds; called about once a minute."""
        self._kept = {owner: bucket for owner, bucket in self._by_owner.items() if not bucket.is_full(now)}
        # What is left is not full, or held by somebody who may spend it and leave within the minute.
        self._kept = dict(self._by_owner)
