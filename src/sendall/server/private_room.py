"""A PRIVATE room at the server: it belongs to its members, and the server holds no key of it.

Judges the members' control entries, gives everything to members and to others only what they need to
join, ends a member with the entry that removes him, and keeps the grants that members leave for each
other. Pure; it cannot open anything. Source: docs/protocol.md, "Grants", "Requests and replies".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from sendall.config import Limits
from sendall.errors import Code
from sendall.log.roomlog import Grant, Record, RoomLog
from sendall.protocol import frames as f
from sendall.protocol.bodies import Admit, Body, Epoch, Join, Leave, Rekey, parse_body
from sendall.protocol.chunks import binary_message
from sendall.protocol.entry import FIRST_CONTROL, Entry, EntryType, Kind, entry_hash, parse
from sendall.protocol.members import Membership
from sendall.protocol.verdict import Verdict
from sendall.server.admission import Bucket, Buckets
from sendall.server.delivery import Audience, Reader
from sendall.server.kept_grants import KeptGrants
from sendall.server.room import CODES, FULL_RETRY_MS, Refusal, Room, slow_down
from sendall.server.seats import Seats
from sendall.server.wants import Wants

if TYPE_CHECKING:
    from sendall.server.connection import Connection

FROM_MEMBERS = frozenset(
    {
        *(EntryType.INVITE, EntryType.JOIN, EntryType.EPOCH, EntryType.LEAVE),
        *(EntryType.REKEY, EntryType.REVOKE, EntryType.ROLE, EntryType.ADMIT),
    }
)
"""Control entries that members make; a genesis comes by `make`, a restart is the server's own."""


class Standing(enum.Enum):
    """What an identity is to a PRIVATE room."""

    MEMBER = "member"
    PENDING = "pending"
    """Has joined, and waits for an admin."""
    STRANGER = "stranger"


class PrivateRoom(Room):
    """A room that is known by its id, and by its invites."""

    kind = Kind.PRIVATE

    def __init__(self, rid: int, log: RoomLog, server_pk: bytes, limits: Limits, now: float) -> None:
        super().__init__(rid, log, server_pk, limits, now)
        self.watchers = Audience(log.extent.last, self.reading)
        """Who is given the control entries only: pending, or come by an invite."""
        self.invites: set[bytes] = set()
        """The hash of every invite entry there is, also of those that have ended: who comes late is told why."""
        self.grants = KeptGrants(self.reading)
        self._wants = Wants()
        self._here = Seats()
        self._watching = Seats()
        self._let_in: dict[bytes, int] = {}
        # The seq of the join or admit entry of members for whom it is not durable yet.
        self._expired: set[bytes] = set()
        # Invites whose grants went because their time was over.
        self._joins = Bucket(limits.join_rate, limits.join_rate * 100, now)
        self._rekeys: Buckets[bytes] = Buckets(limits.rekeys_per_hour / 3600, 1)

    @property
    def membership(self) -> Membership:
        return self.state.membership

    def standing(self, id_pk: bytes) -> Standing:
        """Return what an identity is after everything accepted."""
        if id_pk in self.membership.members:
            return Standing.MEMBER
        return Standing.PENDING if id_pk in self.membership.pending else Standing.STRANGER

    def is_member(self, id_pk: bytes) -> bool:
        return id_pk in self.membership.members

    def admits(self, id_pk: bytes) -> bool:
        return self.is_member(id_pk)

    def is_let_in(self, id_pk: bytes) -> bool:
        """Whether what made it a member is durable: a crash must not take back a join of somebody who has read."""
        return self._let_in.get(id_pk, 0) <= self.audience.sent

    # -- accepting ----------------------------------------------------------------------------

    def judge_control(self, entry: Entry, now: float, wall_ms: int) -> Refusal | None:
        """Return why a member's (or newcomer's) control entry is not accepted at `wall_ms`; None if it is.

        It is judged at the time that `accept` gives it then, by which everybody else will judge it.
        """
        wait = self.bucket.spend(now)
        if wait:
            return slow_down(wait)
        verdict = self.state.judge(entry, time_ms=max(wall_ms, self.state.now))
        if verdict is not Verdict.OK:
            return Refusal(CODES[verdict])
        h = self.reading.h_at(entry.head_seq)
        if h is not None and h != entry.head_hash:
            return Refusal(Code.FORK)
        # Budgets are spent on what is right only: nobody can use up what others need.
        if entry.type == EntryType.JOIN:
            return self._judge_join(now)
        if entry.type == EntryType.REKEY:
            wait = self._rekeys.of(entry.sender, now).spend(now)
        return slow_down(wait) if wait else None

    def _judge_join(self, now: float) -> Refusal | None:
        membership = self.membership
        if len(membership.members) + len(membership.pending) >= self.limits.room_members:
            return Refusal(Code.FULL, FULL_RETRY_MS)
        wait = self._joins.spend(now)
        return slow_down(wait) if wait else None

    def accept(self, entry: Entry, time_ms: int) -> None:
        if not entry.is_control:
            super().accept(entry, time_ms)
            return
        body = parse_body(entry)
        # Read before anything changes: it may fail.
        at_the_door = self.grants.of(body.invite_pk) if isinstance(body, Join) else []
        invites = set(self.membership.invites)
        super().accept(entry, time_ms)
        self._follow(entry, body, at_the_door)
        self.grants.drop(invites - self.membership.invites.keys())

    def _follow(self, entry: Entry, body: Body, at_the_door: Iterable[Grant]) -> None:
        """Do with grants what a control entry makes of members, in the same commit."""
        match body:
            case Join():
                self._let_in[entry.sender] = self.state.seq
                for grant in at_the_door:
                    self.grants.keep(grant._replace(recipient=entry.sender))
            case Admit():
                self._let_in[body.id_pk] = self.state.seq
            case Rekey() | Leave():
                self.grants.drop([entry.sender])
            case Epoch():
                self.grants.drop(body.removed)
                if not self.state.history:  # at the doors lie keys that newcomers of this epoch may not have
                    self.grants.drop(self.membership.invites)
            case _:
                pass

    def _forget_control(self) -> None:
        self.invites.clear()
        self._let_in.clear()
        self._expired.clear()
        self.grants.forget()

    def _note_control(self, entry: Entry, seq: int, time_ms: int) -> None:
        super()._note_control(entry, seq, time_ms)
        if entry.type == EntryType.INVITE:
            self.invites.add(entry_hash(entry.raw))

    # -- telling ------------------------------------------------------------------------------

    def publish(self, records: Sequence[Record]) -> None:
        """Give durable records to members, and the control entries among them to watchers.

        What follows a removal is framed apart, so that the removed can be given all up to it and nothing more.
        """
        begun = 0
        for at, record in enumerate(records, 1):
            removed = _removed_by(record)
            if removed:
                self._publish_part(records[begun:at])
                self._dismiss(removed, record.seq)
                begun = at
        if begun < len(records):
            self._publish_part(records[begun:])
        self._let_in = {id_pk: seq for id_pk, seq in self._let_in.items() if seq > self.audience.sent}

    def _publish_part(self, records: Sequence[Record]) -> None:
        super().publish(records)
        for chunk in self.reading.framed([r for r in records if r.entry[1] >= FIRST_CONTROL]):
            self.watchers.push(chunk)

    def _dismiss(self, removed: Iterable[bytes], seq: int) -> None:
        for id_pk in removed:
            self._wants.settled(id_pk)
            for seats in (self._here, self._watching):
                for connection, reader in seats.of(id_pk):
                    connection.dismiss(self, reader, seq)

    # -- who is here --------------------------------------------------------------------------

    def enter(self, connection: Connection, reader: Reader) -> None:
        super().enter(connection, reader)
        self._here.take(connection, reader)

    def leave(self, connection: Connection) -> None:
        super().leave(connection)
        self._here.give_up(connection)
        if connection.id_pk not in self._here:
            self._wants.settled(connection.id_pk)

    def watch(self, connection: Connection, reader: Reader) -> None:
        """Let a connection see the control entries."""
        self.watchers.add(reader)
        self._watching.take(connection, reader)

    def watch_no_more(self, connection: Connection) -> None:
        self._watching.give_up(connection)

    # -- grants -------------------------------------------------------------------------------

    def take_grant(self, granter: bytes, recipient: bytes, sealed: bytes, wall_ms: int) -> None:
        """Keep a member's grant and hand it on; what nobody may have is dropped without a word."""
        if not self.is_member(granter) or not self._may_have_grants(recipient, wall_ms):
            return
        self.grants.keep(Grant(recipient, granter, recipient, sealed))
        self._wants.answered(recipient)
        message = binary_message(f.grant_frame(self.rid, recipient, sealed))
        for connection, reader in self._here.of(recipient):
            if connection.is_stalled or reader.is_early:
                reader.wants_grant = True
            else:
                connection.wire.write(message)

    def _may_have_grants(self, recipient: bytes, wall_ms: int) -> bool:
        if self.is_member(recipient):
            return True
        invite = self.membership.invites.get(recipient)
        return invite is not None and invite.has_door and not invite.is_expired(max(self.state.now, wall_ms))

    def has_key(self, id_pk: bytes, e: int) -> None:
        """A member says that it has the key of epoch `e`: if that is the current one, its grants go."""
        if e == self.state.epoch:
            self._wants.settled(id_pk)
            self.grants.drop([id_pk])

    def want(self, id_pk: bytes, now: float) -> None:
        """A member says that it lacks the key of the current epoch."""
        if self.is_member(id_pk):
            self._wants.ask(id_pk, now)
            self.pass_wants(now)

    def pass_wants(self, now: float) -> None:
        """Ask for the key for all who want it and whose turn it is; called when one asks, and about once a second."""
        if not self._wants.are_open:
            return
        present = [id_pk for id_pk in self._here if self.is_member(id_pk)]
        helpers = sorted(present, key=lambda id_pk: (not self.membership.is_admin(id_pk), id_pk))
        for wanting, helper in self._wants.due(now, helpers):
            listening = (connection for connection, _ in self._here.of(helper) if not connection.is_stalled)
            for connection in islice(listening, 1):
                connection.say(f.Want(rid=self.rid, id=f.B64(wanting)))

    def forget_old(self, now: float, wall_ms: int) -> None:
        """Let go of what has run out: grants at the doors of expired invites, full buckets; about once a minute."""
        expired = {pk for pk, invite in self.membership.invites.items() if invite.is_expired(wall_ms)}
        self.grants.drop(expired - self._expired)
        self._expired = expired
        self._rekeys.forget_full(now)
        self._wants.forget_old(now)


def _removed_by(record: Record) -> Sequence[bytes]:
    """Return whom an accepted entry ends as members."""
    if record.entry[1] == EntryType.LEAVE:
        return [parse(record.entry).sender]
    if record.entry[1] == EntryType.EPOCH:
        body = parse_body(parse(record.entry))
        return body.removed if isinstance(body, Epoch) else ()
    return ()
