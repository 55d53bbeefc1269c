"""A line: pieces of text with the ink each is drawn in; how wide it is, cut, filled, wrapped. Pure.

Widths are terminal cells, of whole graphemes. Whatever becomes a piece of a line was made safe before:
`line` refuses to hold a control character, so that nothing that people write can command a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len, set_cell_size, split_graphemes

from sendall.client.events import safe_text

Piece = tuple[str, str]
"""`(text, ink)`."""
Line = list[Piece]

_TOKENS = re.compile(r" +|[^ ]+")
ELLIPSIS = "…"


def line(*pieces: Piece) -> Line:
    """Return a line of these pieces, empty ones left out, each without what commands a terminal."""
    return [(safe_text(text), ink) for text, ink in pieces if text]


def width_of(given: Iterable[Piece]) -> int:
    return sum(cell_len(text) for text, _ in given)


def text_of(given: Line) -> str:
    """Return the text of a line, without inks."""
    return "".join(text for text, _ in given)


def fitted(text: str, width: int) -> str:
    """Return `text` in at most `width` cells; what is left out is shown by an ellipsis."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS if width > 0 else ""


def cropped(given: Line, width: int) -> Line:
    """Return the line in at most `width` cells."""
    kept: Line = []
    for text, ink in given:
        size = cell_len(text)
        if size > width:
            return [*kept, (fitted(text, width), ink)] if width > 0 else kept
        kept.append((text, ink))
        width -= size
    return kept


def spread(left: Line, right: Line, width: int, ink: str = "") -> Line:
    """Return one line of exactly `width` cells: `right` at its end, `left` cropped to what remains."""
    right = cropped(right, width)
    left = cropped(left, max(0, width - width_of(right) - (1 if right else 0)))
    gap = width - width_of(left) - width_of(right)
    return [*left, *([(" " * gap, ink)] if gap else []), *right]


def wrapped(given: Line, width: int, first: int | None = None) -> list[Line]:
    """Break a line between words into lines of at most `width` cells; words that are longer are cut.

    `first`: cells of the first line, if it has another width. Spaces at a break are dropped, those at
    the beginning of the line stay.
    """
    width = max(1, width)
    room = width if first is None else max(1, first)
    if width_of(given) <= room:
        return [given]
    lines: list[Line] = []
    current: Line = []
    used = 0
    for spaces, word in _words(given):
        gap = spaces if current or not lines else []
        needed = used + width_of(gap) + width_of(word)
        if current and needed > room and (width_of(word) <= width or used + width_of(gap) >= room):
            lines.append(current)
            current, used, gap, room = [], 0, [], width
        current += gap
        used += width_of(gap)
        for piece in _cut(word, room - used, width):
            if current and used + cell_len(piece[0]) > room:
                lines.append(current)
                current, used, room = [], 0, width
            current.append(piece)
            used += cell_len(piece[0])
    return [*lines, current] if current or not lines else lines


def _cut(word: Line, left: int, width: int) -> Iterator[Piece]:
    """Cut the pieces of a word that is longer than what is left of its line: to fill that, then line by line."""
    if width_of(word) <= left:
        yield from word
        return
    for text, ink in word:
        while text:
            head = _head(text, left) or _head(text, width) or text[0]
            yield head, ink
            left = (left if cell_len(head) <= left else width) - cell_len(head)
            text = text[len(head) :]


def _head(text: str, width: int) -> str:
    """Return as many whole graphemes as have room in `width` cells; none if not even the first has."""
    text = text[: 8 * max(1, width) + 64]  # of a long text only what could have room is looked at
    if cell_len(text) <= width:
        return text
    spans, _ = split_graphemes(text)
    end = used = 0
    for _, upto, cells in spans:
        if used + cells > width:
            break
        end, used = upto, used + cells
    return text[:end]


def _words(given: Line) -> Iterator[tuple[Line, Line]]:
    """Yield each word with the spaces before it; a word may have several inks."""
    spaces: Line = []
    word: Line = []
    for text, ink in given:
        for token in _TOKENS.findall(text):
            if token[0] != " ":
                word.append((token, ink))
                continue
            if word:
                yield spaces, word
                spaces, word = [], []
            spaces.append((token, ink))
    if word or spaces:
        yield spaces, word


def hard_wrapped(given: Line, width: int) -> list[Line]:
    """Cut a line every `width` cells, whatever stands there: for code, whose spaces mean something."""
    width = max(1, width)
    lines: list[Line] = [[]]
    used = 0
    for text, ink in given:
        while text:
            head = _head(text, width - used)
            if not head and used:
                lines.append([])
                used = 0
                continue
            head = head or text[0]
            lines[-1].append((head, ink))
            used += cell_len(head)
            text = text[len(head) :]
    return lines
