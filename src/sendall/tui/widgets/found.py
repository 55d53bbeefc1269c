"""What a search found: one message a line, the newest first; one of them is chosen."""

from __future__ import annotations

from textual import events
from textual.message import Message

from sendall.tui.drawing.line import Line, line, spread
from sendall.tui.finding import Hit
from sendall.tui.widgets.inked import Inked


class Found(Inked):
    """Messages to choose from."""

    class Clicked(Message):
        """The one that is chosen now was clicked."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._found: list[tuple[Hit, Line]] = []
        self._at = 0

    @property
    def chosen(self) -> Hit | None:
        return self._found[self._at][0] if self._found else None

    def show_hits(self, found: list[tuple[Hit, Line]]) -> None:
        """Show these; the first is chosen."""
        self._found, self._at = found, 0
        self.redraw()

    def step(self, by: int) -> None:
        """Choose the one so many lines below."""
        self._at = max(0, min(self._at + by, len(self._found) - 1))
        self.redraw()

    def lines_at(self, width: int) -> list[Line]:
        if not self._found:
            return [line(("  nothing", "faint"))]
        top = self._top()
        shown = []
        for n, (_, each) in enumerate(self._found[top : top + self.size.height], top):
            is_chosen = n == self._at
            marked = [("› " if is_chosen else "  ", "key"), *each]
            whole = spread(marked, [], width)
            shown.append([(text, f"chosen {ink}") for text, ink in whole] if is_chosen else whole)
        return shown

    def _top(self) -> int:
        return max(0, min(self._at - self.size.height // 2, len(self._found) - self.size.height))

    def on_click(self, event: events.Click) -> None:
        at = self._top() + event.y
        if at < len(self._found):
            self._at = at
            self.redraw()
            self.post_message(self.Clicked())

    def on_mouse_scroll_down(self) -> None:
        self.step(3)

    def on_mouse_scroll_up(self) -> None:
        self.step(-3)
