"""An OPEN room at the server: its epochs are the steward's, and anybody who is not banned may enter.

What `server.room` leaves to a kind of room. Pure; it cannot open anything.
"""

from __future__ import annotations

from sendall.config import Limits
from sendall.log.roomlog import RoomLog
from sendall.protocol.entry import Entry, EntryType, Kind
from sendall.server.room import Room

EPOCH_MAX_ENTRIES = 2**20
EPOCH_MAX_MS = 24 * 3600 * 1000


class OpenRoom(Room):
    """A room that is known by its name."""

    kind = Kind.OPEN

    def __init__(self, rid: int, log: RoomLog, server_pk: bytes, limits: Limits, now: float) -> None:
        super().__init__(rid, log, server_pk, limits, now)
        self._epochs: list[tuple[int, int]] = []
        # (seq, e) of every epoch entry, ascending.
        self._epoch_began = (0, 0)
        # (seq, time_ms) of the current epoch's entry.

    def admits(self, id_pk: bytes) -> bool:
        return not self.state.is_banned(id_pk)

    def is_epoch_over(self, now_ms: int) -> bool:
        """Whether the steward should make a new epoch: a day, 2^20 entries, or too many sessions."""
        seq, time_ms = self._epoch_began
        return (
            now_ms - time_ms >= EPOCH_MAX_MS
            or self.state.seq - seq >= EPOCH_MAX_ENTRIES
            or len(self.state.last) >= self.limits.sessions_per_room
        )

    @property
    def oldest_epoch(self) -> int:
        """The epoch of the oldest retained message; keys of epochs before it open nothing any more."""
        first = self.log.extent.first
        return max((e for seq, e in self._epochs if seq <= first), default=1)

    def _is_servers(self, entry: Entry) -> bool:
        return True

    def _forget_control(self) -> None:
        self._epochs.clear()

    def _note_control(self, entry: Entry, seq: int, time_ms: int) -> None:
        super()._note_control(entry, seq, time_ms)
        if entry.type == EntryType.EPOCH:
            self._epoch_began = (seq, time_ms)
            self._epochs.append((seq, entry.epoch + 1))
