"""A column of things to choose: rooms, people. Scrolls by the wheel, chooses by a click."""

from __future__ import annotations

from typing import NamedTuple

from textual import events

from sendall.tui.drawing.line import Line, cropped, line, spread
from sendall.tui.widgets.inked import Inked


class Item(NamedTuple):
    """One thing in a column."""

    key: str
    """What it is called when it is chosen."""
    left: Line
    right: Line
    is_current: bool = False


class ListPane(Inked):
    """A title and items; the current one is marked, and kept in sight."""

    TITLE = ""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._items: list[Item] = []
        self._top = 0

    def show_items(self, items: list[Item]) -> None:
        """Show these, unless they are shown already."""
        if items != self._items:
            self._items = items
            self._keep_in_sight()
            self.redraw()

    def chosen(self, key: str) -> None:
        """Tell that the item of `key` was clicked."""
        raise NotImplementedError

    def lines_at(self, width: int) -> list[Line]:
        room = max(0, self.size.height - 1)
        rows = [cropped(line((f" {self.TITLE}", "title")), width)]
        for item in self._items[self._top : self._top + room]:
            shown = spread(item.left, [*item.right, (" ", "")], width)
            rows.append([(text, f"chosen {ink}" if item.is_current else ink) for text, ink in shown])
        hidden = len(self._items) - self._top - room
        if hidden > 0 and room:
            rows[-1] = line((f" … {hidden + 1} more", "faint"))
        return rows

    def on_resize(self) -> None:
        self._keep_in_sight()
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        at = event.y - 1 + self._top
        if event.y >= 1 and at < len(self._items):
            self.chosen(self._items[at].key)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scroll(3)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scroll(-3)
        event.stop()

    def _scroll(self, rows: int) -> None:
        self._top = max(0, min(self._top + rows, len(self._items) - self.size.height + 1))
        self.redraw()

    def _keep_in_sight(self) -> None:
        room = max(1, self.size.height - 2)
        self._top = max(0, min(self._top, len(self._items) - room))
        at = next((n for n, item in enumerate(self._items) if item.is_current), None)
        if at is not None and not self._top <= at < self._top + room:
            self._top = max(0, at - room + 1)
