"""A sheet of rows over the room, with a title, put away by Escape: help, and the card with the ways in."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from sendall.tui.drawing.line import Line
from sendall.tui.widgets.page import Page


class Sheet(ModalScreen[str]):
    """Rows that scroll; any of Escape, q, Enter and F1 puts it away, and so does a click beside it.

    So does typing: the result is what was typed, which was meant for what the sheet covers; else it is empty.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,f1", "put_away", "close")]

    def __init__(self, title: str, draw: Callable[[int], list[Line]]) -> None:
        super().__init__()
        self._title = title
        self._draw = draw
        self._typed = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="sheet") as box:
            box.border_title = Content(self._title)  # a name may be in it, which is no markup
            box.border_subtitle = "Esc closes · ↑↓ scroll"
            yield Page(self._draw, id="page")

    def on_mount(self) -> None:
        self.query_one(Page).focus()

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.action_put_away()

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character not in (None, "q", " "):
            event.stop()
            # What is typed fast is in this sheet's queue already: all of it goes on in one.
            if not self._typed:
                self.call_later(self.action_put_away)
            self._typed += event.character or ""

    def action_put_away(self) -> None:
        self.dismiss(self._typed)
