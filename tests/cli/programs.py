"""Real processes for the tests of the command line: servers, commands, pseudo-terminals, tmux.

Each test has a home folder of its own, so that no identity, pin or outbox of the person who runs the
tests is touched. Waiting is on output, never on time.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Self

ROOT = Path(__file__).parents[2]
SENDALL = [sys.executable, "-c", "import sys; from sendall.cli import main; sys.exit(main())"]
"""The command `sendall`, wherever it is installed."""
WAIT_S = 30.0
"""How long anything may take; a machine that runs other tests too can be slow."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[ -/]*[0-~])")


def home_of(folder: Path) -> dict[str, str]:
    """Return an environment in which everything of a person's lies in `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SENDALL_", "XDG_", "COV_"))}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):  # pytest-xdist sets a size, which no terminal of a test has
        kept.pop(name, None)
    folders = {"HOME": folder, "XDG_DATA_HOME": folder / "data", "XDG_CONFIG_HOME": folder / "config"}
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    python = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    return kept | python | {name: str(path) for name, path in folders.items()} | {"TERM": "xterm"}


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(
    env: dict[str, str], *args: str, text: str | None = None, program: Sequence[str] = tuple(SENDALL)
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with `text` or nothing on stdin."""
    return subprocess.run(
        [*program, *args], env=env, input=text or "", capture_output=True, text=True, timeout=WAIT_S, check=False
    )


class Program:
    """A process with pipes."""

    def __init__(
        self, env: dict[str, str], *args: str, program: Sequence[str] = tuple(SENDALL), cwd: Path | None = None
    ) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*program, *args], env=env, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0
        )
        self._seen = {"stdout": b"", "stderr": b""}

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    def read_until(self, words: str, name: Literal["stdout", "stderr"] = "stdout") -> str:
        """Return what a stream said up to the end of the line with `words`."""
        stream = self.process.stdout if name == "stdout" else self.process.stderr
        assert stream is not None
        deadline = time.monotonic() + WAIT_S
        pattern = re.compile(rb"^.*?" + re.escape(words.encode()) + rb"[^\n]*\n", re.DOTALL)
        while not (match := pattern.match(self._seen[name])):
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(stream.fileno(), 65_536) if ready else b""
            assert chunk, f"{words!r} did not come; there was {self._seen}; {self.ended() if ready else 'running'}"
            self._seen[name] += chunk
        self._seen[name] = self._seen[name][match.end() :]
        return match[0].decode()

    def ended(self) -> tuple[int, str, str]:
        """Close stdin, wait for the end; return status, the rest of stdout, and the rest of stderr."""
        try:
            out, err = self.process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, (self._seen["stdout"] + out).decode(), (self._seen["stderr"] + err).decode()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


class Server(Program):
    """`sendall serve` on a free port, up when the constructor returns."""

    def __init__(self, env: dict[str, str], data: Path, *args: str, port: int = 0) -> None:
        super().__init__(env, "serve", "--port", str(port), "--data", str(data), *args)
        self.data = data
        self.banner = self.read_until("  stop ")
        self.address = self.banner.splitlines()[0].removeprefix("sendall is up: ")
        self.port = int(self.address.rpartition(":")[2])


class Terminal:
    """A process on a pseudo-terminal, as a person would have it, without anybody who answers its questions."""

    def __init__(self, env: dict[str, str], command: Sequence[str], *, cwd: Path = ROOT) -> None:
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.process = subprocess.Popen(command, env=env, cwd=cwd, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._text = ""
        self.transcript = ""
        """All that was sent to the terminal, as it came."""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def enter(self, line: str) -> None:
        self.type(line + "\r")

    def expect(self, words: str) -> None:
        """Wait until the terminal was sent `words`, escape sequences aside; what came before is passed."""
        deadline = time.monotonic() + WAIT_S
        while words not in self._text:
            ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{words!r} did not come; there was {self._text!r}"
            self._text += self._read()
        self._text = self._text.partition(words)[2]

    def wait(self) -> int:
        """Wait for the end of the process, reading on, and return its status."""
        deadline = time.monotonic() + WAIT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self._master], [], [], 0.05)[0]:
                with suppress(AssertionError):
                    self._read()
        return self.process.wait(0)

    def hang_up(self) -> int:
        """Take the terminal away, and return the status with which the process ends."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)
        return self.process.wait(WAIT_S)

    def _read(self) -> str:
        try:
            came = os.read(self._master, 65_536).decode("utf-8", "replace")
        except OSError:  # EIO: the process closed its side
            raise AssertionError(f"the terminal closed; there was {self._text!r}") from None
        self.transcript += came
        return _ESCAPES.sub("", came)  # of a sequence that came in two reads a part stays, which is no matter here

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)


class Tmux:
    """Terminals that can be looked at: a tmux server of this test's own."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._env = env
        self._socket = str(folder / "tmux")

    def start(self, name: str, command: Sequence[str], columns: int = 80, rows: int = 24) -> None:
        """Run a command in a window of its own, from a shell, so that the window stays when it ends."""
        size = ["-x", str(columns), "-y", str(rows)]
        self._tmux("-f", os.devnull, "new-session", "-d", "-s", name, *size, "-c", str(ROOT), "sh")
        self._tmux("set-option", "-t", name, "status", "off")
        line = " ".join(map(_quoted, command))
        self.type(name, f"clear; {line}; echo ended with $?", "Enter")

    def type(self, name: str, text: str, *keys: str) -> None:
        """Type text as it stands, then the named keys."""
        if text:
            self._tmux("send-keys", "-t", name, "-l", text)
        if keys:
            self._tmux("send-keys", "-t", name, *keys)

    def resize(self, name: str, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-t", name, "-x", str(columns), "-y", str(rows))

    def screen(self, name: str, *, has_styles: bool = False) -> str:
        return self._tmux("capture-pane", "-p", *(["-e"] if has_styles else []), "-t", name)

    def see(self, name: str, *words: str) -> str:
        """Wait until all of `words` are on the screen, and return it."""
        deadline = time.monotonic() + WAIT_S
        while not all(each in (shown := self.screen(name)) for each in words):
            assert time.monotonic() < deadline, f"{words!r} are not on the screen:\n{shown}"
            select.select([], [], [], 0.03)  # tmux tells nobody when a pane changes
        return shown

    def see_not(self, name: str, gone: str, *words: str) -> str:
        """Wait until `gone` is not on the screen, and all of `words` are; return it."""
        deadline = time.monotonic() + WAIT_S
        while gone in (shown := self.screen(name)) or not all(each in shown for each in words):
            assert time.monotonic() < deadline, f"{gone!r} is still on the screen:\n{shown}"
            select.select([], [], [], 0.03)
        return shown

    def wait(self, name: str) -> int:
        """Wait until the command ended, and return its status."""
        deadline = time.monotonic() + WAIT_S
        while not (found := re.findall(r"^ended with (\d+)", self.screen(name), re.MULTILINE)):
            assert time.monotonic() < deadline, f"{name} did not end:\n{self.screen(name)}"
            select.select([], [], [], 0.03)
        return int(found[-1])

    def _tmux(self, *args: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *args],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=True,
        )
        return done.stdout

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True, timeout=WAIT_S)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


@contextmanager
def tmux_in(env: dict[str, str], folder: Path) -> Iterator[Tmux]:
    """Give a tmux that ends with the block."""
    terminals = Tmux(env | {"TERM": "screen"}, folder)
    try:
        yield terminals
    finally:
        terminals.close()


HAS_TMUX = shutil.which("tmux") is not None
