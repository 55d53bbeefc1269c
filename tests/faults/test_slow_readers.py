"""T4: readers that never read cost the others nothing, cost the server little, and miss nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode
from tests.conftest import RsaPool
from tests.faults.raw import RawMember, enter
from tests.faults.stage import Stage

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

READERS = 200
STALLED = 10
RATE = 100
SECONDS = 10
TEXT = b'{"t":"m","x":"' + b"x" * 6000 + b'","nick":"p"}'


class Measured(NamedTuple):
    p50_ms: float
    p99_ms: float
    rss_kib: int
    """The server's memory at the end of the posting, above what it was before."""


def rss_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


async def run(stage: Stage, rsa: RsaKey, stalled_count: int) -> tuple[Measured, list[RawMember], int]:
    """Post at the rate to all readers; return what the healthy ones measured, the stalled ones, and the last seq."""
    assert stage.server is not None
    members = [await enter(stage.port, rsa, "ops") for _ in range(READERS - stalled_count)]
    stalled = [await enter(stage.port, rsa, "ops", receive_bytes=4096) for _ in range(stalled_count)]
    for member in stalled:
        member.stall()
    before = rss_kib(stage.server.pid)
    author = members[0]
    first = author.cursor
    sent = []
    began = time.monotonic()
    for i in range(RATE * SECONDS):
        await asyncio.sleep(max(0.0, began + i / RATE - time.monotonic()))  # the rate is the load itself
        sent.append(time.monotonic())
        author.post(TEXT)
    last = first + len(sent)
    for member in members:
        await member.reached(last)
    after = rss_kib(stage.server.pid)
    delays = sorted(member.arrivals[seq] - at for member in members[1:] for seq, at in enumerate(sent, first + 1))
    measured = Measured(statistics.median(delays) * 1000, delays[int(len(delays) * 0.99)] * 1000, after - before)
    await end(members)
    return measured, stalled, last


async def end(members: list[RawMember]) -> None:
    """Close the members' sockets and wait until they are closed."""
    for member in members:
        member.transport.abort()
    for member in members:
        await member.ended.wait()


def test_readers_that_never_read_cost_nobody_anything(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """10 of 200 never read at 100 messages/s: the others' p99 <= 2 x, <= 128 KiB each, and nothing is missed."""
    rsa = rsa_pool[0]
    results: dict[int, list[Measured]] = {0: [], STALLED: []}
    for round_ in range(2):
        for stalled_count in (0, STALLED):
            with Stage(tmp_path / f"{round_}-{stalled_count}") as stage:
                stage.start_server()
                measured = asyncio.run(judge(stage, rsa, stalled_count))
                results[stalled_count].append(measured)
    print(f"T4: {results}")
    without = min(m.p99_ms for m in results[0])
    with_them = min(m.p99_ms for m in results[STALLED])
    assert with_them <= 2 * without + 1.0, results
    extra = min(m.rss_kib for m in results[STALLED]) - min(m.rss_kib for m in results[0])
    assert extra <= STALLED * 128, results


async def judge(stage: Stage, rsa: RsaKey, stalled_count: int) -> Measured:
    measured, stalled, last = await run(stage, rsa, stalled_count)
    assert all(member.cursor < last for member in stalled), "they were to lag"
    for member in stalled:
        member.go_on()
    for member in stalled:
        await member.reached(last)
    await end(stalled)
    return measured


def test_a_reader_closed_for_being_slow_resumes_without_a_gap(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """Without progress it is closed with 4008 in the configured time; its cursor goes on where it was."""
    rsa = rsa_pool[0]

    async def scenario(stage: Stage) -> None:
        author = await enter(stage.port, rsa, "ops")
        slow = await enter(stage.port, rsa, "ops", receive_bytes=4096)
        slow.stall()
        for _ in range(1500):
            author.post(TEXT)
            await author.reached(author.cursor + 1)
        await asyncio.sleep(4)  # longer than stall_s, which is what is tested
        slow.go_on()
        await asyncio.wait_for(slow.ended.wait(), 30)
        assert slow.close_code in (CloseCode.TOO_SLOW, 0), "4008, or the kernel dropped what was unsent"
        assert slow.cursor < author.cursor
        again = await enter(stage.port, rsa, "ops", after=slow.cursor)
        await again.reached(author.cursor)
        assert set(slow.arrivals) | set(again.arrivals) == set(range(min(slow.arrivals), author.cursor + 1))
        await end([author, again, slow])

    with Stage(tmp_path, limits="stall_s = 2\n") as stage:
        stage.start_server()
        asyncio.run(scenario(stage))
