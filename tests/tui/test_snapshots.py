"""The looks of the main states at three sizes, against pictures that somebody looked at.

A change on purpose: `SENDALL_SNAPSHOTS=new .venv/bin/pytest tests/tui/test_snapshots.py`, look at what
changed, and commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conftest import RsaPool
from tests.tui.pictures import picture
from tests.tui.scenes import SCENES, STATES
from tests.tui.stage import staged

FOLDER = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize(
    ("scene", "size"), STATES, ids=lambda part: part if isinstance(part, str) else f"{part[0]}x{part[1]}"
)
async def test_a_state_looks_as_it_did(tmp_path: Path, rsa_pool: RsaPool, scene: str, size: tuple[int, int]) -> None:
    """Every cell, colour and style is as in the picture that is committed."""
    kept = FOLDER / f"{scene}-{size[0]}x{size[1]}.svg"
    async with staged(tmp_path, rsa_pool[0], size) as running:
        await SCENES[scene](running)
        now = picture(running.app)
    if os.environ.get("SENDALL_SNAPSHOTS") == "new":
        FOLDER.mkdir(exist_ok=True)
        kept.write_text(now)
    actual = tmp_path / kept.name
    actual.write_text(now)
    assert kept.exists(), f"{kept} is not there"
    assert kept.read_text() == now, f"{actual} differs from {kept}"


def test_every_picture_is_of_a_state() -> None:
    """None is left over from a scene that is gone."""
    names = {f"{scene}-{columns}x{rows}.svg" for scene, (columns, rows) in STATES}
    assert {path.name for path in FOLDER.iterdir()} == names


def test_no_picture_needs_anything_from_elsewhere() -> None:
    """No font or image is loaded, and no script runs."""
    for path in FOLDER.iterdir():
        svg = path.read_text()
        assert not re.search(r"url\((?!#)|<script|<image|href=", svg), path.name
