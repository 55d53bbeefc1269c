"""Rows of a timeline as lines."""

from __future__ import annotations

import random
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.conversation.kinds import Delete, Edit, Reaction, Topic
from sendall.client.conversation.timeline import Aside, Failed, Timeline, Written, fold
from sendall.client.events import Change, Message, Notice, Unreadable
from sendall.client.names import tag_of
from sendall.tui.drawing.line import Line, text_of, width_of
from sendall.tui.drawing.rows import Look, lines_of, mentions_me
from tests.tui.stage import ME, NOON, message, person

WIDE, NARROW = 90, 50


def look(timeline: Timeline, width: int = WIDE, ignored: frozenset[bytes] = frozenset()) -> Look:
    return Look(timeline, ME.pk, "ada", ignored, width)


def drawn(timeline: Timeline, width: int = WIDE, **flags: bool) -> list[Line]:
    """Return all lines of a timeline."""
    lines: list[Line] = []
    for index in range(len(timeline)):
        before = timeline[index - 1] if index else None
        lines += lines_of(timeline[index], before, look(timeline, width), **flags)
    return lines


def shown(timeline: Timeline, width: int = WIDE) -> str:
    return "\n".join(text_of(each) for each in drawn(timeline, width))


def change(seq: int, who: str, what: Edit | Delete | Reaction | Topic) -> Change:
    key = person(who)
    return Change(seq, NOON + timedelta(minutes=seq), "lobby", key, b"s" * 16, who, tag_of(key), False, what)


def hostile(count: int) -> list[str]:
    """Return texts that try to command a terminal, forge lines or hide."""
    rng = random.Random(4)
    bits = [
        *("\x1b[31m", "\x1b[2J", "\x1b[?1049l", "\x1b]0;title\x07", "\x1b]52;c;QUJD\x07", "\x1b]8;;http://x\x1b\\"),
        *("\x1bP1;1|17/ab\x1b\\", "\x9b31m", "\x9d0;t\x9c", "\x1b(0", "\x1bc", "\x1b[6n", "\x1b[c", "\x1b_a\x1b\\"),
        *("\r", "\b\b\b", "\x7f", "\x00", "\x0e", "\x0f", "\x05", "\u202e", "\u2066", "\u2028", "\u200f", "\ufeff"),
        *("\n12:00 eve·aaaa  hi", "[red]", "[@click=app.quit]x[/]", "```\x1b[1m\n", "`\x1b[0m`", "> \x1b[7m", "\ud800"),
        *("**\x1b[5m**", "[x](http://a\x1b[31m)", "@ada\x1b[0m", "a\u0301" * 30, "\U000e0041", "plain", " ", "\t"),
    ]
    return ["".join(rng.choices(bits, k=rng.randint(1, 6))) for _ in range(count)]


@pytest.mark.parametrize("width", [WIDE, NARROW, 24])
def test_two_hundred_hostile_texts_leave_only_printable_lines(width: int) -> None:
    """No control, escape, bidi or format character reaches a line, whether said, quoted, as a name, topic or notice."""
    for n, text in enumerate(hostile(200)):
        timeline = Timeline()
        timeline.apply(message(1, text[:20] or "x", text))
        timeline.apply(message(2, "bob", text, re=1, is_action=n % 2 == 0))
        timeline.apply(change(3, "bob", Topic(text)))
        timeline.apply(change(4, "bob", Edit(2, text)))
        timeline.apply(Notice(5, text))
        timeline.apply(Unreadable(6, text))
        timeline.apply(Aside(6, 0, text, time=NOON))
        timeline.apply(Written(1, NOON, text.replace("\ud800", "")))
        timeline.apply(Failed(1, text))
        for each in drawn(timeline, width):
            assert width_of(each) <= width
            for c in text_of(each):
                assert c in "\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), repr(each)


@given(st.text(max_size=300), st.integers(20, 140))
def test_whatever_is_said_fits(text: str, width: int) -> None:
    """No text makes a line wider than the window."""
    timeline = fold([message(1, "bob", text)])
    assert all(width_of(each) <= width for each in drawn(timeline, width))


def test_names_stand_in_a_column_and_only_once() -> None:
    """What follows from one person within minutes has no name again, unless it is the uppermost in sight."""
    timeline = fold([message(1, "bob", "one"), message(2, "bob", "two"), message(9, "bob", "three")])
    _, one, two, three = (text_of(each) for each in drawn(timeline))
    assert [each.index("│") for each in (one, two, three)] == [one.index("│")] * 3
    assert ["bob·" in each for each in (one, two, three)] == [True, False, True]
    again = lines_of(timeline[1], timeline[0], look(timeline), has_name=True)
    assert "bob·" in text_of(again[0])


def test_on_narrow_screens_each_message_begins_with_its_name() -> None:
    """There is no column: time and name stand before the text, and what is broken hangs."""
    timeline = fold([message(1, "bob", "one " * 20), message(2, "bob", "two")])
    lines = [text_of(each) for each in drawn(timeline, NARROW)]
    assert lines[1].startswith(" 12:01 bob·")
    assert lines[2].startswith("   one")
    assert lines[-1].startswith(" 12:02 bob·")
    assert lines[-1].endswith("  two")


def test_days_are_told_apart() -> None:
    """The first message of a day stands below a rule with the date."""
    assert shown(fold([message(1, "bob", "a"), message(2, "bob", "b", minute=60 * 24)])).count("November 2026") == 2


def test_edits_deletions_and_reactions_show_in_place() -> None:
    """The text as it is now; "(edited)"; who deleted leaves a mark; reactions with their number below."""
    said = [message(1, "bob", "teh"), message(2, "eve", "gone"), change(3, "bob", Edit(1, "the"))]
    said += [change(4, "eve", Delete(2)), change(5, "ada", Reaction(1, "🎉")), change(6, "eve", Reaction(1, "🎉"))]
    text = shown(fold(said))
    assert "the (edited)" in text
    assert "teh" not in text
    assert "gone" not in text
    assert "deleted" in text
    assert " 🎉 2 " in text


def test_an_answer_quotes_what_it_answers() -> None:
    """One line of it, without markdown; also if it is not loaded."""
    timeline = fold([message(1, "bob", "is the **relay** up?"), message(2, "ada", "yes", re=1)])
    assert "↱ bob·" in shown(timeline)
    assert " is the relay up?" in shown(timeline).split("↱")[1]
    assert "↱ an earlier message" in shown(fold([message(7, "ada", "yes", re=3)]))


def test_what_is_on_its_way_is_told_apart_from_what_failed() -> None:
    """A draft waits with an ellipsis; a failed one says why, and what to do."""
    timeline = Timeline()
    timeline.apply(Written(1, NOON, "waits"))
    timeline.apply(Written(2, NOON, "fails"))
    timeline.apply(Failed(2, "the server refused: forbidden"))
    text = shown(timeline)
    assert "waits …" in text
    assert "✗ not sent: the server refused: forbidden" in text
    assert "t sends it again, x drops it" in text


def test_markdown_is_drawn() -> None:
    """Bold, code, lists, quotes and code blocks have their inks; addresses are shown with their label."""
    text = "**b** `c` [label](https://example.org)\n- item\n> quote\n```python\ndef f(): pass\n```"
    inks = {ink for each in drawn(fold([message(1, "bob", text)])) for _, ink in each}
    assert {"bold", "code", "link", "quote", "code-block token-keyword"} <= inks
    assert "label (https://example.org)" in shown(fold([message(1, "bob", text)]))


def test_a_very_long_message_is_cut_and_can_be_opened() -> None:
    """Nobody fills the screen of others: forty lines, and how many more."""
    lines = drawn(fold([message(1, "bob", "\n".join(map(str, range(500))))]))
    assert len(lines) == 41
    assert "461 more lines" in text_of(lines[-1])


def test_who_is_ignored_is_not_shown() -> None:
    """Their messages and topics have no line."""
    timeline = fold([message(1, "mallory", "spam"), change(2, "mallory", Topic("spam"))])
    ignoring = look(timeline, ignored=frozenset({person("mallory")}))
    assert [lines_of(timeline[n], None, ignoring)[1:] for n in range(2)] == [[], []]


@pytest.mark.parametrize(
    ("text", "re", "means_me"),
    [
        ("@ada look", None, True),
        (f"@ada·{tag_of(ME.pk)} look", None, True),
        ("@ada·aaaa look", None, False),
        ("ada look", None, False),
        ("`@ada`", None, False),
        ("no", 1, True),
        ("no", 2, False),
    ],
)
def test_a_mention_is_a_name_or_an_answer(text: str, re: int | None, means_me: bool) -> None:
    """@name, @name·tag of mine, or an answer to what I said; not the bare name, not code, not somebody's answer."""
    timeline = fold([message(1, "ada", "hi"), message(2, "eve", "ho"), message(3, "bob", text, re=re)])
    assert mentions_me(timeline[2], look(timeline)) is means_me


def test_what_a_newer_client_says_and_what_does_not_open_is_told() -> None:
    """Neither is left out silently."""
    newer = Message(1, NOON, "lobby", person("bob"), b"s" * 16, "bob", "kjta", False, "", "poll")
    text = shown(fold([newer, Unreadable(2, "the tag does not fit"), Notice(3, "messages 1 to 9 were pruned")]))
    assert "needs a newer client (poll)" in text
    assert "message 2 cannot be read: the tag does not fit" in text
    assert "messages 1 to 9 were pruned" in text
