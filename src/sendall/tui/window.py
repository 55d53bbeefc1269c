"""Which part of a timeline is in sight: a place to hold on to, and the lines around it. Pure.

The window holds on to its lowest row, or to the end, and never counts lines from the beginning: so
older pages may come in above, a hundred thousand rows cost what a screenful costs, and another width
moves nothing. What a row looks like is asked of `draw`, which may remember.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sendall.client.conversation.rows import Draft, Row
from sendall.client.conversation.timeline import Timeline
from sendall.tui.drawing.line import Line

Draw = Callable[[int], list[Line]]
"""Returns the lines of the row at an index."""


class Sight(NamedTuple):
    """A row in sight: where it stands, and which of its lines are, from above."""

    at: int
    first: int
    lines: list[Line]


class Window:
    """A view of a timeline, some lines high."""

    def __init__(self) -> None:
        self._row: Row | None = None  # the lowest row in sight; None: the end, whatever comes
        self._hidden = 0  # lines of it that are below the edge

    @property
    def is_at_end(self) -> bool:
        return self._row is None

    def go_to_end(self) -> None:
        self._row, self._hidden = None, 0

    def sights(self, timeline: Timeline, height: int, draw: Draw) -> list[Sight]:
        """Return what is in sight, from above."""
        index, hidden = self._place(timeline)
        found: list[Sight] = []
        while height > 0 and index >= 0:
            lines = draw(index)
            shown = lines[: len(lines) - hidden] if hidden else lines
            hidden = 0
            first = max(0, len(shown) - height)
            if shown:
                found.append(Sight(index, first, shown[first:]))
            height -= len(shown) - first
            index -= 1
        return found[::-1]

    def scroll(self, timeline: Timeline, by: int, height: int, draw: Draw) -> bool:
        """Move down by so many lines, up if negative, as far as there are any; return whether the top was met."""
        index, hidden = self._place(timeline)
        if index < 0:
            return True
        hidden -= by
        while hidden < 0 and index < len(timeline) - 1:
            index += 1
            hidden += len(draw(index))
        hidden = max(0, hidden)
        while index > 0 and hidden >= len(draw(index)):
            hidden -= len(draw(index))
            index -= 1
        above, is_top = self._lines_above(index, height + hidden, draw)
        if is_top and above < height + hidden:
            index, hidden = self._topmost(timeline, height, draw)
        self._hold(timeline, index, hidden)
        return is_top

    def show(self, timeline: Timeline, index: int, height: int, draw: Draw) -> None:
        """Bring a row into sight, in the middle if it is not there yet."""
        if any(sight.at == index and not sight.first for sight in self.sights(timeline, height, draw)):
            return
        self._hold(timeline, index, 0)
        self.scroll(timeline, max(0, height // 2 - len(draw(index))), height, draw)

    def below(self, timeline: Timeline) -> int:
        """Return how many rows are below the edge."""
        return max(0, len(timeline) - 1 - self._place(timeline)[0])

    def share(self, timeline: Timeline, height: int) -> tuple[float, float]:
        """Return where the window stands and how large it is, as parts of the timeline, by rows."""
        index, _ = self._place(timeline)
        count = max(1, len(timeline))
        size = min(1.0, height / (2 * count))
        return max(0.0, min(1.0 - size, (index + 1) / count - size)), size

    def _place(self, timeline: Timeline) -> tuple[int, int]:
        if self._row is not None:
            index = index_of(self._row, timeline)
            if index is not None:
                return index, self._hidden
            if not isinstance(self._row, Draft):  # taken out: what stands in its place is next to it
                return min(timeline.index(self._row), len(timeline) - 1), 0
        return len(timeline) - 1, 0

    def _hold(self, timeline: Timeline, index: int, hidden: int) -> None:
        if index >= len(timeline) - 1 and hidden == 0:
            self.go_to_end()
        else:
            self._row, self._hidden = timeline[index], hidden

    def _lines_above(self, index: int, enough: int, draw: Draw) -> tuple[int, bool]:
        """Count lines from row `index` upwards until there are enough; return also whether they are all."""
        count = 0
        while index >= 0 and count < enough:
            count += len(draw(index))
            index -= 1
        return count, index < 0

    def _topmost(self, timeline: Timeline, height: int, draw: Draw) -> tuple[int, int]:
        """Return what to hold on to so that the first row is at the upper edge."""
        count = 0
        for index in range(len(timeline)):
            count += len(draw(index))
            if count >= height:
                return index, count - height
        return len(timeline) - 1, 0


def index_of(row: Row, timeline: Timeline) -> int | None:
    """Return where a row stands; None if it is not there any more."""
    if isinstance(row, Draft) and row not in timeline.drafts:
        return None
    index = timeline.index(row)
    return index if index < len(timeline) and timeline[index].key == row.key else None
