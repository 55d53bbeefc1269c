"""What the application answers to the person: the outcome of a command, an error with its hint.

Stands above the composer until the next line is sent, or Escape.
"""

from __future__ import annotations

from textual import events

from sendall.tui.drawing.line import Line, cropped, line, wrapped
from sendall.tui.widgets.inked import Inked

ROWS = 10
"""Rows that are in sight at once; a longer answer scrolls."""


class Note(Inked):
    """An answer in rows."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._rows: list[Line] = []
        self._top = 0

    @property
    def is_shown(self) -> bool:
        return bool(self._rows)

    def show_lines(self, rows: list[Line]) -> None:
        """Show these, in place of what was shown; nothing if there are none."""
        self._rows, self._top = rows, 0
        self.display = bool(rows)
        self.redraw(layout=True)

    def lines_at(self, width: int) -> list[Line]:
        most = max(2, min(ROWS, self.screen.size.height // 2 - 2))
        rows = [each for line in self._rows for each in wrapped(line, max(1, width - 2))]
        self._top = max(0, min(self._top, len(rows) - most))
        shown = [[(" ", ""), *each] for each in rows[self._top : self._top + most]]
        hidden = len(rows) - self._top - most
        if hidden > 0:
            shown[-1] = cropped(line((f" … {hidden + 1} more rows: wheel, or Alt+PgDn", "faint")), width)
        return shown

    def scroll_lines(self, rows: int) -> None:
        self._top += rows
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.scroll_lines(2)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.scroll_lines(-2)
        event.stop()
