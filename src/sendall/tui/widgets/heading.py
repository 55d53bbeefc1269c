"""The row above the timeline: which room this is, what it is about, who can read it."""

from __future__ import annotations

from sendall.tui.drawing.line import Line, line, spread
from sendall.tui.widgets.inked import Inked


class Heading(Inked):
    """Name, topic, kind."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._facts = ("", "", "", "", False)

    def show_room(self, name: str, topic: str, kind_line: str, elsewhere: str, *, is_private: bool) -> None:
        """`elsewhere`: what is unread in other rooms."""
        facts = (name, topic, kind_line, elsewhere, is_private)
        if facts != self._facts:
            self._facts = facts
            self.redraw()

    def lines_at(self, width: int) -> list[Line]:
        name, topic, kind_line, elsewhere, is_private = self._facts
        left = line((f" {'◆' if is_private else '#'} {name}", "title"), (f"  {topic}" if topic else "", "faint"))
        kind = line((kind_line if width >= 70 else kind_line.partition(" ")[0], "done" if is_private else "warning"))
        other = line((elsewhere, "accent"), ("  " if elsewhere else "", ""))
        return [spread(left, [*other, *kind, (" ", "")], width)]
