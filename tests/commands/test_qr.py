"""The QR code of a link."""

from __future__ import annotations

import segno

from sendall.client.address import make_private_link
from sendall.commands.qr import QUIET_MODULES, qr_rows

LINK = make_private_link("chat.example", 12345, b"\x01" * 32, b"\x02" * 32, b"\x03" * 16, "ops")
UPPER, LOWER = "█▀", "█▄"


def test_a_code_has_the_modules_of_its_link() -> None:
    """Read back from the characters, the modules are those that segno made: light where something is drawn."""
    rows = qr_rows(LINK)
    drawn = [[int(c not in half) for c in row] for row in rows for half in (UPPER, LOWER)]
    made = [list(row) for row in segno.make(LINK, error="l", micro=False).matrix_iter(border=QUIET_MODULES)]
    assert drawn[: len(made)] == made
    assert all(not any(row) for row in drawn[len(made) :])


def test_a_code_of_a_private_link_fits_a_terminal() -> None:
    """A link with a host and a room name of usual length: at most 60 columns and 30 rows."""
    rows = qr_rows(LINK)
    assert len({len(row) for row in rows}) == 1
    assert len(rows) <= 30
    assert len(rows[0]) <= 60
