"""A process that holds a store, for the tests that kill it: `python child.py FOLDER SYNC PACE`.

PACE "hold" opens and waits. "run" appends without end to two rooms and prints one line for each thing
it was told is durable: the room's number and its last seq.
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable
from pathlib import Path

from sendall.log.roomlog import Record, RoomLog
from sendall.log.sqlite import SqliteStore
from tests.log.contract import OTHER, ROOM, Pen


def main(folder: str, sync: str, pace: str) -> None:
    calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    rooms = [ROOM, OTHER]

    def durable(log: RoomLog, records: list[Record]) -> None:
        print(rooms.index(log.room_id), records[-1].seq, flush=True)

    store = SqliteStore(
        Path(folder), sync="os" if sync == "os" else "commit", durable=durable, failed=print, call_soon=calls.put
    )
    print("ready", flush=True)
    if pace == "hold":
        calls.get()
    pens = [Pen(room_id) for room_id in rooms]
    logs = [store.create(room_id, "") for room_id in rooms]
    while True:
        for pen, log in zip(pens, logs, strict=True):
            log.append(pen.write(7))
            store.flush()
        calls.get()()


if __name__ == "__main__":
    main(*sys.argv[1:])
