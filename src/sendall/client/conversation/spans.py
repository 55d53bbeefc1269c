"""A text as a tree: what markdown makes of it, for any screen to draw.

Everything in it is safe to print: no control, escape or bidi character is left. Pure.
"""

from __future__ import annotations

import msgspec


class Plain(msgspec.Struct, frozen=True, tag="plain"):
    """Words as they are."""

    text: str


class Code(msgspec.Struct, frozen=True, tag="code"):
    """Code within a line."""

    text: str


class Bold(msgspec.Struct, frozen=True, tag="bold"):
    inner: tuple[Span, ...]


class Italic(msgspec.Struct, frozen=True, tag="italic"):
    inner: tuple[Span, ...]


class Link(msgspec.Struct, frozen=True, tag="link"):
    """Where something is. Shown, never fetched; a label that is not the address is shown with the address."""

    label: str
    url: str


class Mention(msgspec.Struct, frozen=True, tag="mention"):
    """`@name`, or `@name·k7qd` where a name alone would not do; see `inline.is_for`."""

    name: str
    tag: str = ""


Span = Plain | Code | Bold | Italic | Link | Mention
Line = tuple[Span, ...]


class Paragraph(msgspec.Struct, frozen=True, tag="paragraph"):
    """Lines under one another, as they were typed."""

    lines: tuple[Line, ...]


class CodeBlock(msgspec.Struct, frozen=True, tag="block"):
    """Lines of code, to be drawn as they are."""

    language: str
    """Lower case; empty if none was named. A hint for highlighting, nothing more."""
    lines: tuple[str, ...]


class Quote(msgspec.Struct, frozen=True, tag="quote"):
    blocks: tuple[Block, ...]


class Item(msgspec.Struct, frozen=True, tag="item"):
    depth: int
    """0 to 3: how far it is indented."""
    number: int | None
    """None: a bullet."""
    line: Line


class List(msgspec.Struct, frozen=True, tag="list"):
    items: tuple[Item, ...]


Block = Paragraph | CodeBlock | Quote | List
