"""The application: joins the hall to the widgets. Keys and clicks come in as messages, changes go out once a frame.

Holds no rule of a room and draws nothing itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import ClassVar

from textual import on, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sendall.client.conversation.inline import mention_of
from sendall.client.conversation.rows import Post
from sendall.errors import SendallError
from sendall.tui import alerts, emoji
from sendall.tui.commands.table import all_commands
from sendall.tui.completion import Choice, Choices, choices_at
from sendall.tui.drawing.rows import first_words
from sendall.tui.front_desk import FrontDesk
from sendall.tui.hall import Hall
from sendall.tui.item_actions import do_with
from sendall.tui.messages import (
    Entered,
    HitChosen,
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
from sendall.tui.screens.room import RoomScreen
from sendall.tui.shelf import Shelf
from sendall.tui.themes import DARK, THEMES
from sendall.tui.widgets.composer import Composer
from sendall.tui.widgets.suggestions import Suggestions
from sendall.tui.writing import Aim, Writing

STDIN = 0
FRAME_S = 1 / 20
"""Changes within it are shown together."""
TICK_S = 0.5
"""How often countdowns and the like are looked at."""


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
        self.hall = Hall(
            *(opening.client, self.profile, opening.clock, Shelf(opening.archive)), self.note_change, self.note_mention
        )
        self.registry = all_commands()
        self.desk = FrontDesk(self, self.hall, opening, self.registry)
        self.writing = Writing()
        self._is_due = False
        self._is_in_focus = True
        self.failure: SendallError | None = None
        """Why the application ended by itself; to be raised by whoever ran it."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.profile.theme if self.profile.theme in self.available_themes else DARK

    def get_default_screen(self) -> Screen[None]:
        return RoomScreen()

    @property
    def main(self) -> RoomScreen:
        """The room, under whatever covers it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, RoomScreen), "made by get_default_screen"
        return screen

    # -- the beginning ------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.set_interval(TICK_S, self.note_change)
        self.set_interval(TICK_S, self._end_without_terminal)
        self._begin()

    def _end_without_terminal(self) -> None:
        # Not everything that takes a terminal away sends SIGHUP, and what reads one that is gone never waits again.
        if not self.is_headless and not os.isatty(STDIN):
            self.exit()

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
        view = self.main.timeline
        if view.is_at_end:
            room.trim()
        self.hall.watch(is_watched=view.is_at_end and self._is_in_focus and self.screen is self.main)
        if room.take_redraw():
            view.forget_drawn()
        self.main.show_frame(self.hall, room, self.writing.title, is_tls=self.opening.is_tls)

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

    # -- what the person does -----------------------------------------------------------------

    @on(Entered)
    async def _entered(self, message: Entered) -> None:
        composer = self.main.composer
        self.main.note.show_lines([])
        try:
            await self.writing.enter(self.desk, self.registry, message.text)
        except SendallError as error:
            self.desk.complain(str(error), error.hint)
            if not composer.text:
                composer.fill(message.text)  # to be corrected; else the arrow key brings it back
            return
        self.main.timeline.go_to_end()
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
            composer = self.main.composer
            if composer.is_offering or choices.choices:
                composer.offer(choices, at=at)

    @on(Composer.Offered)
    def _offered(self, message: Composer.Offered) -> None:
        self.main.query_one(Suggestions).show_choices(message.choices, message.at)

    @on(Suggestions.Clicked)
    def _suggestion_clicked(self, message: Suggestions.Clicked) -> None:
        self.main.composer.take(message.at)

    @on(RoomChosen)
    def _room_chosen(self, message: RoomChosen) -> None:
        room = self.hall.find(message.name)
        if room is not None:
            self._show_room(room)

    @on(PersonChosen)
    def _person_chosen(self, message: PersonChosen) -> None:
        composer = self.main.composer
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
        self.main.composer.focus()

    @on(ItemChosen)
    def _item_chosen(self, message: ItemChosen) -> None:
        try:
            do_with(self.desk, self.writing, message.what, message.row, self._bind)
        except SendallError as error:
            self.desk.complain(str(error), error.hint)
        self.note_change()

    @on(HitChosen)
    @work(exclusive=True, group="hit")
    async def _hit_chosen(self, message: HitChosen) -> None:
        hit = message.hit
        self.hall.show(hit.room)
        post = hit.room.timeline.post(hit.seq) or await hit.room.load_until(hit.seq)
        self.show_changes()
        if post is None:
            self.desk.complain("the server does not keep this message any more", first_words(hit.text))
        else:
            self.main.timeline.go_to(post)

    def _bind(self, aim: Aim, post: Post) -> None:
        self.writing.bind(aim, post, self.desk.room.me)
        composer = self.main.composer
        if aim is Aim.EDIT:
            composer.fill(post.text)
        composer.focus()
        if aim is Aim.REACT:
            composer.fill("")
            composer.offer(Choices(0, [Choice(sign, sign) for sign in emoji.FAVOURITES]), at=0)

    def _show_room(self, room: OpenRoom) -> None:
        self.writing.release()
        self.hall.show(room)
        self.main.composer.focus()
        self.show_changes()

    # -- keys ---------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the room do nothing while something covers it, but for the end and what a sheet knows itself."""
        if len(self.screen_stack) > 1 and action not in ("leave", "stop"):
            return action in ("quit", "copy_text") or None if action != "help" else False
        return True

    def action_fold(self, pane: str) -> None:
        self.main.toggle(pane)
        self.note_change()

    def action_help(self) -> None:
        self.desk.open_help()

    def action_search(self) -> None:
        if self.hall.current is not None:
            self.desk.open_search("")

    def action_leave(self) -> None:
        self.desk.leave()

    def action_stop(self) -> None:
        """Copy what is marked; else clear the line; else leave."""
        composer = self.main.composer
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
        composer = self.main.composer
        if composer.text:
            composer.action_delete_right()
        else:
            self.desk.leave()

    def action_scroll_pages(self, by: int) -> None:
        self.main.timeline.scroll_pages(by)

    def action_scroll_note(self, by: int) -> None:
        self.main.note.scroll_lines(by)

    def action_scroll_to_start(self) -> None:
        self.main.timeline.go_to_start()

    def action_scroll_to_end(self) -> None:
        self.main.timeline.go_to_end()

    def action_step_room(self, by: int) -> None:
        self.hall.step(by)
        if self.hall.current is not None:
            self._show_room(self.hall.current)

    def action_go_to_room(self, number: int) -> None:
        if number <= len(self.hall.rooms):
            self._show_room(self.hall.rooms[number - 1])

    def action_pick(self) -> None:
        """Choose the last message."""
        self.main.timeline.action_pick(-1)

    def action_put_away(self) -> None:
        """Put away, at Escape, the first of: what is being answered or edited, an answer, the way back to the end."""
        note = self.main.note
        if self.writing.release():
            self.main.composer.fill("")
        elif note.is_shown:
            note.show_lines([])
        else:
            self.main.timeline.go_to_end()
        self.main.composer.focus()
        self.note_change()

    async def on_unmount(self) -> None:
        await self.hall.close()
