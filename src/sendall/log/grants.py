"""Grants that are kept for who is away: what changes queued and not yet durable make of those on the disk.

A grant is a hint, and handed on at once; so, unlike entries, it is read back before it is durable. Pure;
knows no store and cannot open a grant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sendall.log.roomlog import GRANTS_PER_RECIPIENT, Grant


class Dropped(NamedTuple):
    """Everything kept for this recipient goes."""

    recipient: bytes


GrantChange = Grant | Dropped


class QueuedGrants:
    """The changes of one room's grants that are not durable yet, oldest first."""

    def __init__(self) -> None:
        self._changes: deque[GrantChange] = deque()

    def put(self, changes: Iterable[GrantChange]) -> None:
        """Take changes that were queued for a commit."""
        self._changes.extend(changes)

    def settle(self, changes: Sequence[GrantChange]) -> None:
        """Forget the oldest changes: these, which are durable now."""
        for _ in changes:
            self._changes.popleft()

    def over(self, recipient: bytes, durable: Iterable[Grant]) -> list[Grant]:
        """Return what is kept for `recipient`, oldest first, given what is on the disk.

        The disk may hold some of the changes already: made twice in the same order, they change nothing more.
        """
        return after(durable, (change for change in self._changes if change.recipient == recipient))


def after(kept: Iterable[Grant], changes: Iterable[GrantChange]) -> list[Grant]:
    """Return what one recipient's grants are after `changes`: the latest of each granter, at most eight."""
    grants = list(kept)
    for change in changes:
        if isinstance(change, Dropped):
            grants.clear()
        else:
            grants = [grant for grant in grants if grant.granter != change.granter]
            grants.append(change)
            del grants[:-GRANTS_PER_RECIPIENT]
    return grants
