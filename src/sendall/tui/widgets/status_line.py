"""The one row at the bottom: where one is, how the connection is, and what is on its way."""

from __future__ import annotations

from sendall.tui.drawing.line import Line, cropped, line, width_of
from sendall.tui.standing import Standing
from sendall.tui.widgets.inked import Inked

GAP = "  "


class StatusLine(Inked):
    """The state of the room that is shown, most important first; what has no room is left out."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._standing: Standing | None = None

    def show_standing(self, standing: Standing) -> None:
        if standing != self._standing:
            self._standing = standing
            self.redraw()

    def lines_at(self, width: int) -> list[Line]:
        if self._standing is None:
            return [[]]
        left: Line = [(" ", "")]
        for piece in self._standing.pieces():
            if width_of(left) + width_of(line(piece)) + len(GAP) > width and len(left) > 1:
                continue
            left += [*line(piece), (GAP, "")]
        return [cropped(left, width)]
