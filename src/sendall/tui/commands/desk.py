"""What a command may do to the application: the seam between the commands and the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sendall.tui.hall import Hall
from sendall.tui.open_room import OpenRoom
from sendall.tui.ways_in import WaysIn


class Desk(Protocol):
    """The application, as commands see it."""

    hall: Hall

    @property
    def room(self) -> OpenRoom:
        """The room that is shown."""
        ...

    def answer(self, *sentences: str) -> None:
        """Show the person an answer, until they go on."""
        ...

    def answer_table(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        """Show an answer in two columns."""
        ...

    def turn_to(self, room: OpenRoom) -> None:
        """Show a room."""
        ...

    def open_help(self) -> None: ...

    def open_search(self, words: str) -> None: ...

    def open_card(self) -> None:
        """Show how others come in."""
        ...

    def ways_in(self) -> WaysIn: ...

    def set_theme(self, name: str) -> str:
        """Use a theme; return its name. Empty: the other one of light and dark.

        Raises:
            UsageError: there is none of that name.
        """
        ...

    def themes(self) -> list[str]: ...

    def leave(self) -> None:
        """End the application, unless the person should be asked first."""
        ...
