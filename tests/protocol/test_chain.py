from __future__ import annotations

import hashlib

from sendall.protocol.chain import WINDOW, Window, link


def test_a_link_is_that_of_the_specification() -> None:
    """h[s] = H(V "log\\0" h[s-1] u64 s u64 time H(entry))."""
    expected = b"sendall-v1 log\0" + b"p" * 32 + bytes(7) + b"\3" + bytes(7) + b"\4" + hashlib.sha256(b"e").digest()
    assert link(b"p" * 32, 3, 4, b"e") == hashlib.sha256(expected).digest()


def test_every_part_of_an_entry_s_place_enters_the_chain() -> None:
    """Another predecessor, seq, time or entry gives another value."""
    values = {link(b"p", 1, 2, b"e"), link(b"q", 1, 2, b"e"), link(b"p", 2, 2, b"e"), link(b"p", 1, 3, b"e")}
    assert len(values | {link(b"p", 1, 2, b"f")}) == 5


def test_a_window_keeps_the_last_values_only() -> None:
    """What left the window, or never was in it, is unknown."""
    window = Window(3)
    for seq in range(1, 6):
        window.put(seq, bytes([seq]) * 32)
    assert [window.at(seq) for seq in range(7)] == [None] * 3 + [bytes([s]) * 32 for s in (3, 4, 5)] + [None]


def test_a_window_is_4096_wide_by_default() -> None:
    """The width is the one the specification asks of every client."""
    window = Window()
    for seq in range(WINDOW + 1):
        window.put(seq, b"h")
    assert (WINDOW, window.at(0), window.at(1)) == (4096, None, b"h")


def test_a_cut_window_has_forgotten_what_came_after() -> None:
    """Everything up to the cut stays, and the window fills again from there."""
    window = Window()
    for seq in range(1, 6):
        window.put(seq, b"old")
    window.cut(3)
    assert [window.at(seq) for seq in (3, 4, 5)] == [b"old", None, None]
    window.put(4, b"new")
    assert window.at(4) == b"new"
    window.cut(0)
    assert window.at(1) is None
    window.cut(0)
