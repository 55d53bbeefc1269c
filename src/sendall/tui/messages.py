"""What widgets tell the application: every message, in one place."""

from __future__ import annotations

from textual.message import Message as TextualMessage

from sendall.client.conversation.rows import Row
from sendall.tui.finding import Hit


class Entered(TextualMessage):
    """The person pressed Enter on a line."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Typing(TextualMessage):
    """The person is writing a text."""


class RoomChosen(TextualMessage):
    """The person wants to see the room of this name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class PersonChosen(TextualMessage):
    """The person means somebody: their name goes into the line."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class OlderWanted(TextualMessage):
    """The timeline came to its oldest message."""


class Looked(TextualMessage):
    """The timeline was scrolled: whether its newest message is in sight now."""

    def __init__(self, *, is_at_end: bool) -> None:
        super().__init__()
        self.is_at_end = is_at_end


class ItemChosen(TextualMessage):
    """The person wants to do something with one message of the timeline.

    `what` is one of reply, edit, delete, react, copy, open, retry, drop.
    """

    def __init__(self, what: str, row: Row) -> None:
        super().__init__()
        self.what = what
        self.row = row


class PickingEnded(TextualMessage):
    """The person is done with choosing a message: typing goes on."""


class HitChosen(TextualMessage):
    """The person wants to see a message that was found."""

    def __init__(self, hit: Hit) -> None:
        super().__init__()
        self.hit = hit
