"""The processes of a measurement: compiled C, the server under test, its CPU time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
BUILD = HERE / "build"
_STOP_S = 20.0


class NoCompiler(Exception):
    """There is no `cc`: nothing can be measured."""


class Server(NamedTuple):
    """A running server on a loopback port."""

    name: str
    pid: int
    port: int

    def rss(self) -> int:
        """Return the bytes of memory that are its own now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])

    def cpu_s(self) -> float:
        """Return the seconds of CPU it has used, in the steps of /proc (10 ms)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compiled(name: str, program: str = "", *flags: str) -> Path:
    """Return the program made of `name`.c with these flags, made anew if a source is younger.

    Raises:
        NoCompiler: there is no `cc`.
    """
    built = BUILD / (program or name)
    sources = (HERE / f"{name}.c", *HERE.glob("*.h"))
    if built.exists() and all(built.stat().st_mtime > source.stat().st_mtime for source in sources):
        return built
    if shutil.which("cc") is None:
        raise NoCompiler("the generator is in C, and there is no cc; hint: apt install gcc")
    BUILD.mkdir(exist_ok=True)
    aside = BUILD / f"{built.name}.{os.getpid()}"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", aside, sources[0], *flags], check=True)
    aside.rename(built)
    return built


def compiled_generator(*, tls: bool) -> Path:
    """Return the generator. Raises NoCompiler; for TLS also where libcrypto's headers are missing."""
    if not tls:
        return compiled("generator")
    try:
        return compiled("generator", "generator-tls", "-DTLS", "-lcrypto")
    except subprocess.CalledProcessError as error:
        raise NoCompiler("the generator's TLS needs libcrypto's headers; hint: apt install libssl-dev") from error


def cores_busy(seconds: float = 2.0) -> float:
    """Return how many cores others use now, measured while waiting."""
    before = _idle_s()
    time.sleep(seconds)
    return max(0.0, (os.cpu_count() or 1) - (_idle_s() - before) / seconds)


def _idle_s() -> float:
    _, _, _, _, idle, waiting, *_ = Path("/proc/stat").read_text().partition("\n")[0].split()
    return (int(idle) + int(waiting)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def sendall_server(data: Path, name: str = "sendall") -> Iterator[Server]:
    """Run sendall with its data in `data`."""
    command = [sys.executable, "-m", "bench.serve", str(data)]
    with _running(command) as (process, line):
        yield Server(name, process.pid, json.loads(line)["port"])


@contextmanager
def raw_copier(mode: str, message_bytes: int) -> Iterator[Server]:
    """Run rawcast.c as "chunk" or "each"."""
    with _running([str(compiled("rawcast")), mode, str(message_bytes)]) as (process, line):
        yield Server(f"raw C, {mode}", process.pid, int(line))


@contextmanager
def _running(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server that prints one line once it listens and ends with its stdin."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} ended with {process.wait()} before it listened")
        yield process, line
    finally:
        process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
