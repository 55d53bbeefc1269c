"""docs/library.md: its examples run, and it names what there is."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import sendall
from sendall.config import ServerSettings
from sendall.node import Node

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
SRC = Path(__file__).parents[2] / "src"


async def test_every_example_runs(tmp_path: Path) -> None:
    """Each block is a program that ends well against a real server, in the order of the page."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) == 6
    async with Node(ServerSettings(port=0, data=tmp_path / "data")) as node:
        environment = {**os.environ, "PYTHONPATH": str(SRC), "XDG_DATA_HOME": str(tmp_path / "home")}
        for example in examples:
            here = example.replace('"127.0.0.1:12345"', "ADDRESS").replace("connect(nick", "connect(ADDRESS, nick")
            program = f"ADDRESS = '127.0.0.1:{node.address[1]}'\n{here}"
            # In a thread: the server lives on this test's loop.
            await _run(program, environment)


async def _run(program: str, environment: dict[str, str]) -> None:
    def run() -> None:
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{program}\n{done.stderr}"

    await asyncio.to_thread(run)


def test_every_public_name_is_on_the_page() -> None:
    """What the package exports is explained."""
    page = PAGE.read_text()
    assert [name for name in sendall.__all__ if name not in page and name != "SendallError"] == []
