"""Search: words above, what was found below; Enter goes to the message."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sendall.errors import SendallError
from sendall.tui.drawing.ink import hue_of
from sendall.tui.drawing.line import Line, line
from sendall.tui.drawing.rows import first_words
from sendall.tui.finding import Hit, hits
from sendall.tui.hall import Hall
from sendall.tui.widgets.found import Found


class Search(ModalScreen[Hit | None]):
    """Finds messages in the open rooms; gives the one to go to, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "put_away", "close"),
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
        Binding("pageup", "step(-10)", show=False),
        Binding("pagedown", "step(10)", show=False),
    ]

    def __init__(self, hall: Hall, words: str) -> None:
        super().__init__()
        self._hall = hall
        self._words = words

    def compose(self) -> ComposeResult:
        with Vertical(id="search-box") as box:
            box.border_title = "search"
            box.border_subtitle = "↑↓ choose · Enter goes there · Esc closes"
            yield Input(self._words, placeholder="words, or from:name", id="words", select_on_focus=False)
            yield Found(id="found")
            yield Static("", id="remark", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._search(self._words)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    @work(exclusive=True)
    async def _search(self, words: str) -> None:
        remark = self.query_one("#remark", Static)
        try:
            found = await hits(self._hall, words)
        except SendallError as error:
            remark.update(str(error))
            return
        self.query_one(Found).show_hits([(hit, _line(hit, has_room=len(self._hall.rooms) > 1)) for hit in found])
        kept = "what this device has kept" if self._hall.shelf.is_on else "what is loaded: the archive is off"
        remark.update(f"{len(found)} found in {kept}" if words.strip() else f"searches {kept}")

    @on(Input.Submitted)
    def _go(self) -> None:
        self.dismiss(self.query_one(Found).chosen)

    @on(Found.Clicked)
    def _clicked(self) -> None:
        self._go()

    def action_step(self, by: int) -> None:
        self.query_one(Found).step(by)

    def action_put_away(self) -> None:
        self.dismiss(None)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)


def _line(hit: Hit, *, has_room: bool) -> Line:
    return line(
        (f"{hit.time.astimezone():%d %b %H:%M} ", "time"),
        (f"{hit.room.name} " if has_room else "", "key"),
        (hit.nick, hue_of(hit.sender)),
        (f"·{hit.room.timeline.tag(hit.sender)}  ", "tag"),
        (first_words(hit.text), ""),
    )
