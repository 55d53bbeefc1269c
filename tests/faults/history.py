"""History files: one per process and room, JSON lines, each on its way to the kernel before the next step is taken.

A line is one `write` to an unbuffered file, so what was written before a kill -9 is still there afterwards (the
machine itself does not go down in these tests). A kill in the middle of a line leaves a torn tail: the step that
it announces was not taken, or it is one receipt less to judge; the reader drops it, and so does a writer that
goes on with the file. `log_from_sqlite` reads the final log of a server that has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.faults.evidence import BadHistory, Event, FinalLog, Got, History, Invoke, LogRecord, Lost, Ok, Subscribe

_PAGE_BYTES = 1 << 20
_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class HistoryWriter:
    """Appends to one history file. One process at a time; a successor opens the same path and goes on.

    Every method returns after the line is with the kernel. OSError: it is not, and the test is over.
    """

    def __init__(self, path: Path) -> None:
        _drop_torn_tail(path)
        self._file = path.open("ab", buffering=0)

    def invoke(
        self, id: int, sha: str, *, sender: bytes, session: bytes, epoch: int | None = None, n: int | None = None
    ) -> None:
        """Call before the message is handed to the library."""
        self._write(Invoke(id, sha, sender.hex(), session.hex(), epoch, n))

    def ok(self, id: int | None, sha: str, *, seq: int, h: bytes | None) -> None:
        """Call after the message was confirmed."""
        self._write(Ok(id, seq, sha, None if h is None else h.hex()))

    def subscribe(self, after: int, *, messages_only: bool = False) -> None:
        """Call before subscribing with the cursor `after`."""
        self._write(Subscribe(after, messages_only))

    def got(self, seq: int, sha: str | None, h: bytes | None) -> None:
        """Call for each entry shown, in order."""
        self._write(Got(seq, sha, None if h is None else h.hex()))

    def lost(self, n: int) -> None:
        """Call when told that the server lost the last `n` entries."""
        self._write(Lost(n))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, event: Event) -> None:
        line = msgspec.json.encode(event) + b"\n"
        if self._file.write(line) != len(line):
            raise OSError(f"the history {self._file.name!r} took only part of a line")


def read_history(path: Path) -> History:
    """Return the history in `path`, named after the file without its suffix.

    Raises:
        BadHistory: a complete line is no event.
    """
    *lines, _torn = path.read_bytes().split(b"\n")
    events = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(_DECODER.decode(line))
        except msgspec.DecodeError as error:
            raise BadHistory(f"{path.name}, line {number}: {error}") from error
    return History(path.stem, events)


def payloads_seen(history: History) -> dict[int, str]:
    """Return, by seq, what a fresh client opened: the payloads of a final log."""
    return {event.seq: event.sha for event in history.events if isinstance(event, Got) and event.sha is not None}


def log_from_sqlite(folder: Path, room: str, payloads: Mapping[int, str]) -> FinalLog:
    """Return the log of the room named `room` in the data folder of a server that has ended, for good.

    `payloads` is what a fresh client opened (`payloads_seen`): the file alone holds sealed messages. A message that
    it did not open has no payload, which the checker reports; what it opened that is not in the file, its own
    history shows. Opening the folder ends the run in it as a clean one.

    Raises:
        BadHistory: there is no such room, or retention has pruned it: judge what an archiving reader kept.
        LogError: the folder is in use or damaged.
    """
    # Not at the top: producers and consumers import this module, and need no server code to write a history.
    from sendall.log.sqlite import SqliteStore

    store = SqliteStore(folder, sync="commit", durable=_unexpected, failed=_unexpected, call_soon=_never)
    try:
        rooms = {info.name: info.room_id for info in store.rooms()}
        if room not in rooms:
            raise BadHistory(f"no room {room!r} in {folder}, only {sorted(rooms)}")
        log = store.open(rooms[room])
        if log.extent.first > 1:
            raise BadHistory(f"the log of {room!r} is pruned up to seq {log.extent.first - 1}")
        records: list[LogRecord] = []
        while page := log.read(records[-1].seq if records else 0, _PAGE_BYTES):
            records += [LogRecord(*record, payloads.get(record.seq)) for record in page]
        return FinalLog(log.room_id, records)
    finally:
        store.close()


def _unexpected(*what: object) -> None:
    raise AssertionError(f"a store that is only read reported {what}")


def _never(call: Callable[[], None]) -> None:
    """Drop what the store's writer has to tell: nothing is written, and `close` tells the rest."""


def _drop_torn_tail(path: Path) -> None:
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
