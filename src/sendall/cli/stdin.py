"""Lines of stdin as they come, without blocking the event loop: from a terminal, a pipe or a file."""

from __future__ import annotations

import asyncio
import codecs
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

CHUNK_BYTES = 65_536
CHUNKS_AHEAD = 4
"""Chunks read ahead of the consumer; then the writer at the other end of the pipe waits."""


async def lines_of(descriptor: int) -> AsyncIterator[str]:
    """Yield lines without their ends; what is not UTF-8 becomes U+FFFD. The last needs no line end."""
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    may_read = threading.Semaphore(CHUNKS_AHEAD)
    loop = asyncio.get_running_loop()

    def read() -> None:
        # A thread because a regular file cannot be polled; os.read because a thread that sits in
        # sys.stdin holds its lock, and the interpreter aborts when it ends.
        chunk = b"-"
        with suppress(RuntimeError):  # the loop is closed: nobody wants more
            while chunk:
                may_read.acquire()
                try:
                    chunk = os.read(descriptor, CHUNK_BYTES)
                except OSError:  # the terminal is gone
                    chunk = b""
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    rest = ""
    while chunk := await chunks.get():
        *whole, rest = (rest + decode(chunk)).split("\n")
        for line in whole:
            yield line.removesuffix("\r")
        may_read.release()
    if rest := rest + decode(b"", final=True):
        yield rest
