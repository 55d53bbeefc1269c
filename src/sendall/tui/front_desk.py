"""What commands may do to the application, done: the `Desk` of a running one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from textual.app import App

from sendall.errors import UsageError
from sendall.tui.commands.registry import Registry
from sendall.tui.drawing.line import Line, line
from sendall.tui.finding import Hit
from sendall.tui.hall import Hall
from sendall.tui.help_text import help_lines
from sendall.tui.messages import HitChosen
from sendall.tui.open_room import OpenRoom
from sendall.tui.opening import Opening
from sendall.tui.screens.search import Search
from sendall.tui.screens.sheet import Sheet
from sendall.tui.themes import DARK, LIGHT
from sendall.tui.ways_in import WaysIn, lines_of
from sendall.tui.widgets.composer import Composer
from sendall.tui.widgets.note import Note


class FrontDesk:
    """Carries out what commands ask for."""

    def __init__(self, app: App[None], hall: Hall, opening: Opening, registry: Registry) -> None:
        self.hall = hall
        self._app = app
        self._opening = opening
        self._registry = registry
        self._why_stay: Callable[[], str] = opening.why_stay

    @property
    def room(self) -> OpenRoom:
        """The room that is shown.

        Raises:
            UsageError: none is open yet.
        """
        if self.hall.current is None:
            raise UsageError("no room is open yet", hint="/join NAME opens one")
        return self.hall.current

    # -- answers ------------------------------------------------------------------------------

    def answer(self, *sentences: str) -> None:
        self._show([line((each, "")) for each in sentences])

    def answer_table(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        width = max((len(left) for left, _ in lines), default=0)
        rows = [line((f"{left:<{width}}  ", "key"), (right, "faint")) for left, right in lines]
        self._show([line((title, "title")), *rows])

    def complain(self, sentence: str, hint: str = "") -> None:
        """Show what went wrong, and what to do."""
        lines = [line((sentence, "warning"))]
        self._show([*lines, line((hint, "faint"))] if hint else lines)

    def _show(self, lines: list[Line]) -> None:
        self._app.query_one(Note).show_lines(lines)

    # -- what covers the room -----------------------------------------------------------------

    def open_help(self) -> None:
        self._cover(Sheet("help", partial(help_lines, self._registry)))

    def _cover(self, sheet: Sheet) -> None:
        """Put a sheet over the room; who goes on typing over it types into the composer."""
        self._app.push_screen(sheet, self._type)

    def _type(self, typed: str | None) -> None:
        self._app.screen.query_one(Composer).insert(typed or "")

    def open_card(self) -> None:
        self._cover(Sheet("how others come in", partial(lines_of, self.ways_in())))

    def open_search(self, words: str) -> None:
        self._app.push_screen(Search(self.hall, words), self._go_to)

    def _go_to(self, hit: Hit | None) -> None:
        if hit is not None:
            self._app.post_message(HitChosen(hit))

    def open_lines(self, title: str, draw: Callable[[int], list[Line]]) -> None:
        """Show something in full."""
        self._cover(Sheet(title, draw))

    def ways_in(self) -> WaysIn:
        return self._opening.ways

    # -- the rest -----------------------------------------------------------------------------

    def turn_to(self, room: OpenRoom) -> None:
        self.hall.show(room)

    def themes(self) -> list[str]:
        return sorted(self._app.available_themes)

    def set_theme(self, name: str) -> str:
        name = name or (LIGHT if self._app.current_theme.dark else DARK)
        name = {"dark": DARK, "light": LIGHT}.get(name, name)
        if name not in self._app.available_themes:
            raise UsageError(f"there is no theme {name!r}", hint="dark and light are ours; Tab lists the others")
        self._app.theme = name
        self.hall.profile.theme = name
        self.hall.profile.save()
        return name

    def copy(self, text: str) -> None:
        """Put a text into the clipboard, where the terminal lets programs do that (OSC 52)."""
        self._app.copy_to_clipboard(text)
        self.answer("copied, if your terminal lets programs do that")

    def leave(self) -> None:
        sentence = self._why_stay()
        self._why_stay = lambda: ""
        if sentence:
            self.complain(sentence)
        else:
            self._app.exit()
