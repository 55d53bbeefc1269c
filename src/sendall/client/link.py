"""One connection at work: a reader, a writer and a clock around one session.

Ends when the first of the three ends, which is always by an exception: the connection closed, a
promise was broken, or the program left. Shell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

from sendall.client.connection import Connection
from sendall.client.session import Action, ClientSession
from sendall.client.verifying import WORTHWHILE, control_entries, halves, those_that_hold

TICK_S = 1.0


class Link:
    """A session on a connection."""

    def __init__(
        self, connection: Connection, session: ClientSession, told: Callable[[], None], is_readable: Callable[[], bool]
    ) -> None:
        """`told` is called after whatever may have changed a room; while not `is_readable()` the socket is left."""
        self.session = session
        self._connection = connection
        self._told = told
        self._is_readable = is_readable
        self._readable = asyncio.Event()
        self._wake = asyncio.Event()
        self._actions: list[Action] = []
        self._is_paused = False
        self._written = asyncio.Event()

    async def written(self) -> None:
        """Wait until all that was to be sent is written, or nothing can be any more."""
        await self._written.wait()

    def wake(self) -> None:
        """Something is to be sent, or the inbox has room again."""
        self._written.clear()
        self._wake.set()
        self._readable.set()

    async def run(self) -> None:
        """Carry messages until the end. Raises what ended it: see `ClientSession.text`, and ConnectionClosed."""
        tasks = [asyncio.create_task(work) for work in self._work()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._written.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _work(self) -> list[Coroutine[None, None, None]]:
        return [self._read(), self._write(), self._watch()]

    async def _read(self) -> None:
        session, connection = self.session, self._connection
        while True:
            if not self._is_readable():
                await self._wait_until_readable()
            message = await connection.receive()
            now = time.monotonic()
            try:
                if isinstance(message, bytes):
                    await self._verify_ahead(message)
                    actions = session.binary(message, now)
                else:
                    actions = session.text(message.encode(), now)
            finally:
                self._told()
            if actions:
                self._actions += actions
                self.wake()

    async def _verify_ahead(self, message: bytes) -> None:
        entries = control_entries(message, self.session.rooms_to_verify())
        if len(entries) >= WORTHWHILE:
            parts = [asyncio.to_thread(those_that_hold, part) for part in halves(entries)]
            for held in await asyncio.gather(*parts):
                self.session.verified(held)

    async def _wait_until_readable(self) -> None:
        self._is_paused = True
        try:
            while not self._is_readable():
                self._readable.clear()
                await self._readable.wait()
        finally:
            self._is_paused = False

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        has_more = False
        while True:
            await self._wake.wait()
            self._wake.clear()
            now = time.monotonic()
            actions, self._actions = self._actions, []
            actions += self.session.flush(now)
            resume_at = self.session.resume_at(now)
            if resume_at is not None:
                loop.call_later(resume_at - now, self._wake.set)
            await self._connection.carry_out(actions)
            if not self._actions and not self._wake.is_set():
                self._written.set()
            had_more, has_more = has_more, resume_at is not None
            if had_more:
                self._told()  # somebody may wait until all of it is written

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            actions = self.session.tick(time.monotonic(), is_listening=not self._is_paused)
            self._told()
            if actions:
                self._actions += actions
                self.wake()
