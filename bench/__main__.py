"""`python -m bench`: measure sendall beside everybody else, print tables, keep the figures, draw plots.

python -m bench                       everything; about nine minutes
python -m bench --only flat --members 100 --rounds 9
python -m bench --write-docs          also writes tables and plots into docs/
python -m bench --again FILE.json --write-docs    the same from kept figures, without measuring
"""

from __future__ import annotations

import argparse
import fcntl
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import goals, report
from bench.members import WrongBytes
from bench.report import Results, about, keep, other_tables, tables, write_page
from bench.rounds import CHUNK, EVERYBODY, SENDALL, SENDALL_TLS, Arrival, Case, Row, measure
from bench.scenarios import Facts, Sizes, many_rooms, reading, stalled, starting, syncing
from bench.servers import BUILD, NoCompiler, cores_busy

LOCK = Path(tempfile.gettempdir()) / "sendall-bench.lock"
FILES = 17_000
"""Open files of the case with the most connections; sendall itself stops at 80 % of what it may have."""
MUCH_BUSY = 0.1
RATES = ((10, 100), (100, 500))
PARTS = ("flat", "stalled", "rooms", "reading", "starting", "sync")


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.again:
        _show(*report.load(asked.again), write_docs=asked.write_docs)
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < FILES and 5000 in asked.members:
        print(f"error: {FILES:,} open files are needed, {hard:,} allowed\nhint: ulimit -n {FILES}", file=sys.stderr)
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the peers end with us
    results = Results([], [], [], {})
    try:
        with _alone():
            busy = cores_busy()
            if busy > MUCH_BUSY:
                print(f"warning: other programs use {busy:.1f} cores; shares under load are too good", file=sys.stderr)
            _take(asked, results)
    except (NoCompiler, WrongBytes, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"all figures: {keep(results, busy)}", file=sys.stderr)
    _show(results, busy, write_docs=asked.write_docs)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of it")
    parser.add_argument("--members", type=int, nargs="+", default=[100, 1000, 5000], help="who hears everything")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 4, 8], help="how many write flat out")
    parser.add_argument("--rounds", type=int, default=3, help="of each server and case, in turns")
    parser.add_argument("--again", type=Path, help="a JSON file of an earlier run")
    parser.add_argument("--write-docs", action="store_true", help="write tables and plots into docs/")
    return parser


def cases(members: Sequence[int], writers: Sequence[int]) -> Iterator[Case]:
    """Yield what is measured together; with 5,000 members in two parts, for the sake of open files."""
    for count in members:
        if count <= 1000:
            yield Case(count, tuple(writers), EVERYBODY, RATES if count == 1000 else ())
        else:
            yield Case(count, tuple(writers), (SENDALL, CHUNK, "Redis"))
            yield Case(count, (min(4, max(writers)),), (SENDALL_TLS, "websockets"))


def _take(asked: argparse.Namespace, results: Results) -> None:
    if "flat" in asked.only:
        for case in cases(asked.members, asked.writers):
            with _folder() as folder:
                for found in measure(case, asked.rounds, folder):
                    _note(found, results)
    sizes = Sizes()
    if "stalled" in asked.only:
        _note_facts("stalled", results, stalled, sizes)
    if "rooms" in asked.only:
        with _folder() as folder:
            for figures in many_rooms(sizes, folder, asked.rounds):
                _say(f"{sizes.rooms:,} rooms: {figures.server}: {figures.rate:,.0f}/s, {figures.cpu_us:.3f} µs")
                results.rooms.append(figures)
    if "reading" in asked.only:
        _note_facts("reading", results, reading, sizes)
    if "starting" in asked.only:
        _note_facts("starting", results, starting, sizes)
    if "sync" in asked.only:
        _note_facts("sync", results, syncing, sizes)


def _note(found: Row | Arrival, results: Results) -> None:
    if isinstance(found, Arrival):
        results.arrivals.append(found)
        _say(f"{found.members:,} connections: {found.server}: {found.cpu_us:.0f} µs, {found.rss_bytes / 1000:.1f} KB")
        return
    results.rows.append(found)
    figures = found.figures
    pace = (
        f"{found.rate}/s, last {figures.last_p50_ms:.1f} / {figures.last_p99_ms:.1f} ms" if found.rate else "flat out"
    )
    _say(
        f"{found.members:,} members, {found.writers} writing, {pace}: {figures.server}: "
        f"{figures.rate:,.0f}/s, {figures.cpu_us:.3f} µs"
    )


def _note_facts(name: str, results: Results, take: Callable[[Sizes, Path], Facts], sizes: Sizes) -> None:
    with _folder() as folder:
        results.facts[name] = take(sizes, folder)
    _say(f"{name}: " + ", ".join(f"{key} {value:,.2f}" for key, value in results.facts[name].items()))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(results: Results, busy: float, *, write_docs: bool) -> None:
    sections = [goals.table(results), tables(results), other_tables(results)]
    print("\n\n".join(sections))
    if write_docs:
        write_page(sections, about(results, busy))
    try:
        from bench.plots import draw
    except ImportError:
        _say("SKIPPED plots: matplotlib is not installed; hint: pip install -r requirements-bench.txt")
        return
    report.RESULTS.mkdir(exist_ok=True)
    for path in draw(results, report.PAGE.parent if write_docs else report.RESULTS):
        _say(f"drawn: {path}")


@contextmanager
def _folder() -> Iterator[Path]:
    # Not in /tmp, which may be memory: commits are to reach a disk.
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=BUILD) as folder:
        yield Path(folder)


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other benchmark runs on this machine."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
