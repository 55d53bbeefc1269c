"""Emoji by name, `:tada:`, as rich knows them. Pure.

Only signs of one code point are offered, with or without the mark that asks for a picture: terminals
disagree about the width of longer ones, and a row would tear.
"""

from __future__ import annotations

import re
from functools import cache

FAVOURITES = ("👍", "❤️", "😂", "🎉", "👀", "🚀", "✅", "❌", "🤔", "🙏")
"""What the picker of reactions offers first."""
_NAME = re.compile(r":([a-z0-9_+\-]{1,40}):")
_PICTURE = "\ufe0f"


@cache
def names() -> dict[str, str]:
    """Return every sign by its name, without colons."""
    from rich._emoji_codes import EMOJI  # rich publishes no list; takes 10 ms, so not before somebody types a colon

    return {name: sign for name, sign in EMOJI.items() if len(sign.replace(_PICTURE, "")) == 1}


def matching(start: str, limit: int) -> list[tuple[str, str]]:
    """Return up to `limit` names and signs: those that begin with `start` first, then those that contain it."""
    begin = sorted((name for name in names() if name.startswith(start)), key=lambda name: (len(name), name))
    contain = sorted(name for name in names() if start in name and not name.startswith(start))
    return [(name, names()[name]) for name in (*begin, *contain)[:limit]]


def sign_of(text: str) -> str | None:
    """Return the sign that `text` is or names (`:tada:`, `tada`); None if it is none."""
    text = text.strip()
    found = names().get(text.strip(":").lower())
    if found is not None:
        return found
    return text if text in names().values() or text in FAVOURITES else None


def with_signs(text: str) -> str:
    """Return `text` with every known `:name:` outside of code replaced by its sign."""
    if ":" not in text:
        return text
    pieces = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.DOTALL)
    return "".join(
        piece if odd else _NAME.sub(lambda found: names().get(found[1], found[0]), piece)
        for odd, piece in zip((False, True) * len(pieces), pieces, strict=False)
    )
