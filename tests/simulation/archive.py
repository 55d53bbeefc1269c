"""What the judge knows for certain: every entry that ever became durable, and every sealing.

The archive is kept beside the server's disk and survives everything; what a power cut took back is
kept apart. The audit sits where entries are sealed. Both are evidence, nobody in the world reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sendall.client.keys import read_plaintext
from sendall.log.memory import MemoryStore
from sendall.log.roomlog import Record
from sendall.protocol.entry import Entry, EntryType, parse
from tests.faults.evidence import FinalLog, LogRecord, payload_sha


class Archive:
    """One room's log from seq 1, whatever retention pruned."""

    def __init__(self, room_id: bytes) -> None:
        self.room_id = room_id
        self.records: list[Record] = []
        self.lost: list[Record] = []
        """What was durable to all appearances and was taken back by a power cut."""

    @property
    def last(self) -> int:
        return len(self.records)

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            assert record.seq == self.last + 1, "the store told its records out of order"
            self.records.append(record)

    def cut(self, last: int) -> None:
        self.lost += self.records[last:]
        del self.records[last:]


class Archives:
    """The archives of all rooms, by room_id."""

    def __init__(self) -> None:
        self.rooms: dict[bytes, Archive] = {}

    def add(self, room_id: bytes, records: Sequence[Record]) -> None:
        self.rooms.setdefault(room_id, Archive(room_id)).add(records)

    def compare(self, store: MemoryStore) -> None:
        """Take over what a store has that was opened anew: more than was told, or less."""
        for room_id, _ in store.rooms():
            log = store.open(room_id)
            archive = self.rooms.setdefault(room_id, Archive(room_id))
            archive.cut(log.extent.last)
            archive.add(log.read(archive.last, 1 << 40))


class Number(NamedTuple):
    """What may be sealed once."""

    epoch: int
    sender: bytes
    session: bytes
    type: int
    n: int


class Audit:
    """Every sealing of a world's clients."""

    def __init__(self) -> None:
        self.reused: list[Number] = []
        """Numbers under which two contents were sealed."""
        self._payloads: dict[bytes, str] = {}
        self._sealed: dict[tuple[bytes, Number], bytes] = {}

    def sealed(self, key: bytes, raw: bytes, plaintext: bytes) -> None:
        entry = parse(raw)
        number = Number(entry.epoch, entry.sender, entry.session, entry.type, entry.n)
        if self._sealed.setdefault((key, number), raw) != raw:
            self.reused.append(number)
        if entry.type == EntryType.MESSAGE:
            self._payloads[raw] = payload_sha(str(read_plaintext(plaintext)["x"]))

    def payload(self, raw: bytes) -> str | None:
        """Return the sha of what an entry says; None if no client sealed it."""
        return self._payloads.get(raw)

    def final_log(self, archive: Archive) -> FinalLog:
        records = [LogRecord(*record, self.payload(record.entry)) for record in archive.records]
        return FinalLog(archive.room_id, records)


def messages(archive: Archive) -> list[tuple[int, Entry]]:
    """Return the messages of an archive with their seqs."""
    entries = ((record.seq, parse(record.entry)) for record in archive.records)
    return [(seq, entry) for seq, entry in entries if entry.type == EntryType.MESSAGE]
