"""What must not be overlooked, across the top: a lost connection, an alarm, a room that is closed to us."""

from __future__ import annotations

from sendall.tui.drawing.line import Line, line, wrapped
from sendall.tui.widgets.inked import Inked


class Banner(Inked):
    """Sentences in one of two moods: `-alarm` (stop and look) or a plain warning."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._sentences: tuple[str, ...] = ()

    def show_sentences(self, *sentences: str, is_alarm: bool = False) -> None:
        """Show these, or nothing if there are none."""
        if sentences == self._sentences:
            return
        self._sentences = sentences
        self.set_class(is_alarm, "-alarm")
        self.display = bool(sentences)
        self.redraw(layout=True)

    def lines_at(self, width: int) -> list[Line]:
        inner = max(1, width - 2)
        return [
            [(" ", ""), *each]
            for n, sentence in enumerate(self._sentences)
            for each in wrapped(line((sentence, "" if n else "bold")), inner)
        ]
