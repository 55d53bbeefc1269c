"""The QR code of a link, for a terminal: two rows of modules in one row of text.

Light modules are drawn and dark ones left out: to be shown white on black. The one importer of `segno`.
"""

from __future__ import annotations

QUIET_MODULES = 2
"""Width of the light border. ISO/IEC 18004 asks for four modules; two are read as well, and fit 24 rows."""


def qr_rows(text: str) -> list[str]:
    """Return the rows of the code, all equally long."""
    import segno  # 20 ms that only they pay who see a code

    matrix = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=QUIET_MODULES)]
    if len(matrix) % 2:
        matrix.append([0] * len(matrix[0]))
    halves = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return [
        "".join(halves[bool(upper), bool(lower)] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(matrix[::2], matrix[1::2], strict=True)
    ]
