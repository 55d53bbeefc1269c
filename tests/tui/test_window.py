"""The window: what is in sight, against a plain list of all lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sendall.client.conversation.timeline import Dropped, Failed, Timeline, Written, fold
from sendall.tui.drawing.line import Line, text_of
from sendall.tui.window import Window
from tests.tui.stage import NOON, message

HEIGHT = 7


def heights(timeline: Timeline, index: int) -> list[Line]:
    """Draw a row as some lines, as many as its text says."""
    row = timeline[index]
    count = int(row.text) if row.text.isdigit() else 1
    return [[(f"{row.key}/{n}", "")] for n in range(count)]


def seen(window: Window, timeline: Timeline) -> list[str]:
    sights = window.sights(timeline, HEIGHT, lambda index: heights(timeline, index))
    return [text_of(each) for sight in sights for each in sight.lines]


def every(timeline: Timeline) -> list[str]:
    return [text_of(each) for index in range(len(timeline)) for each in heights(timeline, index)]


@given(
    st.lists(st.integers(0, 12), max_size=20),
    st.lists(st.integers(-15, 15), max_size=12),
)
def test_scrolling_is_moving_over_all_lines(sizes: list[int], moves: list[int]) -> None:
    """Whatever the heights of the rows and the moves: what is in sight is what a list of all lines would show."""
    timeline = fold([message(n, "bob", str(size)) for n, size in enumerate(sizes, 1)])
    lines, window = every(timeline), Window()
    end = len(lines)
    for by in moves:
        window.scroll(timeline, by, HEIGHT, lambda index: heights(timeline, index))
        end = min(len(lines), max(min(HEIGHT, len(lines)), end + by))
        assert seen(window, timeline) == lines[max(0, end - HEIGHT) : end]


def test_at_the_end_it_follows_what_comes() -> None:
    """New rows are in sight at once, unless somebody scrolled up: then nothing moves."""
    timeline = fold([message(n, "bob", "2") for n in range(1, 20)])
    window = Window()
    timeline.apply(message(20, "bob", "3"))
    assert seen(window, timeline) == every(timeline)[-HEIGHT:]
    window.scroll(timeline, -5, HEIGHT, lambda index: heights(timeline, index))
    before = seen(window, timeline)
    timeline.apply(message(21, "bob", "3"))
    assert seen(window, timeline) == before
    assert not window.is_at_end
    assert window.below(timeline) == 3


def test_older_rows_come_in_above_without_moving_anything() -> None:
    """A page of history changes nothing of what is in sight."""
    timeline = fold([message(n, "bob", "2") for n in range(50, 70)])
    window = Window()
    assert window.scroll(timeline, -100, HEIGHT, lambda index: heights(timeline, index))
    before = seen(window, timeline)
    timeline.take([message(n, "bob", "3") for n in range(20, 50)])
    assert seen(window, timeline) == before


def test_a_row_that_is_gone_leaves_the_window_where_it_was() -> None:
    """It held on to a draft that was dropped: it stands at the end then."""
    timeline = fold([message(n, "bob", "2") for n in range(1, 9)])
    for number in (1, 2):
        timeline.apply(Written(number, NOON, "4"))
    window = Window()
    window.scroll(timeline, -5, HEIGHT, lambda index: heights(timeline, index))
    timeline.apply(Failed(1, "no"))
    timeline.apply(Dropped(1))
    assert seen(window, timeline)


def test_a_row_that_is_looked_for_comes_into_sight() -> None:
    """Wherever it is."""
    timeline = fold([message(n, "bob", "2") for n in range(1, 100)])
    window = Window()
    for index in (50, 0, 98, 3):
        window.show(timeline, index, HEIGHT, lambda at: heights(timeline, at))
        assert text_of(heights(timeline, index)[0]) in seen(window, timeline)


def test_the_bar_tells_the_place() -> None:
    """At the end it is below, at the beginning above; with few rows it fills everything."""
    timeline = fold([message(n, "bob", "2") for n in range(1, 100)])
    window = Window()
    top, size = window.share(timeline, HEIGHT)
    assert top + size == 1.0
    window.show(timeline, 0, HEIGHT, lambda index: heights(timeline, index))
    assert window.share(timeline, HEIGHT)[0] < 0.05
    assert Window().share(fold([message(1, "bob", "1")]), HEIGHT) == (0.0, 1.0)
