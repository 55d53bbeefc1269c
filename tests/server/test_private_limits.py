"""Each limit of PRIVATE rooms (docs/threat-model.md, "Denial of service"): answered, and nobody else suffers."""

from __future__ import annotations

import os

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, Code
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType, Role
from tests.server.insiders import Insider, Link, genesis_of, insider
from tests.server.members import RelayWorld


def a_room(rsa: RsaKey, **limits: float) -> Insider:
    """Return an admin in a room of her own, under these limits."""
    ada = insider(RelayWorld(limits=Limits(**limits)), rsa)  # type: ignore[arg-type]  # whole where they must be
    ada.make()
    return ada


def a_member(ada: Insider, link: Link | None = None) -> Insider:
    member = insider(ada.world, ada.rsa).joined(link or ada.invite())
    member.keys = dict(ada.keys)
    return member


def make(member: Insider) -> list[tuple[Code, str]]:
    before = len(member.errors())
    member.say(f.Make(q=1, genesis=f.B64(genesis_of(member.identity))))
    member.world.run()
    return [(error.code, error.text) for error in member.errors()[before:]]


def test_rooms_of_both_kinds_count_together(rsa: RsaKey) -> None:
    """Against the number of rooms of the server, and against one identity's new rooms in an hour."""
    world = RelayWorld(limits=Limits(rooms=3))
    ada = insider(world, rsa)
    ada.enter("lobby")
    assert (make(ada), make(ada)) == ([], [])
    assert make(ada) == [(Code.FULL, "this server takes no more rooms")]
    world.restart()
    ada = insider(world, rsa, identity=ada.identity)
    assert make(ada) == [(Code.FULL, "this server takes no more rooms")]
    world = RelayWorld(limits=Limits(room_creations_per_hour=60))
    ada = insider(world, rsa)
    for number in range(10):
        ada.enter(f"room {number}")
    assert [make(ada) for _ in range(20)] == [[]] * 20
    assert make(ada) == [(Code.SLOW_DOWN, "too many new rooms; the next can be made in 60 s")]
    ada.say(f.Sub(q=1, name="one more", after=0, create=True))
    assert [error.code for error in ada.errors()] == [Code.SLOW_DOWN] * 2
    assert make(insider(world, rsa)) == []


def test_a_room_that_is_there_costs_no_creation(rsa: RsaKey) -> None:
    """Making the same room again is asking for it."""
    world = RelayWorld(limits=Limits(rooms=1))
    ada = insider(world, rsa)
    ada.make()
    genesis = ada.logged()[0].entry
    for _ in range(3):
        assert ada.ask(f.Make(q=1, genesis=f.B64(genesis))).last == 3


@pytest.mark.parametrize("broken", [True, False])
def test_no_room_is_made_on_a_full_disk(rsa: RsaKey, broken: bool) -> None:
    """Nor while the log is broken: `full`, and nothing of it stays."""
    world = RelayWorld()
    ada = insider(world, rsa)
    world.store.is_full = not broken
    world.relay.is_broken = broken
    assert make(ada) == [(Code.FULL, "this server takes no more rooms")]
    assert len(world.relay.rooms) == 0


def test_a_connection_is_in_so_many_rooms_and_watches_no_more(rsa: RsaKey) -> None:
    """Rooms it is in, and rooms it watches, count together; those it has already do not count again."""
    world = RelayWorld(limits=Limits(rooms_per_connection=2))
    ada, eve = insider(world, rsa), insider(world, rsa)
    ada.make()
    link = ada.invite()
    eve.watch(link)
    eve.make()
    eve.enter_room(eve.room_id)
    eve.watch(link)
    assert make(eve) == [(Code.FULL, "a connection is in at most 2 rooms")]
    eve.say(f.Unsub(rid=ada.rid))
    assert make(eve) == []
    assert eve.connection.places == 2


def test_control_entries_beyond_their_rate_are_slowed_down(rsa: RsaKey) -> None:
    """Two a second and 20 at once of one connection, wrong ones counted, too; others notice nothing."""
    ada = a_room(rsa)  # two are used up
    bob = a_member(ada)  # a third, and bob's join
    for _ in range(17):
        assert ada.tried(ada.control(EntryType.REVOKE, bytes(64))) == ["conflict"]
    assert ada.tried(ada.control(EntryType.REVOKE, bytes(64))) == ["slow_down"]
    refused = ada.refused()[-1]
    assert (refused.type, refused.retry_ms) == (EntryType.REVOKE, 501)
    bob.act(bob.rekey())
    ada.write("messages have their own")
    ada.world.now += 0.501
    ada.act(ada.role(bytes(32), Role.READER))


def test_joins_beyond_the_rooms_rate_are_slowed_down(rsa: RsaKey) -> None:
    """One a second of a room, 100 at once; wrong ones use up nobody's chance."""
    ada = a_room(rsa, join_rate=0.03)  # three at once
    link = ada.invite(uses=0)
    eve = insider(ada.world, rsa)
    eve.watch(link)
    for _ in range(10):
        assert eve.tried(eve.join(Link(eve.identity, bytes(32)))) == ["forbidden"]
    for _ in range(3):
        a_member(ada, link)
    bob = insider(ada.world, rsa)
    bob.watch(link)
    join = bob.join(link)
    assert bob.tried(join) == ["slow_down"]
    assert bob.refused()[0].retry_ms is not None
    ada.world.now += (bob.refused()[0].retry_ms or 0) / 1000
    assert bob.tried(join) == []
    assert ada.room.is_member(bob.identity.pk)


def test_a_member_replaces_its_key_once_an_hour(rsa: RsaKey) -> None:
    """A second rekey waits; each member, and each room, has its own hour; the rest goes on."""
    ada = a_room(rsa)
    bob = a_member(ada)
    bob.act(bob.rekey())
    assert bob.tried(bob.rekey()) == ["slow_down"]
    assert bob.refused()[-1].retry_ms == 3_600_001
    assert ada.tried(ada.rekey()) == ["slow_down"], "making the room took one"
    ada.make()
    ada.world.now += 3601
    bob.act(bob.rekey())


def test_a_full_room_takes_no_more_members(rsa: RsaKey) -> None:
    """Members and those who wait count together: `full`, until one goes."""
    ada = a_room(rsa, room_members=3)
    link = ada.invite(uses=0)
    knock = ada.invite(uses=0, needs_admit=True)
    bob = a_member(ada, link)
    waiting = insider(ada.world, rsa)
    waiting.watch(knock)
    waiting.act(waiting.join(knock))
    carol = insider(ada.world, rsa)
    carol.watch(link)
    assert carol.tried(carol.join(link)) == ["full"]
    bob.act(bob.leaving())
    carol.catch_up()
    assert carol.tried(carol.join(link)) == []


def test_a_room_with_too_many_sessions_waits_for_an_admin(rsa: RsaKey) -> None:
    """There is no steward to make an epoch: `full` for new sessions, until an admin rotates."""
    ada = a_room(rsa, sessions_per_room=2)
    bob = a_member(ada)
    ada.write("one")
    ada.session, ada.n = os.urandom(16), 0
    ada.write("two")
    bob.catch_up()
    entry = bob.sealed("three")
    assert bob.tried(entry) == ["full"]
    for _ in range(60):
        ada.world.now += 1
        ada.world.relay.tick()
        ada.world.run()
    assert bob.tried(entry) == ["full"]
    ada.act(ada.epoch())
    bob.keys, bob.n = dict(ada.keys), 0
    bob.write("three")
    assert len(bob.refused()) == 2


def test_grants_beyond_their_rate_are_dropped_without_a_word(rsa: RsaKey) -> None:
    """200 a second and 2,000 at once of one connection."""
    ada = a_room(rsa, grant_rate=0.3)  # three at once
    members = [a_member(ada) for _ in range(5)]
    before = len(ada.frames())
    for member in members:
        ada.give(member.identity.pk, b"the keys")
    assert [len(member.grants()) for member in members] == [1, 1, 1, 0, 0]
    members[0].give(members[4].identity.pk, b"the keys")
    ada.world.now += 4
    ada.give(members[3].identity.pk, b"the keys")
    assert [len(member.grants()) for member in members] == [1, 1, 1, 1, 1]
    assert not ada.errors()
    assert not [frame for frame in ada.frames()[before:] if not isinstance(frame, f.Present)]


def test_an_oversized_grant_ends_the_connection(rsa: RsaKey) -> None:
    """More than 1,024 keys are no grant, and no frame."""
    ada = a_room(rsa)
    ada.give(ada.identity.pk, bytes(f.MAX_GRANT + 1))
    assert ada.wire.ended is not None
    assert ada.wire.ended[0] == CloseCode.MALFORMED


def test_an_oversized_entry_from_outside_is_no_join(rsa: RsaKey) -> None:
    """Whoever watches may send a join, and nothing larger."""
    ada = a_room(rsa)
    eve = insider(ada.world, rsa)
    eve.watch(ada.invite())
    eve.post(bytes([1, EntryType.JOIN]) + bytes(70_000))
    assert [error.code for error in eve.errors()] == [Code.NOT_MEMBER]
    assert ada.tried(ada.control(EntryType.JOIN, bytes(70_000))) == ["too_big"]


def test_a_watcher_that_does_not_read_holds_a_position(rsa: RsaKey) -> None:
    """A long list of control entries comes as fast as it is read; without progress the connection ends with 4008."""
    ada = a_room(rsa, control_rate=0)
    link = ada.invite(uses=0)
    for _ in range(700):
        ada.post(ada.invite_entry())
        ada.world.run()
    slow, dead = (insider(ada.world, rsa, limit=66_000) for _ in range(2))
    for member in (slow, dead):
        member.say(f.Sub(q=1, invite=f.B64(link.hash), after=0))
        ada.world.run()
        assert member.wire.unsent < 140_000
        assert not member.presences()
    for _ in range(3):
        ada.act(ada.role(bytes(32), Role.READER))
        ada.write("not for them")
        slow.wire.drain()
        ada.world.run()
    for _ in range(7):
        slow.wire.drain()
        ada.say(f.Ping())
        ada.world.pass_time(10)
    assert slow.seqs() == [frame.seq for frame in ada.logged() if frame.entry[1] >= 0x10]
    assert len(slow.presences()) == 1
    assert slow.wire.ended is None
    assert dead.wire.ended is not None
    assert dead.wire.ended[0] == CloseCode.TOO_SLOW


def test_requests_of_every_kind_have_one_budget(rsa: RsaKey) -> None:
    """`make` is a request; `have` answers a grant, and is none."""
    ada = insider(RelayWorld(limits=Limits(request_rate=1)), rsa)
    for _ in range(20):
        ada.say(f.Have(rid=1, e=1))
    assert [make(ada) for _ in range(5)] == [[]] * 5
    assert [code for code, _ in make(ada)] == [Code.SLOW_DOWN]
