"""Coming to a PRIVATE room by a link, whatever the server, the network and the past do."""

from __future__ import annotations

import pytest

from sendall.client import events as ev
from sendall.errors import Code, Malformed, SecurityAlarm
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType, entry_hash
from sendall.protocol.verdict import Verdict
from tests.client.private_scribed import PrivateScribed, by_link
from tests.conftest import RsaPool
from tests.tools.private_scribe import PrivateScribe


@pytest.fixture
def scribe() -> PrivateScribe:
    scribe = PrivateScribe("foyer")
    scribe.found()
    scribe.say("before")
    scribe.log(scribe.invite("bob"))
    return scribe


@pytest.fixture
def bob(scribe: PrivateScribe, rsa_pool: RsaPool) -> PrivateScribed:
    return PrivateScribed(scribe, rsa_pool[0], origin=by_link(scribe, rsa_pool[0], "bob"))


def enter(bob: PrivateScribed) -> None:
    """Read the control entries up to the head, as who names an invite is given them."""
    bob.subok(from_=len(bob.scribe.lines))
    bob.read(bob.controls())
    bob.present()


def joined(bob: PrivateScribed) -> bytes:
    [entry] = bob.entries()
    assert entry.type == EntryType.JOIN
    return entry.raw


def asks_by(bob: PrivateScribed) -> str:
    sub = bob.sub()
    assert isinstance(sub, f.Sub)
    return "invite" if sub.invite is not None else "room"


def test_a_newcomer_joins_once_all_control_entries_have_come(bob: PrivateScribed) -> None:
    """Not before, and only once."""
    bob.subok(from_=len(bob.scribe.lines))
    bob.read(bob.controls())
    assert bob.entries() == []
    bob.present()
    joined(bob)
    bob.present()
    assert bob.entries() == []


def test_an_answer_that_contradicts_itself_is_a_broken_promise(bob: PrivateScribed) -> None:
    """A beginning behind the end."""
    with pytest.raises(Malformed):
        bob.subok(from_=3, last=2)


def test_a_room_knows_the_links_that_lead_into_it(bob: PrivateScribed) -> None:
    """The one it was entered by from the start, the others once it was read."""
    scribe = bob.scribe
    scribe.log(scribe.invite("other"))
    mine, other = (entry_hash(line.entry) for line in scribe.lines if line.entry[1] == EntryType.INVITE)
    assert bob.room.knows_link(mine)
    assert not bob.room.knows_link(other)
    enter(bob)
    assert bob.room.knows_link(other)
    assert not bob.room.knows_link(b"?" * 32)
    member = PrivateScribed(scribe, bob.rsa)
    assert not member.room.knows_link(mine)


def test_who_is_in_asks_by_the_room_and_reads_on(bob: PrivateScribed) -> None:
    """The second `sub` goes on after the join, without a chain value: the server's comes with the answer."""
    enter(bob)
    bob.news(joined(bob))
    assert bob.room.subscribes_again()
    sub = bob.sub()
    assert isinstance(sub, f.Sub)
    assert (sub.room, sub.after, sub.h) == (bob.scribe.room_id, len(bob.scribe.lines), None)
    bob.subok(from_=len(bob.scribe.lines))
    bob.know()
    assert bob.room.is_settled
    bob.write("here")
    assert len(bob.messages()) == 1


def test_a_newcomer_whose_connection_ends_before_the_join_begins_at_the_link_again(bob: PrivateScribed) -> None:
    """By the room nobody would let in who is no member: the link is asked for until the join is read."""
    enter(bob)
    lost = joined(bob)
    bob.cut()
    assert asks_by(bob) == "invite"
    enter(bob)
    assert parse_n(joined(bob)) == parse_n(lost)


def parse_n(raw: bytes) -> int:
    return int.from_bytes(raw[56:64], "big")


def test_a_join_that_arrived_before_the_connection_ended_is_not_repeated(bob: PrivateScribed) -> None:
    """The log shows it; the client goes in at once."""
    enter(bob)
    assert bob.scribe.log(joined(bob)) is Verdict.OK
    bob.cut()
    enter(bob)
    assert bob.entries() == []
    assert bob.room.subscribes_again()


def test_who_was_admitted_while_away_comes_in(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """Somebody who waits and loses the connection asks by the link again, which never brings messages."""
    scribe.log(scribe.invite("bob waits", approve=True))
    bob = PrivateScribed(scribe, rsa_pool[0], origin=by_link(scribe, rsa_pool[0], "bob waits"))
    enter(bob)
    bob.news(joined(bob))
    assert bob.room.is_settled
    assert bob.room.is_pending
    bob.cut()
    scribe.log(scribe.admit(scribe.bob.pk))
    scribe.say("hello bob")
    assert asks_by(bob) == "invite"
    enter(bob)
    assert bob.room.subscribes_again()
    assert asks_by(bob) == "room"


def test_who_was_removed_once_can_come_back_by_a_new_link(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """The removal that is read again is an old story; only the end of the log tells who is in."""
    scribe.log(scribe.join(scribe.bob, "bob"))
    scribe.log(scribe.epoch(removed=[scribe.bob]))
    scribe.log(scribe.invite("bob again"))
    bob = PrivateScribed(scribe, rsa_pool[0], origin=by_link(scribe, rsa_pool[0], "bob again"))
    bob.subok(from_=len(scribe.lines))
    for line in bob.controls():
        bob.read([line])
        assert not bob.room.subscribes_again()
        assert not bob.room.is_settled
    bob.present()
    assert not bob.room.is_gone
    bob.news(joined(bob))
    assert bob.room.subscribes_again()


def test_who_reads_all_again_and_came_back_once_stays(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """Also where messages come too, and whether one was removed or left."""
    scribe.log(scribe.join(scribe.bob, "bob"))
    scribe.log(scribe.epoch(removed=[scribe.bob]))
    scribe.let_in(scribe.bob)
    scribe.log(scribe.leave(scribe.bob))
    scribe.log(scribe.epoch())
    scribe.let_in(scribe.bob)
    bob = PrivateScribed(scribe, rsa_pool[0])
    bob.follow()
    assert not bob.room.is_gone
    assert bob.room.is_settled


def test_who_was_removed_and_reads_that_is_told_by_whom(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """A server that shows the end of a membership to who was away."""
    scribe.log(scribe.join(scribe.bob, "bob"))
    scribe.log(scribe.epoch(removed=[scribe.bob]))
    bob = PrivateScribed(scribe, rsa_pool[0])
    bob.follow()
    assert bob.room.is_out
    [gone] = [event for event in bob.told if isinstance(event, ev.Removed)]
    assert "removed you" in str(gone.why)


def test_somebody_else_takes_a_single_use_link_first(bob: PrivateScribed) -> None:
    """The server forbids the join, then the other's appears: the newcomer is told, and does not wait for ever."""
    enter(bob)
    bob.refuse(joined(bob), Code.FORBIDDEN)
    assert not bob.room.is_gone
    bob.news(bob.scribe.join(bob.scribe.cyd, "bob"))
    assert bob.entries() == []
    assert str(bob.room.why_gone) == "this link was used as often as it may be"
    assert not bob.room.is_out


def test_a_server_that_forbids_a_right_join_ends_the_waiting(bob: PrivateScribed) -> None:
    """After three times that is told, and nothing is sent any more."""
    enter(bob)
    for _ in range(3):
        bob.refuse(joined(bob), Code.FORBIDDEN)
        assert bob.entries() == []
        bob.now += 1
    assert bob.room.why_gone is not None
    assert bob.room.why_gone.code is Code.FORBIDDEN
    assert bob.entries() == []


def test_a_join_waits_for_the_servers_pace(bob: PrivateScribed) -> None:
    """What is slowed down is sent again when it may be."""
    enter(bob)
    bob.refuse(joined(bob), Code.SLOW_DOWN, retry_ms=3000)
    bob.now += 2.9
    assert bob.entries() == []
    bob.now += 0.2
    joined(bob)


def test_a_link_of_another_room_raises_the_alarm(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """A server that shows a room without the invite entry shows the wrong room."""
    other = PrivateScribe("another room")
    other.found()
    other.log(other.invite("bob"))
    bob = PrivateScribed(scribe, rsa_pool[0], origin=by_link(other, rsa_pool[0], "bob"))
    bob.subok(from_=len(scribe.lines))
    bob.read(bob.controls())
    with pytest.raises(SecurityAlarm):
        bob.present()
    assert bob.alarms == ["room"]
    assert bob.entries() == []


def test_a_newcomer_whom_an_admin_declines_is_told(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """Who waits is removed as members are."""
    scribe.log(scribe.invite("bob waits", approve=True))
    bob = PrivateScribed(scribe, rsa_pool[0], origin=by_link(scribe, rsa_pool[0], "bob waits"))
    enter(bob)
    bob.news(joined(bob))
    bob.news(scribe.epoch(removed=[scribe.bob]))
    assert bob.room.is_out


def test_what_a_newcomer_was_shown_must_be_shown_again(bob: PrivateScribed) -> None:
    """A server cannot take a removal back by ending the connection: the second time it is missed."""
    bob.scribe.let_in(bob.scribe.cyd)
    bob.scribe.log(bob.scribe.invite("later"))
    enter(bob)
    bob.cut()
    bob.subok(from_=len(bob.scribe.lines))
    bob.read(bob.controls()[:-1])
    with pytest.raises(SecurityAlarm):
        bob.present()
    assert bob.alarms == ["history"]


def test_a_cut_between_the_join_and_the_head_keeps_the_place(bob: PrivateScribed) -> None:
    """Where more control entries were on their way with h, the state has none, and says so."""
    enter(bob)
    bob.news(joined(bob))
    assert bob.room.subscribes_again()
    bob.scribe.say("meanwhile", bob.scribe.ada)
    bob.scribe.log(bob.scribe.invite("later"))
    bob.subok(from_=len(bob.scribe.lines))
    bob.cut()
    sub = bob.sub()
    assert isinstance(sub, f.Sub)
    assert (sub.room, sub.h) == (bob.scribe.room_id, None)
    bob.subok(from_=sub.after)
    bob.know()
    bob.read(bob.scribe.lines[sub.after :])
    assert bob.alarms == []
    assert bob.room.is_settled
