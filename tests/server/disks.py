"""Disks for tests of the server's rules: one that went bad, and SQLite with its writer held at arm's length."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from sendall.log.roomlog import Damaged, Retention, RoomLog
from sendall.log.sqlite import SqliteStore
from tests.server.members import RelayWorld

READS = ("read", "control", "h_at", "first_since", "latest_checkpoint", "keys")


def make_unreadable(log: RoomLog, *methods: str) -> None:
    """From now on reading `log` (by these methods, by default all) finds damage; writing goes on."""

    def damaged(*_: object) -> NoReturn:
        raise Damaged(log.room_id, 1, "the simulated disk cannot read this any more")

    for method in methods or READS:
        setattr(log, method, damaged)


class SqliteWorld(RelayWorld):
    """A relay over a real SQLite log, which tells of commits and pruning only when the world lets it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._open()

    def _open(self) -> None:
        self.disk = SqliteStore(
            self.folder,
            sync="commit",
            durable=lambda log, records: None,
            failed=lambda error: None,
            call_soon=self._calls.put,
        )
        self.relay = self.relay_over(self.disk)
        self.disk.durable, self.disk.failed = self.relay.durable, self.relay.failed

    def restart(self) -> None:
        self.turns()
        self.relay.finish()
        self.disk.close()
        self._open()

    def run(self) -> None:
        while True:
            self.turns()
            while not self.disk.is_idle:
                self._calls.get(timeout=30)()
            if not self.soon:
                return

    def prune_untold(self, room_id: bytes, keep: int) -> None:
        """Let the writer prune all but `keep` messages; the relay is told by the next `run`."""
        retention = Retention(max_age_ms=1 << 50, max_bytes=1 << 50, max_count=keep)
        self.disk.retain([room_id], retention, self.wall)
        # One word that it pruned, one that the pass has ended.
        told = [self._calls.get(timeout=30) for _ in range(2)]
        for call in told:
            self._calls.put(call)
