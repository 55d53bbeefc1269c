"""Wants: a member without the key is helped by one member at a time, and by the next if that one does not."""

from __future__ import annotations

import pytest

from sendall.crypto.primitives import RsaKey
from sendall.protocol import frames as f
from sendall.protocol.entry import Role
from sendall.server.wants import Wants
from tests.server.insiders import Insider, insider
from tests.server.members import RelayWorld

BOB, ADMIN, CAROL, DAVE = b"bob", b"admin", b"carol", b"dave"
HELPERS = [ADMIN, CAROL, DAVE, BOB]


def passes(wants: Wants, *times: float) -> list[tuple[float, bytes]]:
    """Return when BOB's want went to whom."""
    return [(now, helper) for now in times for _, helper in wants.due(now, HELPERS)]


def test_a_want_goes_to_one_after_the_other() -> None:
    """In the order of the helpers, 3 s apart, never to itself; then it is over until asked again."""
    wants = Wants()
    wants.ask(BOB, 0)
    assert wants.are_open
    assert passes(wants, 0, 1, 2.9, 3, 5.9, 6, 8, 9, 20) == [(0, ADMIN), (3, CAROL), (6, DAVE)]
    assert not wants.are_open
    wants.ask(BOB, 30)
    assert passes(wants, 30) == [(30, ADMIN)]


def test_a_want_is_heard_once_in_five_seconds() -> None:
    """Asked more often it is the same want; after an answer the next one counts from its asking."""
    wants = Wants()
    for now in (0.0, 1.0, 4.9):
        wants.ask(BOB, now)
        wants.answered(BOB)
        assert wants.are_open is False
    wants.ask(BOB, 5)
    assert wants.are_open


def test_who_answered_with_rubbish_is_not_asked_first_again() -> None:
    """Asked again, it goes on with who was not tried; a key that is right begins the order anew."""
    wants = Wants()
    wants.ask(BOB, 0)
    assert passes(wants, 0) == [(0, ADMIN)]
    wants.answered(BOB)
    assert passes(wants, 1, 3, 6) == []
    wants.ask(BOB, 6)
    assert passes(wants, 6) == [(6, CAROL)]
    wants.settled(BOB)
    wants.ask(BOB, 12)
    assert passes(wants, 12) == [(12, ADMIN)]


def test_who_wants_the_key_itself_is_not_asked_for_it() -> None:
    """Two who lack it are both passed to somebody else."""
    wants = Wants()
    wants.ask(BOB, 0)
    wants.ask(ADMIN, 0)
    assert wants.due(0, HELPERS) == [(BOB, CAROL), (ADMIN, CAROL)]


def test_nobody_to_help_is_no_error() -> None:
    """Alone in the room: the want is over at once, and is heard again when somebody may be there."""
    wants = Wants()
    wants.ask(BOB, 0)
    assert wants.due(0, [BOB]) == []
    assert not wants.are_open
    for unknown in (b"nobody", BOB):
        wants.answered(unknown)
        wants.settled(unknown)
    wants.ask(BOB, 5)
    assert wants.due(5, HELPERS) == [(BOB, ADMIN)]


def test_old_wants_are_forgotten() -> None:
    """What is over for a minute takes no memory; what is open stays."""
    wants = Wants()
    wants.ask(BOB, 0)
    wants.ask(CAROL, 0)
    wants.answered(BOB)
    wants.forget_old(61)
    assert wants.due(61, HELPERS) == [(CAROL, ADMIN)]


# --- in a room


@pytest.fixture
def ada(world: RelayWorld, rsa: RsaKey) -> Insider:
    ada = insider(world, rsa)
    ada.make()
    return ada


def a_member(ada: Insider) -> Insider:
    return insider(ada.world, ada.rsa).joined(ada.invite())


def test_a_want_reaches_admins_first_then_members_until_a_grant_comes(ada: Insider) -> None:
    """One at a time, 3 s each; a grant for who wants, whoever made it, ends it."""
    bob, carol, dave = a_member(ada), a_member(ada), a_member(ada)
    ada.act(ada.role(carol.identity.pk, Role.ADMIN))
    admins, others = (ada, carol), (dave,)
    bob.say(f.Want(rid=bob.rid))
    assert sorted(len(member.wanted()) for member in (*admins, *others)) == [0, 0, 1]
    assert dave.wanted() == []
    ada.world.pass_time(3)
    assert [member.wanted() for member in admins] == [[bob.identity.pk]] * 2
    assert dave.wanted() == []
    dave.give(bob.identity.pk, b"the keys")
    ada.world.pass_time(3)
    ada.world.pass_time(3)
    assert [len(member.wanted()) for member in (*admins, dave, bob)] == [1, 1, 0, 0]


@pytest.mark.parametrize("end", ["has it", "went", "removed"])
def test_a_want_ends_with_its_reason(ada: Insider, end: str) -> None:
    """Who has the key by now, or is gone, is not helped any more."""
    bob, carol = a_member(ada), a_member(ada)
    bob.say(f.Want(rid=bob.rid))
    match end:
        case "has it":
            bob.say(f.Have(rid=bob.rid, e=1))
        case "went":
            bob.say(f.Unsub(rid=bob.rid))
        case _:
            ada.act(ada.epoch(bob.identity.pk))
    ada.world.pass_time(4)
    assert (len(ada.wanted()), carol.wanted()) == (1, [])


def test_a_want_waits_for_nobody_who_does_not_read(ada: Insider) -> None:
    """A helper whose transport is full is passed over for its turn."""
    bob, carol = a_member(ada), a_member(ada)
    ada.connection.paused()
    bob.say(f.Want(rid=bob.rid))
    ada.world.pass_time(3)
    assert (ada.wanted(), carol.wanted()) == ([], [bob.identity.pk])
