"""The composer's history."""

from __future__ import annotations

from sendall.tui.past import LIMIT, Past


def test_walking_back_and_forth_returns_to_the_draft() -> None:
    """Older to the oldest, newer to what was being written; beyond either end is nothing."""
    past = Past()
    for text in ("one", "two", "two"):
        past.add(text)
    assert [past.older("draft"), past.older("two"), past.older("one")] == ["two", "one", None]
    assert [past.newer(), past.newer(), past.newer()] == ["two", "draft", None]


def test_only_so_much_is_remembered() -> None:
    """The oldest beyond the limit are dropped, and nothing empty is kept."""
    past = Past()
    past.add("")
    assert past.older("") is None
    for n in range(LIMIT + 5):
        past.add(str(n))
    lines = []
    while (line := past.older("")) is not None:
        lines.append(line)
    assert (len(lines), lines[-1]) == (LIMIT, "5")
