"""The markdown of messages: a small part of what the word means elsewhere, and the same everywhere.

Paragraphs whose lines stay lines, fenced code with a language, quotes, flat lists with a depth; within
a line see `inline`. No headings, images, tables or HTML: their signs are text. A text is read as lines
that are safe to print, so that the tree is too. Takes time in proportion to the text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import assert_never

from sendall.client.conversation.inline import parse_line, plain_of
from sendall.client.conversation.spans import (
    Block,
    Bold,
    CodeBlock,
    Italic,
    Item,
    Line,
    List,
    Mention,
    Paragraph,
    Quote,
    Span,
)
from sendall.client.names import safe_lines

MAX_QUOTES = 4
"""Quotes within quotes; a sign of one beyond it is text."""
_FENCE = re.compile(r" {0,3}(`{3,})([^`]*)")
_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,32}")
_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(r"( *)(?:[-*+]|([0-9]{1,3})[.)]) +(?=\S)")


def parse(text: str) -> tuple[Block, ...]:
    """Return a message's text as a tree that is safe to print."""
    return _blocks([line.rstrip() for line in safe_lines(text)], 0)


def plain(blocks: Sequence[Block]) -> str:
    """Return the words of a tree in lines, without markdown: for a search, or a quotation of one line."""
    return "\n".join(line for block in blocks for line in _words(block))


def mentions(blocks: Sequence[Block]) -> list[Mention]:
    """Return who is mentioned; not what stands in quotes or code."""
    lines: list[Line] = []
    for block in blocks:
        match block:
            case Paragraph(of):
                lines += of
            case List(items):
                lines += [item.line for item in items]
            case Quote() | CodeBlock():
                pass
            case never:
                assert_never(never)
    return [mention for line in lines for mention in _mentions(line)]


def _mentions(line: Line) -> Iterator[Mention]:
    span: Span
    for span in line:
        match span:
            case Mention():
                yield span
            case Bold(inner) | Italic(inner):
                yield from _mentions(inner)
            case _:
                pass


def _words(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(lines):
            yield from map(plain_of, lines)
        case CodeBlock(_, code):
            yield from code
        case Quote(blocks):
            for inner in blocks:
                yield from _words(inner)
        case List(items):
            yield from (plain_of(item.line) for item in items)
        case never:
            assert_never(never)


def _blocks(lines: Sequence[str], quotes: int) -> tuple[Block, ...]:
    blocks: list[Block] = []
    paragraph: list[Line] = []
    at = 0
    while at < len(lines):
        block, end = _block(lines, at, quotes)
        if block is None and lines[at]:
            paragraph.append(parse_line(lines[at]))
        elif paragraph:
            blocks.append(Paragraph(tuple(paragraph)))
            paragraph = []
        if block is not None:
            blocks.append(block)
        at = end
    if paragraph:
        blocks.append(Paragraph(tuple(paragraph)))
    return tuple(blocks)


def _block(lines: Sequence[str], at: int, quotes: int) -> tuple[Block | None, int]:
    """Return the block other than a paragraph that begins at line `at`, and the line behind it."""
    fence = _FENCE.fullmatch(lines[at])
    if fence:
        return _code(lines, at, fence)
    if quotes < MAX_QUOTES and _QUOTE.match(lines[at]):
        end = at
        while end < len(lines) and _QUOTE.match(lines[end]):
            end += 1
        inner = [_QUOTE.sub("", line, count=1) for line in lines[at:end]]
        return Quote(_blocks(inner, quotes + 1)), end
    items: list[Item] = []
    while at < len(lines) and (found := _ITEM.match(lines[at])):
        number = None if found[2] is None else int(found[2])
        items.append(Item(min(3, len(found[1]) // 2), number, parse_line(lines[at][found.end() :])))
        at += 1
    return (List(tuple(items)), at) if items else (None, at + 1)


def _code(lines: Sequence[str], at: int, fence: re.Match[str]) -> tuple[CodeBlock, int]:
    info = fence[2].split()
    language = info[0].lower() if info and _LANGUAGE.fullmatch(info[0]) else ""
    end = at + 1
    while end < len(lines) and not (lines[end].strip(" `") == "" and lines[end].strip().startswith(fence[1])):
        end += 1
    return CodeBlock(language, tuple(lines[at + 1 : end])), end + 1
