"""The people at the right: who is here, by name and tag."""

from __future__ import annotations

from collections.abc import Iterable

from sendall.tui.drawing.facts import PersonLine
from sendall.tui.drawing.line import line
from sendall.tui.messages import PersonChosen
from sendall.tui.widgets.list_pane import Item, ListPane


class MembersPane(ListPane):
    """Those present first; a click puts a name into the line that is being written."""

    TITLE = "people"

    def show_people(self, people: Iterable[PersonLine], count: int) -> None:
        """`count`: how many are here, by the server's word; some of them may have no name yet."""
        items = [_item(person) for person in people]
        unnamed = count - sum(item.right[-1:] != [("away", "faint")] for item in items)
        if unnamed > 0:
            items.append(Item("", line((f"   {unnamed} without a name yet", "faint")), []))
        title = f"people · {count} here" if count else "people"
        if title != self.TITLE:
            self.TITLE = title
            self.redraw()
        self.show_items(items)

    def chosen(self, key: str) -> None:
        if key:
            self.post_message(PersonChosen(key))


def _item(person: PersonLine) -> Item:
    sign = "✎" if person.is_typing else "●" if person.is_here else "○"
    ink = "faint strike" if person.is_ignored else person.hue if person.is_here else "faint"
    note = "you" if person.is_me else person.role
    right = [(note, "faint")] if note else []
    if not person.is_here:
        right.append(("away", "faint"))
    left = line((f" {sign} ", "done" if person.is_here else "faint"), (person.name, ink), (f"·{person.tag}", "tag"))
    return Item(person.name, left, right)
