"""The rooms of one server: OPEN ones by name, PRIVATE ones by id and invite; loaded when first visited.

Restarts and lost keys show here: a room that is loaded after an unclean end gets a restart entry, an OPEN
one whose key is gone a new epoch. Synchronous decisions over the `Store` and the `Authority`.
"""

from __future__ import annotations

import difflib
import heapq
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import TypeVar

from sendall.config import Limits
from sendall.errors import LogError
from sendall.log.roomlog import RoomInfo, RoomLog, Store
from sendall.protocol.entry import Entry
from sendall.server.admission import Bucket
from sendall.server.authority import Authority
from sendall.server.open_room import OpenRoom
from sendall.server.private_room import PrivateRoom
from sendall.server.room import Room

log = logging.getLogger("sendall.server")

R = TypeVar("R", bound=Room)

NAMES_SHOWN = 3
NAMES_COMPARED = 64
"""Comparing names costs about 0.2 ms each."""


class Rooms:
    """All rooms, those in memory as `Room`."""

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
        self._ids: dict[str, bytes] = {}
        # Of OPEN rooms, by name. A PRIVATE room's name the server is not told: none is what it is known by.
        self._private: set[bytes] = set()
        self._list(store.rooms())
        self._loaded: dict[bytes, Room] = {}
        self._damaged: dict[bytes, LogError] = {}
        self._last_rid = 0
        self._hints = Bucket(2.0, 10, clock())

    def __len__(self) -> int:
        return len(self._ids) + len(self._private)

    def _list(self, infos: Iterable[RoomInfo]) -> None:
        self._ids.clear()
        self._private.clear()
        for info in infos:
            if info.name:
                self._ids[info.name] = info.room_id
            else:
                self._private.add(info.room_id)

    def __iter__(self) -> Iterator[Room]:
        """Iterate over the rooms in memory; they may change meanwhile."""
        return iter(list(self._loaded.values()))

    def __getitem__(self, room_id: bytes) -> Room:
        """Return a room in memory."""
        return self._loaded[room_id]

    def named(self, name: str) -> Room | None:
        """Return the OPEN room of that name, loaded if it was not; None if there is none.

        Raises:
            LogError: it cannot be read.
        """
        room_id = self._ids.get(name)
        return None if room_id is None else self._get(room_id)

    def private(self, room_id: bytes) -> PrivateRoom | None:
        """Return the PRIVATE room of that id, loaded if it was not; None if there is none.

        Raises:
            LogError: it cannot be read.
        """
        room = self._get(room_id) if room_id in self._private else None
        return room if isinstance(room, PrivateRoom) else None

    def invited(self, entry_hash: bytes) -> PrivateRoom | None:
        """Return the PRIVATE room in memory whose log has the invite entry of that hash; None if none has."""
        rooms = (room for room in self._loaded.values() if isinstance(room, PrivateRoom))
        return next((room for room in rooms if entry_hash in room.invites), None)

    def _get(self, room_id: bytes) -> Room:
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
        room = self._new(OpenRoom, self._store.create(room_id, name))
        self._loaded[room_id] = room
        self._ids[name] = room_id
        room.accept_own(genesis, self._wall_ms())
        room.log.append(room.take_accepted())  # a room begins with its genesis: its keys come behind it
        self.begin_epoch(room)
        return room

    def make(self, room_id: bytes, genesis: Entry) -> PrivateRoom:
        """Make a new PRIVATE room with a member's genesis entry, which is OK; as `found`."""
        room = self._new(PrivateRoom, self._store.create(room_id, ""))
        self._loaded[room_id] = room
        self._private.add(room_id)
        room.accept(genesis, self._wall_ms())
        self._touch(room)
        return room

    def begin_epoch(self, room: Room) -> None:
        """Give the room a new epoch key."""
        room.accept_own(self._authority.epoch(room.state, room.log), self._wall_ms())
        self._touch(room)

    def begin_epoch_if_over(self, room: Room) -> None:
        """Give the room a new epoch key, if it is an OPEN one and its time is over."""
        if isinstance(room, OpenRoom) and room.is_epoch_over(self._wall_ms()):
            self.begin_epoch(room)

    def load_more(self, limit: int | None = None) -> None:
        """Load rooms that nobody has visited yet, `limit` of them or all.

        They, too, must be checked, pruned, and given their daily epochs and restart entries.
        """
        for room_id in list(islice(self._unseen(chain(self._ids.values(), self._private)), limit)):
            with suppress(LogError):  # said and remembered
                self._load(room_id)

    def load_private(self) -> bool:
        """Load one more PRIVATE room; return whether there was one that nobody has visited yet."""
        room_id = next(self._unseen(self._private), None)
        if room_id is None:
            return False
        with suppress(LogError):  # said and remembered
            self._load(room_id)
        return True

    @property
    def are_private_loaded(self) -> bool:
        """Whether every PRIVATE room that can be read is in memory."""
        return next(self._unseen(self._private), None) is None

    def _unseen(self, room_ids: Iterable[bytes]) -> Iterator[bytes]:
        return (i for i in room_ids if i not in self._loaded and i not in self._damaged)

    def reopen(self, store: Store) -> list[Room]:
        """Go on with a log that was opened anew; return the rooms that are no longer served.

        Those are the ones that never became durable, and the damaged. After an unclean end it is all of
        them: each is loaded anew when visited, and then has a restart entry.
        """
        self._store = store
        self._list(store.rooms())
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
            room = self._new(PrivateRoom if room_id in self._private else OpenRoom, room_log)
            room.load()
            if isinstance(room, OpenRoom):
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
        if isinstance(room, OpenRoom) and not self._authority.has_key(room.state):
            self.begin_epoch(room)
        self.begin_epoch_if_over(room)
        return room

    def _new(self, kind: type[R], room_log: RoomLog) -> R:
        self._last_rid += 1
        return kind(self._last_rid, room_log, self._authority.server_pk, self._limits, self._clock())

    def _is_durable(self, room_id: bytes) -> bool:
        room = self._loaded.get(room_id)
        return room is None or room.is_founded
