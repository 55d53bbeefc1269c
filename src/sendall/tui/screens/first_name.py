"""The one question of the first start: under which name one wants to be seen."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sendall.tui.naming import usable_name


class FirstName(ModalScreen[str | None]):
    """Asks for a name; gives it, made safe, or None if the person would rather leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c,ctrl+d", "leave", "leave", priority=True),
    ]

    def __init__(self, proposed: str) -> None:
        super().__init__()
        self._proposed = proposed

    def compose(self) -> ComposeResult:
        with Vertical(id="first-name") as box:
            box.border_title = "sendall"
            box.border_subtitle = "Enter joins · Esc leaves"
            yield Static("What should others call you?", id="question")
            yield Input(self._proposed, select_on_focus=True, id="name")
            yield Static("Beside it stands a short tag of your key, so nobody else can be you.", id="remark")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _taken(self, event: Input.Submitted) -> None:
        name = usable_name(event.value)
        if name is None:
            self.query_one("#remark", Static).update("A name needs at least one letter or digit.")
        else:
            self.dismiss(name)

    def action_leave(self) -> None:
        self.dismiss(None)
