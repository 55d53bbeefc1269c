"""What a program has under way in one room, as it sees it: messages with a receipt to wait for.

The outbox decides what becomes of a message; this gives each decision to whoever waits for it. Shell:
it holds futures, and nothing else of asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator, Iterable, Sequence
from datetime import datetime

from sendall.client.conversation.kinds import Newer, NotOfItsKind, Spoken, content_of, read_spoken, words_of
from sendall.client.events import Event, GivenUp, Held, InDoubt, NotKnown, Receipt, utc
from sendall.client.items import Item, Settlement
from sendall.client.keys import Unreadable, read_plaintext, write_content
from sendall.client.outbox import Outbox
from sendall.crypto.sealing import MAX_PLAINTEXT
from sendall.errors import Refused, SendallError


class Sent:
    """A message on its way: `events.Pending`."""

    def __init__(self, what: Spoken, written: datetime) -> None:
        self.what = what
        self.text = words_of(what)
        self.written = written
        self.was_awaited = False
        self._future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    @property
    def is_confirmed(self) -> bool:
        return self._future.done() and self._future.exception() is None

    @property
    def receipt(self) -> Awaitable[Receipt]:
        return self

    def __await__(self) -> Generator[None, None, Receipt]:
        self.was_awaited = True
        return asyncio.shield(self._future).__await__()  # who stops waiting does not unsend

    def confirm(self, receipt: Receipt) -> None:
        if not self._future.done():
            self._future.set_result(receipt)

    def fail(self, error: SendallError) -> None:
        if not self._future.done():
            self._future.set_exception(error)
            self._future.exception()  # nobody has to wait for it, so nobody is reminded that nobody did


class Sending:
    """The messages of one program in one room, by the outbox's ids."""

    def __init__(self, outbox: Outbox, nick: str) -> None:
        self.nick = nick
        """The sender's name beside what is written from now on."""
        self._outbox = outbox
        self._open = {item.id: _message(item) for item in outbox.open}
        self._held = {item.id: _message(item) for item in outbox.held}
        self._failures: list[SendallError] = []

    @property
    def unconfirmed(self) -> Sequence[Sent]:
        return list(self._open.values())

    @property
    def held(self) -> list[Sent]:
        return list(self._held.values())

    def write(self, what: Spoken, written_ms: int) -> Sent:
        """Put something to say into the outbox.

        Raises:
            ValueError: too long, not text that UTF-8 can hold, or not what its kind can hold.
            UsageError: the outbox cannot be written.
        """
        plaintext = write_content(content_of(what, self.nick))
        if len(plaintext) > MAX_PLAINTEXT:
            raise ValueError(
                f"a message of {len(plaintext):,} bytes, name included, exceeds the limit of {MAX_PLAINTEXT:,}"
            )
        item = self._outbox.write(plaintext, written_ms)
        message = self._open[item.id] = Sent(what, utc(written_ms))
        return message

    async def drain(self) -> None:
        """Wait until nothing is unconfirmed. Raises what befell a message that nobody waited for."""
        while self._open:
            await next(iter(self._open.values()))
        if self._failures:
            failures, self._failures = self._failures, []
            raise failures[0]

    def send_held(self) -> None:
        for item in self._outbox.send_held():
            self._open[item.id] = self._held.pop(item.id)

    def discard_held(self) -> None:
        for item in self._outbox.discard_held():
            self._held.pop(item.id).fail(SendallError("discarded"))

    def beginning(self) -> list[Event]:
        """Return what is to be told first: what is held."""
        return [Held(tuple(self._held.values()))] if self._held else []

    def settle(self, settlements: Iterable[Settlement]) -> list[Event]:
        """Give each decision to whoever waits; return what is to be told."""
        events: list[Event] = []
        for item, outcome in settlements:
            message = self._open.pop(item.id, None) or self._held.pop(item.id, None) or _message(item)
            match outcome:
                case Receipt():
                    message.confirm(outcome)
                case Refused():
                    self._fail(message, outcome)
                    events.append(GivenUp(message, outcome.code))
                case NotKnown():
                    self._fail(message, outcome)
                    again = self._held[item.id] = _message(item)
                    events.append(InDoubt(again))
        return events

    def fail(self, error: SendallError) -> None:
        """Nothing will be confirmed any more in this program; the outbox keeps what is open."""
        for message in [*self._open.values(), *self._held.values()]:
            message.fail(error)

    def _fail(self, message: Sent, error: SendallError) -> None:
        if not message.was_awaited:
            self._failures.append(error)
        message.fail(error)


def _message(item: Item) -> Sent:
    try:
        what = read_spoken(read_plaintext(item.plaintext))
    except (Unreadable, NotOfItsKind):  # of another version of this program
        what = Newer("")
    return Sent(what, utc(item.written_ms))
