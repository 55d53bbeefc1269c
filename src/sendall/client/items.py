"""What the outbox holds, what keeps it over a crash, and where new entries are put on.

The types between the outbox, its store and the follower of the room. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sendall.client.events import NotKnown, Receipt
from sendall.errors import Refused
from sendall.protocol.entry import Entry, parse


class Row(NamedTuple):
    """One message as the store keeps it."""

    id: int
    """Ascending in the order of writing, over all programs."""
    written_ms: int
    plaintext: bytes
    entry: bytes | None
    """Sealed, and so perhaps sent; None: certainly never sent."""
    held: bool
    """Sent only when the person says so."""
    doubt: bool = False
    """Whether it arrived can no longer be known; implies `held`."""


class OutboxStore(Protocol):
    """What survives a crash of this program, for one identity, server and room. Never waits long."""

    def rows(self) -> list[Row]:
        """Take over what ended programs left, and return all that is this program's now, by id."""
        ...

    def put(self, plaintext: bytes, written_ms: int) -> int:
        """Keep a new message; return its id."""
        ...

    def update(self, changes: Sequence[tuple[int, bytes | None, bool]]) -> None:
        """Keep (id, entry, doubt) of messages, all in one commit: durable when this returns."""
        ...

    def delete(self, ids: Sequence[int]) -> None:
        """Forget messages, all in one commit; unknown ids are ignored."""
        ...


class Place(NamedTuple):
    """Where the follower of the room stands: what a new entry is sealed with."""

    seq: int
    h: bytes
    epoch: int
    key: bytes


class Item:
    """One message on its way."""

    __slots__ = ("doubt", "entry", "held", "id", "is_pruned", "is_sent", "plaintext", "written_ms")

    def __init__(self, row: Row) -> None:
        self.id = row.id
        self.written_ms = row.written_ms
        self.plaintext = row.plaintext
        self.entry: Entry | None = None if row.entry is None else parse(row.entry)
        self.doubt = row.doubt
        self.held = row.held or row.doubt
        self.is_sent = False
        """On this connection, since the last step back."""
        self.is_pruned = False
        """The part of the log where its answer would stand is pruned: `dup` means accepted (rule 8)."""


class Settlement(NamedTuple):
    """What became of a message. After `NotKnown` it is still there, held."""

    item: Item
    outcome: Receipt | Refused | NotKnown
