"""A proxy on loopback that loses echoes: for some posts it lets nothing back through and cuts.

The server has the post then, and its author never hears of it: what it sends again must not appear
twice. Chances come from a seed.
"""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Self

_BINARY = 0x82


class EchoLosingProxy:
    """Forwards to a port; `chance` of the posts lose their echo and their connection."""

    def __init__(self, port: int, *, chance: float, seed: int) -> None:
        self._target = port
        self._chance = chance
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        lossy = asyncio.Event()
        up = asyncio.create_task(self._up(reader, up_writer, lossy))
        down = asyncio.create_task(self._down(up_reader, writer, lossy))
        self._tasks |= {up, down}
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._tasks -= {up, down}
            writer.transport.abort()
            up_writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lossy: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if data[0] == _BINARY and self._random.random() < self._chance:
                lossy.set()
            writer.write(data)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lossy: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if lossy.is_set():
                self.cuts += 1
                return
            writer.write(data)
            await writer.drain()
