"""A room as a program sees it: send, iterate, page back, leave. Part of the public face.

Joins a `RoomFollower` with those who wait for it. All of it runs in the client's event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple, Protocol

from sendall.client.conversation.kinds import Card, Hint, Spoken, content_of
from sendall.client.events import Alarm, Event, Message, Notice, Pending, Told, Unreadable, tag_of, utc
from sendall.client.history import PageRead
from sendall.client.inbox import Hole, Inbox
from sendall.client.outbox_store import Lane
from sendall.client.room import RoomFollower
from sendall.client.sending import Sending
from sendall.client.speaking import Speaker
from sendall.errors import ConnectError, SendallError

HISTORY_PAGE = 200
_AGAIN_S = 0.5
_LEFT = "this program left the room, and the message was not confirmed before"


class Person(NamedTuple):
    """Somebody present, as far as their card tells."""

    nick: str
    tag: str
    """Four characters of their key: two people of one name differ in it."""
    id: bytes
    hue: int | None = None
    """The colour they like, in degrees on the colour wheel; None: no wish."""


class Past(NamedTuple):
    """A part of the log that was read back."""

    first: int
    """Where it begins: ask for what is before this next."""
    told: list[Told]
    """What was said in it, oldest first."""


class Carrier(Protocol):
    """What a room asks of the client that carries it."""

    nick: str
    kept_days: int

    async def written(self) -> None:
        """Wait until all that was to be sent is written; at once while there is no connection."""
        ...

    def wake(self) -> None:
        """Something is to be sent."""
        ...

    def can_page(self, room: Room) -> bool:
        """Whether a page can be asked for right now."""
        ...

    def ask_page(self, room: Room, before: int, limit: int) -> bool:
        """Ask for a page; False if there can be none."""
        ...

    def let_go(self, room: Room) -> None:
        """The program left the room."""
        ...

    def renamed(self, room: Room, name: str) -> None:
        """The room is known by another name from now on."""
        ...


class Room(Speaker):
    """A room that `Client.join` returned."""

    def __init__(self, carrier: Carrier, follower: RoomFollower, lane: Lane, nick: str) -> None:
        super().__init__()
        self.name = follower.name
        self.kind = follower.kind
        self.follower = follower
        self.inbox = Inbox()
        self._carrier = carrier
        self._lane = lane
        self._sending = Sending(follower.outbox, nick)
        self._paging = asyncio.Lock()
        self._page: asyncio.Future[PageRead | None] | None = None
        self._turned = asyncio.Event()
        self._why_ended: SendallError | None = None
        self._is_evidence_taken = False
        self.inbox.put(self._sending.beginning())

    @property
    def id(self) -> bytes:
        """32 bytes that name the room for ever."""
        return self.follower.room_id

    @property
    def kind_line(self) -> str:
        """What the room is and who can read it, in one line."""
        return "OPEN · the server can read this"

    @property
    def present(self) -> int:
        """How many identities are present; the server's word."""
        return self.follower.people.count

    @property
    def members(self) -> list[Person]:
        """Who is present, as far as cards tell."""
        people = self.follower.people
        return [Person(nick, tag_of(id_pk), id_pk, people.hues[id_pk]) for id_pk, nick in people.nicks.items()]

    # -- sending ------------------------------------------------------------------------------

    def put_nowait(self, what: Spoken) -> Pending:
        if self._why_ended is not None:
            raise self._why_ended
        pending = self._sending.write(what, time.time_ns() // 1_000_000)
        self._pace.said()
        self._carrier.wake()
        return pending

    def _hint(self, hint: Hint) -> None:
        if self.follower.rid is not None:  # what was so while away is not so any more when it is back
            self.follower.signals.post(content_of(hint))
            self._carrier.wake()

    def rename(self, card: Card) -> None:
        """Go by another name or colour in this room from now on."""
        self._sending.nick = card.name
        self.follower.signals.rename(card)
        self._carrier.wake()

    @property
    def unconfirmed(self) -> Sequence[Pending]:
        """What was written, here or by a program that ended, and has not come back, oldest first."""
        return self._sending.unconfirmed

    async def drain(self) -> None:
        """Wait until nothing is unconfirmed.

        Raises:
            Refused, NotKnown: a message that nobody waited for was given up.
        """
        await self._sending.drain()

    @property
    def held(self) -> list[Pending]:
        """What goes out only when the person says so: written over ten minutes before this start, or in doubt."""
        return list(self._sending.held)

    async def send_held(self) -> None:
        """Send what is held, in order, before newer messages."""
        self._sending.send_held()
        self._carrier.wake()

    async def discard_held(self) -> None:
        """Forget what is held; what was sent before may still appear."""
        self._sending.discard_held()

    async def signal(self, content: dict[str, Any]) -> None:
        """Tell those present something that is not logged and may be lost."""
        self.follower.signals.post(content)
        self._carrier.wake()

    # -- reading ------------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield messages, oldest first, then live, over reconnections. One consumer of this or `events`.

        Raises:
            SecurityAlarm: the room is not what it was.
            SendallError: the client cannot go on.
        """
        async for event in self.events():
            if isinstance(event, Message):
                yield event
            elif isinstance(event, Alarm):
                raise event.alarm

    async def events(self) -> AsyncIterator[Event]:
        """Yield everything a screen needs (`client/events.py`). A slow consumer stops the reading of the socket."""
        self.inbox.has_reader = True
        try:
            while (event := await self.inbox.get()) is not None:
                if self.inbox.is_low:
                    self._carrier.wake()  # the socket may be read again
                if not isinstance(event, Hole):
                    yield event
                    continue
                if event.is_backfill and self._why_ended is not None:
                    continue  # nobody is there to read it from; what ended the room comes behind it
                async for missed in self._read_hole(event):
                    yield missed
        finally:
            self.inbox.has_reader = False
            self._carrier.wake()

    async def history(self, before: int, limit: int = 50) -> list[Message]:
        """Return up to `limit` messages before seq `before`, oldest first, verified against the chain.

        An empty list: there are none, or the server keeps them no more. Waits for the connection.

        Raises:
            SecurityAlarm: what the server gave does not fit what it said before.
        """
        found: list[Message] = []
        while len(found) < limit and (past := await self.past(before, limit - len(found))):
            found = [told for told in past.told if isinstance(told, Message)] + found
            before = past.first
        return found[-limit:] if limit > 0 else []

    async def past(self, before: int, limit: int = 50) -> Past | None:
        """Return what was said in about `limit` entries before seq `before`, verified against the chain.

        None: there is nothing, or the server keeps it no more. Waits for the connection.

        Raises:
            SecurityAlarm: what the server gave does not fit what it said before.
        """
        before = min(before, self.follower.log.head[0] + 1)
        page = await self._read_page(before, limit) if before > 1 else None
        if page is None:
            return None
        return Past(min(before, page.first), [told for told in page.told if told.seq < before])

    async def _read_hole(self, hole: Hole) -> AsyncIterator[Event]:
        first = hole.first
        while first <= hole.last:
            upto = min(first + HISTORY_PAGE, hole.last + 1)
            told: dict[int, Told] = {}
            before = upto
            while before > first:
                page = await self._read_page(before, before - first)
                if page is None:
                    break
                told.update((event.seq, event) for event in page.told)
                before = min(before, page.first)
            since = utc(hole.since_ms)
            for seq in range(first, upto):
                event = told.get(seq)
                if event is not None and (isinstance(event, Unreadable) or event.time >= since):
                    yield event
            if not told and not hole.is_backfill:
                yield Notice(first, f"messages {first} to {upto - 1} were pruned before they were read here")
            first = upto

    async def _read_page(self, before: int, limit: int) -> PageRead | None:
        async with self._paging:
            while self._why_ended is None:
                self._turned.clear()
                if not self._carrier.can_page(self):
                    await self._turned.wait()
                    continue
                if not self._carrier.ask_page(self, before, limit):
                    return None
                page = await self._next_page()
                if page is None:
                    continue  # the connection ended: ask the next one
                if page.refused is None:
                    return page
                if not page.refused.code.repeats:
                    return None
                await asyncio.sleep(_AGAIN_S)
            raise self._why_ended

    async def _next_page(self) -> PageRead | None:
        page: asyncio.Future[PageRead | None] = asyncio.get_running_loop().create_future()
        self._page = page
        try:
            return await page
        finally:
            self._page = None

    async def leave(self) -> None:
        """Leave the room: iterating ends; what is unconfirmed stays in the outbox."""
        self._carrier.let_go(self)
        self.end(None)

    # -- told by the client -------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether its reader is slow."""
        return self.inbox.has_reader and self.inbox.is_full

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for something the socket brings: then it is read, however full the inbox."""
        return self._paging.locked() or self.follower.outbox.has_open

    def collect(self) -> None:
        """Give what the follower gathered to those who wait."""
        follower = self.follower
        events = follower.take_events()
        settled = follower.outbox.take_settled()
        if settled:
            events += self._sending.settle(settled)
        if events:
            self.inbox.put(events)
        for page in follower.pages:
            if self._page is not None and not self._page.done():
                self._page.set_result(page)
        follower.pages.clear()
        if follower.alarm is not None:
            self._stop(follower.alarm)
        self._turned.set()

    def _stop(self, why: SendallError) -> None:
        """Nothing is sent any more; what is in the inbox can still be read."""
        self._why_ended = self._why_ended or why
        self._pace.stop()
        self._sending.fail(why)
        if self._page is not None and not self._page.done():
            self._page.set_exception(why)
        self._turned.set()

    def take_evidence(self) -> str | None:
        """Return what raised a fork alarm, as JSON, once; None without one."""
        evidence = self.follower.evidence
        if evidence is None or self._is_evidence_taken:
            return None
        self._is_evidence_taken = True
        return evidence.text()

    def lost(self) -> None:
        """The connection ended: a page under way never comes."""
        self._pace.begin_again()
        if self._page is not None and not self._page.done():
            self._page.set_result(None)

    def tell(self, event: Event) -> None:
        self.inbox.put([event])

    def end(self, error: SendallError | None) -> None:
        """Nothing comes any more, because of `error` or because the program wanted it so. May be repeated."""
        self.inbox.close(error)
        self._stop(error or ConnectError(_LEFT, hint="it is kept, and sent by the next program that joins the room"))
        self._lane.close()

    def after_fork(self) -> None:
        """In the child of a fork: what is open stays the parent's."""
        self._lane.after_fork()
        self.follower.outbox.renew_after_fork(self._lane)
