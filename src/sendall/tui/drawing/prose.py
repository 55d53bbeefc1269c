"""A message's text as flows: the markdown tree, drawn. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sendall.client.conversation import spans
from sendall.client.conversation.spans import Bold, Code, Italic, Link, Mention, Plain
from sendall.tui.drawing.flow import Flow
from sendall.tui.drawing.highlight import highlighted
from sendall.tui.drawing.line import Line, line

Mine = Callable[[Mention], bool]
"""Whether a mention means this person."""

BULLET = "•"
QUOTE_MARK = "▎"


def flows_of(blocks: Sequence[spans.Block], is_mine: Mine, ink: str = "") -> list[Flow]:
    """Return a text as flows, in `ink` where markdown does not say otherwise."""
    return [flow for block in blocks for flow in _flows(block, is_mine, ink)]


def _flows(block: spans.Block, is_mine: Mine, ink: str) -> Iterator[Flow]:
    match block:
        case spans.Paragraph(lines):
            for each in lines:
                yield Flow(list(pieces_of(each, is_mine, ink)))
        case spans.CodeBlock(language, code):
            for coded in highlighted(language, code):
                yield Flow(coded, [(" ", "code-block")], [(" ", "code-block")], is_code=True)
        case spans.Quote(blocks):
            for flow in flows_of(blocks, is_mine, f"{ink} quote".strip()):
                yield flow.within([(f"{QUOTE_MARK} ", "bar")])
        case spans.List(items):
            for item in items:
                mark = f"{BULLET} " if item.number is None else f"{item.number}. "
                indent = "  " * item.depth
                lead = line((indent + mark, "key"))
                yield Flow(list(pieces_of(item.line, is_mine, ink)), lead, [(" " * len(indent + mark), "")])


def pieces_of(given: spans.Line, is_mine: Mine, ink: str = "") -> Line:
    """Return one line of spans as pieces; safe, as the tree is."""
    pieces: Line = []
    span: spans.Span
    for span in given:
        match span:
            case Plain(text):
                pieces += line((text, ink))
            case Code(text):
                pieces += line((text, f"{ink} code".strip()))
            case Bold(inner):
                pieces += pieces_of(inner, is_mine, f"{ink} bold".strip())
            case Italic(inner):
                pieces += pieces_of(inner, is_mine, f"{ink} italic".strip())
            case Link(label, url):
                pieces += line((label, f"{ink} link".strip()))
                if label != url:
                    pieces += line((f" ({url})", "faint"))
            case Mention(name, tag):
                who = f"@{name}·{tag}" if tag else f"@{name}"
                pieces += line((who, "mention" if is_mine(span) else f"{ink} key".strip()))
    return pieces
