"""Each limit of docs/threat-model.md, "Denial of service": what is beyond it is answered, nothing else suffers."""

from __future__ import annotations

import os

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, Code
from sendall.protocol import frames as f
from sendall.server.wire import Peer
from tests.server.members import ListWire, Member, RelayWorld


def codes(member: Member) -> list[Code]:
    return [refused.code for refused in member.refused()]


def test_a_member_beyond_its_rate_is_told_when_to_go_on(rsa: RsaKey) -> None:
    """`slow_down` names the wait; after it the same bytes are accepted; other members notice nothing."""
    world = RelayWorld(limits=Limits(member_rate=10, member_burst=3))
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    entries = [ada.sealed(str(i)) for i in range(4)]
    ada.post(*entries)
    bob.post(bob.sealed("me too"))
    world.run()
    (refused,) = ada.refused()
    assert (refused.code, refused.n, refused.retry_ms) == (Code.SLOW_DOWN, 3, 101)
    assert codes(bob) == []
    world.now += 0.101
    ada.post(entries[3])
    world.run()
    assert len(ada.refused()) == 1


def test_a_members_rate_counts_over_all_its_connections(rsa: RsaKey) -> None:
    """Two connections of one identity share one bucket, also after it was full for a while."""
    world = RelayWorld(limits=Limits(member_rate=1, member_burst=2))
    first = world.member(rsa)
    first.enter()
    world.now += 120
    world.relay.tick()
    second = Member(world, rsa, ListWire(), first.identity)
    second.prove()
    second.enter()
    for member in (first, second):
        member.post(member.sealed("1"), member.sealed("2"))
    world.run()
    assert codes(first) == []
    assert codes(second) == [Code.SLOW_DOWN, Code.SLOW_DOWN]


def test_a_room_beyond_its_rate_slows_its_writers(rsa: RsaKey) -> None:
    """The room's bucket holds for all members together."""
    world = RelayWorld(limits=Limits(room_rate=2))
    ada, bob = world.member(rsa), world.member(rsa)
    for member in (ada, bob):
        member.enter()
        member.post(*(member.sealed(str(i)) for i in range(3)))
    world.run()
    assert codes(ada) == []
    assert codes(bob) == [Code.SLOW_DOWN, Code.SLOW_DOWN]


@pytest.mark.parametrize(("trusted", "expected"), [(False, [Code.SLOW_DOWN]), (True, [])])
def test_an_address_has_a_rate_unless_it_is_trusted(rsa: RsaKey, trusted: bool, expected: list[Code]) -> None:
    """Members behind one address share a bucket; loopback and trusted proxies have none."""
    world = RelayWorld(limits=Limits(address_rate=1))
    peer = Peer("192.0.2.7", trusted=trusted, tls=not trusted)
    ada, bob = world.member(rsa, peer=peer), world.member(rsa, peer=peer)
    for member in (ada, bob):
        member.enter()
    ada.post(ada.sealed("1"), ada.sealed("2"))
    bob.post(bob.sealed("3"))
    world.run()
    assert codes(bob) == expected


def test_signals_beyond_their_rate_or_size_are_dropped_without_a_word(rsa: RsaKey) -> None:
    """A flood of typing reaches nobody beyond 20 a second, and nothing over 1 KiB does."""
    world = RelayWorld(limits=Limits(signal_rate=2))
    ada, bob = world.member(rsa), world.member(rsa)
    for member in (ada, bob):
        member.enter()
    ada.post(ada.signal("x" * 2000, 0))
    for n in range(1, 10):
        ada.post(ada.signal("typing", n))
    world.run()
    assert len(bob.said(f.Shown)) == 4
    assert codes(ada) == []


def test_requests_beyond_their_rate_are_answered_slow_down(rsa: RsaKey) -> None:
    """A connection's requests have a bucket of their own."""
    world = RelayWorld(limits=Limits(request_rate=1))
    ada = world.member(rsa)
    for q in range(7):
        ada.say(f.Sub(q=q, name="nowhere", after=0))
    assert [e.code for e in ada.errors()][-2:] == [Code.SLOW_DOWN, Code.SLOW_DOWN]
    assert [e.code for e in ada.errors()][:5] == [Code.UNKNOWN_ROOM] * 5


def test_rooms_of_a_server_and_of_a_connection_are_counted(rsa: RsaKey) -> None:
    """Beyond the number of rooms the server founds none; beyond a connection's it enters none."""
    world = RelayWorld(limits=Limits(rooms=2))
    ada = world.member(rsa)
    for name in ("one", "two"):
        ada.enter(name)
    ada.say(f.Sub(q=9, name="three", after=0, create=True))
    assert [(e.q, e.code) for e in ada.errors()] == [(9, Code.FULL)]
    world = RelayWorld(limits=Limits(rooms_per_connection=1))
    ada = world.member(rsa)
    ada.enter("one")
    ada.say(f.Sub(q=9, name="two", after=0, create=True))
    world.run()
    assert [(e.q, e.code) for e in ada.errors()] == [(9, Code.FULL)]


def test_an_identity_founds_rooms_at_a_rate(rsa: RsaKey) -> None:
    """30 rooms at once, then one a minute; the next one's time is said."""
    world = RelayWorld(limits=Limits(request_rate=0))
    ada = world.member(rsa)
    for i in range(31):
        ada.say(f.Sub(q=i, name=f"room {i}", after=0, create=True))
        world.run()
    assert [(e.q, e.code) for e in ada.errors()] == [(30, Code.SLOW_DOWN)]
    assert "60 s" in ada.errors()[0].text
    world.now += 61
    ada.say(f.Sub(q=31, name="room 30", after=0, create=True))
    world.run()
    assert len(ada.said(f.SubOk)) == 31


def test_a_sender_has_a_number_of_sessions(rsa: RsaKey) -> None:
    """What the server remembers of one sender is bounded: a further session is answered `full`."""
    world = RelayWorld(limits=Limits(sessions_per_sender=2))
    ada = world.member(rsa)
    ada.enter()
    for _ in range(3):
        ada.session, ada.n = os.urandom(16), 0
        ada.post(ada.sealed("hello"))
    world.run()
    assert codes(ada) == [Code.FULL]


def test_a_room_with_too_many_sessions_gets_a_new_epoch(rsa: RsaKey) -> None:
    """What a room remembers is bounded: the steward begins an epoch, in which everything counts anew."""
    world = RelayWorld(limits=Limits(sessions_per_room=2))
    ada = world.member(rsa)
    ada.enter()
    for _ in range(2):
        ada.session, ada.n = os.urandom(16), 0
        ada.post(ada.sealed("hello"))
        world.run()
    assert world.relay.rooms[ada.room_id].state.epoch == 2
    ada.enter()
    ada.session, ada.n = os.urandom(16), 0
    ada.post(ada.sealed("anew"))
    world.run()
    assert codes(ada) == []


def test_ids_and_cards_are_told_only_while_few_are_present(rsa: RsaKey) -> None:
    """Beyond the number there is a count; when few are left their ids are told again."""
    world = RelayWorld(limits=Limits(presence_ids=2))
    members = [world.member(rsa) for _ in range(3)]
    for member in members:
        member.enter()
    world.pass_time(2)
    members[1].post(members[1].signal("card", 0), card=True)
    last = [p for p in members[0].said(f.Present) if isinstance(p, f.Present)][-1]
    assert (last.count, last.came) == (3, [])
    assert not members[0].said(f.Shown)
    members[2].connection.closed()
    world.pass_time(2)
    last = [p for p in members[0].said(f.Present) if isinstance(p, f.Present)][-1]
    assert (last.count, set(last.came)) == (2, {m.identity.pk for m in members[:2]})


def test_presence_is_told_at_most_once_a_second(world: RelayWorld, rsa: RsaKey) -> None:
    """A storm of comings and goings is one frame a second and room."""
    ada = world.member(rsa)
    ada.enter()
    world.pass_time(2)
    before = len(ada.said(f.Present))
    for _ in range(20):
        bob = world.member(rsa)
        bob.enter()
        bob.connection.closed()
    world.run()
    assert len(ada.said(f.Present)) - before <= 1


def test_a_connection_without_proof_ends_after_10_s(world: RelayWorld, rsa: RsaKey) -> None:
    """Who does not prove an identity in time is closed with 4001."""
    wire = ListWire()
    wire.connection = world.relay.open(wire)
    world.pass_time(9)
    assert wire.ended is None
    world.pass_time(2)
    assert wire.ended is not None
    assert wire.ended[0] == CloseCode.NOT_AUTHENTICATED


def test_a_silent_connection_is_pinged_then_given_up(world: RelayWorld, rsa: RsaKey) -> None:
    """A ping after 20 s of silence, the end after 45 s; whoever answers stays."""
    quiet, lively = world.member(rsa), world.member(rsa)
    for _ in range(5):
        world.pass_time(10)
        if lively.said(f.Ping):
            lively.say(f.Pong())
    assert len(quiet.said(f.Ping)) == 1
    assert quiet.wire.ended is not None
    assert quiet.wire.ended[0] == CloseCode.GOING_AWAY
    assert lively.wire.ended is None


def test_a_full_folder_answers_full_and_reading_goes_on(world: RelayWorld, rsa: RsaKey) -> None:
    """At the watermark nobody posts or founds rooms, everybody reads."""
    ada = world.member(rsa)
    ada.enter()
    world.store.is_full = True
    ada.post(ada.sealed("no room"))
    bob = world.member(rsa)
    bob.enter(create=False)
    bob.say(f.Sub(q=5, name="another", after=0, create=True))
    assert codes(ada) == [Code.FULL]
    assert len(bob.logged()) == 2
    assert [(e.q, e.code) for e in bob.errors()] == [(5, Code.FULL)]


def test_grants_are_made_in_slices(world: RelayWorld, rsa: RsaKey) -> None:
    """A join storm gets its grants 20 at a time, between turns of the loop, and each gets one."""
    members = [world.member(rsa) for _ in range(50)]
    members[0].enter()
    for member in members[1:]:
        member.say(f.Sub(q=1, name="lobby", after=0))
    made = []
    while world.soon:
        world.turn()
        made.append(sum(len(m.said(f.GrantFrame)) for m in members[1:]))
    assert made[-1] == 49
    assert max(b - a for a, b in zip([0, *made], made, strict=False)) <= 20


def test_writers_wait_for_the_disk(rsa: RsaKey) -> None:
    """Beyond the bytes that may wait for the disk the writer is not read from, until they are durable."""
    world = RelayWorld(limits=Limits(pending_bytes=1000))
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed("x" * 300) for _ in range(5)))
    assert not ada.wire.is_reading
    world.run()
    assert ada.wire.is_reading


@pytest.mark.parametrize(
    "message",
    [b"", b"\x09" * 9, f.post_frame(1, b"x" * 100), b"\x01\0\0\0\1\xff\xff\xff\xff" + b"x" * 200],
    ids=["empty", "unknown frame", "too short for an entry", "length overflows"],
)
def test_malformed_binary_frames_end_the_connection(world: RelayWorld, rsa: RsaKey, message: bytes) -> None:
    """What is no frame is closed with 4000, and nobody else notices."""
    ada, eve = world.member(rsa), world.member(rsa)
    ada.enter()
    eve.enter()
    eve.connection.binary(message, world.now)
    assert eve.wire.ended is not None
    assert eve.wire.ended[0] == CloseCode.MALFORMED
    assert ada.wire.ended is None


@pytest.mark.parametrize(
    "text",
    [b"{", b'{"t":"nope"}', b'{"t":"ping","x":1}', b'{"t":"sub","q":-1,"name":"a","after":0}', b'"' + b"x" * 20_000],
    ids=["no JSON", "unknown name", "unknown field", "out of range", "over 16 KiB"],
)
def test_malformed_requests_end_the_connection(world: RelayWorld, rsa: RsaKey, text: bytes) -> None:
    """Requests are strict: closed with 4000."""
    eve = world.member(rsa)
    eve.connection.text(text, world.now)
    assert eve.wire.ended is not None
    assert eve.wire.ended[0] == CloseCode.MALFORMED
