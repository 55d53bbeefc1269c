"""The reception: who asks for a room is shown in, or told why not.

Finds the room, by name, id or invite, or makes it; decides what it is for whoever asks; places the
reader. Who asks for something that is on its way to the disk, or not in memory yet, waits here. Pure.
Source: docs/protocol.md, "Requests and replies".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sendall.errors import CloseCode, Code, LogError, Malformed
from sendall.protocol import frames as f
from sendall.protocol.bodies import room_id_of
from sendall.protocol.entry import Entry, Kind, parse
from sendall.protocol.roles import is_room_name
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from sendall.server.admission import Buckets
from sendall.server.connection import Connection
from sendall.server.private_room import PrivateRoom, Standing
from sendall.server.reading import Pruned
from sendall.server.room import Room

if TYPE_CHECKING:
    from sendall.server.relay import Relay

DAMAGED = "this room's log is damaged; the operator must repair it"


class Turned(Exception):
    """Whoever asked is turned away."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class Reception:
    """Where connections ask for the rooms of one relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._limits = relay.settings.limits
        self._waiting: dict[Room, list[tuple[Connection, f.Sub]]] = {}
        self._seeking: list[tuple[Connection, f.Sub]] = []
        # Who named an invite that no room in memory has.
        self._creations: Buckets[bytes] = Buckets(self._limits.room_creations_per_hour / 3600, 30)

    def subscribe(self, connection: Connection, sub: f.Sub) -> None:
        """Show a connection in, now or as soon as it can be; else tell it why not.

        Raises:
            LogError: what it is to be given cannot be read.
        """
        try:
            room = self._room_for(connection, sub)
            if room is not None:
                self._show_in(connection, room, sub)
        except Turned as turned:
            connection.fail(sub.q, turned.code, str(turned))

    def make(self, connection: Connection, make: f.Make) -> None:
        """Make a PRIVATE room of this genesis entry, or find the one that it made, and show its maker in."""
        try:
            room_id = self._made(connection, make.genesis)
        except Turned as turned:
            connection.fail(make.q, turned.code, str(turned))
        else:
            self.subscribe(connection, f.Sub(q=make.q, room=f.B64(room_id), after=0))

    def read(self, connection: Connection, read: f.Read) -> None:
        """Give a page of what is older to a connection that is in the room."""
        room, _ = connection.rooms.get(read.rid, (None, None))
        if room is None:
            connection.fail(read.q, Code.NOT_MEMBER, "not in that room")
            return
        if connection.is_stalled:
            connection.fail(read.q, Code.SLOW_DOWN, "read what was sent before asking for more")
            return
        page = room.reading.page(read.from_, read.to)
        if page is None:
            connection.fail(read.q, Code.STALE, "nothing is kept of that range")
            return
        from_, to, h, chunks = page
        connection.say(f.Page(q=read.q, rid=read.rid, from_=from_, to=to, h=f.B64(h)))
        for chunk in chunks:
            connection.wire.write(chunk.data)

    # -- who waits ------------------------------------------------------------------------------

    def became_durable(self, room: Room) -> None:
        """Show in who waited for what is durable now; each is judged anew, and may have to wait again."""
        for connection, sub in self._waiting.pop(room, ()):
            self._subscribe_late(connection, sub)

    def recovered(self) -> None:
        """The log was opened anew: what was waited for may be lost, so it is to be asked for again."""
        waiting, self._waiting = self._waiting, {}
        for connection, sub in (asked for subs in waiting.values() for asked in subs):
            connection.fail(sub.q, Code.FULL, "the server's log failed before this was on the disk")

    def forget_full(self, now: float) -> None:
        """Drop budgets that nobody uses; called about once a minute."""
        self._creations.forget_full(now)

    def _seek(self) -> None:
        # One room a turn: reading a thousand logs at once would stop everybody.
        is_more = self._relay.rooms.load_private()
        seeking, self._seeking = self._seeking, []
        for connection, sub in seeking:
            if is_more and sub.invite is not None and self._relay.rooms.invited(sub.invite) is None:
                self._wait_seeking(connection, sub)
            else:
                self._subscribe_late(connection, sub)

    def _wait_seeking(self, connection: Connection, sub: f.Sub) -> None:
        if not self._seeking:
            self._relay.later(self._seek)
        self._seeking.append((connection, sub))

    def _subscribe_late(self, connection: Connection, sub: f.Sub) -> None:
        if connection.is_closed:
            return
        try:
            self.subscribe(connection, sub)
        except LogError as error:
            # Not passed on: the log has the other rooms of this commit to tell.
            connection.end_unserved(error)

    # -- finding --------------------------------------------------------------------------------

    def _room_for(self, connection: Connection, sub: f.Sub) -> Room | None:
        """Return the room that is asked for; None if it is still being looked for.

        Raises:
            Turned: there is none, and none is made.
        """
        if sub.name is not None:
            return self._named(connection, sub.name, create=sub.create)
        if sub.invite is None:
            assert sub.room is not None, "a sub names exactly one room"
            private = self._private(sub.room)
            if private is None:
                raise Turned(Code.UNKNOWN_ROOM, "")
            return private
        invited = self._relay.rooms.invited(sub.invite)
        if invited is None and self._relay.rooms.are_private_loaded:
            raise Turned(Code.UNKNOWN_INVITE, "no room of this server has that invite")
        if invited is None:
            self._wait_seeking(connection, sub)
        return invited

    def _named(self, connection: Connection, name: str, *, create: bool) -> Room:
        rooms = self._relay.rooms
        if not is_room_name(name):
            text = "a room name has 1 to 64 bytes of UTF-8 (NFC) without control or format characters"
            raise Turned(Code.MALFORMED, text)
        try:
            room = rooms.named(name)
        except LogError:
            raise Turned(Code.FULL, DAMAGED) from None
        if room is not None:
            return room
        if not create:
            raise Turned(Code.UNKNOWN_ROOM, ", ".join(rooms.nearest(name, self._relay.clock())))
        self._spend_creation(connection)
        return rooms.found(name)

    def _private(self, room_id: bytes) -> PrivateRoom | None:
        try:
            return self._relay.rooms.private(room_id)
        except LogError:
            raise Turned(Code.FULL, DAMAGED) from None

    def _made(self, connection: Connection, raw: bytes) -> bytes:
        """Return the id of the room that this genesis entry makes, or made."""
        genesis = self._judged(raw)
        if genesis.sender != connection.id_pk:
            raise Turned(Code.FORBIDDEN, "a room is made by its first member")
        room_id = room_id_of(raw)
        if self._private(room_id) is None:
            self._spend_creation(connection)
            self._relay.rooms.make(room_id, genesis)
        return room_id

    def _judged(self, raw: bytes) -> Entry:
        state = RoomState(room_id_of(raw), self._relay.credentials.server_pk, Kind.PRIVATE)
        try:
            genesis = parse(raw)
        except Malformed as error:
            raise Turned(Code.MALFORMED, str(error)) from None
        if state.judge(genesis) is not Verdict.OK:
            raise Turned(Code.MALFORMED, "that is no genesis entry of a PRIVATE room")
        return genesis

    def _spend_creation(self, connection: Connection) -> None:
        if len(self._relay.rooms) >= self._limits.rooms or not self._relay.is_writable:
            raise Turned(Code.FULL, "this server takes no more rooms")
        now = self._relay.clock()
        wait = self._creations.of(connection.id_pk, now).spend(now)
        if wait:
            raise Turned(Code.SLOW_DOWN, f"too many new rooms; the next can be made in {wait:.0f} s")

    # -- showing in -----------------------------------------------------------------------------

    def _show_in(self, connection: Connection, room: Room, sub: f.Sub) -> None:
        standing = _standing(room, connection.id_pk, sub)
        is_new = not connection.is_at(room.rid)
        if is_new and connection.places >= self._limits.rooms_per_connection:
            raise Turned(Code.FULL, f"a connection is in at most {connection.places} rooms")
        if connection.is_stalled:
            raise Turned(Code.SLOW_DOWN, "read what was sent before asking for more")
        if not room.is_founded or not _is_settled(room, connection.id_pk, standing):
            self._waiting.setdefault(room, []).append((connection, sub))
        elif isinstance(room, PrivateRoom) and standing is not Standing.MEMBER:
            self._begin_watching(connection, room, sub)
        else:
            self._begin(connection, room, sub)

    def _begin(self, connection: Connection, room: Room, sub: f.Sub) -> None:
        from_ = self._answer(connection, room, sub)
        if from_ is None:
            return
        reader = connection.enter(room, sub.after, early=from_)
        self._relay.grants.put(connection, room)
        connection.pull(room, reader)
        self._relay.touch(room)

    def _begin_watching(self, connection: Connection, room: PrivateRoom, sub: f.Sub) -> None:
        # It is given no messages, so it begins at the end: its head is then the newest, and no restart is after it.
        at_the_end = f.Sub(q=sub.q, after=sub.after, room=sub.room, invite=sub.invite, h=sub.h, tail=0)
        if self._answer(connection, room, at_the_end) is not None:
            connection.pull(room, connection.watch(room, sub.after))

    def _answer(self, connection: Connection, room: Room, sub: f.Sub) -> int | None:
        """Say where the reader begins, and return it; None if nothing follows."""
        connection.leave(room.rid)
        try:
            place = room.reading.place(sub)
        except Pruned:
            connection.end(CloseCode.TOO_SLOW, "retention passed this place; come back and resume")
            return None
        connection.say(
            f.SubOk(
                q=sub.q,
                rid=room.rid,
                room=f.B64(room.state.room_id),
                first=place.first,
                last=place.last,
                from_=place.from_,
                h=f.B64(place.h),
                cut=place.cut,
            )
        )
        return place.from_ if place.is_shared else None


def _standing(room: Room, id_pk: bytes, sub: f.Sub) -> Standing:
    """Return as what the identity is shown in. Raises Turned: not at all."""
    if not isinstance(room, PrivateRoom):
        if not room.admits(id_pk):
            raise Turned(Code.BANNED, "banned from this room")
        return Standing.MEMBER
    if sub.invite is not None:
        return Standing.STRANGER
    standing = room.standing(id_pk)
    if standing is Standing.STRANGER:
        raise Turned(Code.NOT_MEMBER, "not a member of that room")
    return standing


def _is_settled(room: Room, id_pk: bytes, standing: Standing) -> bool:
    return standing is not Standing.MEMBER or not isinstance(room, PrivateRoom) or room.is_let_in(id_pk)
