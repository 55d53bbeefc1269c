"""Emoji by name."""

from __future__ import annotations

import pytest

from sendall.tui.emoji import FAVOURITES, matching, names, sign_of, with_signs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("well :tada: done", "well 🎉 done"),
        (":no_such_thing:", ":no_such_thing:"),
        ("`:tada:` and :tada:", "`:tada:` and 🎉"),
        ("```\n:tada:\n``` :tada:", "```\n:tada:\n``` 🎉"),
        ("12:30:45", "12:30:45"),
        ("plain", "plain"),
    ],
)
def test_names_become_signs_outside_of_code(text: str, shown: str) -> None:
    """What is no name stays, and code stays as it is."""
    assert with_signs(text) == shown


def test_a_reaction_is_a_sign_or_its_name() -> None:
    """With colons or without; words are none."""
    assert [sign_of(each) for each in ("🎉", ":tada:", "tada", " TADA ", "hello", "")] == ["🎉"] * 4 + [None] * 2
    assert all(sign_of(each) for each in FAVOURITES)


def test_what_begins_so_comes_first() -> None:
    """Then what contains it; never more than asked for."""
    found = [name for name, _ in matching("tad", 8)]
    assert found[0] == "tada"
    assert len(matching("a", 5)) == 5
    assert all(len(sign.replace("\ufe0f", "")) == 1 for sign in names().values())
