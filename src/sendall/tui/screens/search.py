"""Search: words above, what was found below; Enter goes to the message."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sendall.client.conversation.rows import Post
from sendall.tui.drawing.ink import hue_of
from sendall.tui.drawing.line import line
from sendall.tui.drawing.rows import first_words
from sendall.tui.finding import found_in
from sendall.tui.open_room import OpenRoom
from sendall.tui.widgets.found import Found


class Search(ModalScreen[Post | None]):
    """Finds messages of one room; gives the one to go to, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "put_away", "close"),
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
        Binding("pageup", "step(-10)", show=False),
        Binding("pagedown", "step(10)", show=False),
    ]

    def __init__(self, room: OpenRoom, words: str) -> None:
        super().__init__()
        self._room = room
        self._words = words

    def compose(self) -> ComposeResult:
        with Vertical(id="search-box") as box:
            box.border_title = f"search in {self._room.name}"
            box.border_subtitle = "↑↓ choose · Enter goes there · Esc closes"
            yield Input(self._words, placeholder="words, or from:name", id="words", select_on_focus=False)
            yield Found(id="found")
            yield Static("", id="remark")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._search(self._words)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, words: str) -> None:
        posts = found_in(self._room.timeline, words, self._room.ignored)
        timeline = self._room.timeline
        self.query_one(Found).show_posts(
            [
                (
                    post,
                    line(
                        (f"{post.time.astimezone():%d %b %H:%M} ", "time"),
                        (post.nick, hue_of(post.sender)),
                        (f"·{timeline.tag(post.sender)}  ", "tag"),
                        (first_words(post.text), ""),
                    ),
                )
                for post in posts
            ]
        )
        count = f"{len(posts)} found" if words.strip() else f"{len(timeline)} lines are loaded"
        self.query_one("#remark", Static).update(count)

    @on(Input.Submitted)
    def _go(self) -> None:
        self.dismiss(self.query_one(Found).chosen)

    def action_step(self, by: int) -> None:
        self.query_one(Found).step(by)

    def action_put_away(self) -> None:
        self.dismiss(None)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)
