"""Code with its words told apart: pygments' tokens as inks. Pure.

Only for languages people paste into chats and for pieces of moderate size: a lexer is made of regular
expressions, and what it reads was written by strangers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sendall.tui.drawing.line import Line

LANGUAGES = frozenset(
    {
        *("bash", "c", "cpp", "css", "diff", "go", "html", "ini", "java", "javascript", "js", "json", "py", "python"),
        *("rust", "sh", "sql", "toml", "ts", "typescript", "yaml", "yml"),
    }
)
MAX_CHARACTERS = 4_000
"""Code beyond it is shown without colours."""

_INKS = {
    "Comment": "token-comment",
    "Keyword": "token-keyword",
    "Name.Function": "token-name",
    "Name.Class": "token-name",
    "Name.Decorator": "token-name",
    "Name.Builtin": "token-name",
    "Name.Tag": "token-keyword",
    "Name.Attribute": "token-name",
    "Literal.Number": "token-number",
    "Literal.String": "token-string",
    "Operator.Word": "token-keyword",
    "Operator": "token-operator",
    "Generic.Inserted": "token-string",
    "Generic.Deleted": "error",
    "Generic.Subheading": "token-keyword",
}


def highlighted(language: str, code: Sequence[str]) -> list[Line]:
    """Return each line of code as pieces; in one ink if the language is not known or the code is long."""
    text = "\n".join(code)
    if language not in LANGUAGES or len(text) > MAX_CHARACTERS:
        return [[(each, "code-block")] if each else [] for each in code]
    # Pygments has no types. Each lexer is imported when it is first wanted.
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]

    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    lines: list[Line] = [[]]
    for token, value in lexer.get_tokens(text):
        ink = f"code-block {_ink_of(str(token))}".rstrip()
        for n, part in enumerate(value.split("\n")):
            if n:
                lines.append([])
            if part:
                lines[-1].append((part, ink))
    return lines


@lru_cache(256)
def _ink_of(token: str) -> str:
    name = token.removeprefix("Token").removeprefix(".")
    while name and name not in _INKS:
        name = name.rpartition(".")[0]
    return _INKS.get(name, "")
