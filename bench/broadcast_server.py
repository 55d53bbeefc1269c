"""A peer: `websockets.broadcast` on uvloop. /hear joins the room; what /speak says goes to all of it."""

from __future__ import annotations

import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

room: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    if connection.request is not None and connection.request.path == "/hear":
        room.add(connection)
        try:
            await connection.wait_closed()
        finally:
            room.discard(connection)
        return
    async for message in connection:
        broadcast(room, message)


async def main(port: int) -> None:
    async with serve(handle, "127.0.0.1", port, compression=None, backlog=4096, ping_interval=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
