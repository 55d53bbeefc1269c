"""What a client knows of a PRIVATE room by seq."""

from __future__ import annotations

import pytest

from sendall.client.chronicle import Chronicle, Past, SavedRoom, pack_room, unpack_room
from sendall.errors import Malformed
from sendall.protocol.bodies import parse_body
from sendall.protocol.entry import Kind, Role, entry_hash, parse
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.tools.private_scribe import PrivateScribe
from tests.tools.states import contents


@pytest.fixture
def scribe() -> PrivateScribe:
    scribe = PrivateScribe("chronicle")
    scribe.found()
    return scribe


def chronicle_of(scribe: PrivateScribe) -> Chronicle:
    """Return what reading the whole log makes of it."""
    chronicle = Chronicle()
    state = RoomState(scribe.room_id, scribe.server.pk, Kind.PRIVATE)
    for line in scribe.lines:
        entry = parse(line.entry)
        if line.verdict is Verdict.OK and entry.is_control:
            chronicle.take(line.seq, entry, parse_body(entry), state)
        state.apply(line.seq, line.time_ms, line.entry)
    return chronicle


def test_it_begins_with_who_made_the_room(scribe: PrivateScribe) -> None:
    """A member from behind the genesis entry on, of all epochs."""
    chronicle = chronicle_of(scribe)
    assert not chronicle.was_member(scribe.ada.pk, 1)
    assert chronicle.was_member(scribe.ada.pk, 2)
    assert chronicle.first_epoch_of(scribe.ada.pk) == 0
    assert [(seq, e) for seq, e, _ in chronicle.epochs] == [(3, 1)]
    assert chronicle.auths == {entry_hash(scribe.lines[0].entry), entry_hash(scribe.lines[2].entry)}
    assert chronicle_of(PrivateScribe("nothing yet")).first_epoch_of(b"?" * 32) == 0


def test_memberships_come_and_go(scribe: PrivateScribe) -> None:
    """By joining, leaving, removal and again; each entry is judged by the membership of its place."""
    scribe.let_in(scribe.bob)
    joined = scribe.state.seq
    scribe.log(scribe.leave(scribe.bob))
    left = scribe.state.seq
    scribe.log(scribe.epoch())
    scribe.let_in(scribe.bob)
    again = scribe.state.seq
    scribe.log(scribe.epoch(removed=[scribe.bob]))
    chronicle = chronicle_of(scribe)
    was = [seq for seq in range(1, scribe.state.seq + 3) if chronicle.was_member(scribe.bob.pk, seq)]
    assert was == [*range(joined + 1, left), *range(again + 1, scribe.state.seq)]
    assert chronicle.first_epoch_of(scribe.bob.pk) == 2


def test_who_waits_is_a_member_from_the_admission_on(scribe: PrivateScribe) -> None:
    """And never was one if removed before."""
    for who, label in ((scribe.bob, "bob"), (scribe.cyd, "cyd")):
        scribe.log(scribe.invite(label, approve=True))
        scribe.log(scribe.join(who, label))
    scribe.log(scribe.admit(scribe.bob.pk))
    admitted = scribe.state.seq
    scribe.log(scribe.epoch(removed=[scribe.cyd]))
    chronicle = chronicle_of(scribe)
    assert not chronicle.was_member(scribe.bob.pk, admitted)
    assert chronicle.was_member(scribe.bob.pk, admitted + 1)
    assert not any(chronicle.was_member(scribe.cyd.pk, seq) for seq in range(scribe.state.seq + 2))


def test_why_an_invite_ended_is_known(scribe: PrivateScribe) -> None:
    """Used up, revoked, or with a removal, which ends all that are open."""
    scribe.log(scribe.invite("revoked"))
    scribe.log(scribe.revoke("revoked"))
    scribe.let_in(scribe.bob)
    scribe.log(scribe.invite("two", uses=2))
    scribe.log(scribe.join(scribe.cyd, "two"))
    scribe.log(scribe.epoch())
    ends = chronicle_of(scribe).ends
    assert ends[scribe.link("revoked").invite_pk] == "revoked"
    assert scribe.link("two").invite_pk not in ends
    assert sorted(ends.values()) == ["revoked", "used up"]
    scribe.log(scribe.epoch(removed=[scribe.bob]))
    chronicle = chronicle_of(scribe)
    assert chronicle.ends[scribe.link("two").invite_pk] == "ended"
    invite = next(line.entry for line in scribe.lines if line.entry[1] == 0x11)
    assert chronicle.invites[entry_hash(invite)] == scribe.link("revoked").invite_pk


def test_roles_keys_and_restarts_change_nothing_but_the_past(scribe: PrivateScribe) -> None:
    """They are in the digest, and a role is an authority entry."""
    scribe.let_in(scribe.bob)
    before = chronicle_of(scribe)
    assert scribe.log(scribe.role(scribe.bob.pk, Role.READER)) is Verdict.OK
    assert scribe.log(scribe.rekey(scribe.bob)) is Verdict.OK
    assert scribe.log(scribe.restart()) is Verdict.OK
    after = chronicle_of(scribe)
    assert (after.epochs, after.tenures) == (before.epochs, before.tenures)
    assert len(after.auths) == len(before.auths) + 1
    assert after.past.seq == scribe.state.seq


def test_the_past_tells_every_difference(scribe: PrivateScribe) -> None:
    """Another entry, another order and another place give another digest."""
    one, two = PrivateScribe("chronicle"), PrivateScribe("chronicle")
    for twin in (one, two):
        twin.found()
    one.log(one.invite("a"))
    two.log(two.message())
    two.log(two.invite("a"))
    pasts = {chronicle_of(s).past for s in (scribe, one, two)}
    assert len({past.digest for past in pasts}) == 3
    assert chronicle_of(scribe).past == chronicle_of(scribe).past


def test_somebody_who_left_since_the_newest_epoch_is_known(scribe: PrivateScribe) -> None:
    """The next epoch settles it; being removed by it is none."""
    assert not Chronicle().has_lost_since_epoch
    scribe.let_in(scribe.bob, scribe.cyd)
    assert not chronicle_of(scribe).has_lost_since_epoch
    scribe.log(scribe.leave(scribe.bob))
    assert chronicle_of(scribe).has_lost_since_epoch
    scribe.log(scribe.epoch(removed=[scribe.cyd]))
    assert not chronicle_of(scribe).has_lost_since_epoch


def test_a_member_may_read_from_where_its_epoch_begins(scribe: PrivateScribe) -> None:
    """A joiner reads the current epoch from its beginning; who made the room, all."""
    scribe.log(scribe.epoch())
    began = scribe.state.seq
    scribe.say("before bob")
    scribe.let_in(scribe.bob)
    chronicle = chronicle_of(scribe)
    assert chronicle.first_seq_for(scribe.bob.pk) == began
    assert chronicle.first_seq_for(scribe.ada.pk) == 1


def test_what_is_packed_comes_back(scribe: PrivateScribe) -> None:
    """State, chronicle and the chain values of the end."""
    scribe.let_in(scribe.bob)
    saved = SavedRoom(scribe.state, chronicle_of(scribe), (b"a" * 32, b"b" * 32))
    state, chronicle, tail = unpack_room(pack_room(saved))
    assert contents(state) == contents(scribe.state)
    assert chronicle == saved.chronicle
    assert tail == saved.tail
    assert unpack_room(pack_room(SavedRoom(scribe.state, Chronicle()))).tail == ()


@pytest.mark.parametrize("packed", [b"", b"rubbish", b"\x80"])
def test_rubbish_is_no_saved_room(packed: bytes) -> None:
    """It is told apart, not taken for an empty one."""
    with pytest.raises(Malformed):
        unpack_room(packed)


def test_a_chronicle_begins_empty() -> None:
    """Nothing was seen yet."""
    assert Chronicle().past == Past(0, b"")
