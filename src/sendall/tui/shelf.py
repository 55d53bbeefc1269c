"""What this device keeps of what was read, for searching: the archive and its index, beside the event loop.

Writing and searching happen in threads, in batches, so that neither is felt at the keys. Without an
archive it keeps nothing and finds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from sendall.client.archive import Archive, erase
from sendall.client.events import Change, Event, Message, ServerLost
from sendall.client.searching import Found, Search
from sendall.errors import UsageError

FLUSH_S = 1.0
"""How long what was read waits for more, to be written with it."""
LIMIT = 200
"""Messages that a search gives at most."""


class Shelf:
    """The archive of this person on this device; None: there is none."""

    def __init__(self, archive: Archive | None) -> None:
        self.trouble = ""
        """Why nothing is kept any more, in a sentence; empty if it is."""
        self._archive = archive
        self._search: Search | None = None
        self._waiting: dict[bytes, list[Event]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_on(self) -> bool:
        return self._archive is not None

    def note(self, room_id: bytes, events: Iterable[Event]) -> None:
        """Keep what was said, soon."""
        said = [event for event in events if isinstance(event, Message | Change | ServerLost)]
        if self._archive is None or not said:
            return
        self._waiting.setdefault(room_id, []).extend(said)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._begin_flush)

    async def find(self, words: str, rooms: Mapping[bytes, str]) -> list[Found]:
        """Return what was found in these rooms (id → name), the newest first.

        Raises:
            UsageError: the archive cannot be read.
        """
        if self._archive is None:
            return []
        await self.flush()
        if self._search is None:
            self._search = Search(self._archive)
        return await asyncio.to_thread(self._search.find, words, rooms, LIMIT)

    async def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._writing:
            waiting, self._waiting = self._waiting, {}
            try:
                await asyncio.to_thread(self._write, waiting)
            except UsageError as error:  # the disk is full, say: talking goes on
                self.trouble = f"{error}; what is said from now on is not kept for searching"
                self._archive = None

    async def erase(self) -> None:
        """Delete what was kept, and keep nothing any more.

        Raises:
            UsageError: the file cannot be deleted.
        """
        archive = self._archive
        await self.close()
        if archive is not None:
            try:
                await asyncio.to_thread(erase, archive.path.parent)
            except OSError as error:
                raise UsageError(f"{archive.path} cannot be deleted: {error.strerror}", hint="delete it") from error

    async def close(self) -> None:
        """Write what waits, and close the file. May be repeated."""
        await self.flush()
        if self._search is not None:
            self._search.close()
        if self._archive is not None:
            self._archive.close()
        self._archive = self._search = None

    def _begin_flush(self) -> None:
        self._timer = None
        task = asyncio.get_running_loop().create_task(self.flush())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write(self, waiting: Mapping[bytes, list[Event]]) -> None:
        for room_id, events in waiting.items():
            if self._archive is not None:
                self._archive.keep(room_id, events)
                if self._search is not None:
                    self._search.take(room_id, events)
