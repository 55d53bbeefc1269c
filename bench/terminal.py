"""The full-screen application under load: `python -m bench.terminal`.

Measures what a person feels, and only reports: from a key to the screen while a room speaks a thousand
times a second, scrolling in 100,000 messages, memory over them, and the start. Real application and
timeline on the stage of the tests; no server, so that the figures are
the screen's; only the start is of a real terminal and server. From a key to the screen: until the row with
its letter is drawn for the frame; writing that to the terminal is not in it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from textual import events

from sendall.crypto.primitives import RsaKey
from tests.cli.programs import SENDALL, Server, Terminal, home_of
from tests.tui.stage import Staged, StagedRoom, message, staged

RATE = 1_000
"""Messages a second."""
SECONDS = 10
KEYS_A_SECOND = 12
MANY = 100_000
SIZE = (120, 40)
STARTS = 10


async def rain(room: StagedRoom, seconds: float) -> None:
    """Let a room speak at the rate."""
    began, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * RATE:
            sent += 1
            room.says("bob", f"message {sent} with some **words** in it, and as long as people write")
        await asyncio.sleep(0.005)


async def keys(running: Staged, seconds: float) -> list[float]:
    """Press keys, and measure from each to the frame in which its letter is drawn, in ms."""
    composer, took = running.app.main.composer, []
    drawn = asyncio.Event()
    original = composer.render_line

    def render_line(y: int) -> object:
        drawn.set()
        return original(y)

    composer.render_line = render_line  # type: ignore[method-assign, assignment]  # to see when it is drawn
    driver = running.app._driver
    assert driver is not None
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        drawn.clear()
        event = events.Key("a", "a")
        event.set_sender(running.app)
        began = time.perf_counter()
        driver.send_message(event)
        await drawn.wait()
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(1 / KEYS_A_SECOND)
    return took


def memory_mib() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def under_rain(folder: Path, rsa: RsaKey) -> None:
    async with staged(folder, rsa, SIZE) as running:
        quiet = await keys(running, 3)
        raining = asyncio.create_task(rain(running.lobby, SECONDS))
        took = await keys(running, SECONDS)
        await raining
        for name, values in (("quiet room", quiet), (f"{RATE:,} messages/s", took)):
            p95 = statistics.quantiles(values, n=20)[-1]
            print(f"key to screen, {name}: median {statistics.median(values):.1f} ms, p95 {p95:.1f} ms")


async def many(folder: Path, rsa: RsaKey) -> None:
    async with staged(folder, rsa, SIZE) as running:
        begun = memory_mib()
        marks = []
        for n in range(MANY):
            running.lobby.says("bob", f"message {n} with some words in it, and as long as people write")
            if n % 1000 == 999:
                while len(running.lobby.inbox):
                    await running.pilot._wait_for_screen()
                running.app.show_changes()
                await running.pilot._wait_for_screen()
            if n % (MANY // 4) == MANY // 4 - 1:
                marks.append(f"{memory_mib() - begun:.0f}")
        print(f"memory over {MANY:,} messages, MiB more at each quarter: {', '.join(marks)}")


async def scrolling(folder: Path, rsa: RsaKey) -> None:
    async with staged(folder, rsa, SIZE) as running:
        timeline = running.app.desk.room.timeline
        timeline.take([message(n, "bob", f"message {n} with some words", minute=n % 1400) for n in range(1, MANY + 1)])
        view = running.app.main.timeline
        view.scroll_lines(-1)  # away from the end: nothing is dropped
        took = []
        for _ in range(200):
            began = time.perf_counter()
            view.scroll_pages(-1)
            view.render_line(0)
            took.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        view.go_to_start()
        view.render_line(0)
        jump = (time.perf_counter() - began) * 1000
        p95 = statistics.quantiles(took, n=20)[-1]
        print(f"a page up in {MANY:,} messages: median {statistics.median(took):.1f} ms, p95 {p95:.1f} ms")
        print(f"from there to the first: {jump:.1f} ms")


def starts() -> None:
    """Print how long from a command to the room on the screen, and how much of that is Python's own start."""
    with tempfile.TemporaryDirectory() as folder:
        env = home_of(Path(folder))
        own, took = [], []
        with Server(env, Path(folder) / "server") as server:
            for _ in range(STARTS):
                began = time.perf_counter()
                subprocess.run([sys.executable, "-c", "pass"], check=True)
                own.append(time.perf_counter() - began)
                began = time.perf_counter()
                terminal = Terminal(env, [*SENDALL, "join", server.address, "--nick", "ada"])
                terminal.expect("sealed")
                took.append(time.perf_counter() - began)
                terminal.close()
    print(f"start to the room on the screen: {_spread(took)}, of which Python's own {statistics.median(own):.2f} s")


def _spread(seconds: list[float]) -> str:
    return f"least {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s"


async def main() -> None:
    rsa = RsaKey.generate()
    for measure in (many, under_rain, scrolling):
        with tempfile.TemporaryDirectory() as folder:
            await measure(Path(folder), rsa)


if __name__ == "__main__":
    print(f"cores in use by others before: {os.getloadavg()[0]:.1f} of {os.cpu_count()}")
    starts()
    asyncio.run(main())
