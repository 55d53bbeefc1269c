"""The network: connections as two ordered streams of messages, and every way they break.

A stream delivers in order, each message after a delay; what is under way can be lost from any point
on (a cut), with or without the ends being told (half-open). The server's end is a `Wire` with a
bounded transport buffer, so that slow readers are seen as the relay sees them. Below it there are no
sockets; above it runs the code of production.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from sendall.client.session import Action, SendText
from sendall.server.wire import Conversation, Peer
from tests.server.members import payloads
from tests.simulation.loop import Loop

CLOSE_S = 5.0
"""Seconds that a closing server waits for its peer (see `Wire.close`)."""


class Message(NamedTuple):
    """One WebSocket message."""

    is_binary: bool
    data: bytes


class End(NamedTuple):
    """The end of a stream; `code` is None without a close frame."""

    code: int | None


Item = Message | End
T = TypeVar("T")


class Stream(Generic[T]):
    """One direction of a connection: items arrive in order, one by one, until it is cut."""

    def __init__(self, loop: Loop, delay: Callable[[], float], deliver: Callable[[T], None]) -> None:
        self._loop = loop
        self._delay = delay
        self._deliver = deliver
        self._items: deque[tuple[float, T]] = deque()
        self._last_at = 0.0
        self._is_due = False
        self.is_paused = False
        self.is_lossy = False
        """Whether everything sent from now on is lost, and nobody is told."""
        self.is_over = False

    def __len__(self) -> int:
        return len(self._items)

    def send(self, item: T) -> None:
        if self.is_lossy or self.is_over:
            return
        self._last_at = max(self._last_at, self._loop.now + self._delay())
        self._items.append((self._last_at, item))
        self._wait()

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        if self.is_paused:
            self.is_paused = False
            # Not at once: streams that are resumed together, in an order that no seed knows, would race.
            self._loop.later(self._delay(), self._wait)

    def cut(self, keep: int) -> None:
        """Lose all that is under way but the first `keep` items."""
        while len(self._items) > keep:
            self._items.pop()

    def stop(self) -> None:
        """Deliver nothing more."""
        self.is_over = True
        self._items.clear()

    def _wait(self) -> None:
        if self._items and not self._is_due and not self.is_paused:
            self._is_due = True
            self._loop.at(self._items[0][0], self._arrive)

    def _arrive(self) -> None:
        self._is_due = False
        if self._items and not self.is_paused and self._items[0][0] <= self._loop.now:
            self._deliver(self._items.popleft()[1])
        self._wait()


class Client(Protocol):
    """The client's end: told in order, nothing after its end."""

    def received(self, message: Message) -> None: ...

    def ended(self, code: int | None) -> None: ...


class Quality(NamedTuple):
    """How good a connection is."""

    delay_s: float
    """Mean of the delays, each way."""
    buffer: int
    """Bytes that the server's transport takes before it is full."""
    window: int
    """Bytes under way that count as given to the kernel."""


class Link:
    """One connection between a client and the server; it is the server's `Wire`."""

    def __init__(self, loop: Loop, rng: random.Random, quality: Quality, client: Client) -> None:
        self.peer = Peer("127.0.0.1", trusted=True, tls=False)
        self.write: Callable[[bytes], None] = self._write
        self._loop = loop
        self._rng = rng
        self._quality = quality
        self._client: Client | None = client
        self._conversation: Conversation | None = None
        self._is_dead = False
        self._is_full = False
        self._is_closing = False
        self._reading_on = 0
        self._under_way = 0
        self._down: Stream[Item] = Stream(loop, self._delay, self._to_client)
        self._up: Stream[Item] = Stream(loop, self._delay, self._to_server)

    def answered_by(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def _delay(self) -> float:
        return self._rng.expovariate(1 / self._quality.delay_s)

    # -- the server's wire ----------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        for is_binary, payload in payloads([data]):
            self._under_way += len(payload)
            self._down.send(Message(is_binary, payload))
        if self.unsent_bytes() > self._quality.buffer and self._conversation is not None and not self._is_full:
            self._is_full = True
            self._conversation.paused()

    def unsent_bytes(self) -> int:
        return max(0, self._under_way - self._quality.window)

    def close(self, code: int, reason: str) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self.write = _discard
        self._down.send(End(code))
        self._loop.later(self._rng.uniform(0, CLOSE_S), self._tell_server)

    def pause_reading(self) -> None:
        if not self._up.is_paused:
            self._reading_on = self._rng.randrange(3)  # what came with the same read
            if not self._reading_on:
                self._up.pause()

    def resume_reading(self) -> None:
        self._reading_on = 0
        self._up.resume()

    # -- the client's end -------------------------------------------------------------------------

    def send(self, action: Action) -> None:
        self._up.send(Message(not isinstance(action, SendText), action.data))

    def stall(self) -> None:
        """The client reads no more."""
        self._down.pause()

    def unstall(self) -> None:
        self._down.resume()

    def leave(self) -> None:
        """The client closes: what it sent before arrives."""
        self._client = None
        self._down.stop()
        self._up.send(End(1000))

    def abandon(self) -> None:
        """The client's process is killed: the kernel sends some of what it was given, and the end."""
        self._up.cut(self._rng.randint(0, len(self._up)))
        self.leave()

    # -- breaking -----------------------------------------------------------------------------------

    def cut(self) -> None:
        """Lose the tail of what is under way, each way; each end is told when it gets there."""
        for stream in (self._up, self._down):
            stream.cut(self._rng.randint(0, len(stream)))
            stream.send(End(None))
            stream.is_lossy = True

    def lose(self, *, up: bool, down: bool) -> None:
        """Half-open: from now on everything is lost that way, and nobody is told."""
        for stream, is_lost in ((self._up, up), (self._down, down)):
            if is_lost:
                stream.cut(self._rng.randint(0, len(stream)))
                stream.is_lossy = True

    def server_died(self) -> None:
        """The server's process is gone, without a word to its conversations."""
        self._conversation = None
        self.write = _discard
        self._up.stop()
        self._down.cut(self._rng.randint(0, len(self._down)))
        self._down.send(End(None))

    def server_left(self) -> None:
        """The server's process ended after it had closed its connections."""
        self._conversation = None
        self._up.stop()

    # -- arriving -----------------------------------------------------------------------------------

    def _to_client(self, item: Item) -> None:
        if isinstance(item, Message):
            self._under_way -= len(item.data)
        if self._is_full and not self.unsent_bytes():
            self._is_full = False
            if self._conversation is not None and not self._is_closing:
                self._conversation.drained()
        client = self._client
        if client is None:
            return
        if isinstance(item, Message):
            client.received(item)
        else:
            self._client = None
            client.ended(item.code)
            self._up.send(End(None))

    def _to_server(self, item: Item) -> None:
        if isinstance(item, End):
            self._tell_server()
            return
        if self._reading_on:
            self._reading_on -= 1
            if not self._reading_on:
                self._up.pause()
        conversation = self._conversation
        if conversation is None or self._is_closing:
            return
        take = conversation.binary if item.is_binary else conversation.text
        take(item.data, self._loop.now)

    def _tell_server(self) -> None:
        conversation, self._conversation = self._conversation, None
        self.write = _discard
        self._up.stop()
        if conversation is not None:
            conversation.closed()
            if not self._is_closing:
                self._down.send(End(None))


def _discard(data: bytes) -> None:
    """Take what nobody will ever get."""
