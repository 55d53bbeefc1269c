"""docs/terminal.md: its tables are the application's."""

from __future__ import annotations

from tests.tools.terminal_page import PAGE, with_tables


def test_the_page_has_the_keys_and_commands_that_there_are() -> None:
    """Written anew, the page is as it is: `python -m tests.tools.terminal_page`."""
    page = PAGE.read_text()
    assert with_tables(page) == page
    assert page.count("<!-- end -->") == 2
    assert "`/join NAME`" in page


def test_every_picture_of_the_page_is_made_by_the_command() -> None:
    """And none is left over: `make screenshots`."""
    from tests.tools.screenshots import FOLDER, PICTURES

    assert {path.stem for path in FOLDER.iterdir()} == {name for name, *_ in PICTURES}
