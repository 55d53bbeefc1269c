"""What the application is started with. Knows no Textual, so that whoever starts it need not wait for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sendall.client.archive import Archive
from sendall.tui.clock import Clock
from sendall.tui.hall import Caller
from sendall.tui.ways_in import WaysIn


@dataclass(frozen=True)
class Opening:
    """What the application is started with."""

    client: Caller
    """Connected already."""
    room: str
    folder: Path
    """The client's folder, for what the person sets."""
    ways: WaysIn
    is_tls: bool
    archive: Archive | None = None
    """Where what is read is kept for searching; None: nowhere."""
    asks_name: bool = False
    """Nobody gave a name: ask, unless one was chosen at an earlier start."""
    shows_card: bool = False
    """Open the card with the ways in first."""
    why_stay: Callable[[], str] = lambda: ""
    """Called when the person wants to leave; a sentence it returns is told, once, instead of leaving."""
    clock: Clock = field(default_factory=Clock)
