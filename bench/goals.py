"""The figures that sendall is to reach, beside what a run found: one table.

A goal that could not be measured (a peer is missing, a scenario was not asked for) has a dash.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from bench.report import Results, cpu_of, rate_of
from bench.rounds import CHUNK, EACH, SENDALL, SENDALL_TLS

REDIS, NATS, WEBSOCKETS = "Redis", "NATS", "websockets"
HEAD = "| figure | to reach | measured | reached |\n|---|---|---|---|"


class Goal(NamedTuple):
    """One line: `value` must be at least `least`, or at most `most`."""

    figure: str
    wanted: str
    value: float | None
    shown: str
    least: float | None = None
    most: float | None = None

    @property
    def is_reached(self) -> bool | None:
        if self.value is None:
            return None
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


def table(results: Results) -> str:
    """Return the goals as a Markdown table."""
    words = {True: "yes", False: "**no**", None: "-"}
    lines = [
        f"| {goal.figure} | {goal.wanted} | {'-' if goal.value is None else goal.shown.format(goal.value)} "
        f"| {words[goal.is_reached]} |"
        for goal in goals(results)
    ]
    return "\n".join([HEAD, *lines])


def goals(results: Results) -> Iterator[Goal]:
    yield from _flat(results)
    yield from _paced(results)
    yield from _room_and_time(results)


def _flat(results: Results) -> Iterator[Goal]:
    flat = sorted({(r.members, r.writers) for r in results.rows if not r.rate})
    for members, writers in flat:
        if members >= 1000:
            share = results.ratio(SENDALL, CHUNK, members, writers, of=rate_of)
            name = f"deliveries/s, {members:,} members, {writers} writing, of the raw C copier"
            yield Goal(name, "≥ 60 %", share, "{:.0%}", least=0.6)
    for members in (1000, 5000):
        gain = results.ratio(SENDALL, REDIS, members, 4, of=rate_of)
        yield Goal(f"against Redis, {members:,} members", "≥ 1.5 ×", gain, "{:.1f} ×", least=1.5)
    at_5000, at_1000 = (results.median(SENDALL, members, 4, of=rate_of) for members in (5000, 1000))
    yield Goal("from 1,000 to 5,000 members", "flat", _quotient(at_5000, at_1000), "{:.2f} ×", least=0.9)
    for writers in (1, 4, 8):
        rate = results.median(SENDALL, 100, writers, of=rate_of)
        incoming = None if rate is None else rate / 100
        name = f"messages/s in, 100 members, {writers} writing"
        yield Goal(name, "≥ 50,000", incoming, "{:,.0f}", least=50_000)
        gain = results.ratio(SENDALL, REDIS, 100, writers, of=rate_of)
        yield Goal(f"against Redis, 100 members, {writers} writing", "≥ 1 ×", gain, "{:.2f} ×", least=1)
    for members in (100, 1000, 5000):
        gain = results.ratio(SENDALL, WEBSOCKETS, members, 4, of=rate_of)
        yield Goal(f"against `websockets.broadcast`, {members:,} members", "≥ 15 ×", gain, "{:.0f} ×", least=15)
    for members in (1000, 5000):
        cost = results.ratio(SENDALL_TLS, REDIS, members, 4, of=cpu_of)
        name = f"TLS, {members:,} members: CPU/delivery against Redis (plain)"
        yield Goal(name, "≤ 1.5 ×", cost, "{:.2f} ×", most=1.5)


def _paced(results: Results) -> Iterator[Goal]:
    for rate in (10, 100):
        cost = results.ratio(SENDALL, EACH, 1000, 1, rate, of=cpu_of)
        name = f"CPU per uncoalesced delivery, {rate}/s, against C with one send each"
        yield Goal(name, "≤ 1.5 ×", cost, "{:.2f} ×", most=1.5)
    sync = results.facts.get("sync", {}).get("p50_ms")
    ours, theirs = (results.median(server, 1000, 1, 10, of=lambda f: f.last_p50_ms) for server in (SENDALL, EACH))
    p50 = None if ours is None or sync is None else _quotient(ours - sync, theirs)
    p99 = results.ratio(SENDALL, EACH, 1000, 1, 10, of=lambda f: f.last_p99_ms)
    name = "time to the last of 1,000, 10/s, p50 without the sync, against C"
    yield Goal(name, "≤ 1.3 ×", p50, "{:.2f} ×", most=1.3)
    yield Goal("the same, p99, sync included", "≤ 2 ×", p99, "{:.2f} ×", most=2)
    backlog = results.median(SENDALL, 1000, 1, 100, of=lambda f: f.last_p99_ms)
    yield Goal("time to the last of 1,000, 100/s, p99", "no backlog", backlog, "{:.0f} ms", most=100)


def _room_and_time(results: Results) -> Iterator[Goal]:
    for server, most in ((SENDALL, 10), (SENDALL_TLS, 60)):
        sizes = [arrival.rss_bytes / 1000 for arrival in results.arrivals if arrival.server == server]
        members = [arrival.members for arrival in results.arrivals if arrival.server == server]
        size = sizes[members.index(max(members))] if sizes else None
        yield Goal(f"memory of an idle connection, {server}", f"≤ {most} KB", size, "{:.1f} KB", most=most)
    stalled = results.facts.get("stalled", {})
    held = stalled.get("bytes_held_each")
    yield Goal("memory of a stalled reader", "≤ 128 KiB", held and held / 1024, "{:.0f} KiB", most=128)
    slower = _quotient(stalled.get("others_p99_ms_with"), stalled.get("others_p99_ms_without"))
    yield Goal("p99 of the others beside 50 stalled", "≤ 2 ×", slower, "{:.2f} ×", most=2)
    later = _quotient(stalled.get("delivered_later_each"), stalled.get("to_deliver_later_each"))
    yield Goal("what they missed, delivered later", "all", later, "{:.0%}", least=1)
    yield Goal(
        "1,000 rooms of 10, deliveries/s against Redis", "≥ 1 ×", _rooms_against_redis(results), "{:.2f} ×", least=1
    )
    reading = results.facts.get("reading", {})
    per_core = _quotient(reading.get("messages"), reading.get("cpu_s"))
    yield Goal("reading client, messages/s and core", "≥ 6,000", per_core, "{:,.0f}", least=6000)
    starting = results.facts.get("starting", {})
    yield Goal("start of a server to its banner", "≤ 0.5 s", starting.get("banner_s"), "{:.2f} s", most=0.5)
    yield Goal("`sendall send` of one line in all", "≤ 0.6 s", starting.get("send_s"), "{:.2f} s", most=0.6)


def _rooms_against_redis(results: Results) -> float | None:
    ours, theirs = ([f.rate for f in results.rooms if f.server == server] for server in (SENDALL, REDIS))
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) if ours and theirs else None


def _quotient(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b
