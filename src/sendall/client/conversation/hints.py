"""Who is typing and who has seen what, from signals that may be lost, late or untrue. Pure.

Nothing of it is proof, and none of it lasts: typing lapses by the clock that the caller brings, and
both are forgotten with the people they are about.
"""

from __future__ import annotations

from collections import OrderedDict

TYPING_S = 6.0
"""Seconds that somebody counts as typing after saying so; who goes on typing says so again sooner."""
TYPING_EVERY_S = 3.0
"""Seconds between two such signals of one person."""
SEEN_EVERY_S = 1.0
"""Seconds between two signals of how far one person has read."""
MAX_PEOPLE = 1024


class Typists:
    """Those who are typing now, in the order in which they began."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def typing(self, id_pk: bytes, now: float) -> None:
        self._until[id_pk] = now + TYPING_S
        if len(self._until) > MAX_PEOPLE:
            self._until.popitem(last=False)

    def stopped(self, id_pk: bytes) -> None:
        """They said something, went, or gave it up."""
        self._until.pop(id_pk, None)

    def now(self, now: float) -> list[bytes]:
        for id_pk in [id_pk for id_pk, until in self._until.items() if now >= until]:
            del self._until[id_pk]
        return list(self._until)


class Readers:
    """How far each person has read, by their own word."""

    def __init__(self) -> None:
        self._upto: OrderedDict[bytes, int] = OrderedDict()

    def saw(self, id_pk: bytes, seq: int) -> None:
        """They have seen everything up to `seq`; who says something has seen what stands before it."""
        self._upto[id_pk] = max(seq, self._upto.pop(id_pk, 0))
        if len(self._upto) > MAX_PEOPLE:
            self._upto.popitem(last=False)

    def who_saw(self, seq: int) -> list[bytes]:
        """Return who has seen the entry at `seq`; those of whom something came last stand last."""
        return [id_pk for id_pk, upto in self._upto.items() if upto >= seq]
