"""A widget that draws rows: the base of all of ours. Inks become styles by the `InkBook`."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from sendall.tui.drawing.line import Line
from sendall.tui.widgets.ink_book import InkBook


class Inked(Widget):
    """Shows the rows that `lines_at` returns for the present width."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._styles_by_ink: dict[str, Style] = {}
        self._drawn: list[Strip] | None = None
        self._drawn_width = -1

    def lines_at(self, width: int) -> list[Line]:
        """Return what to show in `width` cells."""
        raise NotImplementedError

    def redraw(self, *, layout: bool = False) -> None:
        """What is to be shown has changed; with `layout`, perhaps also how many rows it has."""
        self._drawn = None
        self.refresh(layout=layout)

    def style_of(self, ink: str) -> Style:
        """Return the style of an ink over this widget's own."""
        style = self._styles_by_ink.get(ink)
        if style is None:
            style = self.rich_style
            book = self.app.screen_stack[0].query_one(InkBook)
            for name in ink.split():
                style += book.style_of(name)
            self._styles_by_ink[ink] = style
        return style

    def strip_of(self, line: Line, width: int) -> Strip:
        """Return a line as wide as the widget."""
        strip = Strip([Segment(text, self.style_of(ink)) for text, ink in line])
        return strip.adjust_cell_length(width, self.style_of(""))

    def notify_style_update(self) -> None:
        """Forget the styles: the theme or the classes changed."""
        super().notify_style_update()
        self._styles_by_ink.clear()
        self._drawn = None

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._drawn is None or self._drawn_width != width:
            self._drawn = [self.strip_of(line, width) for line in self.lines_at(width)]
            self._drawn_width = width
        return self._drawn[y] if y < len(self._drawn) else Strip.blank(width, self.style_of(""))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.lines_at(width))
