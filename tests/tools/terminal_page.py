"""Write the tables of `docs/terminal.md` from the application itself: `python -m tests.tools.terminal_page`."""

from __future__ import annotations

import re
from pathlib import Path

from sendall.tui.commands.table import all_commands
from sendall.tui.help_text import KEYS

PAGE = Path(__file__).parents[2] / "docs" / "terminal.md"


def keys_table() -> str:
    """Return the keys, one a row."""
    rows = [(key, what) for _, keys in KEYS for key, what in keys]
    return _table(("key", "what it does"), rows)


def commands_table() -> str:
    """Return the commands, one a row."""
    return _table(("command", "what it is for"), [(f"`{each.line}`", each.summary) for each in all_commands()])


def with_tables(page: str) -> str:
    """Return the page with both tables as they are now."""
    for name, table in (("keys", keys_table()), ("commands", commands_table())):
        pattern = rf"<!-- {name} -->\n(?P<table>.*?)<!-- end -->"
        found = re.search(pattern, page, re.DOTALL)
        assert found is not None, f"the page has no place for the {name}"
        begin, end = found.span("table")
        page = f"{page[:begin]}{table}\n{page[end:]}"
    return page


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    bar = "\\|"  # a bar in a cell
    return "\n".join(f"| {left.replace('|', bar)} | {right} |" for left, right in lines)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
