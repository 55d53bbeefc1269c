"""The line that is being written: several rows if need be, with history and completion.

Enter sends, Alt+Enter and Ctrl+J begin a new row. What is pasted is stripped of what commands a terminal.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from sendall.client.events import safe_text
from sendall.tui.completion import Choice, Choices
from sendall.tui.messages import Entered, Typing
from sendall.tui.past import Past

NEW_ROW_KEYS = frozenset({"alt+enter", "shift+enter", "ctrl+j"})


class Composer(TextArea):
    """The editor below the timeline."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False),
        Binding("up", "up", "Earlier line", show=False),
        Binding("down", "down", "Later line", show=False),
    ]

    class CompletionWanted(Message):
        """What stands before the cursor changed, or Tab was pressed (`is_asked`)."""

        def __init__(self, before: str, *, is_asked: bool) -> None:
            super().__init__()
            self.before = before
            self.is_asked = is_asked

    class Offered(Message):
        """What can be chosen changed: `at` is the one that Tab or Enter takes."""

        def __init__(self, choices: list[Choice], at: int) -> None:
            super().__init__()
            self.choices = choices
            self.at = at

    def __init__(self, *, id: str) -> None:
        super().__init__(
            id=id, compact=True, soft_wrap=True, tab_behavior="focus", highlight_cursor_line=False, placeholder=""
        )
        self.past = Past()
        self._choices = Choices(0, [])
        self._at = -1
        self._is_walking = False  # the text is one from the past: it is no news for those who see us type

    # -- what the application does with it ----------------------------------------------------

    def fill(self, text: str) -> None:
        """Replace what stands there; the cursor goes behind it."""
        self._is_walking = True
        self.load_text(text)
        self.move_cursor(self.document.end)
        self.offer(Choices(0, []))

    def add_word(self, word: str) -> None:
        """Insert a word where the cursor is, set off by spaces."""
        before = self.before
        gap = "" if not before or before[-1].isspace() else " "
        self.insert(f"{gap}{word} ")

    def offer(self, choices: Choices, *, at: int = -1) -> None:
        """Offer these for what stands before the cursor; `at` -1: none is chosen yet."""
        self._choices = choices
        self._at = at
        self.post_message(self.Offered(choices.choices, at))

    @property
    def before(self) -> str:
        """What stands before the cursor."""
        return self.get_text_range((0, 0), self.cursor_location)

    @property
    def is_offering(self) -> bool:
        return bool(self._choices.choices)

    # -- keys ---------------------------------------------------------------------------------

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._enter()
        elif event.key in NEW_ROW_KEYS:
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key == "escape" and self.is_offering:
            event.stop()
            event.prevent_default()
            self.offer(Choices(0, []))
        # Everything else is TextArea's: Textual calls its handler next.

    async def _on_paste(self, event: events.Paste) -> None:
        rows = event.text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").split("\n")
        event.text = "\n".join(map(safe_text, rows))  # what TextArea's handler inserts next

    def _enter(self) -> None:
        if self.is_offering and self._at >= 0:
            self.take(self._at)
            return
        text = self.text
        self.past.add(text)
        self.fill("")  # at once: what is typed next must not come behind it
        self.post_message(Entered(text))

    def action_complete(self) -> None:
        """Take the next choice, asking for choices first."""
        if self.is_offering:
            if len(self._choices.choices) == 1 or self._at >= 0:
                self.take(max(0, self._at))
            else:
                self.offer(self._choices, at=0)
            return
        self.post_message(self.CompletionWanted(self.before, is_asked=True))

    def action_up(self) -> None:
        """Go to the choice above, the row above, or the line before."""
        if self.is_offering:
            count = len(self._choices.choices)
            self.offer(self._choices, at=(self._at if self._at >= 0 else 0) - 1 if self._at else count - 1)
        elif not self.cursor_at_first_line:
            self.action_cursor_up()
        elif (line := self.past.older(self.text)) is not None:
            self.fill(line)

    def action_down(self) -> None:
        """Go to the choice below, the row below, or the line after."""
        if self.is_offering:
            self.offer(self._choices, at=(self._at + 1) % len(self._choices.choices))
        elif not self.cursor_at_last_line:
            self.action_cursor_down()
        elif (line := self.past.newer()) is not None:
            self.fill(line)

    def take(self, at: int) -> None:
        """Put the choice at `at` in the place of what was begun."""
        choice = self._choices.choices[at]
        before = self.before
        row, column = self.cursor_location
        begun = len(before) - self._choices.start
        self._choices = Choices(0, [])
        self.replace(choice.text, (row, max(0, column - begun)), (row, column))

    def on_text_area_changed(self) -> None:
        """Ask what could follow, and let others know that somebody writes."""
        if self._is_walking:
            self._is_walking = False
            return
        self.post_message(self.CompletionWanted(self.before, is_asked=False))
        if self.text.strip() and not self.text.startswith("/"):
            self.post_message(Typing())
