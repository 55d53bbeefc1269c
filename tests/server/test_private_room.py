"""PRIVATE rooms at the relay: who is given what, in which order, and who is given nothing."""

from __future__ import annotations

import os

import pytest

from sendall.crypto.primitives import RsaKey
from sendall.errors import Code, LogError
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType, Kind, Role, parse
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.server.insiders import Insider, Link, genesis_of, insider
from tests.server.members import RelayWorld

GENESIS, INVITE, JOIN, EPOCH = EntryType.GENESIS, EntryType.INVITE, EntryType.JOIN, EntryType.EPOCH
REKEY, ROLE, MESSAGE = EntryType.REKEY, EntryType.ROLE, EntryType.MESSAGE


@pytest.fixture
def ada(world: RelayWorld, rsa: RsaKey) -> Insider:
    """An admin in a room of her own: genesis, rekey and epoch 1 are its seqs 1 to 3."""
    ada = insider(world, rsa)
    ada.make()
    return ada


def a_member(ada: Insider, **kw: int) -> Insider:
    """Return somebody who joined by a link of ada's, with the key."""
    member = insider(ada.world, ada.rsa, **kw).joined(ada.invite())  # type: ignore[arg-type]  # limit
    member.keys = dict(ada.keys)
    return member


def codes(member: Insider) -> list[str]:
    return [error.code.value for error in member.errors()]


# --- making one


def test_a_room_is_made_by_its_first_member(world: RelayWorld, rsa: RsaKey) -> None:
    """`make` is answered as a sub from the beginning, once the genesis is durable; the server makes no epoch."""
    ada = insider(world, rsa)
    genesis = genesis_of(ada.identity)
    ada.say(f.Make(q=7, genesis=f.B64(genesis)))
    world.turns()
    assert not ada.said(f.SubOk)
    world.run()
    (ok,) = (ok for ok in ada.said(f.SubOk) if isinstance(ok, f.SubOk))
    assert (ok.q, ok.first, ok.last, ok.from_, bytes(ok.h)) == (7, 1, 1, 0, bytes(ok.room))
    assert [frame.entry for frame in ada.logged()] == [genesis]
    assert [present.count for present in ada.presences()][:1] == [1]
    for _ in range(3):
        world.wall += 24 * 3600 * 1000
        world.pass_time(1)
    assert len(ada.logged()) == 1
    assert ada.grants() == []


def test_the_same_genesis_twice_is_the_same_room(ada: Insider, rsa: RsaKey) -> None:
    """Also on another connection, and after a restart of the server; what came since then is there."""
    world, genesis = ada.world, ada.logged()[0].entry
    for restart in (False, False, True):
        if restart:
            world.restart()
        again = insider(world, rsa, identity=ada.identity)
        ok = again.ask(f.Make(q=1, genesis=f.B64(genesis)))
        assert (bytes(ok.room), ok.last) == (ada.room_id, 3)
        assert again.types() == [GENESIS, REKEY, EPOCH]
    assert len(world.relay.rooms) == 1


@pytest.mark.parametrize("defect", ["short", "open", "named", "signature", "another's", "the server's", "no genesis"])
def test_what_is_no_genesis_of_ones_own_makes_no_room(world: RelayWorld, rsa: RsaKey, defect: str) -> None:
    """It must be whole, PRIVATE, nameless, signed, and by whoever asks; nothing of it is kept."""
    ada = insider(world, rsa)
    genesis = {
        "short": b"genesis",
        "open": genesis_of(ada.identity, kind=Kind.OPEN, name="lobby"),
        "named": genesis_of(ada.identity, name="ops"),
        "signature": genesis_of(ada.identity, sign_as=world.identity),
        "another's": genesis_of(insider(world, rsa).identity),
        "the server's": genesis_of(world.identity),
        "no genesis": bytes([1, 1]) + genesis_of(ada.identity)[2:],
    }[defect]
    ada.say(f.Make(q=4, genesis=f.B64(genesis)))
    world.run()
    expected = Code.FORBIDDEN if defect == "another's" else Code.MALFORMED
    assert [(error.q, error.code) for error in ada.errors()] == [(4, expected)]
    assert len(world.relay.rooms) == 0
    assert world.store.rooms() == []


def test_private_rooms_have_no_name(ada: Insider, rsa: RsaKey) -> None:
    """Neither asking for a name nor the nearest names lead to one; OPEN rooms are not found by their id."""
    world = ada.world
    lobby = world.member(rsa)
    lobby.enter("lobby")
    eve = insider(world, rsa)
    eve.say(f.Sub(q=1, name="", after=0))
    eve.say(f.Sub(q=2, name="lobbi", after=0))
    eve.say(f.Sub(q=3, room=f.B64(lobby.room_id), after=0))
    eve.say(f.Sub(q=4, room=f.B64(os.urandom(32)), after=0))
    world.run()
    assert [(e.code, e.text) for e in eve.errors()] == [
        (Code.MALFORMED, eve.errors()[0].text),
        (Code.UNKNOWN_ROOM, "lobby"),
        (Code.UNKNOWN_ROOM, ""),
        (Code.UNKNOWN_ROOM, ""),
    ]


# --- members


def test_members_are_given_everything_in_one_order(ada: Insider) -> None:
    """Control entries and messages, the same bytes for all, valid for a strict reader."""
    bob, carol = a_member(ada), a_member(ada)
    ada.write("one", "two")
    bob.write("three")
    ada.act(ada.role(carol.identity.pk, Role.READER))
    bob.write("four")
    state = RoomState(ada.room_id, ada.world.identity.pk, Kind.PRIVATE)
    for frame in ada.logged():
        assert state.apply(frame.seq, frame.time_ms, frame.entry) is Verdict.OK
    assert state.h == ada.state.h
    for member in (bob, carol):
        mine = [frame for frame in member.logged() if frame.seq > member.seqs()[-1] - 5]
        assert mine == ada.logged()[-5:]
        assert member.wire.written[-1] is ada.wire.written[-1]


def test_a_member_resumes_and_reads_pages(ada: Insider, rsa: RsaKey) -> None:
    """As in an OPEN room: from its cursor, late with all control entries first, and page by page."""
    bob = a_member(ada)
    ada.write(*"abcdef")
    again = insider(ada.world, rsa, identity=bob.identity)
    head = ada.state.seq
    again.enter_room(ada.room_id, after=head - 2, h=ada.room.reading.h_at(head - 2))
    assert again.seqs() == [head - 1, head]
    late = insider(ada.world, rsa, identity=bob.identity)
    assert late.enter_room(ada.room_id, tail=2).from_ == head - 2
    assert late.seqs() == [1, 2, 3, 4, 5, head - 1, head]
    late.say(f.Read(q=9, rid=late.rid, from_=6, to=8))
    assert late.seqs()[-3:] == [6, 7, 8]


def test_signals_and_cards_are_the_members_own(ada: Insider, rsa: RsaKey) -> None:
    """They reach members only; watchers and others neither see nor send any."""
    bob = a_member(ada)
    link = ada.invite()
    eve = insider(ada.world, rsa)
    eve.watch(link)
    eve.keys = dict(ada.keys)
    ada.post(ada.signal("typing", 0))
    ada.post(ada.signal("card", 1), card=True)
    eve.post(eve.signal("psst", 0))
    eve.post(eve.signal("card", 1), card=True)
    ada.world.run()
    assert [len(member.said(f.Shown)) for member in (ada, bob, eve)] == [2, 2, 0]
    late = a_member(ada)
    assert len(late.said(f.Shown)) == 1
    assert codes(eve) == ["not_member", "not_member"]


def test_presence_counts_members_alone(ada: Insider, rsa: RsaKey) -> None:
    """Watchers are not among those present, and are told a number without ids, which ends their early part."""
    link = ada.invite(uses=0)
    eve = insider(ada.world, rsa)
    eve.watch(link)
    ada.world.pass_time(2)
    assert [(p.count, p.came) for p in eve.presences()] == [(1, [])]
    kinds = [type(frame) for frame in eve.frames() if isinstance(frame, f.Logged | f.Present)]
    assert kinds == [f.Logged] * 4 + [f.Present]
    assert {p.count for p in ada.presences()} == {1}


# --- newcomers


def test_a_newcomer_by_link_is_given_the_control_entries_and_joins(ada: Insider, rsa: RsaKey) -> None:
    """Before and after its beginning, which is the end; its join, once durable, opens the room to it."""
    ada.write("secret")
    link = ada.invite(uses=2)
    ada.write("secrets")
    bob = insider(ada.world, rsa)
    ok = bob.watch(link)
    last = ada.state.seq
    assert (ok.last, ok.from_, bytes(ok.h)) == (last, last, ada.state.h)
    assert bob.types() == [GENESIS, REKEY, EPOCH, INVITE]
    ada.write("more")
    ada.act(ada.role(bytes(32), Role.READER))
    assert bob.types() == [GENESIS, REKEY, EPOCH, INVITE, ROLE]
    bob.act(bob.join(link))
    assert bob.types() == [GENESIS, REKEY, EPOCH, INVITE, ROLE, JOIN]
    bob.enter_room(bob.room_id, after=bob.state.seq)
    assert MESSAGE not in bob.types()
    ada.write("welcome")
    assert bob.types()[-1] == MESSAGE


def test_a_join_that_is_not_on_the_disk_opens_nothing(ada: Insider, rsa: RsaKey) -> None:
    """Whoever asks before his join is durable waits; if it is lost, he has read nothing without being seen."""
    link = ada.invite()
    bob = insider(ada.world, rsa)
    bob.watch(link)
    bob.post(bob.join(link))
    bob.say(f.Sub(q=2, room=f.B64(bob.room_id), after=0))
    ada.world.turns()
    assert len(bob.said(f.SubOk)) == 1
    ada.world.run()
    assert len(bob.said(f.SubOk)) == 2
    link = ada.invite()
    eve = insider(ada.world, rsa)
    eve.watch(link)
    eve.post(eve.join(link))
    eve.say(f.Sub(q=2, room=f.B64(eve.room_id), after=0))
    eve.world.turns()
    eve.world.store.fail(LogError("the simulated disk broke"))
    eve.world.attach(eve.world.store.crash())
    eve.world.relay.recover(eve.world.store)
    eve.world.run()
    assert len(eve.said(f.SubOk)) == 1
    assert not ada.room.is_member(eve.identity.pk)


def test_an_admission_that_is_not_on_the_disk_opens_nothing(ada: Insider, rsa: RsaKey) -> None:
    """Who was waiting enters when his `admit` is durable, not before."""
    link = ada.invite(needs_admit=True)
    bob = insider(ada.world, rsa)
    bob.watch(link)
    bob.act(bob.join(link))
    ada.catch_up()
    ada.post(ada.admit(bob.identity.pk))
    bob.say(f.Sub(q=2, room=f.B64(bob.room_id), after=0))
    ada.world.turns()
    assert len(bob.said(f.SubOk)) == 1
    ada.world.run()
    assert len(bob.said(f.SubOk)) == 2


def test_an_invite_expires_by_the_time_of_the_log(ada: Insider, rsa: RsaKey) -> None:
    """A wall clock that was set back does not open it again: the join is judged at the time it would be logged with."""
    link = ada.invite(expires_ms=ada.world.wall + 1000)
    ada.world.wall += 1001
    ada.write("later")
    ada.world.wall -= 500
    bob = insider(ada.world, rsa)
    bob.watch(link)
    assert bob.tried(bob.join(link)) == ["forbidden"]


@pytest.mark.parametrize("end", ["used", "revoked", "expired", "ended by a removal"])
def test_whoever_comes_by_an_invite_that_ended_is_told_why(ada: Insider, rsa: RsaKey, end: str) -> None:
    """He is given the control entries all the same, which say it; the join is forbidden, and changes nothing."""
    link = ada.invite(expires_ms=ada.world.wall + 1000 if end == "expired" else 0)
    other = ada.invite()
    match end:
        case "used":
            insider(ada.world, rsa).joined(link)
        case "revoked":
            ada.act(ada.revoke(link))
        case "expired":
            ada.world.wall += 1001
        case _:
            mallory = insider(ada.world, rsa).joined(other)
            ada.act(ada.epoch(mallory.identity.pk))
    members = set(ada.room.membership.members)
    eve = insider(ada.world, rsa)
    eve.watch(link)
    assert set(eve.types()) <= {GENESIS, REKEY, EPOCH, INVITE, JOIN, EntryType.REVOKE}
    assert eve.tried(eve.join(link)) == ["forbidden"]
    assert set(ada.room.membership.members) == members


def test_an_unknown_invite_is_an_error(ada: Insider, rsa: RsaKey) -> None:
    """So is one of another server's room, and it stays so when all rooms were looked through."""
    eve = insider(ada.world, rsa)
    eve.say(f.Sub(q=1, invite=f.B64(os.urandom(32)), after=0))
    ada.world.run()
    assert codes(eve) == ["unknown_invite"]


def test_an_invite_is_found_in_rooms_nobody_has_visited(ada: Insider, rsa: RsaKey) -> None:
    """After a restart the rooms are looked through, one a turn, until it is found or there is none left."""
    link = ada.invite()
    for _ in range(3):
        insider(ada.world, rsa).make()
    ada.world.restart()
    eve, bob = insider(ada.world, rsa), insider(ada.world, rsa)
    eve.say(f.Sub(q=1, invite=f.B64(os.urandom(32)), after=0))
    bob.say(f.Sub(q=1, invite=f.B64(link.hash), after=0))
    assert (eve.errors(), bob.said(f.SubOk)) == ([], [])
    ada.world.run()
    assert codes(eve) == ["unknown_invite"]
    (ok,) = (ok for ok in bob.said(f.SubOk) if isinstance(ok, f.SubOk))
    assert bytes(ok.room) == ada.room_id


def test_who_is_pending_sees_control_entries_until_let_in(ada: Insider, rsa: RsaKey) -> None:
    """By invite or by room: no message before an admin's `admit` is durable, everything after entering."""
    link = ada.invite(needs_admit=True)
    bob = insider(ada.world, rsa)
    bob.watch(link)
    bob.act(bob.join(link))
    bob.enter_room(bob.room_id)
    ada.write("not yet")
    assert MESSAGE not in bob.types()
    bob.keys = dict(ada.keys)
    bob.post(bob.sealed("psst"))
    bob.say(f.Read(q=3, rid=bob.rid, from_=1, to=9))
    assert codes(bob) == ["not_member", "not_member"]
    ada.act(ada.admit(bob.identity.pk))
    ada.write("hello")
    assert (bob.types()[-1], MESSAGE in bob.types()) == (EntryType.ADMIT, False), "he still watches"
    bob.enter_room(bob.room_id, after=bob.seqs()[-1])
    assert bob.types()[-1] == MESSAGE


def test_nobody_else_is_given_a_byte(ada: Insider, rsa: RsaKey) -> None:
    """Strangers are no members: no entry, no grant, no presence; neither by guessing the rid."""
    ada.write("secret")
    eve = insider(ada.world, rsa)
    written = len(eve.wire.written)
    eve.room_id, eve.rid, eve.keys, eve.head = ada.room_id, ada.rid, dict(ada.keys), ada.head
    eve.say(f.Sub(q=1, room=f.B64(ada.room_id), after=0))
    eve.say(f.Read(q=2, rid=ada.rid, from_=1, to=9))
    eve.say(f.Want(rid=ada.rid))
    eve.say(f.Have(rid=ada.rid, e=1))
    eve.give(ada.identity.pk, b"rubbish")
    eve.post(eve.sealed("psst"))
    eve.post(eve.signal("psst", 0))
    eve.post(eve.signal("psst", 1), card=True)
    eve.post(eve.epoch(ada.identity.pk))
    eve.post(eve.join(Link(eve.identity, bytes(32))))
    ada.world.pass_time(10)
    assert set(codes(eve)) == {"not_member"}
    assert len(eve.frames()) == len(eve.errors()) + 2, "hello and welcome, and what was wrong"
    assert len(eve.wire.written) == written + len(eve.errors())
    assert ada.seqs() == [1, 2, 3, 4]
    assert (ada.grants(), ada.wanted(), ada.said(f.Shown)) == ([], [], [])


def test_an_entry_is_its_senders_own(ada: Insider) -> None:
    """A member cannot pass on another's entry, nor the server's; nor make a genesis or a restart."""
    bob = a_member(ada)
    revoked = ada.invite()
    assert bob.tried(ada.revoke(revoked)) == ["forbidden"]
    assert bob.tried(ada.sealed("as ada")) == ["forbidden"]
    assert ada.tried(ada.control(EntryType.RESTART, b"")) == ["forbidden"]
    assert ada.tried(genesis_of(ada.identity)) == ["forbidden"]
    assert ada.tried(ada.control(0x21, b"")) == ["forbidden"]


def test_control_entries_are_checked_to_the_last_bit(ada: Insider) -> None:
    """A signature that does not hold, a wrong head, number or epoch: refused by name, nothing logged."""
    seq = ada.state.seq
    good = ada.epoch()
    assert ada.tried(good[:-1] + bytes([good[-1] ^ 1])) == ["malformed"]
    assert ada.tried(ada.control(EntryType.LEAVE, b"", head=(2, bytes(32)))) == ["forbidden"], "the last admin"
    bob = a_member(ada)
    assert bob.tried(bob.control(EntryType.LEAVE, b"", head=(2, bytes(32)))) == ["fork"]
    assert bob.tried(bob.control(EntryType.LEAVE, b"", n=9)) == ["gap"]
    assert bob.tried(bob.control(EntryType.LEAVE, b"", epoch=9)) == ["stale"]
    assert bob.tried(bob.control(EntryType.LEAVE, b"x")) == ["malformed"]
    assert bob.tried(bob.epoch()) == ["forbidden"]
    assert ada.state.seq == seq + 2
    join = parse(ada.logged()[-1].entry)
    assert join.type == JOIN
    assert bob.tried(join.raw) == ["dup"]
