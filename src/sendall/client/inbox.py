"""What waits for a room's one reader, bounded whatever happens.

Up to a limit events wait in memory. Beyond it, messages are only counted: a `Hole` stands for them in
the queue, and the reader who gets to it reads them again from the server, verified like any older
page. Shell: one asyncio event, no tasks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from sendall.client.events import Came, Event, Named, Presence, Said, SeenUpTo, Signal, Typing, Unreadable, Went

LIMIT = 1024
"""Events that wait in memory."""
_PASSING = (Came, Went, Presence, Signal, Typing, SeenUpTo, Named)
"""What is worth nothing later: dropped beyond the limit."""


class Hole:
    """Messages `first` … `last` that are not kept here, and are read when their turn comes."""

    def __init__(self, first: int, last: int, *, is_backfill: bool = False, since_ms: int = 0) -> None:
        self.first, self.last = first, last
        self.since_ms = since_ms
        self.is_backfill = is_backfill
        """Whether they were said before this program came, and not heard and dropped."""


class Inbox:
    """A queue with one reader; `put` never waits."""

    def __init__(self) -> None:
        self.has_reader = False
        """Whether somebody iterates. Only then is a full inbox a reason to leave the socket unread."""
        self._queue: deque[Event | Hole] = deque()
        self._news = asyncio.Event()
        self._end: BaseException | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        return len(self._queue) >= LIMIT

    @property
    def is_low(self) -> bool:
        """Whether it has just become half empty: the moment to read the socket again."""
        return len(self._queue) == LIMIT // 2

    def put(self, events: Iterable[Event]) -> None:
        queue = self._queue
        for event in events:
            if len(queue) < LIMIT:
                queue.append(event)
            elif isinstance(event, Said | Unreadable):
                if isinstance(queue[-1], Hole) and not queue[-1].is_backfill:
                    queue[-1].last = event.seq
                else:
                    queue.append(Hole(event.seq, event.seq))
            elif not isinstance(event, _PASSING):
                queue.append(event)
        self._news.set()

    def put_hole(self, first: int, last: int, since_ms: int) -> None:
        """Let the reader have messages that were said before this program came, from `since_ms` on."""
        self._queue.append(Hole(first, last, is_backfill=True, since_ms=since_ms))
        self._news.set()

    async def get(self) -> Event | Hole | None:
        """Return the oldest, waiting for it; None after the end. Raises the error that ended the room."""
        while not self._queue:
            if self._is_closed:
                if self._end is not None:
                    raise self._end
                return None
            self._news.clear()
            await self._news.wait()
        return self._queue.popleft()

    def close(self, error: BaseException | None = None) -> None:
        """Nothing more comes; what is in it can still be read."""
        if not self._is_closed:
            self._is_closed, self._end = True, error
            self._news.set()
