"""The stage of a fault run: a real server process, crews of real members, and the verdict at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

import sendall
from tests.faults.checker import Summary, check
from tests.faults.crew import END, Consumer, Plan, Producer
from tests.faults.evidence import payload_sha
from tests.faults.history import HistoryWriter, log_from_sqlite, payloads_seen, read_history

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0 if not os.environ.get("SENDALL_CAMPAIGN") else 36_000.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stage:
    """One server on one data folder, and crews. Ends every process it started."""

    def __init__(self, folder: Path, *, server_flags: Sequence[str] = (), limits: str = "") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._flags = server_flags
        self.server: subprocess.Popen[bytes] | None = None
        self._crews: list[subprocess.Popen[bytes]] = []
        (folder / "histories").mkdir(parents=True)
        rates = "member_rate = 0\nroom_rate = 0\nhandshakes_per_s = 0\n"
        (folder / "settings.toml").write_text(f"[server.limits]\n{rates}{limits}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in [*self._crews, *([self.server] if self.server else [])]:
            if process.poll() is None:
                process.kill()
                process.wait(PATIENCE_S)

    def start_server(self) -> float:
        """Start the server process; return the seconds until it accepted a connection."""
        began = time.monotonic()
        with (self.folder / "server.log").open("ab") as log:
            self.server = subprocess.Popen(
                [
                    *(sys.executable, str(ROOT / "server.py"), "--port", str(self.port), "--data", str(self.data)),
                    *("--config", str(self.folder / "settings.toml"), *self._flags),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while True:
            assert self.server.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() - began < PATIENCE_S, "the server does not come up"
                self.server_poll()
            else:
                return time.monotonic() - began

    def server_poll(self) -> None:
        """Wait a little for the server to listen or to end."""
        assert self.server is not None
        try:
            self.server.wait(0.01)
        except subprocess.TimeoutExpired:
            return

    def stop_server(self, sign: signal.Signals = signal.SIGTERM) -> None:
        assert self.server is not None
        self.server.send_signal(sign)
        self.server.wait(PATIENCE_S)

    def start_crew(
        self, producers: Iterable[Producer] = (), consumers: Iterable[Consumer] = (), *, address: str | None = None
    ) -> subprocess.Popen[bytes]:
        plan = Plan(address or self.address, str(self.folder), list(producers), list(consumers))
        path = self.folder / f"plan{len(self._crews)}.json"
        path.write_bytes(msgspec.json.encode(plan))
        return self.start_plan(path)

    def start_plan(self, path: Path) -> subprocess.Popen[bytes]:
        with path.with_suffix(".log").open("ab") as log:
            crew = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.crew", str(path)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._crews.append(crew)
        return crew

    def finish(self, crew: subprocess.Popen[bytes]) -> None:
        """Wait until a crew has ended by itself, and demand that it ended well."""
        code = crew.wait(PATIENCE_S)
        logs = "".join(path.read_text()[-1500:] for path in self.folder.glob("plan*.log"))
        assert code == 0, f"a crew ended with {code}:\n{logs}"

    def end_rooms(self, rooms: Iterable[str]) -> None:
        """Post END in each room, so that the consumers end."""

        async def post_ends() -> None:
            async with sendall.connect(self.address, nick="end", state=self.folder / "state" / "end") as me:
                for name in rooms:
                    room = await me.join(name, tail=0)
                    with HistoryWriter(self.folder / "histories" / f"end-{name}.jsonl") as history:
                        history.invoke(0, payload_sha(END), sender=me.id, session=bytes(16))
                        receipt = await room.send(END)
                        history.ok(0, payload_sha(END), seq=receipt.seq, h=None)

        asyncio.run(post_ends())

    def judge(self, rooms: dict[str, list[str]]) -> dict[str, Summary]:
        """Stop the server and judge each room: `rooms` names the histories that belong to it.

        Every consumer must have seen the end of its room.
        """
        for room in rooms:
            self.finish(self.start_crew(consumers=[Consumer(f"reader-{room}", room)]))
        self.stop_server()
        summaries = {}
        for room, names in rooms.items():
            histories = [
                read_history(self.folder / "histories" / f"{name}.jsonl")
                for name in [*names, f"end-{room}", f"reader-{room}"]
            ]
            log = log_from_sqlite(self.data, room, payloads_seen(histories[-1]))
            verdict = check(log, histories)
            assert verdict.is_clean, verdict.explain()
            summary = summaries[room] = verdict.summary
            assert summary.acknowledged > 0
            assert summary.chain_values > summary.acknowledged, "the followers' own chain values are compared, too"
            assert set(summary.reached.values()) == {log.records[-1].seq}, summary.reached
        return summaries
