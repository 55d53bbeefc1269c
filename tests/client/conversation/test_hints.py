"""Who is typing and who has seen what."""

from __future__ import annotations

from sendall.client.conversation.hints import MAX_PEOPLE, TYPING_S, Readers, Typists

ADA, BOB = b"ada", b"bob"


def test_typing_lapses_unless_it_is_said_again() -> None:
    """Six seconds after the last word of it, or at once when something of theirs comes."""
    typists = Typists()
    typists.typing(ADA, 0.0)
    typists.typing(BOB, 1.0)
    typists.typing(ADA, 3.0)
    assert typists.now(5.0) == [ADA, BOB]
    assert typists.now(1.0 + TYPING_S) == [ADA]
    typists.stopped(ADA)
    typists.stopped(BOB)
    assert typists.now(7.0) == []


def test_who_has_read_further_has_read_what_is_before() -> None:
    """And nobody reads backwards."""
    readers = Readers()
    readers.saw(ADA, 9)
    readers.saw(BOB, 5)
    readers.saw(ADA, 7)
    assert readers.who_saw(5) == [BOB, ADA]
    assert readers.who_saw(9) == [ADA]
    assert readers.who_saw(10) == []


def test_people_without_end_do_not_fill_memory() -> None:
    """Beyond 1,024 the oldest are forgotten."""
    typists, readers = Typists(), Readers()
    for number in range(MAX_PEOPLE + 3):
        typists.typing(number.to_bytes(32, "big"), 0.0)
        readers.saw(number.to_bytes(32, "big"), 1)
    assert len(typists.now(0.0)) == len(readers.who_saw(1)) == MAX_PEOPLE
