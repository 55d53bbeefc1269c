"""Rows in the order of their keys, in blocks: fast at both ends, and in between as well.

Adding at the end costs a constant, anywhere else the logarithm of the blocks and a move within one
of them; going from a row to its index and back the same. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate

from sendall.client.conversation.rows import Note, Post

BLOCK = 512
"""Rows of a block; one that reaches twice as many becomes two."""

Placed = Post | Note


class Order:
    """A sorted list of rows; no two of one key."""

    def __init__(self) -> None:
        self._blocks: list[list[Placed]] = []
        self._starts: list[int] | None = []  # the index of each block's first row; None: to be counted again
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Placed]:
        for block in self._blocks:
            yield from block

    def __getitem__(self, index: int) -> Placed:
        """Raises IndexError: not from 0 to the length."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        starts = self._counted()
        at = bisect_right(starts, index) - 1
        return self._blocks[at][index - starts[at]]

    def add(self, row: Placed) -> None:
        """Put a row at its place; its key must not be there yet."""
        self._length += 1
        blocks = self._blocks
        if not blocks or (row.key > blocks[-1][-1].key and len(blocks[-1]) >= BLOCK):
            blocks.append([row])
            if self._starts is not None:
                self._starts.append(self._length - 1)
            return
        if row.key > blocks[-1][-1].key:
            blocks[-1].append(row)
            return
        at = max(0, bisect_right(blocks, row.key, key=_first_key) - 1)
        block = blocks[at]
        block.insert(bisect_left(block, row.key, key=_key), row)
        if len(block) >= 2 * BLOCK:
            blocks.insert(at + 1, block[BLOCK:])
            del block[BLOCK:]
        self._starts = None

    def remove(self, row: Placed) -> None:
        """Take out a row that is in it."""
        at = bisect_right(self._blocks, row.key, key=_first_key) - 1
        block = self._blocks[at]
        del block[bisect_left(block, row.key, key=_key)]
        if not block:
            del self._blocks[at]
        self._length -= 1
        self._starts = None

    def index(self, key: int) -> int:
        """Return how many rows have a lower key: the index of this one, or where it would be."""
        at = bisect_right(self._blocks, key, key=_first_key) - 1
        if at < 0:
            return 0
        return self._counted()[at] + bisect_left(self._blocks[at], key, key=_key)

    def _counted(self) -> list[int]:
        if self._starts is None:
            self._starts = [0, *accumulate(len(block) for block in self._blocks[:-1])]
        return self._starts


def _key(row: Placed) -> int:
    return row.key


def _first_key(block: list[Placed]) -> int:
    return block[0].key
