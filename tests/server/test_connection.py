"""A connection's flow control, its end, and what is dropped without a word."""

from __future__ import annotations

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, Code, LogError
from sendall.protocol import frames as f
from sendall.protocol.entry import Role
from tests.server.disks import make_unreadable
from tests.server.members import Member, RelayWorld


def ended(member: Member) -> int | None:
    return member.wire.ended[0] if member.wire.ended else None


def held_writer(rsa: RsaKey) -> Member:
    """Return a member that wrote more than may wait for the disk."""
    world = RelayWorld(limits=Limits(pending_bytes=1000))
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed("x" * 300) for _ in range(5)))
    assert not ada.wire.is_reading
    return ada


def test_a_held_writer_that_drains_is_still_held(rsa: RsaKey) -> None:
    """Room in its transport is no room on the disk: it is read from when the disk is done."""
    ada = held_writer(rsa)
    ada.connection.paused()
    ada.wire.drain()
    assert not ada.wire.is_reading
    ada.world.run()
    assert ada.wire.is_reading


def test_a_stalled_reader_is_not_read_from_when_the_disk_is_done(rsa: RsaKey) -> None:
    """Room on the disk is no room in its transport: it is read from when it drained."""
    ada = held_writer(rsa)
    ada.connection.paused()
    ada.world.run()
    assert not ada.wire.is_reading
    ada.wire.drain()
    assert ada.wire.is_reading


def test_a_held_writer_is_not_given_up_for_its_silence(rsa: RsaKey) -> None:
    """Whom the server does not read from it cannot hear: neither ping nor end, and afterwards silence counts anew."""
    ada = held_writer(rsa)
    ada.world.now += 100
    ada.connection.tick(ada.world.now)
    assert not ada.said(f.Ping)
    ada.world.run()
    ada.connection.tick(ada.world.now)
    assert (ada.said(f.Ping), ada.wire.ended) == ([], None)


def test_a_held_writer_that_vanishes_is_forgotten(rsa: RsaKey) -> None:
    """The room's next breath is nothing to a connection that is gone; its entries are kept."""
    ada = held_writer(rsa)
    ada.connection.closed()
    ada.world.run()
    assert not ada.wire.is_reading
    assert ada.world.relay.rooms[ada.room_id].log.extent.last == 7


def test_the_first_reason_of_an_end_is_the_one_that_is_told(world: RelayWorld, rsa: RsaKey) -> None:
    """Whoever was closed for a ban is not closed again by a stop, and its end is taken in once."""
    eve = world.member(rsa)
    eve.enter()
    world.relay.set_role("lobby", eve.identity.pk, Role.BANNED)
    world.relay.dismiss(CloseCode.RESTARTING, "the server restarts")
    assert ended(eve) == CloseCode.BANNED
    eve.connection.closed()
    assert not world.relay.connections


def test_nothing_follows_the_close_frame(world: RelayWorld, rsa: RsaKey) -> None:
    """What was asked for before the end and is answered after it is not written."""
    ada = world.member(rsa)
    ada.say(f.Sub(q=1, name="new", after=0, create=True))
    ada.connection.end(CloseCode.GOING_AWAY, "enough")
    written = len(ada.wire.written)
    world.store.fail(LogError("the disk is gone"))
    world.relay.recover(world.store.crash())
    world.run()
    assert len(ada.wire.written) == written


def test_leaving_ends_a_history_on_its_way(world: RelayWorld, rsa: RsaKey) -> None:
    """A long history comes in several turns; after `unsub` the rest of it does not."""
    ada = world.member(rsa)
    ada.enter()
    for i in range(30):
        ada.post(ada.sealed(str(i)))
        world.run()
    bob = world.member(rsa)
    bob.say(f.Sub(q=1, name="lobby", after=0))
    begun = len(bob.logged())
    assert 0 < begun < 30
    bob.say(f.Unsub(rid=ada.rid))
    world.run()
    assert len(bob.logged()) == begun


def test_a_reader_whom_retention_overtook_comes_back(rsa: RsaKey) -> None:
    """Who lags behind the oldest kept entry is closed with 4008, and then reads what is kept."""
    world = RelayWorld(limits=Limits(tape_bytes=1000))
    ada, slow = world.member(rsa), world.member(rsa)
    ada.enter()
    slow.enter()
    slow.connection.paused()
    for i in range(10):
        ada.post(ada.sealed(str(i)))
        world.run()
    world.wall += 40 * 24 * 3600 * 1000
    world.pass_time(1)
    assert world.relay.rooms[ada.room_id].log.extent.first == 13
    slow.wire.drain()
    assert ended(slow) == CloseCode.TOO_SLOW
    again = world.member(rsa, identity=slow.identity)
    assert again.enter(create=False, after=2).from_ == 12


def test_a_log_that_cannot_be_read_ends_its_readers_alone(rsa: RsaKey) -> None:
    """Who would be given damaged entries is closed with 1001, whatever it asked; members who lack nothing go on."""
    world = RelayWorld(limits=Limits(tape_bytes=1000))
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed("x" * 900) for _ in range(3)))
    world.restart()
    ada, lagging, paging, writing = (world.member(rsa, identity=ada.identity) for _ in range(4))
    for member in (ada, lagging, paging, writing):
        member.enter(create=False)
    lagging.connection.paused()
    for i in range(5):
        ada.post(ada.sealed("x" * 900, n=i))
        world.run()
    make_unreadable(world.relay.rooms[ada.room_id].log)
    lagging.wire.drain()
    paging.say(f.Read(q=1, rid=paging.rid, from_=1, to=4))
    writing.post(writing.sealed("late", n=0, head=(3, b"h" * 32)))
    assert [ended(member) for member in (lagging, paging, writing)] == [CloseCode.GOING_AWAY] * 3
    before = len(ada.logged())
    ada.post(ada.sealed("unharmed", n=5))
    world.run()
    assert len(ada.logged()) == before + 1


@pytest.mark.parametrize("case", ["a message", "somebody else's", "too large", "of another epoch"])
def test_a_card_that_is_none_is_dropped(world: RelayWorld, rsa: RsaKey, case: str) -> None:
    """Only a small signal of one's own, under the current key, is kept and shown as a card."""
    ada, eve = world.member(rsa), world.member(rsa)
    ada.enter()
    eve.enter()
    match case:
        case "a message":
            card = eve.sealed("card")
        case "somebody else's":
            card = ada.signal("card", 0)
        case "too large":
            card = eve.signal("x" * 1000, 0)
        case _:
            signal = eve.signal("card", 0)
            card = signal[:4] + (7).to_bytes(4, "big") + signal[8:]
    eve.post(card, card=True)
    late = world.member(rsa)
    late.enter()
    assert not any(member.said(f.Shown) for member in (ada, eve, late))
    assert (ended(eve), eve.refused()) == (None, [])


def test_who_does_not_read_is_not_given_more_to_read(world: RelayWorld, rsa: RsaKey) -> None:
    """A `sub` or `read` that came while the answers pile up is answered `slow_down`."""
    ada = world.member(rsa)
    ada.enter()
    ada.connection.paused()
    ada.say(f.Sub(q=7, name="lobby", after=0))
    ada.say(f.Read(q=8, rid=ada.rid, from_=1, to=2))
    assert [(e.q, e.code) for e in ada.errors()] == [(7, Code.SLOW_DOWN), (8, Code.SLOW_DOWN)]


def test_a_want_is_answered_every_five_seconds(world: RelayWorld, rsa: RsaKey) -> None:
    """A grant costs the server 0.1 ms of RSA: asked for more often, or for another's room, it is not made."""
    ada, eve = world.member(rsa), world.member(rsa)
    ada.enter()
    before = len(ada.said(f.GrantFrame))
    for _ in range(6):
        ada.say(f.Want(rid=ada.rid))
        eve.say(f.Want(rid=ada.rid))
        world.run()
        world.now += 1
    assert len(ada.said(f.GrantFrame)) == before + 2
    assert not eve.said(f.GrantFrame)


def test_leaving_a_room_one_is_not_in_changes_nothing(world: RelayWorld, rsa: RsaKey) -> None:
    """An `unsub` that crossed another is no error, and takes nobody else out of the room."""
    ada, eve = world.member(rsa), world.member(rsa)
    ada.enter()
    eve.say(f.Unsub(rid=ada.rid))
    ada.post(ada.sealed("hello"))
    world.run()
    assert (eve.errors(), ended(eve)) == ([], None)
    assert len(ada.logged()) == 3


def test_a_writer_held_by_two_rooms_waits_for_both(rsa: RsaKey) -> None:
    """One room that can go on does not open the door for the other, which cannot."""
    world = RelayWorld(limits=Limits(pending_bytes=1000))
    ada = world.member(rsa)
    rooms = []
    for name in ("one", "two"):
        ada.enter(name)
        rooms.append(world.relay.rooms[ada.room_id])
    for room in rooms:
        ada.connection.hold(room)
    ada.connection.unhold(rooms[0])
    assert not ada.wire.is_reading
    ada.connection.unhold(rooms[1])
    assert ada.wire.is_reading
