"""What was typed before: the composer's history, walked with the arrow keys. Pure."""

from __future__ import annotations

LIMIT = 200
"""Lines that are remembered; the oldest beyond it are dropped."""


class Past:
    """Earlier lines, oldest first, and where in them the person is."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = 0
        self._draft = ""

    def add(self, line: str) -> None:
        """Remember a line that was sent; one that repeats the last is remembered once."""
        if line and (not self._lines or self._lines[-1] != line):
            self._lines.append(line)
            del self._lines[:-LIMIT]
        self._at = len(self._lines)
        self._draft = ""

    def older(self, current: str) -> str | None:
        """Return the line before the one that is shown; None at the oldest. The draft is kept."""
        if self._at == 0:
            return None
        if self._at == len(self._lines):
            self._draft = current
        self._at -= 1
        return self._lines[self._at]

    def newer(self) -> str | None:
        """Return the line after the one that is shown, at last the draft; None beyond it."""
        if self._at >= len(self._lines):
            return None
        self._at += 1
        return self._lines[self._at] if self._at < len(self._lines) else self._draft
