"""How others come in, and who can read: the card on top of `sendall up`, also shown by `/invite`. Pure."""

from __future__ import annotations

from typing import NamedTuple

from sendall.tui.drawing.line import Line, line, wrapped

LABEL = 9


class WaysIn(NamedTuple):
    """What there is to tell of a server's door."""

    join: str
    """The command that joins."""
    link: str | None
    """The same as a link; None if only this machine can reach the server."""
    only_here: str
    """Why others cannot come in, and what would let them; empty if they can."""
    words: str
    """Eight words that every client shows."""
    readers: str
    """Who can read."""
    stored: str = ""
    """What is kept, where, and for how long."""


def lines_of(ways: WaysIn, width: int) -> list[Line]:
    """Return the card in `width` cells; the QR code only where it has room."""
    facts = [("join", ways.join, "key"), ("link", ways.link or "", "link"), ("", ways.only_here, "warning")]
    facts += [
        ("words", ways.words, "accent"),
        ("", "every client shows the same eight: then nobody is in between", "faint"),
    ]
    facts += [("readers", ways.readers, ""), ("stored", ways.stored, "faint")]
    rows: list[Line] = [[]]
    for label, text, ink in facts:
        if not text:
            continue
        for n, part in enumerate(wrapped(line((text, ink)), max(8, width - LABEL - 2))):
            rows.append([(f" {label if not n else '':<{LABEL}}", "faint"), *part])
    code = qr_lines(ways.link) if ways.link else []
    if code and len(code[0][0][0]) + 2 <= width:
        rows += [[], *([(" ", ""), *each] for each in code)]
    return [*rows, []]


def qr_lines(text: str) -> list[Line]:
    """Return a QR code, two modules a cell one above the other, with the light border that readers need."""
    import segno  # 20 ms, and only those who show a card pay it

    matrix = [list(line) for line in segno.make(text, error="l", micro=False).matrix_iter(border=2)]
    if len(matrix) % 2:
        matrix.append([0] * len(matrix[0]))
    halves = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}  # light modules are drawn: white on black
    return [
        [("".join(halves[bool(up), bool(low)] for up, low in zip(above, below, strict=True)), "qr")]
        for above, below in zip(matrix[::2], matrix[1::2], strict=True)
    ]
