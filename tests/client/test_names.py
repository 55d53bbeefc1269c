"""Foreign text made safe, and people told apart."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sendall.client.names import MAX_CLUSTER, MAX_NICK, TAG, Tags, safe_lines, safe_nick, safe_text, tag_of


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
@example("\u00b4 0")  # a mark with nothing to stand on, then a space
def test_a_nick_is_short_and_never_empty(raw: str) -> None:
    """Whatever a name was, what is shown is not empty, fits into a card and can be encoded."""
    nick = safe_nick(raw)
    assert nick.strip() == nick != ""
    assert len(nick) <= MAX_NICK * MAX_CLUSTER
    assert safe_nick(nick) == nick
    nick.encode()


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


def test_a_grapheme_is_what_one_sees_as_one() -> None:
    """Families, flags, skin tones and vowel signs count once each."""
    for one in ("👩\u200d👩\u200d👧\u200d👦", "🇩🇪", "👍🏽", "कि", "👁\ufe0f\u200d🗨\ufe0f"):
        assert safe_nick(one * (MAX_NICK + 1)) == one * MAX_NICK


def test_a_grapheme_is_not_endless() -> None:
    """A chain of joined symbols counts as a new one after every ten code points."""
    name = safe_nick("👩\u200d" * 500)
    assert len(name) <= MAX_NICK * MAX_CLUSTER
    assert len(name) > MAX_NICK


def test_a_joiner_between_letters_joins_nothing() -> None:
    """Letters behind a joiner count like all others."""
    assert safe_nick("a\u200db" * MAX_NICK) == "a\u200db" * (MAX_NICK // 2)


@pytest.mark.parametrize("blank", ["\u3164", "\u115f", "\uffa0", "\u2800"])
def test_letters_that_nobody_sees_are_spaces(blank: str) -> None:
    """A name cannot be made of nothing, nor differ from another by nothing."""
    assert safe_nick(blank * 3) == "?"
    assert safe_nick(f"{blank}ada{blank}l") == "ada l"


def test_lines_stay_lines() -> None:
    """A text of several lines becomes as many safe ones; tabs become spaces."""
    assert safe_lines("a\r\nb\rc\n\td\x1b[2Je\u2028f") == ["a", "b", "c", "    de f"]


@given(st.text(st.characters(), max_size=80))
def test_safe_lines_are_safe(raw: str) -> None:
    """Each line is what `safe_text` leaves."""
    assert all(safe_text(line) == line for line in safe_lines(raw))


def alike() -> tuple[bytes, bytes]:
    """Return two keys that share their first four characters."""
    seen: dict[str, bytes] = {}
    for number in range(2**20):
        key = number.to_bytes(32, "big")
        if (other := seen.setdefault(tag_of(key), key)) != key:
            return other, key
    raise AssertionError("20 bits repeat sooner")


def test_two_people_are_never_drawn_alike() -> None:
    """Whoever makes a key with another's tag lengthens both, from then on and for good."""
    ada, mallory = alike()
    tags = Tags()
    assert not tags.meet(ada)
    assert tags.tag(ada) == tag_of(ada)
    assert tags.meet(mallory)
    assert not tags.meet(mallory)
    assert not tags.meet(bytes([7] * 32))
    assert len(tags.tag(ada)) > TAG
    assert tags.tag(ada) != tags.tag(mallory)
    assert tags.tag(ada)[:TAG] == tags.tag(mallory)[:TAG]
