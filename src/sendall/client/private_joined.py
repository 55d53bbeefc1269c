"""A PRIVATE room as a program sees it: invite, kick, admit, roles, the room code. Part of the public face.

What `client.joined` does, and what only members of a PRIVATE room can do. Each change is done when its
entry came back from the log. All of it runs in the client's event loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from sendall.client import acts as a
from sendall.client.address import Address, make_private_link
from sendall.client.conversation.kinds import Spoken, Topic
from sendall.client.events import NO_NICK, Change, Event, Message, Pending, Removed, tag_of, utc
from sendall.client.joined import Carrier, Room
from sendall.client.outbox_store import Lane
from sendall.client.private_room import PrivateFollower
from sendall.crypto.identity import person_fingerprint
from sendall.crypto.invites import SECRET_BYTES, InviteKeys
from sendall.crypto.roomcode import room_code
from sendall.errors import SendallError, UsageError
from sendall.protocol.bodies import NEEDS_ADMIT
from sendall.protocol.entry import ZERO_32, Role, entry_hash
from sendall.protocol.words import words_of

LIFETIME_S = 24 * 3600.0
"""How long a link leads in, unless somebody says otherwise."""
MAX_USES = 65_535
_WITH_TAG = ("{}·{}", "{} ({})")
"""The two ways in which people are shown: beside what they say, and in sentences."""


class Invitation(NamedTuple):
    """A link into the room."""

    link: str
    expires: datetime | None
    """None: never."""
    uses: int
    """How many may join by it; 0: no limit."""
    needs_admit: bool
    """Whether an admin must let in who follows it."""


class MemberInfo(NamedTuple):
    """Somebody in the room, present or not."""

    id: bytes
    nick: str
    tag: str
    role: Role
    words: str
    """Eight words to compare with what that person's own program shows."""
    is_pending: bool
    is_me: bool


class PrivateRoom(Room):
    """A PRIVATE room that `Client.join` or `Client.new_room` returned."""

    follower: PrivateFollower

    def __init__(
        self,
        carrier: Carrier,
        follower: PrivateFollower,
        lane: Lane,
        nick: str,
        address: Address,
        named: Callable[[PrivateRoom, str], None],
    ) -> None:
        """`named` is called with the room's name when an admin's client says it."""
        super().__init__(carrier, follower, lane, nick)
        self._address = address
        self._named = named
        self.progress: Callable[[int, int], None] | None = None
        """Called with the seq up to which control entries were checked, and the last, until the head is reached."""
        self._waiting: dict[a.Wanted, asyncio.Future[int]] = {}
        self._settled: list[tuple[a.Wanted, SendallError | None]] = []

    # -- asking -------------------------------------------------------------------------------

    @property
    def kind_line(self) -> str:
        days = max(self._carrier.kept_days, 1)
        return f"PRIVATE · the server cannot read · kept {days:,} d · server sees: sizes, times, addresses"

    @property
    def my_role(self) -> Role | None:
        """None while this client waits to be let in, and once it is a member no longer."""
        return self.follower.my_role

    @property
    def is_pending(self) -> bool:
        """Whether an admin is yet to let this client in."""
        return self.follower.is_pending

    @property
    def lacks_key(self) -> bool:
        """Whether this client is a member and has not got the current key: a member who is online gives it."""
        return self.follower.is_member and not self.follower.is_ready

    async def key_within(self, seconds: float) -> bool:
        """Wait for the current key, at most so long; return whether this client can read and write now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.lacks_key:
                    self._turned.clear()
                    await self._turned.wait()
        return self.follower.is_ready

    def all_members(self) -> list[MemberInfo]:
        """Return all members, admins first, then who waits to be let in."""
        membership = self.follower.membership
        found = [
            MemberInfo(
                id_pk,
                self._carrier.nick if id_pk == self.follower.me else self.follower.name_of(id_pk),
                tag_of(id_pk),
                member.role,
                words_of(person_fingerprint(id_pk)),
                is_pending,
                id_pk == self.follower.me,
            )
            for people, is_pending in ((membership.members, False), (membership.pending, True))
            for id_pk, member in people.items()
        ]
        return sorted(found, key=lambda m: (m.is_pending, m.role is not Role.ADMIN, m.nick, m.id))

    async def look_up_names(self, limit: int = 200) -> None:
        """Look among the last messages for the names of members who are away; nothing is waited for without need."""
        nameless = {m.id for m in self.all_members() if m.nick == NO_NICK and not m.is_pending}
        if nameless and self._carrier.can_page(self):
            past = await self.past(self.follower.log.head[0] + 1, limit)
            for told in reversed(past.told if past is not None else []):
                if isinstance(told, Message | Change) and told.nick != NO_NICK:
                    self.follower.names.setdefault(told.sender, told.nick)

    def find_member(self, text: str) -> bytes:
        """Return who is meant by a name, a tag, "name·tag", "name (tag)", or the beginning of an id in hex.

        Raises:
            UsageError: nobody, or more than one.
        """
        wanted = text.strip().casefold()
        found = [
            m
            for m in self.all_members()
            if wanted in (m.nick.casefold(), m.tag, *(f.format(m.nick.casefold(), m.tag) for f in _WITH_TAG))
            or (len(wanted) >= 8 and m.id.hex().startswith(wanted))
        ]
        if not found:
            raise UsageError(f"nobody in {self.name!r} is called {text!r}", hint="/members shows who is there")
        if len(found) > 1:
            tags = ", ".join(f"{m.nick}·{m.tag}" for m in found)
            raise UsageError(f"{len(found)} people are called {text!r}", hint=f"say which: {tags}")
        return found[0].id

    def code(self) -> str:
        """Return the room's eight words: who compares them once has verified everybody. Takes about 0.1 s."""
        state = self.follower.log.state
        return words_of(room_code(state.room_id, state.auth, state.membership.members_hash(), state.commit))

    async def events(self) -> AsyncIterator[Event]:
        """As of every room; but who reads is not told again what the room is called, which each epoch repeats."""
        async for event in super().events():
            if isinstance(event, Message) and event.nick != NO_NICK:
                self.follower.names.setdefault(event.sender, event.nick)  # also of the past that is shown first
            elif isinstance(event, Change) and isinstance(event.what, Topic) and self._is_known_name(event):
                continue
            yield event

    def _is_known_name(self, change: Change) -> bool:
        assert isinstance(change.what, Topic), "its caller looked"
        return change.what.text == self.follower.topic and self.follower.membership.is_admin(change.sender)

    def put_nowait(self, what: Spoken) -> Pending:
        if self.my_role is Role.READER:
            raise UsageError(
                f"in {self.name!r} you may only read", hint="an admin can change that; /members shows who is one"
            )
        return super().put_nowait(what)

    # -- changing -----------------------------------------------------------------------------

    async def invite(
        self, *, uses: int = 1, lifetime_s: float | None = LIFETIME_S, approve: bool = False
    ) -> Invitation:
        """Make a link into the room. Whoever has it may join: hand it only to whom you want in.

        `uses` 0 and `lifetime_s` None mean without limit. With `approve`, and in rooms that were made with
        `knock`, the link opens nothing by itself: a member lets newcomers in, or gives them the key.

        Raises:
            UsageError: not an admin, or a number out of range.
        """
        if not 0 <= uses <= MAX_USES or (lifetime_s is not None and lifetime_s <= 0):
            raise UsageError(f"a link has 0 (no limit) to {MAX_USES:,} uses, and a lifetime above 0")
        secret = os.urandom(SECRET_BYTES)
        keys = InviteKeys(secret)
        expires_ms = 0 if lifetime_s is None else time.time_ns() // 1_000_000 + int(lifetime_s * 1000)
        door_pk = ZERO_32 if approve or not self.follower.has_doors else keys.door_pk
        act = a.MakeInvite(keys.invite_pk, door_pk, uses, expires_ms, NEEDS_ADMIT if approve else 0)
        wanted = await self._do(act)
        address = self._address
        link = make_private_link(
            address.host,
            address.port,
            self.follower.log.state.server_pk,
            entry_hash(wanted.raw),
            secret,
            self.follower.topic,
        )
        return Invitation(link, utc(expires_ms) if expires_ms else None, uses, approve)

    async def kick(self, *who: bytes) -> None:
        """Remove members, or who waits. The room gets a new key at once, and all its links end.

        Done when the log has it: until then nothing is sent under the old key.
        """
        await self._do(a.Remove(who))

    async def set_role(self, who: bytes | None, role: Role) -> None:
        """Give a member a role; None: whoever joins from now on."""
        await self._do(a.SetRole(ZERO_32 if who is None else who, role))

    async def admit(self, who: bytes) -> None:
        """Let somebody in who waits."""
        await self._do(a.Admit(who))

    async def rotate(self) -> None:
        """Give the room a new key."""
        await self._do(a.Rotate(self.follower.log.state.epoch))

    async def lock(self) -> int:
        """Revoke all open links; return how many there were."""
        open_ = list(self.follower.membership.invites)
        for invite_pk in open_:
            await self._do(a.EndInvite(invite_pk))
        return len(open_)

    async def leave_for_good(self) -> None:
        """Be a member no longer: to come back takes a new link."""
        await self._do(a.Leave())

    async def hand_over(self) -> None:
        """Wait until the keys that this client owes to others are on their way, and what it wrote is confirmed.

        For a program that ends: what it owes then waits for another member to be online.
        """
        if self._why_ended is not None:
            return
        self.follower.say_topic()
        self._carrier.wake()
        await self._carrier.written()
        while self.follower.custody.is_owing or self.follower.outbox.has_open:
            self._turned.clear()
            await self._turned.wait()
            await self._carrier.written()
        await self.drain()

    async def _do(self, act: a.Act) -> a.Wanted:
        if self._why_ended is not None:
            raise self._why_ended
        wanted = self.follower.acts.want(act)
        done = self._waiting[wanted] = asyncio.get_running_loop().create_future()
        self._carrier.wake()
        try:
            await done
        finally:
            self._waiting.pop(wanted, None)
        return wanted

    # -- told by the client -------------------------------------------------------------------

    def collect(self) -> None:
        at = self.follower.place_in_log.progress
        if self.progress is not None and at is not None:
            self.progress(*at)
        self._settled += self.follower.acts.take_settled()
        # Done is what others can use: who removes somebody and goes away at once must have given the key to the rest.
        settled = [] if self.follower.has_more else self._settled
        for wanted, error in settled:
            waiting = self._waiting.get(wanted)
            if waiting is not None and not waiting.done():
                if error is None:
                    waiting.set_result(wanted.seq)
                else:
                    waiting.set_exception(error)
        settled.clear()
        backfill = self.follower.take_backfill()
        if backfill is not None:
            self.inbox.put_hole(*backfill)
        removed = next((event for event in self.follower.events if isinstance(event, Removed)), None)
        for event in self.follower.events:
            if isinstance(event, Change) and isinstance(event.what, Topic):
                self._take_topic(event.sender, event.what)
        super().collect()
        if removed is not None:
            self.inbox.close(removed.why)
            self._stop(removed.why)

    def _take_topic(self, sender: bytes, topic: Topic) -> None:
        """An admin's client said what the room is called; of others it is what they say it is about."""
        if self.follower.membership.is_admin(sender):
            self.follower.chronicle.is_knock = topic.is_knock
            self.follower.topic = topic.text or self.follower.topic
            self._named(self, topic.text)

    def _stop(self, why: SendallError) -> None:
        super()._stop(why)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(why)
