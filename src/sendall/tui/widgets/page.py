"""Rows that may be more than fit: scrolls by keys and wheel. What help and card are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from sendall.tui.drawing.line import Line
from sendall.tui.widgets.inked import Inked


class Page(Inked, can_focus=True):
    """Shows what `draw` returns for the present width."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_rows(-1)", show=False),
        Binding("down,j", "scroll_rows(1)", show=False),
        Binding("pageup,b", "scroll_rows(-10)", show=False),
        Binding("pagedown,space", "scroll_rows(10)", show=False),
        Binding("home,g", "scroll_rows(-100000)", show=False),
        Binding("end,G", "scroll_rows(100000)", show=False),
    ]

    def __init__(self, draw: Callable[[int], list[Line]], *, id: str) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._top = 0

    def lines_at(self, width: int) -> list[Line]:
        return self._draw(width)[self._top :]

    def action_scroll_rows(self, rows: int) -> None:
        """Scroll by so many rows, as far as there are any."""
        most = max(0, len(self._draw(self.size.width)) - self.size.height)
        self._top = max(0, min(self._top + rows, most))
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.action_scroll_rows(3)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.action_scroll_rows(-3)
        event.stop()
