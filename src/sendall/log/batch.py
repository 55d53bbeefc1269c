"""What is queued for the next commit, room by room.

A batch gathers on the caller's thread and is then handed over whole, so it needs no lock; batches
that wait while a commit is under way are merged into one. Pure; knows no store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sendall.log.grants import GrantChange
from sendall.log.roomlog import Checkpoint, Record, RoomLog
from sendall.protocol.entry import FIRST_CONTROL

LogT = TypeVar("LogT", bound=RoomLog)


def is_control(entry: bytes) -> bool:
    """Return whether this is a control entry, by its second byte; same rule as the index in schema.sql."""
    return entry[1] >= FIRST_CONTROL


@dataclass(slots=True)
class Part(Generic[LogT]):
    """What one room brings to a commit."""

    log: LogT
    records: list[Record] = field(default_factory=list)
    keys: dict[int, bytes] = field(default_factory=dict)
    keys_below: int = 0
    """Keys of epochs below this one go."""
    checkpoint: Checkpoint | None = None
    grants: list[GrantChange] = field(default_factory=list)


class Batch(Generic[LogT]):
    """Parts of several rooms, in the order in which the rooms first spoke."""

    def __init__(self) -> None:
        self._parts: dict[bytes, Part[LogT]] = {}
        self.size = 0
        """Bytes of entries."""

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def parts(self) -> Sequence[Part[LogT]]:
        return tuple(self._parts.values())

    def part(self, log: LogT) -> Part[LogT]:
        """Return the part of `log`, an empty one if it has not spoken yet."""
        found = self._parts.get(log.room_id)
        if found is None:
            found = self._parts[log.room_id] = Part(log)
        return found

    def add(self, log: LogT, records: Sequence[Record]) -> None:
        """Queue records of `log`."""
        self.part(log).records += records
        self.size += sum([len(record.entry) for record in records])

    def absorb(self, later: Batch[LogT]) -> None:
        """Take over what a later batch holds, as if it had been queued here."""
        for theirs in later.parts:
            ours = self.part(theirs.log)
            ours.records += theirs.records
            ours.keys |= theirs.keys
            ours.keys_below = max(ours.keys_below, theirs.keys_below)
            ours.checkpoint = theirs.checkpoint or ours.checkpoint
            ours.grants += theirs.grants
        self.size += later.size
