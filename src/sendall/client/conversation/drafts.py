"""Messages of one's own that did not come back yet: what becomes of them until they do, or do not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, assert_never

from sendall.client.conversation.rows import Draft, State


class Written(NamedTuple):
    """A message of this program went into the outbox."""

    number: int
    """From 1, ascending as written; the program's own."""
    written: datetime
    text: str
    re: int | None = None
    is_action: bool = False


class Confirmed(NamedTuple):
    """The message has its place, `Receipt.seq`; 0: it was accepted, and that part of the log is pruned."""

    number: int
    seq: int


class Failed(NamedTuple):
    """The message was given up, or it is not known what became of it."""

    number: int
    reason: str


class Waiting(NamedTuple):
    """A failed message goes out again."""

    number: int


class Dropped(NamedTuple):
    """The person does not want to see a failed message any more."""

    number: int


DraftNews = Written | Confirmed | Failed | Waiting | Dropped


class Drafts:
    """The drafts of one room, in the order of writing."""

    def __init__(self) -> None:
        self._drafts: dict[int, Draft] = {}  # by number
        self._awaited: dict[int, int] = {}  # seq of a confirmed draft → its number

    def __len__(self) -> int:
        return len(self._drafts)

    def __iter__(self) -> Iterator[Draft]:
        return iter(self._drafts.values())

    def __getitem__(self, index: int) -> Draft:
        return list(self._drafts.values())[index]

    def index(self, draft: Draft) -> int:
        return list(self._drafts).index(draft.number)

    def get(self, number: int) -> Draft | None:
        return self._drafts.get(number)

    def write(self, new: Written) -> Draft:
        draft = Draft(new.number, new.written, new.text, new.re, is_action=new.is_action)
        self._drafts[new.number] = draft
        return draft

    def remove(self, draft: Draft) -> None:
        del self._drafts[draft.number]

    def came_back(self, seq: int) -> Draft | None:
        """The message at `seq` is there: take out and return the draft that waited for it."""
        number = self._awaited.pop(seq, None)
        return None if number is None else self._drafts.pop(number, None)

    def change(self, draft: Draft, news: Confirmed | Failed | Waiting) -> None:
        match news:
            case Confirmed(number, seq):
                self._awaited[seq] = number
                draft.state = State.CONFIRMED
            case Failed(_, reason):
                draft.state, draft.reason = State.FAILED, reason
            case Waiting():
                draft.state, draft.reason = State.WAITING, ""
            case never:
                assert_never(never)
        draft.version += 1
