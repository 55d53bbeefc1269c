"""Defective pieces, one defect each: worlds made of them must be found out.

Clients break a rule of docs/protocol.md, "Exactly once"; the server breaks a promise of its own. Each
is what somebody might write who has not understood why the rule is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sendall.client.items import Row
from sendall.client.outbox import Outbox
from sendall.crypto.identity import Identity
from sendall.errors import Code
from sendall.log.roomlog import Record, RoomLog
from sendall.server.delivery import Audience, Reader
from sendall.server.relay import Relay
from sendall.server.room import Room
from tests.simulation.lanes import Lane

EVERY_EPOCH = 2**31


class ResealingOutbox(Outbox):
    """Takes a refusal for the log's word, and seals again (against rule 7)."""

    def refused(self, session: bytes, n: int, code: Code, retry_ms: int | None, now: float) -> float | None:
        wait_s = super().refused(session, n, code, retry_ms, now)
        self.restarted(0, went_back=True)  # seals everything again, in a new session
        return wait_s


class RashOutbox(Outbox):
    """Takes any epoch entry for the end of what is sealed, also one that is older."""

    def epoch_passed(self, e: int) -> None:
        super().epoch_passed(EVERY_EPOCH)


class ForgetfulOutbox(Outbox):
    """Begins its numbers anew in each process, under the session of the one before."""

    def __init__(self, store: Lane, identity: Identity, new_session: Callable[[], bytes]) -> None:
        super().__init__(store, identity, lambda: bytes(16))


class _CarelessLane:
    """Keeps no entry on disk before it is sent (against rule 1)."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.rows, self.put, self.delete = lane.rows, lane.put, lane.delete

    def update(self, changes: Sequence[tuple[int, bytes | None, bool]]) -> None:
        self._lane.update([(id_, None, doubt) for id_, _, doubt in changes])


class CarelessOutbox(Outbox):
    """Sends what is not on disk."""

    def __init__(self, store: Lane, identity: Identity, new_session: Callable[[], bytes]) -> None:
        super().__init__(_CarelessLane(store), identity, new_session)


class _MixedUpLane:
    """Hands over what it kept in no order."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.put, self.update, self.delete = lane.put, lane.update, lane.delete

    def rows(self) -> list[Row]:
        return self._lane.rows()[::-1]


class MixedUpOutbox(Outbox):
    """Sends what it took over in another order than it was written."""

    def __init__(self, store: Lane, identity: Identity, new_session: Callable[[], bytes]) -> None:
        super().__init__(_MixedUpLane(store), identity, new_session)


class TrustingOutbox(Outbox):
    """Drops what the server refused, whatever the code, and says nothing."""

    def refused(self, session: bytes, n: int, code: Code, retry_ms: int | None, now: float) -> float | None:
        if code is Code.SLOW_DOWN:
            self.settled, told = [], self.settled
            super().refused(session, n, Code.FORBIDDEN, None, now)
            self.settled = told
            return None
        return super().refused(session, n, code, retry_ms, now)


class HastyRelay(Relay):
    """Shows entries as soon as they are accepted, before they are on disk."""

    def _commit(self, room: Room, *, checkpoint: bool = False) -> None:
        records = room.take_accepted()
        if not self.is_broken:
            if records:
                room.log.append(records)
            if room.is_founded:
                room.checkpoint_if_due(now=checkpoint)
                if records:
                    super().durable(room.log, records)

    def durable(self, room_log: RoomLog, records: list[Record]) -> None:
        sent = self.rooms[room_log.room_id].audience.sent
        unseen = [record for record in records if record.seq > sent]
        if unseen:
            super().durable(room_log, unseen)


def skip_when_behind(audience: Audience, reader: Reader) -> None:
    """Leave out an entry for a reader that falls behind, in place of `Audience.fall_behind`."""
    reader.has_room = False
    if reader.is_current:
        reader.is_current = False
        reader.cursor = audience.sent + 1
        audience.lagging.add(reader)
        audience._writes = None
