"""Lines of stdin as they come."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendall.cli.stdin import CHUNK_BYTES, CHUNKS_AHEAD, lines_of


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: where to read, where to write."""
    out, into = os.pipe()
    yield out, into
    os.close(out)


async def test_lines_come_one_by_one(pipe: tuple[int, int]) -> None:
    """A line is there when its end is, not when the pipe is closed; the last one needs no end."""
    lines = lines_of(pipe[0])
    os.write(pipe[1], b"one\ntw")
    assert await anext(lines) == "one"
    os.write(pipe[1], b"o\r\n\nthree")
    assert await anext(lines) == "two"
    assert await anext(lines) == ""
    os.close(pipe[1])
    assert [line async for line in lines] == ["three"]


async def test_a_character_may_be_cut_in_two(pipe: tuple[int, int]) -> None:
    """UTF-8 is decoded across reads; what is none becomes U+FFFD."""
    lines = lines_of(pipe[0])
    os.write(pipe[1], b"a\n" + "ü".encode()[:1])
    assert await anext(lines) == "a"
    os.write(pipe[1], "ü".encode()[1:] + b"\n\xff\n")
    assert await anext(lines) == "ü"
    assert await anext(lines) == "\ufffd"
    os.close(pipe[1])
    assert [line async for line in lines] == []


async def test_a_file_is_read_like_a_pipe(tmp_path: Path) -> None:
    """Regular files, which cannot be polled, work; also larger than what is read ahead."""
    written = [f"line {n} {'x' * 1000}" for n in range((CHUNKS_AHEAD + 2) * CHUNK_BYTES // 1000)]
    file = tmp_path / "lines"
    file.write_text("\n".join(written))
    with file.open() as opened:
        assert [line async for line in lines_of(opened.fileno())] == written


async def test_a_slow_reader_leaves_the_rest_in_the_pipe(pipe: tuple[int, int]) -> None:
    """No more than a few chunks are read ahead: whoever writes has to wait."""
    os.set_blocking(pipe[1], False)
    lines = lines_of(pipe[0])
    written = os.write(pipe[1], b"first\n")
    assert await anext(lines) == "first"
    deadline = asyncio.get_running_loop().time() + 20
    silent_since = None
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0)
        try:
            written += os.write(pipe[1], b"x" * 999 + b"\n")
            silent_since = None
        except BlockingIOError:
            silent_since = silent_since or asyncio.get_running_loop().time()
            if asyncio.get_running_loop().time() - silent_since > 0.3:
                break
    assert written < (CHUNKS_AHEAD + 2) * CHUNK_BYTES + 2**17
    os.close(pipe[1])
    assert sum(len(line) + 1 for line in [line async for line in lines]) == written - len("first\n")
