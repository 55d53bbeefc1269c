"""A home of its own for every test, and a server in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.programs import Server, home_of


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who never used sendall."""
    return home_of(tmp_path / "home")


@pytest.fixture
def server(home: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """A running server on a free loopback port."""
    with Server(home, tmp_path / "server") as running:
        yield running
