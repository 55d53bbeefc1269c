"""The room itself, and all that stands around it: panes, timeline, composer, status line.

Lays out the widgets and brings them up to date with the hall; decides nothing.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from sendall.tui import showing
from sendall.tui.hall import Hall
from sendall.tui.open_room import OpenRoom
from sendall.tui.widgets.banner import Banner
from sendall.tui.widgets.composer import Composer
from sendall.tui.widgets.heading import Heading
from sendall.tui.widgets.ink_book import InkBook
from sendall.tui.widgets.members_pane import MembersPane
from sendall.tui.widgets.note import Note
from sendall.tui.widgets.rooms_pane import RoomsPane
from sendall.tui.widgets.status_line import StatusLine
from sendall.tui.widgets.suggestions import Suggestions
from sendall.tui.widgets.timeline import TimelineView

ROOMS_FROM, PEOPLE_FROM = 90, 112
"""Columns of the terminal from which the panes are unfolded by themselves."""


class RoomScreen(Screen[None]):
    """The screen that is always there, under whatever covers it."""

    AUTO_FOCUS = "#composer"

    def __init__(self) -> None:
        super().__init__()
        self._folds: dict[str, bool] = {}  # what the person wants, whatever the width

    def compose(self) -> ComposeResult:
        yield Banner(id="banner")
        with Horizontal(id="middle"):
            yield RoomsPane(id="rooms")
            with Vertical(id="talk"):
                yield Heading(id="heading")
                yield TimelineView(id="timeline")
                yield Note(id="note")
                yield Suggestions(id="suggestions")
                with Horizontal(id="writing"):
                    yield Static("❯ ", id="prompt")
                    yield Composer(id="composer")
            yield MembersPane(id="people")
        yield StatusLine(id="status")
        yield InkBook()

    def on_resize(self) -> None:
        self._fold()

    # -- its parts ----------------------------------------------------------------------------

    @property
    def timeline(self) -> TimelineView:
        return self.query_one(TimelineView)

    @property
    def composer(self) -> Composer:
        return self.query_one(Composer)

    @property
    def note(self) -> Note:
        return self.query_one(Note)

    def toggle(self, pane: str) -> None:
        """Show or fold a pane, whatever the width."""
        self._folds[pane] = bool(self.query_one(f"#{pane}").display)
        self._fold()

    def _fold(self) -> None:
        width = self.app.size.width
        for pane, least in (("rooms", ROOMS_FROM), ("people", PEOPLE_FROM)):
            self.query(f"#{pane}").set(display=not self._folds.get(pane, width < least))

    # -- what it shows ------------------------------------------------------------------------

    def show_frame(self, hall: Hall, room: OpenRoom, title: str, *, is_tls: bool) -> None:
        """Bring every widget up to date; `title` stands above the composer if what is written is about something."""
        view = self.timeline
        top_line = showing.top_line(room)
        view.show_look(room.look(max(1, view.size.width - 1)), room.mark.new_after, top_line)
        sentences, is_alarm = showing.sentences_of(hall, room)
        self.query_one(Banner).show_sentences(*sentences, is_alarm=is_alarm)
        self.query_one(RoomsPane).show_rooms(showing.room_lines(hall))
        people = self.query_one(MembersPane)
        if people.display:
            people.show_people(showing.person_lines(room), room.room.present)
        self.query_one(Heading).show_room(
            *(room.name, room.timeline.topic, room.room.kind_line, showing.elsewhere(hall)), is_private=room.is_private
        )
        self.query_one(StatusLine).show_standing(showing.standing_of(hall, room, is_tls=is_tls))
        rule = self.query_one("#writing")
        rule.border_title = _plain(title or showing.above_composer(room, view.below))
        rule.set_class(bool(title), "-bound")


def _plain(title: str) -> Content | None:
    """Return a title as it stands: what people say is no markup, which could even call actions."""
    return Content(title) if title else None
