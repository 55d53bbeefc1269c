"""Make the pictures of README and docs: `python -m tests.tools.screenshots` (`make screenshots`).

The application runs on the stage of its tests, so that the pictures are the same on every machine.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from sendall.crypto.primitives import RsaKey
from tests.tui.pictures import picture
from tests.tui.scenes import SCENES
from tests.tui.stage import staged

FOLDER = Path(__file__).parents[2] / "docs" / "images"
PICTURES = (
    ("terminal", "talk", "dusk", (112, 30)),
    ("terminal-light", "talk", "dawn", (112, 30)),
    ("terminal-narrow", "talk", "dusk", (60, 16)),
    ("terminal-lost", "lost", "dusk", (100, 24)),
    ("terminal-alarm", "alarm", "dusk", (100, 24)),
    ("terminal-card", "card", "dusk", (100, 36)),
)


async def make(folder: Path, rsa: RsaKey) -> None:
    """Write every picture anew."""
    for name, scene, theme, size in PICTURES:
        with tempfile.TemporaryDirectory() as state:
            async with staged(Path(state), rsa, size) as running:
                running.app.theme = theme
                await SCENES[scene](running)
                (folder / f"{name}.svg").write_text(picture(running.app))


def main() -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(make(folder, RsaKey.generate()))


if __name__ == "__main__":
    main()
