"""The application: joins the hall to the widgets. Keys and clicks come in as messages, changes go out once a frame.

Holds no rule of a room and draws nothing itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from sendall.client.conversation import markdown
from sendall.client.conversation.inline import mention_of
from sendall.client.conversation.rows import Draft, Post
from sendall.client.names import safe_lines
from sendall.errors import SendallError
from sendall.tui import alerts, emoji, showing
from sendall.tui.commands.table import all_commands
from sendall.tui.completion import Choice, Choices, choices_at
from sendall.tui.drawing.line import Line, line
from sendall.tui.drawing.prose import flows_of
from sendall.tui.front_desk import FrontDesk
from sendall.tui.hall import Hall
from sendall.tui.messages import (
    Entered,
    ItemChosen,
    Looked,
    OlderWanted,
    PersonChosen,
    PickingEnded,
    RoomChosen,
    Typing,
)
from sendall.tui.open_room import Mentioned, OpenRoom
from sendall.tui.opening import Opening
from sendall.tui.profile import Profile
from sendall.tui.screens.first_name import FirstName
from sendall.tui.themes import DARK, THEMES
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
from sendall.tui.writing import Aim, Writing

FRAME_S = 1 / 30
"""Changes within it are shown together."""
TICK_S = 0.5
"""How often countdowns and the like are looked at."""
ROOMS_FROM, PEOPLE_FROM = 90, 112
"""Columns of the terminal from which the panes are unfolded by themselves."""


class SendallApp(App[None]):
    """The full-screen application of one client."""

    CSS_PATH = "app.tcss"
    TITLE = "sendall"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "help", priority=True),
        Binding("f2", "fold('rooms')", "rooms", priority=True),
        Binding("f3", "fold('people')", "people", priority=True),
        Binding("ctrl+f", "search", "search", priority=True),
        Binding("ctrl+c", "stop", show=False, priority=True),
        Binding("ctrl+d", "leave_if_empty", show=False, priority=True),
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("pageup", "scroll_pages(-1)", show=False, priority=True),
        Binding("pagedown", "scroll_pages(1)", show=False, priority=True),
        Binding("alt+pageup", "scroll_note(-3)", show=False, priority=True),
        Binding("alt+pagedown", "scroll_note(3)", show=False, priority=True),
        Binding("ctrl+home", "scroll_to_start", show=False, priority=True),
        Binding("ctrl+end", "scroll_to_end", show=False, priority=True),
        Binding("alt+up,ctrl+p", "step_room(-1)", show=False, priority=True),
        Binding("alt+down,ctrl+n", "step_room(1)", show=False, priority=True),
        *(Binding(f"alt+{n}", f"go_to_room({n})", show=False, priority=True) for n in range(1, 10)),
        Binding("ctrl+up", "pick", show=False),
        Binding("escape", "put_away", show=False),
    ]

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self.opening = opening
        self.profile = Profile(opening.folder)
        self.hall = Hall(opening.client, self.profile, opening.clock, self.note_change, self.note_mention)
        self.registry = all_commands()
        self.desk = FrontDesk(self, self.hall, opening, self.registry)
        self.writing = Writing()
        self._is_due = False
        self._is_in_focus = True
        self._folds: dict[str, bool] = {}  # what the person wants, whatever the width
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.profile.theme if self.profile.theme in self.available_themes else DARK

    # -- what there is ------------------------------------------------------------------------

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

    def on_mount(self) -> None:
        self.query_one(Composer).focus()
        self._fold()
        self.set_interval(TICK_S, self.note_change)
        self._begin()

    @work
    async def _begin(self) -> None:
        """Ask for a name if there is none, then open the rooms."""
        if self.opening.asks_name:
            nick = self.profile.nick
            if nick is None:
                nick = await self.push_screen_wait(FirstName(self.opening.client.nick))
                if nick is None:
                    self.exit()
                    return
            self.hall.rename(nick)
        try:
            self.hall.show(await self.hall.open(self.opening.room))
        except SendallError as error:
            self.failure = error
            self.exit()
            return
        if self.opening.shows_card:
            self.desk.open_card()
        if self.profile.trouble:
            self.desk.complain(self.profile.trouble)
        for name in self.profile.rooms(self.hall.server):
            with suppress(SendallError):  # gone since, or it lets us in no more: /join says why
                await self.hall.open(name)

    failure: SendallError | None = None
    """Why the application ended by itself; to be raised by whoever ran it."""

    # -- changes, once a frame ----------------------------------------------------------------

    def note_change(self) -> None:
        """Something changed: show it with the next frame. May be called thousands of times a second."""
        if not self._is_due and self.is_running:
            self._is_due = True
            self.set_timer(FRAME_S, self.show_changes)

    def show_changes(self) -> None:
        """Bring every widget up to date."""
        self._is_due = False
        room = self.hall.current
        if room is None or not self.is_running:
            return
        timeline = self._main.query_one(TimelineView)
        if timeline.is_at_end:
            room.trim()
        self.hall.watch(is_watched=timeline.is_at_end and self._is_in_focus and self.screen is self._main)
        timeline.show_look(room.look(max(1, timeline.size.width - 1)), room.mark.new_after, _top_line(room))
        self._show_frame(room)

    def _show_frame(self, room: OpenRoom) -> None:
        main = self._main
        sentences, is_alarm = showing.sentences_of(self.hall, room)
        main.query_one(Banner).show_sentences(*sentences, is_alarm=is_alarm)
        main.query_one(RoomsPane).show_rooms(showing.room_lines(self.hall))
        if main.query_one(MembersPane).display:
            main.query_one(MembersPane).show_people(showing.person_lines(room), room.room.present)
        elsewhere = showing.elsewhere(self.hall)
        main.query_one(Heading).show_room(
            room.name, room.timeline.topic, room.room.kind_line, elsewhere, is_private=room.is_private
        )
        main.query_one(StatusLine).show_standing(showing.standing_of(self.hall, room, is_tls=self.opening.is_tls))
        rule = main.query_one("#writing")
        rule.border_title = self.writing.title or showing.typing_sentence(room) or None
        rule.set_class(self.writing.bound is not None, "-bound")

    @property
    def _main(self) -> Screen[object]:
        return self.screen_stack[0]

    # -- attention ----------------------------------------------------------------------------

    def note_mention(self, mentioned: Mentioned) -> None:
        """Somebody means this person: ring, unless they look at it already or do not want it."""
        if self.profile.is_quiet:
            return
        self.bell()
        title = f"{mentioned.who} in {mentioned.room.name}"
        sequence = alerts.notification(title, mentioned.text, os.environ)
        if sequence and self._driver is not None:
            self._driver.write(sequence)  # Textual has no public way to write a sequence of one's own

    def on_app_focus(self) -> None:
        self._is_in_focus = True
        self.note_change()

    def on_app_blur(self) -> None:
        self._is_in_focus = False
        self.note_change()

    # -- width --------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._fold()
        self.note_change()

    def action_fold(self, pane: str) -> None:
        """Show or fold a pane, whatever the width."""
        self._folds[pane] = bool(self._main.query_one(f"#{pane}").display)
        self._fold()
        self.note_change()

    def _fold(self) -> None:
        width = self.size.width
        for pane, least in (("rooms", ROOMS_FROM), ("people", PEOPLE_FROM)):
            self._main.query_one(f"#{pane}").display = not self._folds.get(pane, width < least)

    # -- what the person does -----------------------------------------------------------------

    @on(Entered)
    async def _entered(self, message: Entered) -> None:
        composer = self._main.query_one(Composer)
        self._main.query_one(Note).show_lines([])
        try:
            await self.writing.enter(self.desk, self.registry, message.text)
        except SendallError as error:
            self.desk.complain(str(error), error.hint)
            return
        if composer.text == message.text:
            composer.past.add(message.text)
            composer.fill("")
        self._main.query_one(TimelineView).go_to_end()
        self.note_change()

    @on(Typing)
    def _typing(self) -> None:
        if self.hall.current is not None and self.writing.bound is None:
            self.hall.current.typed()

    @on(Composer.CompletionWanted)
    def _completion_wanted(self, message: Composer.CompletionWanted) -> None:
        if self.hall.current is not None:
            choices = choices_at(message.before, self.registry, self.desk, is_asked=message.is_asked)
            at = 0 if message.is_asked and choices.choices else -1
            composer = self._main.query_one(Composer)
            if composer.is_offering or choices.choices:
                composer.offer(choices, at=at)

    @on(Composer.Offered)
    def _offered(self, message: Composer.Offered) -> None:
        self._main.query_one(Suggestions).show_choices(message.choices, message.at)

    @on(Suggestions.Clicked)
    def _suggestion_clicked(self, message: Suggestions.Clicked) -> None:
        self._main.query_one(Composer).take(message.at)

    @on(RoomChosen)
    def _room_chosen(self, message: RoomChosen) -> None:
        room = self.hall.find(message.name)
        if room is not None:
            self._show_room(room)

    @on(PersonChosen)
    def _person_chosen(self, message: PersonChosen) -> None:
        composer = self._main.query_one(Composer)
        composer.add_word(mention_of(message.name))
        composer.focus()

    @on(OlderWanted)
    def _older_wanted(self) -> None:
        if self.hall.current is not None:
            self.run_worker(self.hall.current.load_older(), group="older")

    @on(Looked)
    def _looked(self) -> None:
        self.note_change()

    @on(PickingEnded)
    def _picking_ended(self) -> None:
        self._main.query_one(Composer).focus()

    @on(ItemChosen)
    def _item_chosen(self, message: ItemChosen) -> None:
        try:
            self._do_with_item(message)
        except SendallError as error:
            self.desk.complain(str(error), error.hint)
        self.note_change()

    def _do_with_item(self, message: ItemChosen) -> None:
        room = self.desk.room
        match message.what, message.row:
            case ("reply" | "edit" | "react") as what, Post() as post:
                self._bind(Aim(what), post)
            case "delete", Post() as post:
                self.writing.delete(self.desk, post)
            case "copy", Post() | Draft() as row:
                self.copy_to_clipboard("\n".join(safe_lines(row.text)))
                self.desk.answer("copied, if your terminal lets programs do that")
            case "open", Post() as post:
                self.desk.open_lines(f"{post.nick}·{room.timeline.tag(post.sender)}", partial(opened, post, room))
            case "retry", Draft() as draft:
                room.again(draft)
                self._main.query_one(Composer).focus()
            case "drop", Draft() as draft:
                room.drop(draft)
                self._main.query_one(Composer).focus()
            case what, _:
                self.desk.complain(f"there is nothing to {what} here", "r answers, + reacts, c copies")

    def _bind(self, aim: Aim, post: Post) -> None:
        self.writing.bind(aim, post, self.desk.room.me)
        composer = self._main.query_one(Composer)
        if aim is Aim.EDIT:
            composer.fill(post.text)
        composer.focus()
        if aim is Aim.REACT:
            composer.fill("")
            composer.offer(Choices(0, [Choice(sign, sign) for sign in emoji.FAVOURITES]), at=0)

    def _show_room(self, room: OpenRoom) -> None:
        self.writing.release()
        self.hall.show(room)
        self._main.query_one(Composer).focus()
        self.show_changes()

    # -- keys ---------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the room do nothing while something covers it, but for the end and what a sheet knows itself."""
        if len(self.screen_stack) > 1 and action not in ("leave", "stop"):
            return action in ("quit", "copy_text") or None if action != "help" else False
        return True

    def action_help(self) -> None:
        self.desk.open_help()

    def action_search(self) -> None:
        if self.hall.current is not None:
            self.desk.open_search("")

    def action_leave(self) -> None:
        self.desk.leave()

    def action_stop(self) -> None:
        """Copy what is marked; else clear the line; else leave."""
        composer = self._main.query_one(Composer)
        if composer.selected_text:
            self.copy_to_clipboard(composer.selected_text)
        elif composer.text and len(self.screen_stack) == 1:
            self.writing.release()
            composer.fill("")
            self.note_change()
        else:
            self.desk.leave()

    def action_leave_if_empty(self) -> None:
        """Leave at Ctrl+D where nothing is written; else delete the letter under the cursor."""
        composer = self._main.query_one(Composer)
        if composer.text:
            composer.action_delete_right()
        else:
            self.desk.leave()

    def action_scroll_pages(self, by: int) -> None:
        self._main.query_one(TimelineView).scroll_pages(by)

    def action_scroll_note(self, by: int) -> None:
        self._main.query_one(Note).scroll_lines(by)

    def action_scroll_to_start(self) -> None:
        self._main.query_one(TimelineView).go_to_start()

    def action_scroll_to_end(self) -> None:
        self._main.query_one(TimelineView).go_to_end()

    def action_step_room(self, by: int) -> None:
        self.hall.step(by)
        if self.hall.current is not None:
            self._show_room(self.hall.current)

    def action_go_to_room(self, number: int) -> None:
        if number <= len(self.hall.rooms):
            self._show_room(self.hall.rooms[number - 1])

    def action_pick(self) -> None:
        """Choose the last message."""
        self._main.query_one(TimelineView).action_pick(-1)

    def action_put_away(self) -> None:
        """Put away, at Escape, the first of: what is being answered or edited, an answer, the way back to the end."""
        note = self._main.query_one(Note)
        if self.writing.release():
            self._main.query_one(Composer).fill("")
        elif note.is_shown:
            note.show_lines([])
        else:
            self._main.query_one(TimelineView).go_to_end()
        self._main.query_one(Composer).focus()
        self.note_change()

    async def on_unmount(self) -> None:
        await self.hall.close()


def opened(post: Post, room: OpenRoom, width: int) -> list[Line]:
    """Return a whole message in `width` cells."""
    flows = flows_of(markdown.parse(post.text), room.look(width).is_mine)
    when = line((f"{post.time.astimezone():%A %d %B %Y, %H:%M:%S} · message {post.seq}", "faint"))
    return [when, [], *(each for flow in flows for each in flow.lines(width))]


def _top_line(room: OpenRoom) -> str:
    if room.is_loading:
        return "older messages are on their way …"
    return "this is where the room begins, or what the server keeps of it" if room.has_all else ""
