"""Rows in the order of their keys, whatever is added and taken out where."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.conversation.order import BLOCK, Order
from sendall.client.conversation.rows import About, Note


def note(key: int) -> Note:
    return Note(key, 0, About.NOTICE, "")


def check(order: Order, keys: list[int]) -> None:
    assert [row.key for row in order] == keys
    assert len(order) == len(keys)
    for index, key in enumerate(keys):
        assert order[index].key == key
        assert order.index(key) == index
        assert order.index(key + 1) == index + 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20))))
def test_it_is_a_sorted_list(steps: list[tuple[bool, int]]) -> None:
    """Against the plainest sorted list there is."""
    order = Order()
    rows: dict[int, Note] = {}
    for is_added, number in steps:
        key = 2 * number
        if is_added and key not in rows:
            rows[key] = note(key)
            order.add(rows[key])
        elif not is_added and key in rows:
            order.remove(rows.pop(key))
    check(order, sorted(rows))


@pytest.mark.parametrize("how", ["ascending", "descending", "shuffled"])
def test_many_blocks_are_one_list(how: str) -> None:
    """Blocks begin and split without anything getting lost, and go when they are empty."""
    keys = list(range(0, 10 * BLOCK, 2))
    arriving = keys[:: -1 if how == "descending" else 1]
    if how == "shuffled":
        random.Random(1).shuffle(arriving)
    order = Order()
    rows = {key: note(key) for key in keys}
    for key in arriving:
        order.add(rows[key])
    assert len(order._blocks) > 4
    check(order, keys)
    for key in keys[10 : 4 * BLOCK]:
        order.remove(rows[key])
    check(order, keys[:10] + keys[4 * BLOCK :])


@pytest.mark.parametrize("index", [-1, 1])
def test_no_row_stands_outside(index: int) -> None:
    """An index from 0 to the length, and no other."""
    order = Order()
    order.add(note(5))
    with pytest.raises(IndexError):
        order[index]
    assert order.index(4) == 0
    assert Order().index(4) == 0
