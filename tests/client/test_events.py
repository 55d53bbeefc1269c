"""Foreign text made safe, and the times of events."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.events import MAX_NICK, safe_nick, safe_text, tag_of, utc


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("hello", "hello"),
        ("grüß dich, 世界 👋", "grüß dich, 世界 👋"),
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"),
        ("a\x9b2Jb", "ab"),
        ("one\ntwo\r\nthree\tfour", "one two three four"),
        ("a\u2028b\u0085c", "a b c"),
        ("abc\u202egpj.exe", "abcgpj.exe"),
        ("\u2066\u2069\u200e\u061c\ufeffx", "x"),
        ("bell\x07 null\x00 del\x7f", "bell null del"),
        ("\ud800", "\ufffd"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("tag\U000e0041s", "tags"),
    ],
)
def test_text_is_stripped_of_what_commands_a_terminal(raw: str, safe: str) -> None:
    """Control, escape and bidi characters go, line ends become spaces, and other text stays as it was."""
    assert safe_text(raw) == safe


@given(st.text(st.characters(), max_size=80))
def test_safe_text_is_one_harmless_line_whatever_came(raw: str) -> None:
    """No input leaves a control, format or surrogate character, and making safe twice changes nothing."""
    safe = safe_text(raw)
    kinds = {unicodedata.category(c) for c in safe if c not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert safe_text(safe) == safe


@given(st.text(st.characters(), max_size=200))
def test_a_nick_is_short_and_never_empty(raw: str) -> None:
    """Whatever a name was, what is shown has 1 to 32 characters and can be encoded."""
    nick = safe_nick(raw)
    assert nick
    assert sum(unicodedata.category(c) not in ("Mn", "Me") and c not in "\u200c\u200d" for c in nick) <= MAX_NICK
    assert len(nick.encode()) <= MAX_NICK * 16


def test_a_long_nick_is_cut_and_its_marks_with_it() -> None:
    """Of a name that is too long the first 32 characters are shown; a mark is none, and stays with its character."""
    assert safe_nick("ab" * MAX_NICK) == "ab" * (MAX_NICK // 2)
    assert safe_nick("x\u0323" * (MAX_NICK + 1)) == "x\u0323" * MAX_NICK


def test_a_nick_cannot_tower_over_its_line() -> None:
    """Marks on one character are limited to two."""
    assert safe_nick("a" + "\u0301\u0302\u0303\u0304" * 9) == unicodedata.normalize("NFKC", "a\u0301") + "\u0302\u0303"


@pytest.mark.parametrize("raw", ["", "  ", "\u200d", "\x1b[0m", "\u202e", "\u0301"])
def test_a_name_of_nothing_is_a_question_mark(raw: str) -> None:
    """A name that nobody could see is shown as "?"."""
    assert safe_nick(raw) == "?"


def test_a_tag_tells_keys_apart() -> None:
    """The tag is four characters of the key's fingerprint, always the same."""
    assert tag_of(bytes(32)) == tag_of(bytes(32))
    assert len(tag_of(bytes(32))) == 4
    assert tag_of(bytes(32)) != tag_of(bytes([1] * 32))


@pytest.mark.parametrize("time_ms", [0, 1_700_000_000_000, 2**53 - 1])
def test_any_time_of_the_protocol_is_a_time(time_ms: int) -> None:
    """A server's time that no calendar holds does not break the reader."""
    assert utc(time_ms).tzinfo is not None
