"""The help: keys, then the commands of the table. Pure."""

from __future__ import annotations

from sendall.tui.commands.registry import Registry
from sendall.tui.drawing.line import Line, fitted, line, wrapped

KEYS = (
    (
        "writing",
        (
            ("Enter", "send"),
            ("Alt+Enter, Ctrl+J", "new row"),
            ("↑ ↓", "what you wrote before"),
            ("Tab", "complete names, :emoji:, /commands"),
            ("Esc", "put away what is open: answer, reply, choice"),
        ),
    ),
    (
        "reading",
        (
            ("PgUp PgDn, wheel", "scroll; older messages load"),
            ("Ctrl+Home Ctrl+End", "oldest loaded, newest"),
            ("Ctrl+F", "search"),
        ),
    ),
    (
        "messages",
        (
            ("Ctrl+Up, click", "choose a message, then:"),
            ("r  e  d", "reply, edit, delete"),
            ("+  c  o", "react, copy, open in full"),
            ("t  x", "send a failed one again, drop it"),
        ),
    ),
    (
        "rooms",
        (
            ("Alt+1 … Alt+9", "go to a room"),
            ("Alt+Up Alt+Down", "room above, below"),
            ("F2  F3", "show or fold rooms, people"),
        ),
    ),
    (
        "the rest",
        (
            ("F1", "this help"),
            ("Ctrl+C", "copy what is marked, clear the line, or leave"),
            ("Ctrl+D, exit", "leave"),
        ),
    ),
)
TEXTS = (
    "**bold**  *italic*  `code`  ```python … ```  > quote  - list  @name  :tada:",
    "exit leaves; //text sends a line that begins with /",
)
LABEL = 22


def help_lines(registry: Registry, width: int) -> list[Line]:
    """Return the help in `width` cells."""
    lines: list[Line] = []
    for title, keys in KEYS:
        lines.append(line((title, "title")))
        for key, what in keys:
            lines += _entry(key, what, width)
    lines += [[], line(("commands", "title"))]
    for command in registry:
        lines += _entry(command.line, command.summary, width)
    lines += [[], line(("text", "title"))]
    for text in TEXTS:
        lines += [[("  ", ""), *part] for part in wrapped(line((text, "")), max(8, width - 2))]
    return lines


def _entry(key: str, what: str, width: int) -> list[Line]:
    label = min(LABEL, max(10, width // 3))
    parts = wrapped(line((what, "")), max(8, width - label - 3))
    head = line(("  ", ""), (f"{fitted(key, label):<{label}} ", "key"))
    return [[*(head if not n else [(" " * (label + 3), "")]), *part] for n, part in enumerate(parts)]
