"""docs/operations.md lists what there is."""

from __future__ import annotations

from sendall.cli.tokens import FILE as TOKEN_FILE
from sendall.log.folder import LOCK_FILE
from sendall.log.sqlite import FILE_NAME
from sendall.node import IDENTITY_FILE
from sendall.server.tls import OWN_FILE
from tests.docs.pages import OPERATIONS, filled


def test_the_tables_are_up_to_date() -> None:
    """Settings and limits are as the code has them; `python -m tests.docs.pages` writes them."""
    page = OPERATIONS.read_text()
    assert filled(page) == page
    assert "--member" not in page
    assert "`--limits-member-rate`" in page


def test_every_file_of_the_data_folder_is_explained() -> None:
    """An operator finds each file in the table."""
    page = OPERATIONS.read_text()
    for name in (IDENTITY_FILE, FILE_NAME, OWN_FILE, TOKEN_FILE, LOCK_FILE):
        assert f"`{name}`" in page
