"""A program that reads a room from its beginning with the library, and says what that took."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import sendall
from bench.members import ROOM


async def read(port: int, count: int, state: Path) -> dict[str, float]:
    async with sendall.connect(f"127.0.0.1:{port}", state=state) as me:
        wall, cpu = time.perf_counter(), time.process_time()
        room = await me.join(ROOM, since="all")
        seen = 0
        async for _ in room:
            seen += 1
            if seen == count:
                break
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"messages": count, "wall_s": wall, "cpu_s": cpu}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(read(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))))
