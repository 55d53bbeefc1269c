"""A room that is open in the application: its timeline and all that a screen tells of it.

Follows the events of one `client` room and folds them; what it tells the screen is that something
changed, never what to draw. Knows no Textual. Runs in the client's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from sendall.client.conversation.hints import Readers, Typists
from sendall.client.conversation.kinds import Delete, Edit, Reaction, Text, Topic
from sendall.client.conversation.rows import Draft, Post, State
from sendall.client.conversation.timeline import (
    Aside,
    Confirmed,
    Dropped,
    Failed,
    Timeline,
    Waiting,
    Written,
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
    Pending,
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
from sendall.tui.clock import Clock
from sendall.tui.drawing.rows import Look, mentions_me
from sendall.tui.marks import ReadMark

KEPT = 6_000
"""Rows that stay in memory while the end is in sight: beyond it the older half is dropped, and loads as one scrolls."""
PAGE = 150
"""Entries that are loaded at once when one scrolls up."""
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
        self.latency_ms: int | None = None
        """How long the last message took to be durable and back."""
        self.is_loading = False
        self.has_all = False
        """Whether the timeline begins where the log does, or what the server keeps of it."""
        self._nick = nick
        self.clock = clock
        self._heard = 0
        self._loaded_from: int | None = None
        self._changed = changed
        self._mentioned = mentioned
        self._asides = 0
        self._numbers: dict[int, Pending] = {}  # of drafts and changes that did not come back
        self._last_number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        for pending in room.unconfirmed:
            self._await(pending)

    # -- what it is ---------------------------------------------------------------------------

    @property
    def is_private(self) -> bool:
        return self.room.kind_line.startswith("PRIVATE")

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
                self.timeline.apply(event)
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
                self._note_outbox(event)
            case _:
                self.timeline.apply(event)
        if isinstance(event, Message | Change):
            self._heard = max(self._heard, event.seq)
        self._changed()

    def _said(self, message: Message) -> None:
        self.typists.stopped(message.sender)
        self.readers.saw(message.sender, message.seq)
        self.timeline.apply(message)
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
            case ServerLost(count=count):
                self.timeline.apply(event)
                self.tell(f"the server restarted and lost {count} entries that were seen here", "warning")
            case SlowDown(retry_s):
                self.slow_until = self.clock.monotonic() + retry_s
            case Alarm(alarm):
                self.alarm = alarm
                self.tell(f"ALARM: {alarm}", "alarm")
            case Presence():
                pass

    def _note_outbox(self, event: Held | GivenUp | InDoubt) -> None:
        match event:
            case Held(pendings):
                since = min(pending.written for pending in pendings).astimezone()
                lines = f"{len(pendings)} lines" if len(pendings) > 1 else "1 line"
                self.tell(
                    f"{lines} written {since:%Y-%m-%d %H:%M} and never confirmed, beginning "
                    f'"{safe_text(pendings[0].text)[:40]}": /send-held sends, /discard-held drops',
                    "warning",
                )
            case GivenUp(pending, code) if self._number_of(pending) is None:
                self.tell(f'not accepted ({code.value}): "{safe_text(pending.text)[:40]}"', "warning")
            case _:
                pass  # the one who waits for the receipt of a draft says it

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

    # -- saying -------------------------------------------------------------------------------

    def say(self, text: str, *, reply_to: int | None = None, is_action: bool = False) -> None:
        """Put a message into the outbox and show it as a draft.

        Raises:
            ValueError: too long, or nothing that UTF-8 can hold.
            SendallError: the room cannot be used any more, or the outbox cannot be written.
        """
        self._await(self.room.post_nowait(text, reply_to=reply_to, is_action=is_action))
        self.mark.new_after = None
        self._changed()

    def change(self, what: Edit | Delete | Reaction | Topic) -> None:
        """Put an edit, a deletion, a reaction or a topic into the outbox. Raises as `say`."""
        self._await(self.room.put_nowait(what))
        self._changed()

    def again(self, draft: Draft) -> None:
        """Send a failed message again. Raises as `say`."""
        self.timeline.apply(Dropped(draft.number))
        self.say(draft.text, reply_to=draft.re, is_action=draft.is_action)

    def drop(self, draft: Draft) -> None:
        """Show a failed message no more."""
        if draft.state is State.FAILED:
            self.timeline.apply(Dropped(draft.number))
            self._changed()

    async def send_held(self) -> int:
        """Send what is held; return how many."""
        held = self.room.held
        await self.room.send_held()
        for pending in held:
            number = self._number_of(pending)
            if number is None:
                self._await(pending)
            else:
                self.timeline.apply(Waiting(number))
        self._changed()
        return len(held)

    async def discard_held(self) -> int:
        """Forget what is held; return how many."""
        held = self.room.held
        await self.room.discard_held()
        for pending in held:
            if (number := self._number_of(pending)) is not None:
                self.timeline.apply(Dropped(number))
        self._changed()
        return len(held)

    def typed(self) -> None:
        """The person is writing: the others may know."""
        if self.why_ended is None and not self.why_away:
            self.room.typing()

    def _await(self, pending: Pending) -> None:
        number = self._last_number = self._last_number + 1
        self._numbers[number] = pending
        what = pending.what
        if isinstance(what, Text):
            self.timeline.apply(Written(number, pending.written, what.text, what.re, what.is_action))
        task = asyncio.create_task(self._settle(number, pending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, number: int, pending: Pending) -> None:
        began = self.clock.monotonic()
        try:
            receipt = await pending.receipt
        except SendallError as error:
            if isinstance(pending.what, Text):
                self.timeline.apply(Failed(number, str(error)))
            else:
                self.tell(f"your change was not taken: {error}", "warning")
        else:
            if not self.why_away:
                self.latency_ms = round((self.clock.monotonic() - began) * 1000)
            self.timeline.apply(Confirmed(number, receipt.seq))
            del self._numbers[number]
        self._changed()

    def _number_of(self, pending: Pending) -> int | None:
        return next((number for number, each in self._numbers.items() if each is pending), None)

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
                self._loaded_from = past.first
        except SendallError as error:
            self.tell(f"older messages cannot be shown: {error}", "warning")
            self.has_all = True
        finally:
            self.is_loading = False
            self._changed()

    def trim(self) -> None:
        """Drop the older half of a timeline that grew long; to be called while its end is in sight."""
        if len(self.timeline) <= KEPT:
            return
        row = self.timeline[len(self.timeline) - KEPT // 2]
        if not isinstance(row, Draft):
            self.timeline.trim(row.seq)
            self._loaded_from, self.has_all = row.seq, False

    def last_own(self) -> Post | None:
        """Return the last message that this person said and can still change."""
        for index in range(len(self.timeline) - 1, max(-1, len(self.timeline) - 500), -1):
            row = self.timeline[index]
            if isinstance(row, Post) and row.sender == self.me and not row.is_deleted:
                return row
        return None

    async def close(self) -> None:
        """Follow no more, and wait for nothing."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
