"""The rooms of one server: known by name, loaded when first visited, founded when first entered.

Restarts and lost keys show here: a room that is loaded after an unclean end gets a restart entry, one
whose key is gone a new epoch. Synchronous decisions over the `Store` and the `Authority`.
"""

from __future__ import annotations

import difflib
import heapq
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice

from sendall.config import Limits
from sendall.errors import LogError
from sendall.log.roomlog import RoomLog, Store
from sendall.server.admission import Bucket
from sendall.server.authority import Authority
from sendall.server.room import Room

log = logging.getLogger("sendall.server")

NAMES_SHOWN = 3
NAMES_COMPARED = 64
"""Comparing names costs about 0.2 ms each."""


class Rooms:
    """All rooms by name, those in memory as `Room`."""

    def __init__(
        self,
        store: Store,
        authority: Authority,
        limits: Limits,
        *,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        touch: Callable[[Room], None],
    ) -> None:
        """Take the names from `store`; `touch` is called with a room that has entries to commit."""
        self._store = store
        self._authority = authority
        self._limits = limits
        self._clock = clock
        self._wall_ms = wall_ms
        self._touch = touch
        self._ids = {info.name: info.room_id for info in store.rooms()}
        self._loaded: dict[bytes, Room] = {}
        self._damaged: dict[bytes, LogError] = {}
        self._last_rid = 0
        self._hints = Bucket(2.0, 10, clock())

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Room]:
        """Iterate over the rooms in memory; they may change meanwhile."""
        return iter(list(self._loaded.values()))

    def __getitem__(self, room_id: bytes) -> Room:
        """Return a room in memory."""
        return self._loaded[room_id]

    def named(self, name: str) -> Room | None:
        """Return the room of that name, loaded if it was not; None if there is none.

        Raises:
            LogError: it cannot be read.
        """
        room_id = self._ids.get(name)
        if room_id is None:
            return None
        if room_id in self._damaged:
            raise self._damaged[room_id]
        return self._loaded.get(room_id) or self._load(room_id)

    def nearest(self, name: str, now: float) -> list[str]:
        """Return known names that look like `name`; none while too many ask."""
        if self._hints.spend(now):
            return []
        known = (n for n, room_id in self._ids.items() if self._is_durable(room_id))
        similar = heapq.nsmallest(NAMES_COMPARED, known, key=lambda n: (n[:1] != name[:1], abs(len(n) - len(name))))
        return difflib.get_close_matches(name, similar, NAMES_SHOWN, 0.5)

    def found(self, name: str) -> Room:
        """Make a new OPEN room; nobody may be told of it before it `is_founded`."""
        room_id, genesis = self._authority.genesis(name)
        room = self._new(self._store.create(room_id, name))
        self._loaded[room_id] = room
        self._ids[name] = room_id
        room.accept_own(genesis, self._wall_ms())
        room.log.append(room.take_accepted())  # a room begins with its genesis: its keys come behind it
        self.begin_epoch(room)
        return room

    def begin_epoch(self, room: Room) -> None:
        """Give the room a new epoch key."""
        room.accept_own(self._authority.epoch(room.state, room.log), self._wall_ms())
        self._touch(room)

    def load_more(self, limit: int | None = None) -> None:
        """Load rooms that nobody has visited yet, `limit` of them or all.

        They, too, must be checked, pruned, and given their daily epochs and restart entries.
        """
        left = (i for i in self._ids.values() if i not in self._loaded and i not in self._damaged)
        for room_id in list(islice(left, limit)):
            with suppress(LogError):  # said and remembered
                self._load(room_id)

    def reopen(self, store: Store) -> list[Room]:
        """Go on with a log that was opened anew; return the rooms that are no longer served.

        Those are the ones that never became durable, and the damaged. After an unclean end it is all of
        them: each is loaded anew when visited, and then has a restart entry.
        """
        self._store = store
        self._ids = {info.name: info.room_id for info in store.rooms()}
        self._damaged.clear()
        gone = [room for room in self if store.unclean or not self._reload(room)]
        for room in gone:
            del self._loaded[room.state.room_id]
        return gone

    def _reload(self, room: Room) -> bool:
        try:
            room.reload(self._store.open(room.state.room_id))
        except KeyError:
            return False
        except LogError as error:
            log.error("! room %s cannot be served: %s", room.state.room_id.hex()[:8], error)
            return False
        return True

    def _load(self, room_id: bytes) -> Room:
        try:
            room_log = self._store.open(room_id)
            room = self._new(room_log)
            room.load()
            self._authority.open_room(room_log)
        except LogError as error:
            self._damaged[room_id] = error
            log.error("! room %s cannot be served: %s", room_id.hex()[:8], error)
            raise
        self._loaded[room_id] = room
        if self._store.unclean:
            room.accept_own(self._authority.restart(room.state), self._wall_ms())
            room.begins = room.state.seq
            self._touch(room)
        if not self._authority.has_key(room.state) or room.is_epoch_over(self._wall_ms()):
            self.begin_epoch(room)
        return room

    def _new(self, room_log: RoomLog) -> Room:
        self._last_rid += 1
        return Room(self._last_rid, room_log, self._authority.server_pk, self._limits, self._clock())

    def _is_durable(self, room_id: bytes) -> bool:
        room = self._loaded.get(room_id)
        return room is None or room.is_founded
