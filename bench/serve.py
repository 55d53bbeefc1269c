"""The server that is measured: a real `Node` in a process of its own, ended by the end of its stdin.

Everything is as `sendall serve` has it, durable commits included, but for the limits that would
stop a load: rates, the pace of handshakes, and pings (the generator answers none).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
from pathlib import Path

import uvloop

from sendall.config import Limits, ServerSettings
from sendall.node import Node

NO_RATE = 0.0
LONG_S = 86_400.0


def settings(data: Path) -> ServerSettings:
    limits = Limits(
        handshakes_per_s=NO_RATE, member_rate=NO_RATE, room_rate=NO_RATE, ping_s=LONG_S, dead_s=LONG_S, stall_s=LONG_S
    )
    return ServerSettings(port=0, data=data, sync="commit", limits=limits)


async def serve(data: Path) -> None:
    async with Node(settings(data)) as node:
        print(json.dumps({"port": node.address[1]}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="data folder, on the disk that is to be measured")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parser.parse_args().data))


if __name__ == "__main__":
    main()
