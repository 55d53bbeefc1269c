"""What a program can say in a room: messages, changes of them, and hints. The one half of `joined.Room`.

Everything logged goes through the same outbox, exactly once and in order; hints are signals, sent at
most as often as their pace allows, and may be lost. Shell: it knows the loop's clock and no socket.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from sendall.client.conversation.hints import SEEN_EVERY_S, TYPING_EVERY_S, TYPING_S
from sendall.client.conversation.kinds import Delete, Edit, Hint, Reaction, Seen, Spoken, Text, Topic, Typing
from sendall.client.events import Pending, Receipt


class Speaker(ABC):
    """Who speaks in one room."""

    def __init__(self) -> None:
        self._pace = HintPace(self._hint)

    @abstractmethod
    def put_nowait(self, what: Spoken) -> Pending:
        """Put something to say into the outbox on disk and return at once; it is sent when that is possible.

        Raises as `send`, at once: ValueError, SecurityAlarm; UsageError: the outbox cannot be written.
        """

    @abstractmethod
    def _hint(self, hint: Hint) -> None:
        """Tell those present, without logging it."""

    async def send(self, text: str, *, reply_to: int | None = None, is_action: bool = False) -> Receipt:
        """Send a message; return when it is durable and has its place. Cancelling does not unsend.

        `reply_to` is the seq of the message that it answers; `is_action` says what the sender does.

        Raises:
            ValueError: too long, not encodable, or no seq.
            Refused: the server declined it for good; it may still appear.
            NotKnown: whether it arrived can no longer be known.
            SecurityAlarm: the room is not what it was; nothing is sent.
        """
        return await self.post_nowait(text, reply_to=reply_to, is_action=is_action).receipt

    def post_nowait(self, text: str, *, reply_to: int | None = None, is_action: bool = False) -> Pending:
        """Put a message into the outbox on disk and return at once; it is sent when that is possible.

        Raises as `send`, at once: ValueError, SecurityAlarm; UsageError: the outbox cannot be written.
        """
        return self.put_nowait(Text(text, reply_to, is_action))

    async def edit(self, seq: int, text: str) -> Receipt:
        """Give one's own message at `seq` another text. Of somebody else's it changes nothing. Raises as `send`."""
        return await self.put_nowait(Edit(seq, text)).receipt

    async def delete(self, seq: int) -> Receipt:
        """Take back one's own message at `seq`: it is shown no more. The log keeps it. Raises as `send`."""
        return await self.put_nowait(Delete(seq)).receipt

    async def react(self, seq: int, emoji: str, *, is_off: bool = False) -> Receipt:
        """Put an emoji on the message at `seq`, or take it back. Raises as `send`."""
        return await self.put_nowait(Reaction(seq, emoji, is_off)).receipt

    async def set_topic(self, text: str) -> Receipt:
        """Say what the room is about; at most 200 characters, empty for nothing. Raises as `send`."""
        return await self.put_nowait(Topic(text)).receipt

    def typing(self, *, is_over: bool = False) -> None:
        """Let the others know that one is typing, or stopped. May be called at every key: few of them are sent."""
        self._pace.typing(is_over=is_over)

    def seen(self, seq: int) -> None:
        """Let the others know that one has seen everything up to `seq`. May be called at will: few are sent."""
        self._pace.seen(seq)


class Timers(Protocol):
    """What of an event loop tells the time."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer: ...


class Timer(Protocol):
    def cancel(self) -> None: ...


class HintPace:
    """Lets through no more hints than the others need."""

    def __init__(self, send: Callable[[Hint], None], timers: Timers | None = None) -> None:
        """By default the timers are those of the running event loop."""
        self._send = send
        self._given = timers
        self._typed_at: float | None = None
        self._seen = self._seen_said = 0
        self._saying: Timer | None = None

    @property
    def _timers(self) -> Timers:
        return self._given or asyncio.get_running_loop()

    def typing(self, *, is_over: bool) -> None:
        now = self._timers.time()
        since = TYPING_S if self._typed_at is None else now - self._typed_at
        if is_over and since < TYPING_S:
            self._typed_at = None
            self._send(Typing(is_over=True))
        elif not is_over and since >= TYPING_EVERY_S:
            self._typed_at = now
            self._send(Typing())

    def said(self) -> None:
        """Something was said, which ends typing for all who read it."""
        self._typed_at = None

    def seen(self, seq: int) -> None:
        self._seen = max(self._seen, seq)
        if self._saying is None and self._seen > self._seen_said:
            self._say_seen()
            self._saying = self._timers.call_later(SEEN_EVERY_S, self._again)

    def _again(self) -> None:
        self._saying = None
        self.seen(self._seen)

    def _say_seen(self) -> None:
        self._seen_said = self._seen
        self._send(Seen(self._seen))

    def begin_again(self) -> None:
        """What was said may be known to nobody any more."""
        self._typed_at = None
        self._seen_said = 0

    def stop(self) -> None:
        """Nothing is sent any more. May be repeated."""
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None
