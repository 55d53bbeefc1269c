"""The card."""

from __future__ import annotations

import segno

from sendall.tui.drawing.line import text_of, width_of
from sendall.tui.ways_in import WaysIn, lines_of, qr_lines

WAYS = WaysIn("sendall join 192.0.2.7", "https://192.0.2.7:12345/#abc", "", "one two", "everybody")


def test_the_card_fits_and_leaves_out_what_has_no_room() -> None:
    """Whatever the width; the QR code only where it is whole."""
    for width in (30, 60, 100):
        lines = lines_of(WAYS, width)
        assert all(width_of(each) <= width for each in lines)
        assert any("█" in text_of(each) for each in lines) is (width >= 40)
    alone = WAYS._replace(link=None, only_here="only from this machine")
    text = "\n".join(map(text_of, lines_of(alone, 80)))
    assert "only from this machine" in text
    assert "█" not in text


def test_the_qr_code_is_the_link() -> None:
    """Read back from its half blocks, it is module for module what the library makes of the link."""
    signs = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    rows = [[signs[c] for c in text_of(each)] for each in qr_lines(WAYS.link or "")]
    read = [[pair[half] for pair in row] for row in rows for half in (0, 1)]
    made = [
        [int(bool(module)) for module in row]
        for row in segno.make(WAYS.link or "", error="l", micro=False).matrix_iter(border=2)
    ]
    assert read[: len(made)] == made
