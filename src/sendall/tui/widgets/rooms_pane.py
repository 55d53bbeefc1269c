"""The rooms at the left, with what is unread in them."""

from __future__ import annotations

from collections.abc import Iterable

from sendall.tui.drawing.facts import RoomLine
from sendall.tui.drawing.line import line
from sendall.tui.messages import RoomChosen
from sendall.tui.widgets.list_pane import Item, ListPane

MANY = 999


class RoomsPane(ListPane):
    """Rooms in the order they were opened; Alt+1 … Alt+9 choose one."""

    TITLE = "rooms"

    def show_rooms(self, rooms: Iterable[RoomLine]) -> None:
        self.show_items([_item(room) for room in rooms])

    def chosen(self, key: str) -> None:
        self.post_message(RoomChosen(key))


def _item(room: RoomLine) -> Item:
    mark = "!" if room.is_troubled else "◆" if room.is_private else "#"
    ink = "alarm" if room.is_troubled else "mention" if room.mentions else "unread" if room.unread else ""
    right = []
    if room.mentions:
        right.append((f"@{min(room.mentions, MANY)}", "badge"))
    elif room.unread:
        right.append((f"{room.unread}" if room.unread <= MANY else f"{MANY}+", "unread"))
    return Item(
        room.name,
        line((f" {mark} ", "faint" if not room.is_troubled else "alarm"), (room.name, ink)),
        right,
        room.is_current,
    )
