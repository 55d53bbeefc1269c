"""A flow: text with what stands before its first line and before the others, to be broken at any width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sendall.tui.drawing.line import Line, Piece, hard_wrapped, width_of, wrapped

LEAST = 8
"""Cells that text gets at least, however deep it is indented."""


class Flow(NamedTuple):
    """Content that becomes one or more lines."""

    content: Line
    lead: Sequence[Piece] = ()
    """Before the first line."""
    hang: Sequence[Piece] = ()
    """Before each other line."""
    is_code: bool = False
    """Broken anywhere, spaces kept, and filled to the edge."""

    def lines(self, width: int) -> list[Line]:
        """Return the lines in `width` cells."""
        inner = max(LEAST, width - width_of(self.hang))
        if not self.is_code:
            parts = wrapped(self.content, inner, max(LEAST, width - width_of(self.lead)))
        else:
            parts = [[*part, _fill(inner - width_of(part))] for part in hard_wrapped(self.content, inner)]
        return [[*(self.hang if n else self.lead), *part] for n, part in enumerate(parts)]

    def within(self, mark: Line) -> Flow:
        """Return it with `mark` before each line."""
        return self._replace(lead=[*mark, *self.lead], hang=[*mark, *self.hang])


def _fill(cells: int) -> tuple[str, str]:
    return " " * max(0, cells), "code-block"
