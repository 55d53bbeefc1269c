"""What was said in the room that is shown. Draws only what is in sight, from a cache; scrolls by rows, not by counting.

Ctrl+Up (or a click) chooses a message: letters then say what to do with it.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.strip import Strip

from sendall.client.conversation.rows import Draft, Post, Row
from sendall.client.conversation.timeline import Timeline
from sendall.tui.drawing.line import Line, cropped, line
from sendall.tui.drawing.rows import Look, lines_of
from sendall.tui.messages import ItemChosen, Looked, OlderWanted, PickingEnded
from sendall.tui.widgets.inked import Inked
from sendall.tui.window import Window, index_of

CACHED = 1024
"""Rows whose lines are remembered."""
WHEEL_LINES = 3

_Drawn = tuple[object, list[Line]]


class TimelineView(Inked, can_focus=True):
    """A window on a timeline, with a scroll bar as wide as one cell."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k,ctrl+up", "pick(-1)", show=False),
        Binding("down,j,ctrl+down", "pick(1)", show=False),
        Binding("r,enter", "choose('reply')", "reply", show=False),
        Binding("e", "choose('edit')", "edit", show=False),
        Binding("d,delete", "choose('delete')", "delete", show=False),
        Binding("plus,equals_sign", "choose('react')", "react", show=False),
        Binding("c,y", "choose('copy')", "copy", show=False),
        Binding("o", "choose('open')", "open", show=False),
        Binding("t", "choose('retry')", "send again", show=False),
        Binding("x", "choose('drop')", "drop", show=False),
        Binding("escape,q", "end_picking", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._window = Window()
        self._windows: dict[int, Window] = {}  # of rooms that are not shown, by their timeline
        self._look: Look | None = None
        self._new_after: int | None = None
        self._first_new: int | None = None
        self._top_line = ""
        self._picked: Row | None = None
        self._cache: LRUCache[int, _Drawn] = LRUCache(CACHED)
        self._strips: list[Strip] = []
        self._at: list[int] = []  # the index of the row that each line belongs to; -1: none
        self._is_stale = True
        self._is_dragging = False

    # -- what is shown ------------------------------------------------------------------------

    def show_look(self, look: Look, new_after: int | None, top_line: str) -> None:
        """Show this timeline as it is now. `top_line` stands above its first row."""
        if self._look is None or self._look.timeline is not look.timeline:
            self._turn_to(look)
        if self._look is not None and self._look[1:] != look[1:]:
            self._cache.clear()
        self._look, self._new_after, self._top_line = look, new_after, top_line
        self._is_stale = True
        self.refresh()

    def _turn_to(self, look: Look) -> None:
        if self._look is not None:
            self._windows[id(self._look.timeline)] = self._window
        self._window = self._windows.get(id(look.timeline)) or Window()
        self._cache.clear()
        self._picked = None

    @property
    def is_at_end(self) -> bool:
        return self._window.is_at_end

    @property
    def below(self) -> int:
        """Rows that are below what is in sight."""
        return 0 if self._look is None else self._window.below(self._look.timeline)

    @property
    def picked(self) -> Row | None:
        """The message that is chosen; None: none is."""
        return self._picked

    def forget_drawn(self) -> None:
        """Draw everything anew: somebody's tag became longer, say."""
        self._cache.clear()
        self._is_stale = True

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._is_stale = True

    # -- drawing ------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        if self._is_stale or len(self._strips) != self.size.height:
            self._draw()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.style_of(""))

    def _draw(self) -> None:
        self._is_stale = False
        height, width = self.size.height, max(1, self.size.width - 1)
        self._strips, self._at = [], []
        look = self._fitted_look()
        if look is None or height < 1:
            self._strips = [Strip.blank(self.size.width, self.style_of(""))] * height
            return
        self._first_new = None if self._new_after is None else look.timeline.index_after(self._new_after)
        sights = self._window.sights(look.timeline, height, self._lines_at)
        used = sum(len(sight.lines) for sight in sights)
        blank = height - used
        for _ in range(blank):
            self._add([], -1, width)
        picked = self._picked_index()
        if sights and not sights[0].first and sights[0].at:
            sights[0] = sights[0]._replace(lines=self._named_lines_at(sights[0].at)[: len(sights[0].lines)])
        for sight in sights:
            for each in sight.lines:
                self._add(each, sight.at, width, is_picked=sight.at == picked)
        self._draw_bar(look.timeline, height)

    def _add(self, given: Line, index: int, width: int, *, is_picked: bool = False) -> None:
        strip = self.strip_of(given, width)
        if is_picked:
            strip = strip.apply_style(Style(bgcolor=self.style_of("cursor").bgcolor))
        self._strips.append(strip)
        self._at.append(index)

    def _draw_bar(self, timeline: Timeline, height: int) -> None:
        top, size = self._window.share(timeline, height)
        first = round(top * height)
        last = max(first + 1, round((top + size) * height))
        has_bar = size < 1.0
        for y, strip in enumerate(self._strips):
            is_thumb = has_bar and first <= y < last
            sign, ink = ("▐", "thumb") if is_thumb else (" ", "")
            self._strips[y] = Strip([*strip, Segment(sign, self.style_of(ink))], strip.cell_length + 1)

    def _fitted_look(self) -> Look | None:
        width = max(1, self.size.width - 1)
        if self._look is not None and self._look.width != width:
            self._look = self._look._replace(width=width)
            self._cache.clear()
        return self._look

    def _lines_at(self, index: int) -> list[Line]:
        look = self._look
        assert look is not None, "asked for by what has one"
        timeline = look.timeline
        row = timeline[index]
        before = timeline[index - 1] if index else None
        is_first_new = index == self._first_new
        stamp = (row, timeline.stamp(row), before, is_first_new, self._top_line if index == 0 else "")
        known = self._cache.get(row.key)
        if known is not None and known[0] == stamp:
            return known[1]
        lines = lines_of(row, before, look, is_first_new=is_first_new)
        if index == 0 and self._top_line:
            lines = [cropped(line((f" {self._top_line}", "faint")), look.width), *lines]
        self._cache[row.key] = (stamp, lines)
        return lines

    def _named_lines_at(self, index: int) -> list[Line]:
        """Return the lines of the uppermost row: who said it is not to be guessed from what is out of sight."""
        look = self._look
        assert look is not None, "asked for by what has one"
        row, before = look.timeline[index], look.timeline[index - 1]
        return lines_of(row, before, look, is_first_new=index == self._first_new, has_name=True)

    # -- moving -------------------------------------------------------------------------------

    def scroll_lines(self, by: int) -> None:
        """Move down by so many lines, up if negative."""
        look = self._fitted_look()
        if look is None:
            return
        is_top = self._window.scroll(look.timeline, by, self.size.height, self._lines_at)
        self._moved(is_top=is_top and by < 0)

    def scroll_pages(self, by: int) -> None:
        self.scroll_lines(by * max(1, self.size.height - 2))

    def go_to_end(self) -> None:
        """Show the newest, and what comes."""
        self._window.go_to_end()
        self._moved(is_top=False)

    def go_to_start(self) -> None:
        """Show the oldest that is loaded."""
        look = self._fitted_look()
        if look is not None and len(look.timeline):
            self._window.show(look.timeline, 0, self.size.height, self._lines_at)
            self._moved(is_top=True)

    def go_to(self, row: Row) -> None:
        """Choose a row and bring it into sight."""
        self._pick(row)

    def _moved(self, *, is_top: bool) -> None:
        self._is_stale = True
        self.refresh()
        if is_top:
            self.post_message(OlderWanted())
        self.post_message(Looked(is_at_end=self._window.is_at_end))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.scroll_lines(WHEEL_LINES)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.scroll_lines(-WHEEL_LINES)
        event.stop()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.x == self.size.width - 1:
            self._is_dragging = True
            self.capture_mouse()
            self._drag(event.y)
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._is_dragging:
            self._drag(event.y)

    def on_mouse_up(self) -> None:
        if self._is_dragging:
            self._is_dragging = False
            self.release_mouse()

    def _drag(self, y: int) -> None:
        look = self._fitted_look()
        if look is None or not len(look.timeline):
            return
        part = max(0.0, min(1.0, y / max(1, self.size.height - 1)))
        if part >= 1.0:
            self.go_to_end()
            return
        self._window.show(look.timeline, int(part * len(look.timeline)), self.size.height, self._lines_at)
        self._moved(is_top=part == 0.0)

    # -- choosing a message -------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        index = self._at[event.y] if event.y < len(self._at) else -1
        if index >= 0 and self._look is not None and event.x < self.size.width - 1:
            row = self._look.timeline[index]
            if isinstance(row, Post | Draft):
                self._pick(row)

    def action_pick(self, by: int) -> None:
        """Choose the message above or below; below the last one, choosing ends."""
        look = self._fitted_look()
        if look is None:
            return
        at = self._picked_index()
        index = (len(look.timeline) if at is None else at) + by
        while 0 <= index < len(look.timeline) and not _can_be_picked(look.timeline[index], look):
            index += by
        if index >= len(look.timeline):
            self.action_end_picking()
        elif index >= 0:
            self._pick(look.timeline[index])
        else:
            self._moved(is_top=True)

    def action_choose(self, what: str) -> None:
        """Do something with the message that is chosen."""
        if self._picked is not None:
            self.post_message(ItemChosen(what, self._picked))

    def action_end_picking(self) -> None:
        self.end_picking()
        self.post_message(PickingEnded())

    def end_picking(self) -> None:
        """Choose no message any more."""
        self._picked = None
        self._is_stale = True
        self.refresh()

    def on_blur(self) -> None:
        self.end_picking()

    def _pick(self, row: Row) -> None:
        look = self._fitted_look()
        if look is None:
            return
        self._picked = row
        self.focus()
        self._window.show(look.timeline, look.timeline.index(row), self.size.height, self._lines_at)
        self._moved(is_top=False)

    def _picked_index(self) -> int | None:
        if self._picked is None or self._look is None:
            return None
        return index_of(self._picked, self._look.timeline)


def _can_be_picked(row: Row, look: Look) -> bool:
    return isinstance(row, Draft) or (isinstance(row, Post) and row.sender not in look.ignored)
