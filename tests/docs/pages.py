"""Parts of the pages in docs/ that are made from the code.

`python -m tests.docs.pages` writes them anew; the tests compare.
"""

from __future__ import annotations

from pathlib import Path

from sendall.config import Setting, server_settings

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"


def settings_table(settings: list[Setting]) -> str:
    """Return settings as a Markdown table."""
    rows = ["| flag | default | what it does |", "| --- | --- | --- |"]
    for setting in settings:
        default = "" if setting.default in (None, ()) else f"`{setting.default}`"
        text = setting.help.replace("|", "\\|")
        rows.append(f"| `{setting.flag}` | {default} | {text} |")
    return "\n".join(rows)


def filled(page: str) -> str:
    """Return docs/operations.md with its generated parts as the code has them."""
    settings = server_settings()
    parts = {
        "settings": settings_table([s for s in settings if len(s.path) == 1]),
        "limits": settings_table([s for s in settings if len(s.path) == 2]),
    }
    for name, part in parts.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        page = f"{head}{begin}\n{part}\n{end}{tail}"
    return page


if __name__ == "__main__":
    OPERATIONS.write_text(filled(OPERATIONS.read_text()))
