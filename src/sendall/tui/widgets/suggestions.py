"""What can be chosen for what was begun: a few rows above the composer."""

from __future__ import annotations

from textual import events
from textual.message import Message

from sendall.tui.completion import Choice
from sendall.tui.drawing.line import Line, line, spread
from sendall.tui.widgets.inked import Inked

LABEL = 22
"""Cells that choices get before what they are for."""
ROWS = 7
"""Choices that are in sight at once."""


class Suggestions(Inked):
    """Choices, one a row; the one that Tab takes is marked."""

    class Clicked(Message):
        """A choice was clicked."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._choices: list[Choice] = []
        self._at = -1
        self._top = 0

    def show_choices(self, choices: list[Choice], at: int) -> None:
        """Show these; nothing is shown if there are none."""
        self._choices, self._at = choices, at
        self._top = max(0, min(max(at - ROWS + 1, 0), len(choices) - ROWS))
        self.display = bool(choices)
        self.redraw(layout=True)

    def lines_at(self, width: int) -> list[Line]:
        lines = []
        label = min(LABEL, max((len(choice.label) for choice in self._choices), default=0))
        for n, choice in enumerate(self._choices[self._top : self._top + ROWS], self._top):
            ink = "chosen" if n == self._at else ""
            left = line((f" {choice.label:<{label}}", f"{ink} key"), (f"  {choice.note}", f"{ink} faint"))
            lines.append(spread(left, [], width, ink))
        return lines

    def on_click(self, event: events.Click) -> None:
        if self._top + event.y < len(self._choices):
            self.post_message(self.Clicked(self._top + event.y))
