"""The figures of a run: as a table, as JSON, and as the generated section of docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.rounds import Case, Figures
from bench.servers import HERE

RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "performance.md"
BEGIN = "<!-- begin: written by `python -m bench --write-docs` -->"
END = "<!-- end -->"
LIMIT = "raw C, chunk"
"""What the others are a share of."""
HEAD = (
    "| members | writers | server | deliveries/s | lowest to highest | of raw C | CPU µs/delivery | "
    "durable p50 / p99 ms |"
)


class Result(NamedTuple):
    """All rounds of one case."""

    case: Case
    rounds: Sequence[Figures]

    def of(self, server: str) -> list[Figures]:
        return [figures for figures in self.rounds if figures.server == server]

    def ratio_to(self, limit: str, server: str) -> float:
        """Return the median, over the rounds, of `server`'s deliveries/s as a share of `limit`'s."""
        pairs = zip(self.of(server), self.of(limit), strict=True)
        return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = [HEAD, "|---|---|---|---|---|---|---|---|"]
    for result in results:
        for server in dict.fromkeys(figures.server for figures in result.rounds):
            lines.append(_line(result, server))
    return "\n".join(lines)


def _line(result: Result, server: str) -> str:
    of = result.of(server)
    rates = [figures.rate for figures in of]
    p50, p99 = (statistics.median(getattr(f, name) for f in of) for name in ("receipt_p50_ms", "receipt_p99_ms"))
    durable = f"{p50:.0f} / {p99:.0f}" if server == "sendall" else "-"
    share = f"{result.ratio_to(LIMIT, server):.0%}" if len(of) == len(result.of(LIMIT)) else "-"
    return (
        f"| {result.case.members:,} | {result.case.writers} | {server} | {statistics.median(rates):,.0f} "
        f"| {min(rates):,.0f} to {max(rates):,.0f} | {share} "
        f"| {statistics.median(f.cpu_us for f in of):.3f} | {durable} |"
    )


def facts(results: Sequence[Result], busy: float) -> dict[str, str]:
    """Return what else belongs to the figures: where and when, of what, and how much of it."""
    sizes = sorted({figures.bytes_per_delivery for result in results for figures in result.rounds})
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {_processor()}, Linux {platform.release()}",
        "cores_busy_before": f"{busy:.1f}",
        "python": platform.python_version(),
        "rounds": str(max(len(result.of(LIMIT)) for result in results)),
        "bytes_per_delivery": ", ".join(map(str, sizes)),
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


def keep(results: Sequence[Result], busy: float) -> Path:
    """Write everything that was measured to a JSON file and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("%Y%m%dT%H%M%SZ.json", time.gmtime())
    cases = [{**r.case._asdict(), "rounds": [figures._asdict() for figures in r.rounds]} for r in results]
    path.write_text(json.dumps({**facts(results, busy), "cases": cases}, indent=1) + "\n")
    return path


def write_page(results: Sequence[Result], busy: float, page: Path = PAGE) -> None:
    """Put the table between the markers of the page; the text around them is written by hand.

    Raises:
        ValueError: the page has no markers.
    """
    about = facts(results, busy)
    section = (
        f"Measured on {about['date']} at commit {about['commit']}: {about['machine']}, Python {about['python']}, "
        f"{about['cores_busy_before']} cores in use by other programs before; "
        f"{about['bytes_per_delivery']} bytes per delivery; medians of {about['rounds']} rounds.\n\n{table(results)}"
    )
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} has no markers for the table")
    page.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}")
