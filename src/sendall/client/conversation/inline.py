"""Markdown within one line: bold, italic, code, links and mentions, in one pass.

Rules, for whoever writes them in another language (vectors/conversation-markdown.json has cases):
a backslash takes the meaning of the punctuation behind it; code, links and mentions are found first
and hold no markdown; `**` opens before and closes behind anything but a space, `*` and `_` moreover
only at the edge of a word; a closing mark closes the nearest open one of its kind, and what was
opened in between is text. Takes time in proportion to the line, whatever is in it. Pure.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import Counter
from typing import assert_never

from sendall.client.conversation.spans import Bold, Code, Italic, Line, Link, Mention, Plain, Span
from sendall.client.names import tag_of

MAX_DEPTH = 16
"""Marks that may be open at once; a mark beyond it is text."""
MAX_URL = 2048
MAX_MENTION = 64
_ESCAPABLE = frozenset("\\`*_[]()<>#+-.!|@:~")
_SCHEMES = ("https://", "http://", "mailto:")
_NOT_AT_END = ".,:;!?'\"*_~"
_TAG_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz234567")


class _Frame:
    """An open mark and what came behind it."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.spans: list[Span] = []


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.plain: list[str] = []
        self.frames = [_Frame("")]
        self.open: Counter[str] = Counter()
        self.ticks = _runs_of_ticks(text)

    def parse(self) -> Line:
        text = self.text
        while self.at < len(text):
            match text[self.at]:
                case "\\" if text[self.at + 1 : self.at + 2] in _ESCAPABLE:
                    self._word(text[self.at + 1], 2)
                case "`":
                    self._code()
                case "*" | "_":
                    self._marks()
                case "[" if (link := _link(text, self.at)) is not None:
                    self._span(*link)
                case "h" | "H" if (link := _address(text, self.at)) is not None:
                    self._span(*link)
                case "@" if (mention := _mention(text, self.at)) is not None:
                    self._span(*mention)
                case c:
                    self._word(c, 1)
        while len(self.frames) > 1:
            self._give_up()
        self._flush()
        return _joined(self.frames[0].spans)

    def _word(self, text: str, length: int) -> None:
        self.plain.append(text)
        self.at += length

    def _span(self, span: Span, length: int) -> None:
        self._flush()
        self.frames[-1].spans.append(span)
        self.at += length

    def _flush(self) -> None:
        if self.plain:
            self.frames[-1].spans.append(Plain("".join(self.plain)))
            self.plain = []

    def _code(self) -> None:
        length = _run(self.text, self.at)
        ends = self.ticks[length]
        after = bisect_right(ends, self.at)
        if after == len(ends):
            self._word(self.text[self.at : self.at + length], length)
            return
        inside = self.text[self.at + length : ends[after]]
        if inside.startswith(" ") and inside.endswith(" ") and inside.strip():
            inside = inside[1:-1]
        self._span(Code(inside), ends[after] + length - self.at)

    def _marks(self) -> None:
        text, at, length = self.text, self.at, _run(self.text, self.at)
        sign = text[at]
        if length > (3 if sign == "*" else 1):
            self._word(sign * length, length)
            return
        marks = [sign] if length == 1 else ["**"] if length == 2 else ["**", "*"]
        before, behind = text[at - 1 : at], text[at + length : at + length + 1]
        may_close = before not in ("", " ")
        may_open = behind not in ("", " ")
        closing = reversed(marks) if self.frames[-1].mark != "**" else list(marks)
        for mark in closing:
            if may_close and self.open[mark] and (mark == "**" or not _is_word(behind)):
                self._close(mark)
                marks.remove(mark)
        for mark in marks:
            if may_open and len(self.frames) <= MAX_DEPTH and (mark == "**" or not _is_word(before)):
                self._flush()
                self.frames.append(_Frame(mark))
                self.open[mark] += 1
            else:
                self.plain.append(mark)
        self.at += length

    def _close(self, mark: str) -> None:
        self._flush()
        while self.frames[-1].mark != mark:
            self._give_up()
        frame = self.frames.pop()
        self.open[mark] -= 1
        inner = _joined(frame.spans)
        self.frames[-1].spans.append(Bold(inner) if mark == "**" else Italic(inner))

    def _give_up(self) -> None:
        """What was opened last has no end: it is text."""
        self._flush()
        frame = self.frames.pop()
        self.open[frame.mark] -= 1
        self.frames[-1].spans += [Plain(frame.mark), *frame.spans]


def parse_line(text: str) -> Line:
    """Return one line, already safe to print, as spans."""
    return _Parser(text).parse()


def plain_of(line: Line) -> str:
    """Return the words of a line, without any markdown."""
    return "".join(map(_plain, line))


def is_for(mention: Mention, nick: str, id_pk: bytes) -> bool:
    """Whether a mention means the person of this name and key. With a tag, the tag decides."""
    if mention.tag:
        return tag_of(id_pk, len(mention.tag)) == mention.tag
    return mention.name.casefold() == mention_of(nick)[1:].casefold()


def mention_of(nick: str, tag: str = "") -> str:
    """Return what one types to mention somebody: `@ada`, or with a tag `@ada·k7qd`."""
    name = "".join(c if _is_name(c) else "_" for c in nick)[:MAX_MENTION].rstrip(".-")
    return f"@{name or '_'}·{tag}" if tag else f"@{name or '_'}"


def _plain(span: Span) -> str:
    match span:
        case Plain(text) | Code(text):
            return text
        case Bold(inner) | Italic(inner):
            return plain_of(inner)
        case Link(label, url):
            return label if label == url else f"{label} ({url})"
        case Mention(name, tag):
            return f"@{name}·{tag}" if tag else f"@{name}"
        case never:
            assert_never(never)


def _joined(spans: list[Span]) -> Line:
    joined: list[Span] = []
    words: list[str] = []
    for span in spans:
        if isinstance(span, Plain):
            words.append(span.text)
            continue
        if words:
            joined.append(Plain("".join(words)))
            words = []
        joined.append(span)
    if words:
        joined.append(Plain("".join(words)))
    return tuple(joined)


def _run(text: str, at: int) -> int:
    end = at
    while end < len(text) and text[end] == text[at]:
        end += 1
    return end - at


def _runs_of_ticks(text: str) -> dict[int, list[int]]:
    runs: dict[int, list[int]] = {}
    at = text.find("`")
    while at >= 0:
        length = _run(text, at)
        runs.setdefault(length, []).append(at)
        at = text.find("`", at + length)
    return runs


def _is_word(c: str) -> bool:
    return c != "" and unicodedata.category(c)[0] in "LNM"


def _is_name(c: str) -> bool:
    if c in "-._\u200c\u200d":
        return True
    category = unicodedata.category(c)[0]
    return category in "LNM" or (category == "S" and not c.isascii())


def _url_end(text: str, at: int) -> int:
    """Return where the address that begins at `at` ends: at a space, a sign of markup, or a `)` too many."""
    depth = 0
    for end in range(at, min(len(text), at + MAX_URL)):
        c = text[end]
        if c in ' <>"`' or (c == ")" and depth == 0):
            return end
        depth += (c == "(") - (c == ")")
    return min(len(text), at + MAX_URL)


def _scheme(text: str, at: int) -> str:
    return next((each for each in _SCHEMES if text[at : at + len(each)].lower() == each), "")


def _address(text: str, at: int) -> tuple[Link, int] | None:
    """Return the bare address at `at`, and its length."""
    scheme = _scheme(text, at)
    if not scheme or _is_word(text[at - 1 : at] if at else ""):
        return None
    url = text[at : _url_end(text, at)].rstrip(_NOT_AT_END)
    return (Link(url, url), len(url)) if len(url) > len(scheme) else None


def _link(text: str, at: int) -> tuple[Link, int] | None:
    """Return `[label](address)` at `at`, and its length."""
    middle = text.find("]", at, at + MAX_URL)
    label = text[at + 1 : middle]
    if middle < 0 or text[middle + 1 : middle + 2] != "(" or "[" in label or not label.strip():
        return None
    scheme = _scheme(text, middle + 2)
    end = _url_end(text, middle + 2)
    url = text[middle + 2 : end]
    if not scheme or len(url) == len(scheme) or text[end : end + 1] != ")":
        return None
    return Link(label.strip(), url), end + 1 - at


def _mention(text: str, at: int) -> tuple[Mention, int] | None:
    """Return the mention at `at`, and its length."""
    if at and (_is_word(text[at - 1]) or text[at - 1] == "@"):
        return None
    end = at + 1
    while end < len(text) and end - at <= MAX_MENTION and _is_name(text[end]):
        end += 1
    name = text[at + 1 : end].rstrip(".-")
    if not name:
        return None
    end = at + 1 + len(name)
    tag_end = end + 1
    while tag_end < len(text) and text[tag_end] in _TAG_SIGNS and tag_end - end <= 52:
        tag_end += 1
    tag = text[end + 1 : tag_end]
    if text[end : end + 1] != "·" or len(tag) < 4:
        return Mention(name), end - at
    return Mention(name, tag), tag_end - at
