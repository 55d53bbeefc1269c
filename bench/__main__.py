"""`python -m bench`: measure sendall and a raw C copier in turns, print a table, keep the figures.

python -m bench                       1,000 and 100 members, 1 and 4 writers; about two minutes
python -m bench --members 1000 --writers 4 --rounds 9
python -m bench --write-docs          also writes the table into docs/performance.md
"""

from __future__ import annotations

import argparse
import fcntl
import resource
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from bench.members import WrongBytes
from bench.report import Result, keep, table, write_page
from bench.rounds import Case, measure
from bench.servers import BUILD, NoCompiler, cores_busy

LOCK = Path(tempfile.gettempdir()) / "sendall-bench.lock"
DELIVERIES = 20_000_000
MAX_MESSAGES = 60_000
"""Of a round: sealing a message ahead takes 0.1 ms."""
FILES_BESIDE_SOCKETS = 100
MUCH_BUSY = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    most = 3 * max(asked.members) + FILES_BESIDE_SOCKETS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < most:
        print(f"error: {most:,} open files are needed, and {hard:,} allowed\nhint: ulimit -n {most}", file=sys.stderr)
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results: list[Result] = []
    try:
        with _alone():
            busy = cores_busy()
            if busy > MUCH_BUSY:
                print(f"warning: other programs use {busy:.1f} cores; shares under load are too good", file=sys.stderr)
            for members, writers in product(asked.members, asked.writers):
                results.append(_measured(_case(members, writers, asked.messages, asked.batch), asked.rounds))
    except (NoCompiler, WrongBytes, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(results))
    print(f"all figures: {keep(results, busy)}", file=sys.stderr)
    if asked.write_docs:
        write_page(results, busy)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, nargs="+", default=[1000, 100], help="who hears everything")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 4], help="how many of the members write")
    parser.add_argument("--rounds", type=int, default=5, help="of each server and case, in turns")
    parser.add_argument("--messages", type=int, help="of a round; by default as many as make 20 million deliveries")
    parser.add_argument("--batch", type=int, default=32, help="entries in one WebSocket message of a writer")
    parser.add_argument("--write-docs", action="store_true", help="write the table into docs/performance.md")
    return parser


def _case(members: int, writers: int, messages: int | None, batch: int) -> Case:
    messages = messages or min(MAX_MESSAGES, DELIVERIES // members)
    return Case(members, writers, messages // writers * writers, batch)


def _measured(case: Case, rounds: int) -> Result:
    # Not in /tmp, which may be memory: commits are to reach a disk.
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=BUILD) as folder:
        taken = []
        for figures in measure(case, rounds, Path(folder)):
            line = f"{case.members:,} members, {case.writers} writing: {figures.server}: {figures.rate:,.0f}/s"
            print(line, file=sys.stderr, flush=True)
            taken.append(figures)
    return Result(case, taken)


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other benchmark runs on this machine."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
