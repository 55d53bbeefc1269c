"""What one program wrote down about one room, and what became of everything it said.

The raw material of the judge. Nothing here decides anything.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from tests.faults.evidence import Event, payload_sha


class Fate(enum.Enum):
    """What a message's author knows of it at the end."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    GIVEN_UP = "given up"
    DISCARDED = "discarded"


@dataclass(eq=False)
class Said:
    """One message, from the moment it was written."""

    program: str
    room: str
    number: int
    text: str
    id: int
    """In the outbox store."""
    fate: Fate = Fate.OPEN
    was_held: bool = False
    """Whether it was held at any time: then its place in its author's order is the person's doing."""

    was_in_doubt: bool = False
    """Whether its author was told that nobody knows whether it arrived."""

    @property
    def name(self) -> str:
        return f"{self.program}'s message {self.number}"

    @cached_property
    def sha(self) -> str:
        return payload_sha(self.text)


class Skip(NamedTuple):
    """A reader was told that nothing in (after, upto] will come."""

    after: int
    upto: int


@dataclass(eq=False)
class Diary:
    """One program in one room."""

    name: str
    adopted: list[int]
    """Ids of what it took over and did not hold."""
    events: list[Event | Skip] = field(default_factory=list)
    pages: list[tuple[int, int, list[int]]] = field(default_factory=list)
    """What was paged back: from which seq, before which, and the seqs of the messages told in between."""
