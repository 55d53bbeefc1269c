"""Real processes under load, judged by the history checker: nothing lost, doubled, reordered or divergent.

T0, T1 and T8 of docs/reliability.md. Each prints its seed and its figures.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.faults.crew import Consumer, Producer
from tests.faults.proxy import EchoLosingProxy
from tests.faults.stage import Stage

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

ROOMS = ("ops", "lobby", "class")
IS_CAMPAIGN = bool(os.environ.get("SENDALL_CAMPAIGN"))


def sized(ci: int, campaign: int) -> int:
    """Return how often: as `make faults` does it, or `make campaign`."""
    return campaign if IS_CAMPAIGN else ci


def load(count: int, *, pause_s: float = 0.0) -> tuple[list[Producer], list[Consumer]]:
    """Load L of the plan: 8 producers with a window of 16 and 256 B, 20 consumers, 4 of them restless, 3 rooms."""
    producers = [Producer(f"p{i}", ROOMS[i % 3], count, pause_s=pause_s) for i in range(8)]
    consumers = [Consumer(f"c{i}", ROOMS[i % 3], restless=i < 4) for i in range(20)]
    return producers, consumers


def histories_by_room(producers: list[Producer], consumers: list[Consumer]) -> dict[str, list[str]]:
    jobs: list[Producer | Consumer] = [*producers, *consumers]
    return {room: [job.name for job in jobs if job.room == room] for room in ROOMS}


def test_a_healthy_run_is_clean(tmp_path: Path) -> None:
    """T0: under load and without a fault, the checker finds nothing."""
    count = sized(400, 20_000)
    producers, consumers = load(count)
    with Stage(tmp_path) as stage:
        stage.start_server()
        listening = stage.start_crew(consumers=consumers)
        posting = stage.start_crew(producers)
        stage.finish(posting)
        stage.end_rooms(ROOMS)
        stage.finish(listening)
        summaries = stage.judge(histories_by_room(producers, consumers))
    print(f"T0: {summaries}")
    assert sum(summary.acknowledged for summary in summaries.values()) == 8 * count + 3


def test_20_kills_of_the_server_lose_nothing(tmp_path: Path) -> None:
    """T1: the server is killed 20 times under load at random moments and comes back each time."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"T1: seed {seed}")
    chance = random.Random(seed)
    producers, consumers = load(1_000_000, pause_s=0.02)
    with Stage(tmp_path) as stage:
        stage.start_server()
        listening = stage.start_crew(consumers=consumers)
        posting = stage.start_crew(producers)
        times = []
        for _ in range(sized(20, 1000)):
            time.sleep(chance.uniform(0.2, 3.0))  # the moment of the kill is the fault itself
            stage.stop_server(signal.SIGKILL)
            times.append(stage.start_server())
        posting.send_signal(signal.SIGTERM)
        stage.finish(posting)
        stage.end_rooms(ROOMS)
        stage.finish(listening)
        summaries = stage.judge(histories_by_room(producers, consumers))
    print(f"T1: back after {sorted(times)[len(times) // 2]:.2f} s (median), {max(times):.2f} s (longest); {summaries}")


def test_stops_of_the_server_lose_nothing(tmp_path: Path) -> None:
    """T13: SIGTERM under load, five times: it ends by itself with 0, and nothing is lost, doubled or out of order."""
    producers, consumers = load(1_000_000, pause_s=0.02)
    with Stage(tmp_path) as stage:
        stage.start_server()
        listening = stage.start_crew(consumers=consumers)
        posting = stage.start_crew(producers)
        for _ in range(sized(5, 200)):
            time.sleep(1.5)  # load between the stops
            stage.stop_server()
            assert stage.server is not None
            assert stage.server.returncode == 0
            stage.start_server()
        posting.send_signal(signal.SIGTERM)
        stage.finish(posting)
        stage.end_rooms(ROOMS)
        stage.finish(listening)
        summaries = stage.judge(histories_by_room(producers, consumers))
    print(f"T13: {summaries}")


def test_kills_of_clients_lose_nothing_they_wrote(tmp_path: Path) -> None:
    """T1: producers are killed and followed by others on the same outbox: what they wrote appears once, in order."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"T1 clients: seed {seed}")
    chance = random.Random(seed)
    producers = [Producer(f"p{i}", "ops", 1_000_000, pause_s=0.01) for i in range(3)]
    consumers = [Consumer("c0", "ops"), Consumer("c1", "ops", restless=True)]
    with Stage(tmp_path) as stage:
        stage.start_server()
        listening = stage.start_crew(consumers=consumers)
        posting = stage.start_crew(producers)
        for _ in range(sized(10, 200)):
            time.sleep(chance.uniform(0.8, 2.0))  # the moment of the kill is the fault itself
            posting.kill()
            posting.wait()
            posting = stage.start_crew(producers)
        time.sleep(2)  # the last ones begin, and adopt what was left
        posting.send_signal(signal.SIGTERM)
        stage.finish(posting)
        stage.end_rooms(["ops"])
        stage.finish(listening)
        summaries = stage.judge({"ops": histories_by_room(producers, consumers)["ops"]})
    print(f"T1 clients: {summaries}")


def test_lost_echoes_double_nothing(tmp_path: Path) -> None:
    """T8: of 2,000 sends 30 % lose their echo and their connection; each appears once."""
    count = sized(500, 50_000)
    producers = [Producer(f"p{i}", "ops", count, window=1) for i in range(4)]
    with Stage(tmp_path) as stage:
        stage.start_server()
        listening = stage.start_crew(consumers=[Consumer("c0", "ops")])
        with proxied(stage.port) as proxy:
            stage.finish(stage.start_crew(producers, address=f"127.0.0.1:{proxy.port}"))
        stage.end_rooms(["ops"])
        stage.finish(listening)
        summaries = stage.judge({"ops": [*(p.name for p in producers), "c0"]})
    print(f"T8: {proxy.cuts} echoes lost; {summaries}")
    assert summaries["ops"].acknowledged == 4 * count + 1
    assert proxy.cuts > count


class proxied:  # a context manager reads like a function
    """Run the proxy on a loop of its own, beside the blocking steps of the test."""

    def __init__(self, port: int) -> None:
        self._proxy = EchoLosingProxy(port, chance=0.3, seed=8)
        self._ready, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        async with self._proxy:
            self._ready.set()
            await asyncio.to_thread(self._done.wait)

    def __enter__(self) -> EchoLosingProxy:
        self._thread.start()
        assert self._ready.wait(10)
        return self._proxy

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join(10)
