"""Where the styles of all inks are looked up: one hidden widget, so that each is worked out once and not per widget."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.widget import Widget

from sendall.tui.drawing.ink import INKS


class InkBook(Widget):
    """Knows what each ink adds to a style, by the component classes of `app.tcss`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{name}" for name in INKS}

    def style_of(self, name: str) -> Style:
        """Return what the ink of this name adds."""
        return self.get_component_rich_style(f"ink--{name}", partial=True)
