"""Removal from a PRIVATE room: the entry that removes a member is the last thing it is given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import LogError
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType, Role, parse
from tests.server.insiders import Insider, insider
from tests.server.members import RelayWorld


@pytest.fixture
def ada(world: RelayWorld, rsa: RsaKey) -> Insider:
    ada = insider(world, rsa)
    ada.make()
    return ada


def a_member(ada: Insider, *, limit: int = 1 << 30) -> Insider:
    member = insider(ada.world, ada.rsa, limit=limit).joined(ada.invite())
    member.keys = dict(ada.keys)
    return member


def errors(member: Insider) -> list[str]:
    return [error.code.value for error in member.errors()]


def kick(ada: Insider, bob: Insider) -> int:
    """Remove bob, and return the seq of the entry that does."""
    ada.post(ada.epoch(bob.identity.pk))
    return ada.state.seq


def leave(ada: Insider, bob: Insider) -> int:
    bob.post(bob.leaving())
    return bob.state.seq


removals = pytest.mark.parametrize("remove", [kick, leave])
Remove = Callable[[Insider, Insider], int]


def say_more(ada: Insider) -> None:
    """Write in the same turn, behind the removal."""
    ada.catch_up()
    ada.post(ada.sealed("behind his back"), ada.sealed("and more"))


@removals
def test_the_removing_entry_is_the_last_one(ada: Insider, remove: Remove) -> None:
    """Removal and what follows become durable in one commit: the removed is given all before it, and it; no more."""
    bob, carol = a_member(ada), a_member(ada)
    ada.world.pass_time(2)
    ada.catch_up()
    ada.post(ada.sealed("before"))
    last = remove(ada, bob)
    say_more(ada)
    ada.world.run()
    ada.world.pass_time(2)
    assert bob.seqs()[-1] == last
    assert bob.seqs()[-2] == last - 1
    assert carol.seqs()[-1] == ada.seqs()[-1] == last + 2
    assert bob.wire.ended is None, "the connection stays: it may be in other rooms"
    assert isinstance(bob.frames()[-1], f.Logged), "nor is it told who is here"
    assert [bytes(went) for went in carol.presences()[-1].went] == [bob.identity.pk]


@removals
def test_who_lags_is_given_what_came_before_its_removal_and_nothing_after(
    ada: Insider, rsa: RsaKey, remove: Remove
) -> None:
    """A slow reader reads on to the entry that removes it, from the tape, however late it drains."""
    bob = a_member(ada, limit=6000)
    ada.world.run()
    bob.wire.drain()
    bob.connection.paused()
    for i in range(30):
        ada.write(f"{i:0500}")
    last = remove(ada, bob)
    say_more(ada)
    ada.world.run()
    assert bob.seqs()[-1] < last
    assert bob.connection.rooms == {}
    bob.catch_up()
    bob.post(bob.signal("psst", 0), bob.sealed("psst"))
    bob.say(f.Read(q=9, rid=bob.rid, from_=last, to=last + 2))
    assert set(errors(bob)) == {"not_member"}
    for _ in range(20):
        bob.wire.drain()
        ada.world.run()
    begins = bob.seqs().index(1)
    assert bob.seqs()[begins:][-1] == last
    assert set(bob.seqs()) >= set(range(bob.state.seq - 33, last))
    assert bob.connection.listening == {}
    assert not ada.said(f.Shown)


@removals
def test_who_lags_behind_the_tape_reads_from_the_log_up_to_its_removal(rsa: RsaKey, remove: Remove) -> None:
    """What left the tape comes from the log, which holds more: nothing of that is given either."""
    world = RelayWorld(limits=Limits(tape_bytes=2000))
    ada = insider(world, rsa)
    ada.make()
    bob = a_member(ada, limit=3000)
    bob.wire.drain()
    bob.connection.paused()
    for i in range(20):
        ada.write(f"{i:0300}")
    last = remove(ada, bob)
    for _ in range(5):
        ada.catch_up()
        ada.n = 0 if remove is kick and ada.n == 0 else ada.n
        ada.write("x" * 600)
    for _ in range(40):
        bob.wire.drain()
        world.run()
    assert bob.seqs()[-1] == last
    assert bob.connection.listening == {}


def test_nothing_of_the_removed_is_taken(ada: Insider) -> None:
    """From its removal's being accepted on, before it is durable and after it: no post, signal, card, grant, want."""
    bob, carol = a_member(ada), a_member(ada)
    join = next(frame.entry for frame in ada.logged() if parse(frame.entry).sender == bob.identity.pk)
    steps: list[Callable[[], None]] = [lambda: None, ada.world.run]
    for settle in steps:
        if bob.identity.pk in ada.room.membership.members:
            kick(ada, bob)
        settle()
        bob.catch_up()
        bob.n = 0
        bob.keys = dict(ada.keys)  # somebody who leaks
        bob.post(bob.signal("psst", 0))
        bob.post(bob.signal("psst", 1), card=True)
        bob.post(bob.sealed("psst"), bob.rekey(), bob.leaving(), join, bob.epoch(ada.identity.pk))
        bob.connection.binary(f.grant_frame(bob.rid, carol.identity.pk, b"rubbish"), ada.world.now)
        bob.say(f.Want(rid=bob.rid))
        bob.say(f.Have(rid=bob.rid, e=ada.state.epoch))
    last = ada.state.seq
    bob.say(f.Read(q=9, rid=bob.rid, from_=1, to=last))
    bob.say(f.Sub(q=10, room=f.B64(bob.room_id), after=0))
    ada.world.pass_time(5)
    assert ada.seqs()[-1] == last
    assert ada.types()[-1] == EntryType.EPOCH
    assert {refused.code.value for refused in bob.refused()} <= {"forbidden", "stale", "dup"}
    assert set(errors(bob)) == {"not_member"}
    for member in (ada, carol):
        assert (member.said(f.Shown), member.grants(), member.wanted()) == ([], [], [])


def test_the_removed_cannot_come_back_by_any_link(ada: Insider, rsa: RsaKey) -> None:
    """A removal ends every open invite in the same entry; a link made later lets in again."""
    links = [ada.invite(uses=0), ada.invite(uses=5)]
    bob = insider(ada.world, rsa).joined(links[0])
    kick(ada, bob)
    ada.world.run()
    for link in links:
        bob.watch(link)
        assert bob.tried(bob.join(link)) == ["forbidden"]
    link = ada.invite()
    again = insider(ada.world, rsa, identity=bob.identity).joined(link)
    ada.keys[2] = ada.keys[2]
    ada.n = 0
    ada.write("welcome back")
    assert again.types()[-1] == EntryType.MESSAGE


def test_all_connections_of_the_removed_end_here(ada: Insider, rsa: RsaKey) -> None:
    """Also those that only watch; what it has in other rooms goes on."""
    link = ada.invite(uses=0)
    bob = a_member(ada)
    second = insider(ada.world, rsa, identity=bob.identity)
    second.enter_room(ada.room_id)
    watching = insider(ada.world, rsa, identity=bob.identity)
    watching.watch(link)
    other = insider(ada.world, rsa, identity=bob.identity)
    other.make()
    last = kick(ada, bob)
    ada.world.run()
    ada.n = 0
    ada.write("behind his back")
    ada.act(ada.role(bytes(32), Role.READER))
    for member in (bob, second, watching):
        assert member.seqs()[-1] == last
        assert member.connection.places == 0
    other.write("still here")
    assert other.types()[-1] == EntryType.MESSAGE


def test_who_waits_to_be_admitted_can_be_turned_away(ada: Insider, rsa: RsaKey) -> None:
    """A pending one that is removed gets that entry as its last, and is a stranger."""
    link = ada.invite(needs_admit=True)
    bob = insider(ada.world, rsa)
    bob.watch(link)
    bob.act(bob.join(link))
    bob.enter_room(bob.room_id)
    last = kick(ada, bob)
    ada.world.run()
    ada.act(ada.role(bytes(32), Role.READER))
    assert bob.seqs()[-1] == last
    bob.say(f.Sub(q=3, room=f.B64(bob.room_id), after=0))
    assert errors(bob) == ["not_member"]


def test_a_removal_that_is_lost_removes_nobody(ada: Insider) -> None:
    """Accepted and not durable when the disk failed: the member is where it was, and goes on when the log is open."""
    bob = a_member(ada)
    kick(ada, bob)
    ada.world.turns()
    ada.world.store.fail(LogError("the simulated disk broke"))
    ada.world.attach(ada.world.store.crash())
    ada.world.relay.recover(ada.world.store)
    ada.world.run()
    assert ada.wire.ended is not None, "whose entry was lost comes back, and sends it again"
    assert bob.wire.ended is None
    bob.write("still here")
    assert bob.types()[-1] == EntryType.MESSAGE


def test_a_removal_that_became_durable_unnoticed_removes(ada: Insider) -> None:
    """What the disk had when it failed is published when the log is open again, removals as removals."""
    bob, carol = a_member(ada), a_member(ada)
    last = kick(ada, bob)
    say_more(ada)
    ada.world.turns()
    ada.world.store.durable = lambda log, records: None  # the word of it is lost
    ada.world.store.commit()
    ada.world.store.fail(LogError("the simulated disk broke"))
    ada.world.attach(ada.world.store.crash())
    ada.world.relay.recover(ada.world.store)
    ada.world.run()
    assert bob.seqs()[-1] == last
    assert carol.seqs()[-1] == last + 2


def test_two_admins_at_once_are_one_ok_and_one_conflict(ada: Insider) -> None:
    """Entries on the same state in one turn: the first in order counts, the other is told, and makes it again."""
    bob, carol = a_member(ada), a_member(ada)
    ada.act(ada.role(bob.identity.pk, Role.ADMIN))
    bob.catch_up()
    by_ada, by_bob = ada.epoch(carol.identity.pk), bob.role(carol.identity.pk, Role.READER)
    ada.post(by_ada)
    bob.post(by_bob)
    ada.world.run()
    assert [refused.code.value for refused in bob.refused()] == ["stale"]
    ada.catch_up()
    by_ada, by_bob = ada.role(bytes(32), Role.READER), bob.role(ada.identity.pk, Role.MEMBER)
    ada.post(by_ada)
    bob.post(by_bob)
    ada.world.run()
    assert [refused.code.value for refused in bob.refused()] == ["stale", "conflict"]
    assert ada.room.membership.is_admin(ada.identity.pk)
    bob.act(bob.role(ada.identity.pk, Role.MEMBER))
    assert not ada.room.membership.is_admin(ada.identity.pk)
    assert bob.tried(bob.role(bob.identity.pk, Role.MEMBER)) == ["forbidden"], "the last admin"
