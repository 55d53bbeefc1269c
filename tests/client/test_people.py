"""Who is in the room: the server's word, and names from cards."""

from __future__ import annotations

import pytest

from sendall.client.conversation.kinds import Card
from sendall.client.events import Came, Presence, Went
from sendall.client.people import ANNOUNCED_S, CARD_WAIT_S, MAX_PEOPLE, People
from sendall.protocol.frames import B64, Present

ME, ADA, BOB = B64(b"m" * 32), B64(b"a" * 32), B64(b"b" * 32)


@pytest.fixture
def people() -> People:
    """Those of a room in which only this client is."""
    people = People(ME)
    people.present(Present(rid=1, count=1, came=[ME]), 0.0)
    return people


def test_who_goes_before_being_announced_was_never_there(people: People) -> None:
    """Nobody is told that somebody went of whom nobody was told that they came."""
    assert people.present(Present(rid=1, count=2, came=[ADA]), 1.0) == [Presence(2)]
    assert people.present(Present(rid=1, count=1, went=[ADA]), 2.0) == [Presence(1)]
    assert people.tick(1.0 + CARD_WAIT_S) == []


def test_nobody_is_told_of_themselves(people: People) -> None:
    """That this client came or went is no news to it, whatever the server says."""
    assert people.present(Present(rid=1, count=1, came=[ME]), 1.0) == []
    assert people.present(Present(rid=1, count=1, went=[ME]), 2.0) == []
    assert people.tick(9.0) == []


def test_who_comes_again_is_named_at_once(people: People) -> None:
    """A card that came before the news of its owner's coming saves the waiting."""
    people.card(BOB, Card("bob"))
    assert people.present(Present(rid=1, count=2, came=[BOB]), 1.0) == [Came(BOB, "bob"), Presence(2)]
    assert people.present(Present(rid=1, count=1, went=[BOB]), 2.0) == [Went(BOB, "bob"), Presence(1)]


def test_who_came_and_went_between_two_tellings_does_not_stay(people: People) -> None:
    """The server says nothing of such a visit, but the card was shown; who is told of in time stays."""
    people.present(Present(rid=1, count=1, came=[ME]), 0.0)
    people.card(BOB, Card("bob"))
    people.card(ADA, Card("ada"))
    assert people.tick(1.0) == []
    people.present(Present(rid=1, count=2, came=[ADA]), 1.5)
    assert people.tick(1.0 + ANNOUNCED_S) == []
    assert dict(people.nicks) == {ADA: "ada"}


def test_names_are_bounded_and_the_newest_stay(people: People) -> None:
    """However many cards are shown to a client, it remembers 4,096 of them, and the one just renewed is among them."""
    ids = [i.to_bytes(32, "big") for i in range(MAX_PEOPLE)]
    for id_pk in ids:
        people.card(id_pk, Card("x"))
    people.card(ids[0], Card("renewed"))
    people.card(ADA, Card("ada"))
    assert len(people.nicks) == MAX_PEOPLE
    assert people.nicks[ids[0]] == "renewed"
    assert ids[1] not in people.nicks
