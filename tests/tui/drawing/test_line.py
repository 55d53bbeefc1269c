"""Lines: as wide as they may be, nothing lost, nothing that commands a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.tui.drawing.flow import Flow
from sendall.tui.drawing.line import cropped, fitted, hard_wrapped, line, spread, text_of, width_of, wrapped

TEXTS = st.text(alphabet="ab cdé日本👍\u0301-", max_size=80)
PIECES = st.lists(st.tuples(TEXTS, st.sampled_from(["", "bold", "code"])), max_size=5).map(lambda p: line(*p))


@given(PIECES, st.integers(2, 40), st.integers(2, 40))
def test_wrapping_keeps_the_width_and_the_words(pieces: list[tuple[str, str]], width: int, first: int) -> None:
    """No line is wider than it may be, and what is left of spaces is the text that went in."""
    lines = wrapped(pieces, width, first)
    assert all(width_of(each) <= (width if n else first) for n, each in enumerate(lines))
    assert "".join(map(text_of, lines)).replace(" ", "") == text_of(pieces).replace(" ", "")


@given(PIECES, st.integers(2, 40))
def test_code_is_cut_and_loses_nothing(pieces: list[tuple[str, str]], width: int) -> None:
    """Lines of code are cut anywhere: every space is kept."""
    lines = hard_wrapped(pieces, width)
    assert all(width_of(each) <= width for each in lines)
    assert "".join(map(text_of, lines)) == text_of(pieces)


@given(PIECES, PIECES, st.integers(0, 60))
def test_a_spread_line_is_exactly_as_wide_as_asked(
    left: list[tuple[str, str]], right: list[tuple[str, str]], width: int
) -> None:
    """Whatever stands left and right: neither too wide, nor short."""
    assert width_of(spread(left, right, width)) == width
    assert width_of(cropped(left, width)) <= width


@given(TEXTS, st.integers(0, 30))
def test_a_fitted_text_fits(text: str, width: int) -> None:
    """What is too long ends with an ellipsis."""
    short = fitted(text, width)
    assert width_of([(short, "")]) <= width
    assert short == text or width == 0 or short.endswith("…")


def test_words_stay_whole_where_they_can() -> None:
    """Breaks are at spaces; a word that is longer than a line fills what is left of it and goes on."""
    assert [text_of(each) for each in wrapped(line(("one two three", "")), 8)] == ["one two", "three"]
    assert [text_of(each) for each in wrapped(line(("ab cdefghijkl", "")), 6)] == ["ab cde", "fghijk", "l"]


def test_a_flow_hangs_behind_its_lead() -> None:
    """The first line has its own beginning, the others another one."""
    flow = Flow(line(("aa bb cc dd ee ff", "")), line(("12:03 ", "time")), line(("  ", "")))
    assert [text_of(each) for each in flow.lines(14)] == ["12:03 aa bb cc", "  dd ee ff"]
    assert all(width_of(each) == 20 for each in flow._replace(is_code=True).lines(20)[1:])


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\x07b", "a\u202eb", "a\nb", "\x9b2J"])
def test_a_line_holds_nothing_that_commands_a_terminal(text: str) -> None:
    """Whatever is put into a line is made safe by it."""
    assert text_of(line((text, ""))).isprintable()
