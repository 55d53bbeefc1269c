"""The relay: all rooms and connections of one server process, and what one turn does with them.

Everything that arrived in one turn of the event loop becomes one commit; what the log reports as
durable is published. Asks the authority for entries and grants without knowing how they are made:
it cannot open anything. Synchronous; the shell (or the simulation) gives it clocks and `call_soon`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import assert_never

from sendall.config import ServerSettings
from sendall.errors import CloseCode, LogError
from sendall.log.roomlog import Record, Retention, RoomLog, Store
from sendall.protocol import frames as f
from sendall.protocol.chunks import text_message
from sendall.protocol.entry import EntryType, Role
from sendall.server.admission import Bucket, Buckets
from sendall.server.authority import Authority
from sendall.server.connection import Connection
from sendall.server.granting import GrantQueue
from sendall.server.open_room import OpenRoom
from sendall.server.private_room import PrivateRoom
from sendall.server.reception import Reception
from sendall.server.room import Room
from sendall.server.rooms import Rooms
from sendall.server.session import Credentials, Request, Session
from sendall.server.wire import Wire

log = logging.getLogger("sendall.server")

_EPOCH = EntryType.EPOCH  # bound once, as in protocol.room
RETAIN_EVERY_S = 60.0
WANT_EVERY_S = 5.0


class Relay:
    """The rooms and connections of one server."""

    def __init__(
        self,
        settings: ServerSettings,
        credentials: Credentials,
        store: Store,
        authority: Authority,
        *,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        call_soon: Callable[[Callable[[], None]], object],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.settings = settings
        self.credentials = credentials
        self.store = store
        self.authority = authority
        self.clock = clock
        self.wall_ms = wall_ms
        self.later = call_soon
        self.connections: set[Connection] = set()
        self.is_broken = False
        """The log failed and is not open again yet: nothing is accepted, reading goes on from the tape."""
        self._random_bytes = random_bytes
        self._touched: dict[Room, None] = {}
        self.grants = GrantQueue(authority, call_soon)
        self._held: dict[Room, set[Connection]] = {}
        self._retained_at = 0.0
        limits = settings.limits
        self.rooms = Rooms(store, authority, limits, clock=clock, wall_ms=wall_ms, touch=self.touch)
        self._members: Buckets[bytes] = Buckets(limits.member_rate, limits.member_burst)
        self._addresses: Buckets[str] = Buckets(limits.address_rate, limits.address_rate * 2)
        self.reception = Reception(self)

    @property
    def is_writable(self) -> bool:
        return not (self.is_broken or self.store.is_full)

    # -- connections --------------------------------------------------------------------------

    def open(self, wire: Wire) -> Connection:
        """Return the conversation of a new connection; its greeting is written already."""
        now = self.clock()
        limits = self.settings.limits
        kept_days = self.settings.kept_days
        session = Session(self.credentials, limits, self._random_bytes(32), now, tls=wire.peer.tls, kept_days=kept_days)
        connection = Connection(self, wire, session, now)
        self.connections.add(connection)
        return connection

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        for held in self._held.values():
            held.discard(connection)

    def buckets_of(self, connection: Connection, now: float) -> tuple[Bucket, Bucket | None]:
        peer = connection.wire.peer
        address = None if peer.trusted else self._addresses.of(peer.address, now)
        return self._members.of(connection.id_pk, now), address

    def asked(self, connection: Connection, frame: Request, now: float) -> None:
        match frame:
            case f.Sub():
                self.reception.subscribe(connection, frame)
            case f.Make():
                self.reception.make(connection, frame)
            case f.Read():
                self.reception.read(connection, frame)
            case f.Unsub(rid=rid):
                connection.leave(rid)
            case f.Have(rid=rid, e=e):
                self._has_key(connection, rid, e)
            case f.Want(rid=rid):
                self._want(connection, rid, now)
            case never:
                assert_never(never)

    def _want(self, connection: Connection, rid: int, now: float) -> None:
        room, reader = connection.rooms.get(rid, (None, None))
        if isinstance(room, PrivateRoom):
            room.want(connection.id_pk, now)
        elif room is not None and reader is not None and now - reader.wanted_at >= WANT_EVERY_S:
            reader.wanted_at = now
            self.grants.put(connection, room)

    def _has_key(self, connection: Connection, rid: int, e: int) -> None:
        room, _ = connection.rooms.get(rid, (None, None))
        # In an OPEN room a grant belongs to the connection: there is nothing to drop.
        if isinstance(room, PrivateRoom):
            room.has_key(connection.id_pk, e)
            self.touch(room)

    # -- the turn -------------------------------------------------------------------------------

    def accepted(self, room: Room, connection: Connection, now: float) -> None:
        """A member's entry was accepted: it goes to the log at the end of this turn."""
        room.posters.add(connection)
        self.touch(room)
        if room.patience.must_wait(room.pending_bytes, now):
            connection.hold(room)
            self._held.setdefault(room, set()).add(connection)

    def touch(self, room: Room) -> None:
        """Look at `room` at the end of this turn: entries to commit, presence to tell."""
        if not self._touched:
            self.later(self._end_turn)
        self._touched[room] = None

    def _end_turn(self) -> None:
        touched, self._touched = self._touched, {}
        now = self.clock()
        for room in touched:
            self._commit(room)
            self._tell_presence(room, now)
            if room.is_founded and not self.is_broken:
                self.rooms.begin_epoch_if_over(room)
        self.store.flush()

    def _commit(self, room: Room, *, checkpoint: bool = False) -> None:
        """Hand what was accepted to the log, and a checkpoint behind it if one is due (or asked for)."""
        records = room.take_accepted()
        if not self.is_broken:
            if records:
                room.log.append(records)
            if room.is_founded:
                room.checkpoint_if_due(now=checkpoint)

    def durable(self, room_log: RoomLog, records: list[Record]) -> None:
        """The log's word that `records` are on the disk: now they may be seen."""
        room = self.rooms[room_log.room_id]
        room.publish(records)
        if isinstance(room, OpenRoom) and _EPOCH in [record.entry[1] for record in records]:
            for connection in self.connections:
                if room.rid in connection.rooms:
                    self.grants.put(connection, room)
        self.reception.became_durable(room)
        self.release(room, self.clock())

    def release(self, room: Room, now: float) -> None:
        """Let the writers that waited for the disk or the readers go on, if there is room again."""
        held = self._held.get(room)
        if held and not room.patience.must_wait(room.pending_bytes, now):
            del self._held[room]
            for connection in held:
                connection.unhold(room)

    def _tell_presence(self, room: Room, now: float) -> None:
        news = room.presence.news(now)
        if news is not None:
            room.audience.tell(text_message(f.encode(news)))

    # -- authority ----------------------------------------------------------------------------

    def set_role(self, name: str, id_pk: bytes, role: Role) -> None:
        """Give an identity a role in the room `name`; a ban also makes a new epoch and ends its connections.

        Raises:
            KeyError: there is no such room.
            LogError: the log takes nothing now; nothing was changed.
        """
        if self.is_broken:
            raise LogError("the log takes nothing now", hint="see the server's own messages, and try again")
        room = self.rooms.named(name)
        if room is None:
            raise KeyError(name)
        room.accept_own(self.authority.role(room.state, id_pk, role), self.wall_ms())
        self.touch(room)
        if role is Role.BANNED:
            self.rooms.begin_epoch(room)
            for connection in list(self.connections):
                if room.rid in connection.rooms and room.state.is_banned(connection.id_pk):
                    connection.end(CloseCode.BANNED, "banned from this room")

    # -- time -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """About once a second: presence, epochs, retention, one more room loaded, buckets forgotten."""
        now, wall_ms = self.clock(), self.wall_ms()
        for room in self.rooms:
            self._tell_presence(room, now)
            self.release(room, now)
            if not room.audience.readers:
                room.reading.tape.clear()
            if room.is_founded and not self.is_broken:
                self.rooms.begin_epoch_if_over(room)
            if isinstance(room, PrivateRoom):
                room.pass_wants(now)
        if self.is_broken:
            return
        self.rooms.load_more(1)
        if now - self._retained_at >= RETAIN_EVERY_S:
            self._retained_at = now
            self._forget_old(now, wall_ms)
            self._retain(wall_ms)

    def _forget_old(self, now: float, wall_ms: int) -> None:
        for room in self.rooms:
            if isinstance(room, PrivateRoom):
                room.forget_old(now, wall_ms)
        self.reception.forget_full(now)
        for buckets in (self._members, self._addresses):
            buckets.forget_full(now)

    def _retain(self, wall_ms: int) -> None:
        settings = self.settings
        retention = Retention(
            max_age_ms=int(settings.retention_days * 86_400_000),
            max_bytes=int(settings.retention_mib * 2**20),
            max_count=settings.retention_count,
        )
        for room in self.rooms:
            # The numbers of pruned messages live on in the checkpoint only: it goes first.
            self._commit(room, checkpoint=True)
            if isinstance(room, OpenRoom):
                self.authority.drop_keys(room.log, room.oldest_epoch)
        self.store.flush()
        self.store.retain([room.state.room_id for room in self.rooms if room.is_founded], retention, wall_ms)

    # -- failure and end --------------------------------------------------------------------------

    def failed(self, error: LogError) -> None:
        """The log's word that it cannot go on: accept nothing until `recover`."""
        self.is_broken = True
        log.error("! the log failed, posting answers `full` until it is open again: %s", error)

    def recover(self, store: Store) -> None:
        """Go on with a log that was opened anew.

        Readers stay where they are, unless the log may have lost what they were shown: then all come
        back and find a restart entry. Who had posted what is lost comes back, too, and sends it again.
        """
        self.store = store
        self.is_broken = False
        before = [(room, room.state.seq, set(room.posters)) for room in self.rooms]
        gone = self.rooms.reopen(store)
        # Whose entries were accepted and are lost learn it by coming back: no receipt would ever come.
        posters = {poster for room, seq, posters in before if room.state.seq < seq for poster in posters}
        for room in gone:
            for connection in self._held.pop(room, ()):
                connection.unhold(room)
        for connection in list(self.connections):
            if connection in posters or any(connection.is_at(room.rid) for room in gone):
                connection.end(CloseCode.RESTARTING, "the server's log was opened anew")
        self.reception.recovered()
        log.info("= the log is open again")

    def finish(self) -> None:
        """Queue what was accepted and the checkpoints; accept nothing more. The store is closed next."""
        if self.store.unclean and not self.is_broken:
            self.rooms.load_more()  # a clean end would take their restart entries from those not visited yet
        for room in self.rooms:
            self._commit(room, checkpoint=True)
        self.store.flush()
        self.is_broken = True

    def dismiss(self, code: CloseCode, reason: str) -> None:
        """End every connection."""
        for connection in list(self.connections):
            connection.end(code, reason)
