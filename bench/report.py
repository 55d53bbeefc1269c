"""The figures of a run: as tables, as JSON, and as the generated section of docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.load import Figures
from bench.rounds import CHUNK, EACH, Arrival, Row
from bench.scenarios import Facts
from bench.servers import HERE

RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "performance.md"
BEGIN = "<!-- begin: written by `python -m bench --write-docs` -->"
END = "<!-- end -->"
FLAT = "| members | writers | server | messages/s in | deliveries/s | of raw C | CPU µs/delivery | against raw C |"
PACED = (
    "| members | messages/s | server | last member p50 / p99 ms | any member p50 / p99 ms | CPU µs/delivery "
    "| against one send each |"
)


class Results(NamedTuple):
    """All that one `make bench` found."""

    rows: list[Row]
    arrivals: list[Arrival]
    rooms: list[Figures]
    facts: dict[str, Facts]
    """By scenario."""

    def of(self, server: str, members: int, writers: int = 1, rate: int = 0) -> list[Figures]:
        """Return all rounds of one server in one case."""
        wanted = (members, writers, rate, server)
        return [r.figures for r in self.rows if (r.members, r.writers, r.rate, r.figures.server) == wanted]

    def median(
        self, server: str, members: int, writers: int = 1, rate: int = 0, *, of: Callable[[Figures], float]
    ) -> float | None:
        """Return the median over the rounds; None if it took no part."""
        values = [of(figures) for figures in self.of(server, members, writers, rate)]
        return statistics.median(values) if values else None

    def ratio(
        self, server: str, to: str, members: int, writers: int = 1, rate: int = 0, *, of: Callable[[Figures], float]
    ) -> float | None:
        """Return the median, over the rounds, of the quotients of two servers' figures of the same round."""
        ours, theirs = self.of(server, members, writers, rate), self.of(to, members, writers, rate)
        if not ours or not theirs:
            return None
        rounds = len(ours)
        return statistics.median(of(a) / (of(b) or 1e-9) for a, b in zip(ours, theirs[:rounds], strict=True))


def rate_of(figures: Figures) -> float:
    return figures.rate


def cpu_of(figures: Figures) -> float:
    return figures.cpu_us


def tables(results: Results) -> str:
    """Return the results of the rounds as Markdown."""
    cases = list(dict.fromkeys((r.members, r.writers, r.rate) for r in results.rows))
    flat = [FLAT, _rule(FLAT)]
    paced = [PACED, _rule(PACED)]
    for members, writers, rate in cases:
        servers = dict.fromkeys(r.figures.server for r in results.rows if r[:3] == (members, writers, rate))
        for server in servers:
            if rate:
                paced.append(_paced_line(results, server, members, rate))
            else:
                flat.append(_flat_line(results, server, members, writers))
    return "\n".join(flat) + "\n\n" + "\n".join(paced)


def other_tables(results: Results) -> str:
    """Return what is not of rounds as Markdown: connections, many rooms, and each scenario's figures by name."""
    arriving = "| members | server | CPU µs/connection | connections/s and core | memory KB, idle |"
    lines = [arriving, _rule(arriving)]
    lines += [
        f"| {a.members:,} | {a.server} | {a.cpu_us:,.0f} | {1e6 / (a.cpu_us or 1e-9):,.0f} | {a.rss_bytes / 1000:.1f} |"
        for a in results.arrivals
    ]
    rooms = "| many small rooms | deliveries/s | CPU µs/delivery |"
    lines += ["", rooms, _rule(rooms)]
    for server in dict.fromkeys(figures.server for figures in results.rooms):
        of = [figures for figures in results.rooms if figures.server == server]
        rate, cpu = statistics.median(map(rate_of, of)), statistics.median(map(cpu_of, of))
        lines.append(f"| {server} | {rate:,.0f} | {cpu:.3f} |")
    other = "| scenario | figure | value |"
    lines += ["", other, _rule(other)]
    for scenario, facts in results.facts.items():
        lines += [f"| {scenario} | `{name}` | {value:,.2f} |" for name, value in facts.items()]
    return "\n".join(lines)


def _rule(head: str) -> str:
    return "|" + "---|" * (head.count("|") - 1)


def _flat_line(results: Results, server: str, members: int, writers: int) -> str:
    rate = results.median(server, members, writers, of=rate_of) or 0
    cpu = results.median(server, members, writers, of=cpu_of)
    share = results.ratio(server, CHUNK, members, writers, of=rate_of)
    cost = results.ratio(server, CHUNK, members, writers, of=cpu_of)
    return (
        f"| {members:,} | {writers} | {server} | {rate / members:,.0f} | {rate:,.0f} | {_shown(share, '.0%')} "
        f"| {_shown(cpu, '.3f')} | {_shown(cost, '.1f')} × |"
    )


def _paced_line(results: Results, server: str, members: int, rate: int) -> str:
    def median(of: Callable[[Figures], float]) -> float:
        return results.median(server, members, 1, rate, of=of) or 0

    cost = results.ratio(server, EACH, members, 1, rate, of=cpu_of)
    last = f"{median(lambda f: f.last_p50_ms):.1f} / {median(lambda f: f.last_p99_ms):.1f}"
    every = f"{median(lambda f: f.all_p50_ms):.1f} / {median(lambda f: f.all_p99_ms):.1f}"
    cpu = median(cpu_of)
    return f"| {members:,} | {rate} | {server} | {last} | {every} | {cpu:.2f} | {_shown(cost, '.2f')} × |"


def _shown(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)


def about(results: Results, busy: float) -> dict[str, str]:
    """Return what else belongs to the figures: where and when, of what, and how much of it."""
    per_case = [len(results.of(r.figures.server, r.members, r.writers)) for r in results.rows if not r.rate]
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {_processor()}, Linux {platform.release()}",
        "cores_busy_before": f"{busy:.1f}",
        "python": platform.python_version(),
        "rounds": str(max(per_case, default=0)),
    }


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True, cwd=HERE).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # not a checkout
        return "unknown"


def keep(results: Results, busy: float) -> Path:
    """Write everything that was measured to a JSON file and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("%Y%m%dT%H%M%SZ.json", time.gmtime())
    found = {
        "rows": [{**row._asdict(), "figures": row.figures._asdict()} for row in results.rows],
        "arrivals": [arrival._asdict() for arrival in results.arrivals],
        "rooms": [figures._asdict() for figures in results.rooms],
        "facts": results.facts,
    }
    path.write_text(json.dumps({**about(results, busy), **found}, indent=1) + "\n")
    return path


def load(path: Path) -> tuple[Results, float]:
    """Return what `keep` wrote: the page and the plots can be made again from it."""
    kept = json.loads(path.read_text())
    rows = [Row(r["members"], r["writers"], r["rate"], Figures(**r["figures"])) for r in kept["rows"]]
    arrivals = [Arrival(**arrival) for arrival in kept["arrivals"]]
    rooms = [Figures(**figures) for figures in kept["rooms"]]
    return Results(rows, arrivals, rooms, kept["facts"]), float(kept["cores_busy_before"])


def write_page(sections: Sequence[str], facts: dict[str, str], page: Path = PAGE) -> None:
    """Put the sections between the markers of the page; the text around them is written by hand.

    Raises:
        ValueError: the page has no markers.
    """
    first = (
        f"Measured on {facts['date']} at commit {facts['commit']}: {facts['machine']}, Python {facts['python']}, "
        f"{facts['cores_busy_before']} cores in use by other programs before; medians of {facts['rounds']} rounds."
    )
    section = "\n\n".join([first, *sections])
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} has no markers for the tables")
    page.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}")
