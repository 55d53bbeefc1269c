"""Texts as trees: what markdown means here, that nothing gets lost, and that nothing takes long."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.conversation.inline import MAX_DEPTH, is_for, mention_of, parse_line
from sendall.client.conversation.markdown import MAX_QUOTES, mentions, parse, plain
from sendall.client.conversation.spans import (
    Bold,
    Code,
    CodeBlock,
    Italic,
    Item,
    Link,
    List,
    Mention,
    Paragraph,
    Plain,
    Quote,
    Span,
)
from sendall.client.names import safe_lines, tag_of

ADA = b"a" * 32


def inline(text: str) -> list[Span]:
    return list(parse_line(text))


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("plain", [Plain("plain")]),
        ("**b**", [Bold((Plain("b"),))]),
        ("*i* and _i_", [Italic((Plain("i"),)), Plain(" and "), Italic((Plain("i"),))]),
        ("***x***", [Bold((Italic((Plain("x"),)),))]),
        ("**a *b***", [Bold((Plain("a "), Italic((Plain("b"),))))]),
        ("*a **b***", [Italic((Plain("a "), Bold((Plain("b"),))))]),
        ("**这**是", [Bold((Plain("这"),)), Plain("是")]),
        ("2 * 3 * 4", [Plain("2 * 3 * 4")]),
        ("2*3*4", [Plain("2*3*4")]),
        ("a_b_c __init__", [Plain("a_b_c __init__")]),
        ("****", [Plain("****")]),
        ("**open", [Plain("**open")]),
        ("*a **b*", [Italic((Plain("a **b"),))]),
        ("(*x*)", [Plain("("), Italic((Plain("x"),)), Plain(")")]),
        (r"\*no\* \q", [Plain(r"*no* \q")]),
        ("ends \\", [Plain("ends \\")]),
    ],
)
def test_emphasis(text: str, spans: list[Span]) -> None:
    """Bold and italic where people mean them, and signs where they mean those."""
    assert inline(text) == spans


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("`x`", [Code("x")]),
        ("`*a*`", [Code("*a*")]),
        ("``a`b``", [Code("a`b")]),
        ("`` `a` ``", [Code("`a`")]),
        ("` `", [Code(" ")]),
        ("`a``", [Plain("`a``")]),
        ("``a` b`", [Plain("``a"), Code(" b")]),
        (r"\`a`", [Plain("`a`")]),
    ],
)
def test_code_within_a_line(text: str, spans: list[Span]) -> None:
    """As many backticks end it as began it; one space around is not part of it."""
    assert inline(text) == spans


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("https://x.org.", [Link("https://x.org", "https://x.org"), Plain(".")]),
        ("HTTP://X", [Link("HTTP://X", "HTTP://X")]),
        ("(https://x.org/a_(b))", [Plain("("), Link("https://x.org/a_(b)", "https://x.org/a_(b)"), Plain(")")]),
        ("**https://x.org**", [Bold((Link("https://x.org", "https://x.org"),))]),
        ("<mailto:a@b.c>", [Plain("<mailto:a@b.c>")]),
        ("xhttps://x.org", [Plain("xhttps://x.org")]),
        ("https:// and http://.", [Plain("https:// and http://.")]),
        ("[label](https://x.org)", [Link("label", "https://x.org")]),
        ("[m](mailto:a@b.c)", [Link("m", "mailto:a@b.c")]),
        ("[a [b](http://x)", [Plain("[a "), Link("b", "http://x")]),
        ("[x](javascript:alert(1))", [Plain("[x](javascript:alert(1))")]),
        ("[x](http://)", [Plain("[x](http://)")]),
        ("[x](http://y z)", [Plain("[x]("), Link("http://y", "http://y"), Plain(" z)")]),
        ("[ ](http://y)", [Plain("[ ]("), Link("http://y", "http://y"), Plain(")")]),
        ("[x] (http://y)", [Plain("[x] ("), Link("http://y", "http://y"), Plain(")")]),
        ("[x", [Plain("[x")]),
    ],
)
def test_links(text: str, spans: list[Span]) -> None:
    """Of the web and of mail, bare or with a label; what else could be a link is text."""
    assert inline(text) == spans


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("@ada", [Mention("ada")]),
        ("@ada, hi", [Mention("ada"), Plain(", hi")]),
        ("hi @ada.", [Plain("hi "), Mention("ada"), Plain(".")]),
        ("@ada.b-c_d", [Mention("ada.b-c_d")]),
        ("@ada·k7qd!", [Mention("ada", "k7qd"), Plain("!")]),
        ("@ada·k7", [Mention("ada"), Plain("·k7")]),
        ("@ada·K7QD", [Mention("ada"), Plain("·K7QD")]),
        ("@世界", [Mention("世界")]),
        ("@👩\u200d🔬", [Mention("👩\u200d🔬")]),
        ("**@ada**", [Bold((Mention("ada"),))]),
        ("mail@example.org @@ @ @.", [Plain("mail@example.org @@ @ @.")]),
    ],
)
def test_mentions_within_a_line(text: str, spans: list[Span]) -> None:
    """A name behind an @ that is not in a word, with the tag where one is meant."""
    assert inline(text) == spans


def test_a_mention_is_of_whom_it_names() -> None:
    """By name without regard to case, or by tag, which decides."""
    assert is_for(Mention("ADA"), "ada", ADA)
    assert is_for(Mention("ada_l"), "ada l", ADA)
    assert not is_for(Mention("ad"), "ada", ADA)
    assert is_for(Mention("whoever", tag_of(ADA, 6)), "ada", ADA)
    assert not is_for(Mention("ada", "aaaa"), "ada", ADA)


@pytest.mark.parametrize("nick", ["ada", "ada lovelace", "a.b.", "!?", "ada·k7qd", "世界 👋", "$x", "?"])
def test_what_completion_types_mentions_that_person(nick: str) -> None:
    """Whatever a name is made of, its mention is found again, also amid text and with a tag."""
    [typed] = [span for span in inline(f"hi {mention_of(nick)}, you") if isinstance(span, Mention)]
    assert is_for(typed, nick, ADA)
    [tagged] = [span for span in inline(mention_of(nick, tag_of(ADA)))]
    assert tagged == Mention(typed.name, tag_of(ADA))


def test_blocks() -> None:
    """Paragraphs whose lines stay lines, code, quotes and lists, in one text."""
    text = "one\ntwo\n\n\nthree\n```Py hint\nx = *1*\n\n  y\n```\n> q\n>> r\n>s\n- a\n  * **b**\n10. c\n2) d\ne\n"
    assert parse(text) == (
        Paragraph(((Plain("one"),), (Plain("two"),))),
        Paragraph(((Plain("three"),),)),
        CodeBlock("py", ("x = *1*", "", "  y")),
        Quote((Paragraph(((Plain("q"),),)), Quote((Paragraph(((Plain("r"),),)),)), Paragraph(((Plain("s"),),)))),
        List(
            (
                Item(0, None, (Plain("a"),)),
                Item(1, None, (Bold((Plain("b"),)),)),
                Item(0, 10, (Plain("c"),)),
                Item(0, 2, (Plain("d"),)),
            )
        ),
        Paragraph(((Plain("e"),),)),
    )


@pytest.mark.parametrize("text", ["", " \n\t\n", "\u202e", "\x1b[2J"])
def test_nothing_is_no_block(text: str) -> None:
    """A text that nobody could see has no tree."""
    assert parse(text) == ()


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("```", CodeBlock("", ())),
        ("```\nopen", CodeBlock("", ("open",))),
        ("````\n```\n````", CodeBlock("", ("```",))),
        ("```js;rm\nx\n```", CodeBlock("", ("x",))),
        ("```c++\nx\n  ````", CodeBlock("c++", ("x",))),
        ("```x```", Paragraph(((Code("x"),),))),
        ("-x", Paragraph(((Plain("-x"),),))),
        ("- ", Paragraph(((Plain("-"),),))),
        ("2024. was", Paragraph(((Plain("2024. was"),),))),
        ("                - deep", List((Item(3, None, (Plain("deep"),)),))),
        (r"\- a", Paragraph(((Plain("- a"),),))),
        ("# head", Paragraph(((Plain("# head"),),))),
        ("<b>x</b> &amp;", Paragraph(((Plain("<b>x</b> &amp;"),),))),
    ],
)
def test_edges_of_blocks(text: str, block: object) -> None:
    """A fence without end, with a longer one inside, or on one line; lists that are none; signs of other markdowns."""
    assert parse(text) == (block,)


def test_quotes_in_quotes_end_somewhere() -> None:
    """Beyond four the sign is text."""
    blocks = parse(">" * 9 + " x")
    for _ in range(MAX_QUOTES):
        [block] = blocks
        assert isinstance(block, Quote)
        blocks = block.blocks
    assert blocks == (Paragraph(((Plain(">" * 5 + " x"),),)),)


def test_marks_in_marks_end_somewhere() -> None:
    """Not more than sixteen marks are open at once."""
    depth, spans = 0, parse_line("*" + "_**" * 40 + "x" + "**_" * 40 + "*")
    while spans and isinstance(spans[0], Bold | Italic):
        depth, spans = depth + 1, spans[0].inner
    assert depth <= MAX_DEPTH


def test_mentions_in_quotes_and_code_are_none() -> None:
    """Who is only quoted is not called."""
    text = "@a **@b** *x @c*\n- @d\n> @e\n`@f`\n```\n@g\n```"
    assert [mention.name for mention in mentions(parse(text))] == ["a", "b", "c", "d"]


def test_the_words_of_a_tree() -> None:
    """For a search and for quotations: everything that can be read, no signs."""
    text = "**a** `b` [c](http://d) http://e @f @g·abcd\n> h\n- i\n```x\nj\n```"
    assert plain(parse(text)) == "a b c (http://d) http://e @f @g·abcd\nh\ni\nj"


TEXTS = st.text(st.sampled_from("ab *_`\\[]()>-1.\n\t@·~😀\x1b\u202e") | st.characters(), max_size=60) | st.lists(
    st.sampled_from(["**", "*", "_", "`", "``", "```", "[x](http://y)", "http://z", "@ada", "\n", "> ", "- ", "w"])
).map("".join)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, dict):
        yield from strings(list(value.values()))


@given(TEXTS)
def test_no_text_makes_an_unsafe_tree(text: str) -> None:
    """Whatever came, no control, format, surrogate or separator character is left anywhere."""
    for each in strings(msgspec.to_builtins(parse(text))):
        assert not {unicodedata.category(c) for c in each if c not in "\u200c\u200d"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(TEXTS)
def test_no_word_gets_lost(text: str) -> None:
    """Every letter and symbol of a text is in its tree, in order; but for the language of a block."""

    def letters(of: str) -> list[str]:
        return [c for c in of if unicodedata.category(c)[0] in "LN" or c == "😀"]

    lines = [line for line in safe_lines(text) if not line.lstrip(" >").startswith("```")]  # also in a quote
    if len(lines) == len(safe_lines(text)):
        found = letters(plain(parse(text)))
        expected = letters("\n".join(lines))
        numbers = [c for c in expected if c in "0123456789"]
        assert [c for c in found if c not in numbers] == [c for c in expected if c not in numbers]


@pytest.mark.parametrize(
    "piece",
    ["*a ", "**", "**a ", "`", "_*", "[a](http://", "http://(", "@a", "> ", "- ", "\\", "[", "*a **b _c ", "***a* "],
)
def test_the_time_is_in_proportion_to_the_text(piece: str) -> None:
    """The longest message of the worst kind takes a moment: four times the text at most some ten times the time."""

    def cost(size: int) -> float:
        text = piece * (size // len(piece))
        best = 9.0
        for _ in range(3):
            began = time.process_time()
            parse(text)
            best = min(best, time.process_time() - began)
        return best

    assert cost(64_000) < 10 * cost(16_000) + 0.02
