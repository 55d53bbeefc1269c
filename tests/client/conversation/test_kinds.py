"""The kinds of plaintext: written as declared, read strictly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.conversation.kinds import (
    MAX_EMOJI,
    MAX_TOPIC,
    Card,
    Delete,
    Edit,
    Hint,
    Newer,
    NotOfItsKind,
    Reaction,
    Seen,
    Spoken,
    Text,
    Topic,
    Typing,
    content_of,
    read_hint,
    read_spoken,
    words_of,
)
from sendall.client.keys import read_plaintext, write_content

SPOKEN: list[tuple[Spoken, dict[str, Any]]] = [
    (Text("hi"), {"t": "m", "x": "hi"}),
    (Text("", re=7), {"t": "m", "x": "", "re": 7}),
    (Text("waves", is_action=True), {"t": "m", "x": "waves", "me": True}),
    (Edit(7, "ho"), {"t": "edit", "re": 7, "x": "ho"}),
    (Delete(2**53 - 1), {"t": "del", "re": 2**53 - 1}),
    (Reaction(1, "👩\u200d🔬"), {"t": "react", "re": 1, "x": "👩\u200d🔬"}),
    (Reaction(1, "👍", is_off=True), {"t": "react", "re": 1, "x": "👍", "off": True}),
    (Topic("plans"), {"t": "topic", "x": "plans"}),
    (Topic("plans", is_knock=True), {"t": "topic", "x": "plans", "knock": True}),
]
HINTS: list[tuple[Hint, dict[str, Any]]] = [
    (Typing(), {"t": "typing"}),
    (Typing(is_over=True), {"t": "typing", "off": True}),
    (Seen(9), {"t": "seen", "seq": 9}),
    (Card("ada"), {"t": "card", "name": "ada"}),
    (Card("ada", 0), {"t": "card", "name": "ada", "hue": 0}),
]


@pytest.mark.parametrize(("kind", "content"), SPOKEN)
def test_what_is_logged_reads_as_it_was_written(kind: Spoken, content: dict[str, Any]) -> None:
    """The form of each kind, with the sender's name beside it."""
    assert content_of(kind) == content
    named = {**content, "nick": "ada"}
    assert content_of(kind, "ada") == named
    assert read_spoken(read_plaintext(write_content(named))) == kind


@pytest.mark.parametrize(("hint", "content"), HINTS)
def test_what_is_not_logged_reads_as_it_was_written(hint: Hint, content: dict[str, Any]) -> None:
    """The form of each signal and card."""
    assert content_of(hint) == content
    assert read_hint(read_plaintext(write_content(content))) == hint


def test_unknown_members_and_null_are_as_absent() -> None:
    """What a later version adds does not stop this one."""
    assert read_spoken({"t": "m", "x": "hi", "re": None, "me": None, "mood": [1]}) == Text("hi")


def test_a_whole_number_is_one_however_it_was_written() -> None:
    """A browser cannot tell 7.0 from 7, so nobody may."""
    assert read_spoken(read_plaintext(b'{"t":"del","re":7.0}')) == Delete(7)


@pytest.mark.parametrize("kind", ["file", "poll", "", "M"])
def test_an_unknown_kind_needs_a_newer_client(kind: str) -> None:
    """Whatever its members are; `file` is reserved for one."""
    assert read_spoken({"t": kind, "x": 5}) == Newer(kind)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"t": None},
        {"t": 5, "x": "hi"},
        {"t": ["m"], "x": "hi"},
        {"t": "m"},
        {"t": "m", "x": 5},
        {"t": "m", "x": "hi", "re": "7"},
        {"t": "m", "x": "hi", "re": 0},
        {"t": "m", "x": "hi", "re": -1},
        {"t": "m", "x": "hi", "re": 1.5},
        {"t": "m", "x": "hi", "re": True},
        {"t": "m", "x": "hi", "re": 2.0**53},
        {"t": "m", "x": "hi", "me": 1},
        {"t": "edit", "x": "hi"},
        {"t": "edit", "re": 7},
        {"t": "del"},
        {"t": "react", "re": 7},
        {"t": "react", "re": 7, "x": ""},
        {"t": "react", "re": 7, "x": " \u202e"},
        {"t": "react", "re": 7, "x": "👍" * (MAX_EMOJI + 1)},
        {"t": "react", "re": 7, "x": "👍", "off": "yes"},
        {"t": "topic"},
        {"t": "topic", "x": None},
        {"t": "topic", "x": "plans", "knock": "no"},
    ],
)
def test_a_known_kind_with_other_members_is_unreadable(content: dict[str, Any]) -> None:
    """A missing member, another type, a number that is no seq: for every client alike."""
    with pytest.raises(NotOfItsKind, match="not what a message of its kind has"):
        read_spoken(content)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"t": 5},
        {"t": "poke"},
        {"t": "typing", "off": 1},
        {"t": "seen"},
        {"t": "seen", "seq": 0},
        {"t": "m", "x": ""},
    ],
)
def test_a_hint_of_no_known_form_is_none(content: dict[str, Any]) -> None:
    """Signals may be lost anyway: what is broken or unknown is no news."""
    assert read_hint(content) is None


@pytest.mark.parametrize(
    ("content", "card"),
    [
        ({"name": "a\u202eda"}, Card("ada")),
        ({"name": 5}, Card("?")),
        ({}, Card("?")),
        ({"name": "ada", "hue": 359}, Card("ada", 359)),
        ({"name": "ada", "hue": 360}, Card("ada")),
        ({"name": "ada", "hue": "red"}, Card("ada")),
    ],
)
def test_a_card_always_says_something(content: dict[str, Any], card: Card) -> None:
    """Its name is made safe, and "?" where there is none; a colour that is none is no wish."""
    assert read_hint({"t": "card", **content}) == card


def test_emoji_and_topics_come_out_safe() -> None:
    """They are shown beside other people's text: composed, in one line, cut, nothing that commands a terminal."""
    assert read_spoken({"t": "react", "re": 1, "x": " e\u0301\x1b[2J\n"}) == Reaction(1, "é")
    assert read_spoken({"t": "topic", "x": " a\nb\u202e \x1b]0;t\x07"}) == Topic("a b")
    assert read_spoken({"t": "topic", "x": "x" * 300}) == Topic("x" * MAX_TOPIC)


@pytest.mark.parametrize(
    "kind",
    [
        Reaction(1, " \x07"),
        Reaction(1, "x" * (MAX_EMOJI + 1)),
        Topic("x" * (MAX_TOPIC + 1)),
        Newer("poll"),
        Edit(0, "x"),
        Delete(-1),
        Text("x", re=2**53),
        Seen(0),
    ],
)
def test_what_nobody_could_read_cannot_be_written(kind: Spoken | Hint) -> None:
    """The caller learns it, not the room."""
    with pytest.raises(ValueError, match=r"no emoji|at most|newer client|not the number"):
        content_of(kind)


def test_the_words_of_each_kind() -> None:
    """What a list of unconfirmed lines shows."""
    assert [words_of(kind) for kind, _ in SPOKEN] == ["hi", "", "waves", "ho", "", "👩\u200d🔬", "👍", "plans", "plans"]
    assert words_of(Newer("poll")) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = st.sampled_from(["x", "re", "me", "off", "seq", "name", "hue", "nick"])
KINDS = st.sampled_from(["m", "edit", "del", "react", "topic", "typing", "seen", "card"])


@given(st.fixed_dictionaries({"t": KINDS | JSON}), st.dictionaries(MEMBERS, JSON, max_size=4))
def test_any_object_is_read_or_refused(kind: dict[str, Any], members: dict[str, Any]) -> None:
    """Nothing another client can send breaks the reading; what is read can be written and read again."""
    content = {**members, **kind}
    try:
        spoken = read_spoken(content)
    except NotOfItsKind:
        pass
    else:
        assert isinstance(spoken, Newer) or read_spoken(content_of(spoken)) == spoken
    hint = read_hint(content)
    assert hint is None or read_hint(content_of(hint)) == hint
