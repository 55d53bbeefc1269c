"""What is unread."""

from __future__ import annotations

from sendall.tui.marks import ReadMark


def test_what_comes_unwatched_is_unread_and_begins_behind_what_was_seen() -> None:
    """Counts rise, mentions too; what was seen at an earlier start is not unread again."""
    mark = ReadMark(seen=5)
    assert not mark.came(4, is_mine=False, is_mention=True)
    assert mark.came(6, is_mine=False, is_mention=False)
    assert mark.came(7, is_mine=False, is_mention=True)
    assert (mark.unread, mark.mentions, mark.new_after) == (2, 1, 5)


def test_watching_reads_everything_and_leaving_takes_the_line_away() -> None:
    """While watched nothing is unread; what comes after one looked away stands behind a new line."""
    mark = ReadMark(seen=0)
    mark.came(1, is_mine=False, is_mention=False)
    mark.watch(is_watched=True, last_seq=1)
    assert (mark.unread, mark.seen) == (0, 1)
    assert not mark.came(2, is_mine=False, is_mention=False)
    mark.watch(is_watched=False, last_seq=2)
    assert mark.came(3, is_mine=False, is_mention=False)
    assert mark.new_after == 2


def test_saying_something_is_having_read() -> None:
    """One's own message is never unread, and takes the line away."""
    mark = ReadMark(seen=3)
    assert not mark.came(4, is_mine=True, is_mention=False)
    assert (mark.seen, mark.new_after) == (4, None)
