"""Grants in PRIVATE rooms: kept for who is away, handed to whom they are for, gone when their time is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, LogError
from sendall.log.roomlog import GRANTS_PER_RECIPIENT
from sendall.protocol import frames as f
from sendall.protocol.entry import ZERO_32
from tests.server.disks import SqliteWorld, make_unreadable
from tests.server.insiders import Insider, Link, insider
from tests.server.members import RelayWorld


@pytest.fixture
def ada(world: RelayWorld, rsa: RsaKey) -> Insider:
    ada = insider(world, rsa)
    ada.make()
    return ada


def a_member(ada: Insider, link: Link | None = None) -> Insider:
    member = insider(ada.world, ada.rsa).joined(link or ada.invite())
    member.keys = dict(ada.keys)
    return member


def back(member: Insider) -> Insider:
    """Return the same member on a new connection, in the room; the old one is gone."""
    if not member.connection.is_closed:
        member.connection.closed()
    again = insider(member.world, member.rsa, identity=member.identity)
    again.enter_room(member.room_id)
    return again


def test_a_grant_goes_to_its_recipient_at_once_and_to_nobody_else(ada: Insider, rsa: RsaKey) -> None:
    """On all its connections; whoever watches, or has the same identity elsewhere, gets none."""
    bob, carol = a_member(ada), a_member(ada)
    second = insider(ada.world, rsa, identity=bob.identity)
    second.enter_room(ada.room_id)
    elsewhere = insider(ada.world, rsa, identity=bob.identity)
    elsewhere.watch(ada.invite())
    ada.give(bob.identity.pk, b"the keys")
    assert bob.grants() == second.grants() == [(bob.identity.pk, b"the keys")]
    assert [member.grants() for member in (ada, carol, elsewhere)] == [[], [], []]


def test_a_new_epoch_brings_nobody_an_old_grant(ada: Insider) -> None:
    """Who makes the epoch leaves new ones: what was given already is not given again with its entry."""
    bob = a_member(ada)
    ada.give(bob.identity.pk, b"the keys")
    ada.act(ada.epoch())
    assert bob.grants() == [(bob.identity.pk, b"the keys")]


def test_a_grant_waits_for_who_is_away(ada: Insider) -> None:
    """Given when it comes, each time, until it says that it has the current key; also by the next server process."""
    bob = a_member(ada)
    bob.connection.closed()
    ada.give(bob.identity.pk, b"the keys")
    for restart in (False, True):
        if restart:
            ada.world.restart()
        bob = back(bob)
        assert bob.grants() == [(bob.identity.pk, b"the keys")]
    for e, expected in ((2, 1), (0, 1), (1, 0)):
        bob.say(f.Have(rid=bob.rid, e=e))
        ada.world.run()
        bob = back(bob)
        assert len(bob.grants()) == expected
    ada.world.restart()
    assert back(bob).grants() == []


def test_the_latest_grant_of_each_granter_counts_and_eight_in_all(ada: Insider) -> None:
    """Nobody's rubbish takes the place of another's grant but the oldest of nine."""
    granters = [a_member(ada) for _ in range(GRANTS_PER_RECIPIENT)]
    bob = a_member(ada)
    bob.connection.closed()
    ada.give(bob.identity.pk, b"first")
    for _ in range(2):
        for granter in granters[:-1]:
            granter.give(bob.identity.pk, granter.identity.pk)
    given = {grant for _, grant in back(bob).grants()}
    assert given == {b"first", *(granter.identity.pk for granter in granters[:-1])}
    granters[-1].give(bob.identity.pk, b"ninth")
    given = {grant for _, grant in back(bob).grants()}
    assert given == {b"ninth", *(granter.identity.pk for granter in granters[:-1])}


def test_a_joiner_gets_what_was_left_at_the_door(ada: Insider, rsa: RsaKey) -> None:
    """As frames that name the invite, each time until it has the key; nobody gets any before the join is durable."""
    link = ada.invite(uses=2)
    ada.give(link.pk, b"at the door")
    eve = insider(ada.world, rsa)
    eve.watch(link)
    bob = a_member(ada, link)
    assert bob.grants() == [(link.pk, b"at the door")]
    assert back(bob).grants() == [(link.pk, b"at the door")]
    assert a_member(ada, link).grants() == [(link.pk, b"at the door")]
    assert eve.grants() == []
    ada.world.restart()
    bob = back(bob)
    assert bob.grants() == [(link.pk, b"at the door")]
    bob.say(f.Have(rid=bob.rid, e=1))
    assert back(bob).grants() == []


def used(ada: Insider, link: Link) -> None:
    a_member(ada, link)


def revoked(ada: Insider, link: Link) -> None:
    ada.act(ada.revoke(link))


def expired(ada: Insider, link: Link) -> None:
    ada.world.pass_time(61)


def removal(ada: Insider, link: Link) -> None:
    bob = a_member(ada)
    ada.act(ada.epoch(bob.identity.pk))


@pytest.mark.parametrize("end", [used, revoked, expired, removal])
def test_what_was_left_at_a_door_goes_with_the_invite(ada: Insider, end: Callable[[Insider, Link], None]) -> None:
    """Used up, revoked, expired, or ended by a removal: nothing is kept, and nothing more is taken for it."""
    link = ada.invite(expires_ms=ada.world.wall + 60_000)
    other = ada.invite()
    for invite in (link, other):
        ada.give(invite.pk, b"at the door")
    end(ada, link)
    ada.give(link.pk, b"too late")
    assert ada.room.log.grants(link.pk) == []
    assert bool(ada.room.log.grants(other.pk)) is (end is not removal)


@pytest.mark.parametrize("end", ["removed", "leaves", "rekeys"])
def test_a_members_grants_go_when_they_open_nothing_more(ada: Insider, end: str) -> None:
    """Sealed to a key that is gone, or to somebody who may not have it: dropped with the entry that says so."""
    bob = a_member(ada)
    ada.give(bob.identity.pk, b"the keys")
    ada.world.now += 3600
    match end:
        case "removed":
            ada.act(ada.epoch(bob.identity.pk))
        case "leaves":
            bob.post(bob.leaving())
        case _:
            bob.act(bob.rekey())
    ada.world.run()
    assert ada.room.log.grants(bob.identity.pk) == []


def test_a_lost_entry_takes_its_grants_back_with_it(ada: Insider, rsa: RsaKey) -> None:
    """A join that is lost leaves the grants at the door; a rekey that is lost leaves the member's."""
    link = ada.invite()
    ada.give(link.pk, b"at the door")
    bob = a_member(ada)
    ada.give(bob.identity.pk, b"the keys")
    ada.world.now += 3600
    eve = insider(ada.world, rsa)
    eve.watch(link)
    eve.post(eve.join(link))
    bob.post(bob.rekey())
    ada.world.turns()
    assert ada.room.grants.of(link.pk) == ada.room.grants.of(bob.identity.pk) == []
    ada.world.store.fail(LogError("the simulated disk broke"))
    ada.world.attach(ada.world.store.crash())
    ada.world.relay.recover(ada.world.store)
    ada.world.run()
    assert [grant.sealed for grant in ada.room.grants.of(link.pk)] == [b"at the door"]
    assert [grant.sealed for grant in ada.room.grants.of(bob.identity.pk)] == [b"the keys"]
    assert ada.room.grants.of(eve.identity.pk) == []


@pytest.mark.parametrize("case", ["a stranger", "pending", "no door", "admit first", "expired", "an OPEN room", "full"])
def test_a_grant_that_nobody_may_have_is_dropped_without_a_word(ada: Insider, rsa: RsaKey, case: str) -> None:
    """Only members, and open invites with a door and without a doorman, have grants; no answer distinguishes them."""
    world = ada.world
    recipient = insider(world, rsa).identity.pk
    match case:
        case "pending":
            link = ada.invite(needs_admit=True)
            waiting = insider(world, rsa)
            waiting.watch(link)
            waiting.act(waiting.join(link))
            recipient = waiting.identity.pk
        case "no door":
            recipient = ada.invite(door=ZERO_32).pk
        case "admit first":
            recipient = ada.invite(needs_admit=True).pk
        case "expired":
            recipient = ada.invite(expires_ms=world.wall + 1).pk
            world.wall += 2
        case "full":
            recipient = a_member(ada).identity.pk
            world.store.is_full = True
        case _:
            pass
    before = len(ada.frames())
    if case == "an OPEN room":
        bob = world.member(rsa)
        bob.enter()
        bob.connection.binary(f.grant_frame(bob.rid, bob.identity.pk, b"rubbish"), world.now)
        assert not bob.errors()
        assert len(bob.said(f.GrantFrame)) == 1, "the steward's"
    ada.give(recipient, b"the keys")
    assert ada.room.log.grants(recipient) == []
    assert len(ada.frames()) == before


def test_a_slow_reader_is_given_its_grants_when_it_drains(ada: Insider) -> None:
    """Nothing piles up in a transport that is full, and nothing is forgotten."""
    bob = a_member(ada)
    bob.connection.paused()
    ada.give(bob.identity.pk, b"the keys")
    assert bob.grants() == []
    bob.wire.drain()
    ada.world.run()
    assert bob.grants() == [(bob.identity.pk, b"the keys")]


def test_no_grant_comes_before_the_early_part_has_ended(rsa: RsaKey) -> None:
    """Who comes late and reads slowly gets all control entries first: a grant would say that they are over."""
    world = RelayWorld(limits=Limits(control_rate=0))
    ada = insider(world, rsa)
    ada.make()
    bob = a_member(ada)
    for _ in range(900):
        ada.post(ada.invite_entry())
        world.run()
    ada.write("the end")
    bob.connection.closed()
    ada.give(bob.identity.pk, b"the keys")
    fast = insider(world, rsa, identity=bob.identity)
    fast.say(f.Sub(q=1, room=f.B64(ada.room_id), after=0, tail=1))
    ada.connection.binary(f.grant_frame(ada.rid, bob.identity.pk, b"the keys"), world.now)
    world.run()
    slow = insider(world, rsa, identity=bob.identity, limit=70_000)
    slow.say(f.Sub(q=1, room=f.B64(ada.room_id), after=0, tail=1))
    slow.rid = ada.rid
    for _ in range(20):
        world.run()
        assert slow.wire.unsent < 140_000
        ada.give(bob.identity.pk, b"new keys")
        slow.wire.drain()
    world.run()
    for member, keys in ((fast, b"the keys"), (slow, b"new keys")):
        kinds = [type(frame) for frame in member.frames() if isinstance(frame, f.Logged | f.GrantFrame | f.Present)]
        logged = kinds.count(f.Logged)
        assert logged == ada.state.seq
        assert kinds[:logged] == [f.Logged] * logged
        assert keys in {grant for _, grant in member.grants()}


def test_who_has_no_grants_costs_the_disk_nothing(ada: Insider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saying `have` again and again, and coming back, neither writes nor reads when there is nothing."""
    bob = a_member(ada)
    ada.give(bob.identity.pk, b"the keys")
    bob.say(f.Have(rid=bob.rid, e=1))
    ada.world.run()
    changes: list[bytes] = []
    monkeypatch.setattr(ada.room.log, "drop_grants", changes.extend)  # what the disk is told to do
    make_unreadable(ada.room.log, "grants")
    for _ in range(3):
        bob.say(f.Have(rid=bob.rid, e=1))
        bob = back(bob)
    assert changes == []
    ada.give(bob.identity.pk, b"new keys")
    bob.say(f.Have(rid=bob.rid, e=1))
    assert changes == [bob.identity.pk]


def test_grants_that_cannot_be_read_end_their_recipient_alone(ada: Insider) -> None:
    """Damage under the grants closes who should have them, with 1001; the room goes on."""
    bob = a_member(ada)
    bob.connection.closed()
    ada.give(bob.identity.pk, b"the keys")
    make_unreadable(ada.room.log, "grants")
    again = insider(ada.world, bob.rsa, identity=bob.identity)
    again.say(f.Sub(q=1, room=f.B64(ada.room_id), after=0))
    ada.world.run()
    assert again.wire.ended is not None
    assert again.wire.ended[0] == CloseCode.GOING_AWAY
    ada.write("unharmed")
    assert ada.wire.ended is None


def test_damage_at_the_door_ends_the_joiner_and_joins_nobody(ada: Insider, rsa: RsaKey) -> None:
    """A join whose grants cannot be read is not half accepted: nothing of it is logged, and it can come back."""
    link = ada.invite()
    bob = insider(ada.world, rsa)
    bob.watch(link)
    make_unreadable(ada.room.log, "grants")
    bob.post(bob.join(link))
    ada.world.run()
    assert bob.wire.ended is not None
    assert not ada.room.is_member(bob.identity.pk)
    del ada.room.log.grants  # the disk reads it again
    again = insider(ada.world, rsa, identity=bob.identity).joined(link)
    assert ada.seqs()[-1] == again.state.seq


@pytest.fixture
def sqlite_world(tmp_path: Path) -> Iterator[SqliteWorld]:
    world = SqliteWorld(tmp_path)
    yield world
    world.disk.close()


def test_a_restarted_server_has_kept_everything(sqlite_world: SqliteWorld, rsa: RsaKey) -> None:
    """Members, invites, roles, messages and grants, on a real disk; a link made before lets in after it."""
    ada = insider(sqlite_world, rsa)
    ada.make()
    link = ada.invite()
    bob = a_member(ada)
    bob.write("hello")
    ada.give(link.pk, b"at the door")
    ada.give(bob.identity.pk, b"the keys")
    sqlite_world.restart()
    bob = back(bob)
    assert bob.grants() == [(bob.identity.pk, b"the keys")]
    carol = insider(sqlite_world, rsa).joined(link)
    assert carol.grants() == [(link.pk, b"at the door")]
    assert set(carol.room.membership.members) == {member.identity.pk for member in (ada, bob, carol)}
    carol.keys = dict(ada.keys)
    carol.write("hello")
    assert bob.seqs()[-1] == carol.state.seq
