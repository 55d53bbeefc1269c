"""A room that is open in the application: its timeline and all that a screen tells of it.

Follows the events of one `client` room and folds them; what it tells the screen is that something
changed, never what to draw. Knows no Textual. Runs in the client's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from sendall.client.conversation.hints import Readers, Typists
from sendall.client.conversation.rows import Draft, Post
from sendall.client.conversation.timeline import (
    Aside,
    Timeline,
)
from sendall.client.events import (
    Alarm,
    Back,
    Came,
    Change,
    Event,
    GivenUp,
    Held,
    InDoubt,
    Lost,
    Message,
    Presence,
    SeenUpTo,
    ServerLost,
    SlowDown,
    Typing,
    Went,
)
from sendall.client.joined import Room
from sendall.client.names import NO_NICK, safe_text
from sendall.errors import SecurityAlarm, SendallError
from sendall.protocol.entry import Kind
from sendall.tui.clock import Clock
from sendall.tui.drawing.rows import Look, mentions_me
from sendall.tui.marks import ReadMark
from sendall.tui.outgoing import Outgoing
from sendall.tui.sentences import server_lost_sentence
from sendall.tui.shelf import Shelf

KEPT = 6_000
"""Rows that stay in memory while the end is in sight: beyond it the older half is dropped, and loads as one scrolls."""
PAGE = 150
"""Entries that are loaded at once when one scrolls up."""
MAX_PAGES = 500
"""Pages that are loaded at most on the way to a message that was found."""
BREATH = 64
"""Events between two pauses in which keys are heard."""
CROWD = 20
"""People from whom on coming and going is not told in the timeline."""


class Mentioned(NamedTuple):
    """Somebody means this person."""

    room: OpenRoom
    who: str
    text: str


class OpenRoom:
    """One room: what was said, what is unread, who writes, and whether it can be used.

    Args:
        nick: says under which name this person goes now.
        changed: called after every change, in the event loop; cheap, and called often.
        mentioned: called when somebody else means this person in something that is unread.
    """

    def __init__(
        self,
        room: Room,
        me: bytes,
        ignored: frozenset[bytes],
        seen: int,
        nick: Callable[[], str],
        clock: Clock,
        shelf: Shelf,
        changed: Callable[[], None],
        mentioned: Callable[[Mentioned], None],
    ) -> None:
        self.room = room
        self.name = room.name
        self.me = me
        self.ignored = ignored
        self.timeline = Timeline()
        self.typists = Typists()
        self.readers = Readers()
        self.mark = ReadMark(seen)
        self.alarm: SecurityAlarm | None = None
        self.why_ended: SendallError | None = None
        """Why nothing comes any more; None while it does."""
        self.why_away = ""
        """Why the connection ended, as long as there is none."""
        self.slow_until = 0.0
        self.is_loading = False
        self.has_all = False
        """Whether the timeline begins where the log does, or what the server keeps of it."""
        self._nick = nick
        self.clock = clock
        self._shelf = shelf
        self._heard = 0
        self._needs_redraw = False
        self._loaded_from: int | None = None
        self._changed = changed
        self._mentioned = mentioned
        self._asides = 0
        self.outgoing = Outgoing(room, self.timeline, clock, self.tell, changed)

    # -- what it is ---------------------------------------------------------------------------

    @property
    def is_private(self) -> bool:
        return self.room.kind is Kind.PRIVATE

    @property
    def nick(self) -> str:
        return self._nick()

    @property
    def lag(self) -> int:
        """Entries that arrived, or are known to be there, and wait to be shown."""
        return max(0, self.room.follower.log.head[0] - self._heard) if len(self.room.inbox) else 0

    def look(self, width: int) -> Look:
        """Return what drawing its rows depends on."""
        return Look(self.timeline, self.me, self.nick, self.ignored, width)

    def names(self) -> list[str]:
        """Return who can be meant here: those present, then those who said something, without this person."""
        here = [person.nick for person in self.room.members if person.id != self.me]
        said = [self.timeline.nick(sender) for sender in reversed(self.timeline.senders) if sender != self.me]
        return [name for name in dict.fromkeys([*here, *said]) if name != NO_NICK]

    # -- following ----------------------------------------------------------------------------

    async def follow(self) -> None:
        """Fold what the room tells until it ends; why it did is in `why_ended`."""
        since_pause = 0
        try:
            async for event in self.room.events():
                self.note(event)
                since_pause += 1
                if since_pause >= BREATH:
                    since_pause = 0
                    await asyncio.sleep(0)
        except SendallError as error:
            self.why_ended = error
        self._changed()

    def note(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Message():
                self._said(event)
            case Change(seq=seq, sender=sender):
                self._apply(event)
                if sender == self.me:
                    self.mark.came(seq, is_mine=True, is_mention=False)
            case Typing(id, _, is_over):
                if is_over:
                    self.typists.stopped(id)
                elif id != self.me:
                    self.typists.typing(id, self.clock.monotonic())
            case SeenUpTo(id, _, seq):
                self.readers.saw(id, seq)
            case Came(id, nick):
                self._tell_presence(nick, id, "came")
            case Went(id, nick):
                self.typists.stopped(id)
                self._tell_presence(nick, id, "went")
            case Presence() | Lost() | Back() | ServerLost() | SlowDown() | Alarm():
                self._note_state(event)
            case Held() | GivenUp() | InDoubt():
                self.outgoing.note(event)
            case _:
                self._apply(event)
        if isinstance(event, Message | Change):
            self._heard = max(self._heard, event.seq)
        self._shelf.note(self.room.id, (event,))
        self._changed()

    def take_redraw(self) -> bool:
        """Return, once, whether every row is to be drawn anew: somebody's tag became longer."""
        needs, self._needs_redraw = self._needs_redraw, False
        return needs

    def _apply(self, event: Event) -> None:
        self._needs_redraw = self.timeline.apply(event).is_all or self._needs_redraw

    def _said(self, message: Message) -> None:
        self.typists.stopped(message.sender)
        self.readers.saw(message.sender, message.seq)
        self._apply(message)
        is_me = message.sender == self.me
        post = self.timeline.post(message.seq)
        if post is None or message.sender in self.ignored:
            return
        is_mention = not is_me and message.seq > self.mark.seen and mentions_me(post, self.look(80))
        is_unread = self.mark.came(message.seq, is_mine=is_me, is_mention=is_mention)
        if is_unread and is_mention:
            who = f"{post.nick}·{self.timeline.tag(post.sender)}"
            self._mentioned(Mentioned(self, who, safe_text(post.text)))

    def _note_state(self, event: Presence | Lost | Back | ServerLost | SlowDown | Alarm) -> None:
        match event:
            case Lost(reason):
                if not self.why_away:
                    self.tell(f"connection lost: {safe_text(reason)}", "warning")
                self.why_away = safe_text(reason)
                self.typists = Typists()
            case Back():
                if self.why_away:
                    self.tell("connected again", "done")
                self.why_away = ""
            case ServerLost():
                self._apply(event)
                self.tell(server_lost_sentence(event), "warning")
            case SlowDown(retry_s):
                self.slow_until = self.clock.monotonic() + retry_s
            case Alarm(alarm):
                self.alarm = alarm
                self.tell(f"ALARM: {alarm}", "alarm")
            case Presence():
                pass

    def _tell_presence(self, nick: str, id_pk: bytes, did: str) -> None:
        if self.room.present <= CROWD and id_pk not in self.ignored:
            name = nick if nick != NO_NICK else "somebody"
            self.tell(f"{name}·{self.timeline.tag(id_pk)} {did}", did)

    def tell(self, sentence: str, style: str = "") -> None:
        """Put a line of this device alone into the timeline, at its end."""
        aside = Aside(self.timeline.last_seq, self._asides, sentence, style, self.clock.now())
        self._asides += 1
        self.timeline.apply(aside)
        self._changed()

    def typed(self) -> None:
        """The person is writing: the others may know."""
        if self.why_ended is None and not self.why_away:
            self.room.typing()

    # -- history ------------------------------------------------------------------------------

    async def load_older(self) -> None:
        """Load a page of what came before; nothing if there is none, or one is on its way already."""
        if self.is_loading or self.has_all or self.why_ended is not None:
            return
        self.is_loading = True
        self._changed()
        before = self.timeline.first_seq if self._loaded_from is None else self._loaded_from
        try:
            past = await self.room.past(before, PAGE) if before > 1 else None
            if past is None:
                self.has_all = True
            else:
                self.timeline.take(past.told)
                self._shelf.note(self.room.id, past.told)
                self._loaded_from = past.first
        except SendallError as error:
            self.tell(f"older messages cannot be shown: {error}", "warning")
            self.has_all = True
        finally:
            self.is_loading = False
            self._changed()

    async def load_until(self, seq: int) -> Post | None:
        """Load older pages until the message at `seq` is there, and return it; None if it cannot be had."""
        for _ in range(MAX_PAGES):
            loaded_from = self._loaded_from or self.timeline.first_seq
            if loaded_from <= seq or self.has_all or self.why_ended is not None:
                break
            await self.load_older()
        return self.timeline.post(seq)

    def trim(self) -> None:
        """Drop the older half of a timeline that grew long; to be called while its end is in sight."""
        if len(self.timeline) <= KEPT:
            return
        row = self.timeline[len(self.timeline) - KEPT // 2]
        if not isinstance(row, Draft):
            self.timeline.trim(row.seq)
            self._loaded_from, self.has_all = row.seq, False

    async def close(self) -> None:
        """Wait for nothing any more."""
        await self.outgoing.close()
