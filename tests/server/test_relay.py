"""The relay's promises: what it accepts, what everybody is given, and in which order."""

from __future__ import annotations

import os
import unicodedata

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.crypto.sealing import Opener
from sendall.errors import CloseCode, Code, LogError
from sendall.protocol import frames as f
from sendall.protocol.chain import link
from sendall.protocol.chunks import Chunk
from sendall.protocol.entry import MAX_ENTRY, EntryType, Role, parse
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from sendall.server.delivery import Reader
from sendall.steward.authority import Steward
from tests.server.members import ListWire, Member, RelayWorld


def texts(member: Member) -> list[str]:
    """Return what a member can read of what it was given, in order."""
    found = []
    member.take_grants()
    for frame in member.logged():
        entry = parse(frame.entry)
        if entry.type == EntryType.MESSAGE:
            found.append(Opener(member.keys[entry.epoch], member.room_id).open(entry).decode())
    return found


def test_what_one_types_all_see(world: RelayWorld, rsa: RsaKey) -> None:
    """A message reaches everybody in the room, its author included, sealed and in one order."""
    ada, bob, eve = (world.member(rsa) for _ in range(3))
    for member in (ada, bob, eve):
        member.enter()
    ada.post(ada.sealed("one"), ada.sealed("two"))
    bob.post(bob.sealed("three"))
    world.run()
    assert texts(ada) == texts(bob) == texts(eve) == ["one", "two", "three"]
    assert ada.wire.written[-1] is bob.wire.written[-1], "everybody is given the same bytes"


def test_nothing_is_shown_before_it_is_durable(world: RelayWorld, rsa: RsaKey) -> None:
    """An accepted message is in nobody's hands until the log reports it."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    ada.post(ada.sealed("soon"))
    while world.soon:
        world.turn()
    assert texts(ada) == texts(bob) == []
    world.store.commit()
    assert texts(ada) == texts(bob) == ["soon"]


def test_a_room_is_told_of_only_when_its_genesis_is_durable(world: RelayWorld, rsa: RsaKey) -> None:
    """A crash cannot make a room vanish that somebody has pinned."""
    ada = world.member(rsa)
    ada.say(f.Sub(q=1, name="new", after=0, create=True))
    while world.soon:
        world.turn()
    assert not ada.said(f.SubOk)
    world.run()
    assert len(ada.said(f.SubOk)) == 1


def test_the_log_it_serves_is_valid_for_a_strict_reader(world: RelayWorld, rsa: RsaKey) -> None:
    """Every entry, judged with signatures by the shared state machine, is OK and in the chain."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed(str(i)) for i in range(5)))
    world.run()
    world.relay.set_role("lobby", os.urandom(32), Role.READER)
    world.run()
    state = RoomState(ada.room_id, world.identity.pk)
    for frame in ada.logged():
        assert state.apply(frame.seq, frame.time_ms, frame.entry) is Verdict.OK
    assert state.h == world.relay.rooms[ada.room_id].state.h


def test_a_reader_who_comes_late_gets_control_entries_then_the_tail(world: RelayWorld, rsa: RsaKey) -> None:
    """With `tail` a newcomer applies all control entries, then goes on from the server's h."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed(str(i)) for i in range(10)))
    world.run()
    bob = world.member(rsa)
    ok = bob.enter(tail=3)
    assert (ok.first, ok.last, ok.from_) == (1, 12, 9)
    frames = bob.logged()
    assert [frame.seq for frame in frames] == [1, 2, 10, 11, 12]
    h: bytes = ok.h
    for frame in frames[2:]:
        h = link(h, frame.seq, frame.time_ms, frame.entry)
    assert h == world.relay.rooms[bob.room_id].state.h
    assert texts(bob) == ["7", "8", "9"]


@pytest.mark.parametrize(("asked", "begins"), [({"start": 5}, 5), ({"start": 99}, 12), ({"since_ms": 0}, 0), ({}, 0)])
def test_a_reader_begins_where_it_asks(world: RelayWorld, rsa: RsaKey, asked: dict[str, int], begins: int) -> None:
    """`start` and `since_ms` choose the first entry, within what there is."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed(str(i)) for i in range(10)))
    world.run()
    assert world.member(rsa).enter("lobby", create=True, after=0, h=None, **asked).from_ == begins


def test_since_a_time_begins_with_the_first_entry_of_it(world: RelayWorld, rsa: RsaKey) -> None:
    """`since_ms` skips what is older."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(ada.sealed("old"))
    world.run()
    world.pass_time(30)
    ada.post(ada.sealed("new"))
    world.run()
    bob = world.member(rsa)
    bob.enter(since_ms=world.wall - 1000)
    assert texts(bob) == ["new"]


def test_a_reader_resumes_at_its_cursor(world: RelayWorld, rsa: RsaKey) -> None:
    """With `after` and the right h nothing comes twice and nothing is missing."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed(str(i)) for i in range(6)))
    world.run()
    room = world.relay.rooms[ada.room_id]
    bob = world.member(rsa)
    ok = bob.enter(after=4, h=room.reading.h_at(4))
    assert ok.from_ == 4
    assert [frame.seq for frame in bob.logged()] == [5, 6, 7, 8]


def test_a_reader_with_another_history_is_told_and_given_nothing(world: RelayWorld, rsa: RsaKey) -> None:
    """A wrong h, or a cursor beyond the end, is answered with our own end and no entries."""
    ada = world.member(rsa)
    ada.enter()
    for after, h in ((2, b"x" * 32), (50, b"x" * 32)):
        bob = world.member(rsa)
        ok = bob.enter(after=after, h=h)
        assert (ok.from_, ok.cut) == (2, None)
        assert ok.h != h
        assert bob.logged() == []


def test_a_lost_tail_names_the_cut(world: RelayWorld, rsa: RsaKey) -> None:
    """After a restart entry a reader from before it learns where to go back to."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed(str(i)) for i in range(5)))
    world.run()
    survivor = RelayWorld(identity=world.identity)
    survivor.serve(world.store.lose(3))
    bob = survivor.member(rsa)
    bob.enter(create=False)
    assert [parse(e.entry).type for e in bob.logged()][-1] == EntryType.RESTART
    old = survivor.member(rsa)
    ok = old.enter(after=7, h=b"x" * 32)
    assert (ok.cut, ok.from_) == (4, 4)
    assert not old.logged()


def test_a_restarted_server_goes_on_with_numbers_keys_and_order(world: RelayWorld, rsa: RsaKey) -> None:
    """After a crash what was durable is there, its authors' numbers too, and the epoch key still opens."""
    ada = world.member(rsa)
    ada.enter()
    kept, lost = ada.sealed("kept"), ada.sealed("lost")
    ada.post(kept)
    world.run()
    ada.post(lost)
    while world.soon:
        world.turn()
    world.serve(world.store.crash())
    again = Member(world, rsa, ListWire(), ada.identity)
    again.prove()
    world.run()
    again.enter(create=False)
    assert max(again.keys) == 1, "the key was kept, so there is no new epoch"
    again.post(kept, lost)
    world.run()
    assert [refused.code for refused in again.refused()] == [Code.DUP]
    assert texts(again) == ["kept", "lost"]


def test_a_server_that_lost_its_keys_makes_a_new_epoch(world: RelayWorld, rsa: RsaKey) -> None:
    """Another identity cannot open the sealed keys: the room goes on under a new one."""
    ada = world.member(rsa)
    ada.enter()
    room = world.relay.rooms[ada.room_id]
    steward = Steward(world.identity)
    assert not steward.has_key(room.state)
    steward.open_room(room.log)
    assert steward.has_key(room.state)
    world.serve(world.store.crash())
    for log_keys in (world.store.open(ada.room_id),):
        log_keys.keys = dict  # type: ignore[method-assign]  # the disk lost the sealed keys
    bob = world.member(rsa)
    bob.enter(create=False)
    assert set(bob.keys) == {2}


def refuse(member: Member, *entries: bytes) -> list[Code]:
    before = len(member.refused())
    member.post(*entries)
    member.world.run()
    return [refused.code for refused in member.refused()[before:]]


def test_each_reason_to_refuse_has_its_code(world: RelayWorld, rsa: RsaKey) -> None:
    """dup, gap, fork, stale, forbidden and too_big are told apart, and nothing of them is logged."""
    ada, eve = world.member(rsa), world.member(rsa)
    ada.enter()
    eve.enter()
    first = ada.sealed("first")
    ada.post(first)
    world.run()
    last = world.relay.rooms[ada.room_id].state.seq
    assert refuse(ada, first) == [Code.DUP]
    assert refuse(ada, ada.sealed("x", n=7)) == [Code.GAP]
    assert refuse(ada, ada.sealed("x", n=1, head=(2, b"y" * 32))) == [Code.FORK]
    assert refuse(eve, ada.sealed("x", n=1)) == [Code.FORBIDDEN]
    ada.keys[2] = os.urandom(32)
    assert refuse(ada, ada.sealed("x", n=1)) == [Code.STALE]
    del ada.keys[2]
    assert refuse(ada, ada.sealed("x", n=1) + b"z" * MAX_ENTRY) == [Code.TOO_BIG]
    assert refuse(ada, ada.sealed("x", n=1, head=(last + 1, b"y" * 32))) == [Code.MALFORMED]
    assert world.relay.rooms[ada.room_id].state.seq == last


def test_only_the_steward_makes_control_entries(world: RelayWorld, rsa: RsaKey) -> None:
    """A member's control entry is forbidden, whatever it says."""
    ada = world.member(rsa)
    ada.enter()
    entry = bytearray(ada.sealed("x"))
    entry[1] = EntryType.ROLE
    assert refuse(ada, bytes(entry)) == [Code.FORBIDDEN]


def test_a_reader_role_may_not_post(world: RelayWorld, rsa: RsaKey) -> None:
    """Who is made a reader is refused, and goes on reading."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    world.relay.set_role("lobby", bob.identity.pk, Role.READER)
    world.run()
    assert refuse(bob, bob.sealed("psst")) == [Code.FORBIDDEN]
    ada.post(ada.sealed("hear me"))
    world.run()
    assert texts(bob) == ["hear me"]


def test_a_ban_ends_connections_keeps_out_and_changes_the_key(world: RelayWorld, rsa: RsaKey) -> None:
    """The banned one is closed with 4003, cannot come back, and never gets the key of the next epoch."""
    ada, eve = world.member(rsa), world.member(rsa)
    ada.enter()
    eve.enter()
    world.relay.set_role("lobby", eve.identity.pk, Role.BANNED)
    world.run()
    assert eve.wire.ended is not None
    assert eve.wire.ended[0] == CloseCode.BANNED
    ada.enter()
    assert set(ada.keys) == {1, 2}
    back = Member(world, rsa, ListWire(), eve.identity)
    back.prove()
    back.say(f.Sub(q=1, name="lobby", after=0))
    world.run()
    assert [error.code for error in back.errors()] == [Code.BANNED]
    assert not back.said(f.GrantFrame)


def test_a_ban_meets_who_waits_for_the_room_to_be_durable(world: RelayWorld, rsa: RsaKey) -> None:
    """Between asking for a room and its being on the disk a ban is not slipped past."""
    eve = world.member(rsa)
    eve.say(f.Sub(q=1, name="lobby", after=0, create=True))
    world.relay.set_role("lobby", eve.identity.pk, Role.BANNED)
    world.run()
    assert [error.code for error in eve.errors()] == [Code.BANNED]
    assert not eve.logged()


def test_the_epoch_changes_daily(world: RelayWorld, rsa: RsaKey) -> None:
    """After 24 h there is a new epoch, everybody present gets its key, the old number space ends."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(ada.sealed("yesterday"))
    world.run()
    for _ in range(3):
        world.pass_time(1)
    world.wall += 24 * 3600 * 1000
    world.relay.tick()
    world.run()
    ada.enter()
    assert set(ada.keys) == {1, 2}
    ada.n = 0
    assert refuse(ada, ada.sealed("today")) == []
    assert texts(ada)[-1] == "today"


def test_an_unknown_room_is_named_with_the_nearest(world: RelayWorld, rsa: RsaKey) -> None:
    """Reading does not make rooms: the error names the nearest ones."""
    ada = world.member(rsa)
    ada.enter("operations")
    ada.say(f.Sub(q=2, name="operation", after=0))
    world.run()
    assert [(e.q, e.code, e.text) for e in ada.errors()] == [(2, Code.UNKNOWN_ROOM, "operations")]


@pytest.mark.parametrize("name", ["", "a" * 65, "a\nb", "a\u202eb", unicodedata.normalize("NFD", "é")])
def test_a_bad_room_name_is_refused(world: RelayWorld, rsa: RsaKey, name: str) -> None:
    """Names are 1 to 64 bytes of NFC UTF-8 without control or format characters."""
    ada = world.member(rsa)
    ada.say(f.Sub(q=1, name=name, after=0, create=True))
    assert [e.code for e in ada.errors()] == [Code.MALFORMED]


def test_a_page_chains_up_to_a_known_place(world: RelayWorld, rsa: RsaKey) -> None:
    """`read` gives entries that chain from the page's h to an h the reader knows."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed(str(i)) for i in range(10)))
    world.run()
    bob = world.member(rsa)
    ok = bob.enter(tail=2)
    before = len(bob.logged())
    bob.say(f.Read(q=5, rid=bob.rid, from_=5, to=ok.from_))
    (page,) = (p for p in bob.said(f.Page) if isinstance(p, f.Page))
    h: bytes = page.h
    entries = bob.logged()[before:]
    assert [entry.seq for entry in entries] == list(range(5, ok.from_ + 1))
    for entry in entries:
        h = link(h, entry.seq, entry.time_ms, entry.entry)
    assert h == ok.h


def test_a_page_of_nothing_is_an_error(world: RelayWorld, rsa: RsaKey) -> None:
    """A range in which nothing is kept, or a room one is not in, is answered with an error."""
    ada = world.member(rsa)
    ada.enter()
    ada.say(f.Read(q=5, rid=ada.rid, from_=9, to=3))
    ada.say(f.Read(q=6, rid=77, from_=1, to=3))
    assert [(e.q, e.code) for e in ada.errors()] == [(5, Code.STALE), (6, Code.NOT_MEMBER)]


def test_signals_and_cards_reach_those_present_and_are_not_logged(world: RelayWorld, rsa: RsaKey) -> None:
    """A signal is shown now; a card also to whoever comes later; the log knows neither."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    ada.post(ada.signal("typing", 0))
    ada.post(ada.signal("card", 1), card=True)
    world.run()
    assert len(bob.said(f.Shown)) == 2
    eve = world.member(rsa)
    eve.enter()
    assert len(eve.said(f.Shown)) == 1, "the card alone"
    assert world.relay.rooms[ada.room_id].state.seq == 2


def test_a_card_goes_with_its_connection(world: RelayWorld, rsa: RsaKey) -> None:
    """Whoever comes after its owner left is not shown the card."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    ada.post(ada.signal("card", 0), card=True)
    ada.connection.closed()
    eve = world.member(rsa)
    eve.enter()
    assert not eve.said(f.Shown)


def test_presence_tells_who_came_and_went(world: RelayWorld, rsa: RsaKey) -> None:
    """An identity comes with its first connection and goes with its last."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    second = Member(world, rsa, ListWire(), bob.identity)
    second.prove()
    second.enter()
    world.pass_time(2)
    bob.connection.closed()
    world.pass_time(2)
    news = [p for p in ada.said(f.Present) if isinstance(p, f.Present)]
    assert news[-1].count == 2
    assert not any(p.went for p in news)
    second.connection.closed()
    world.pass_time(2)
    news = [p for p in ada.said(f.Present) if isinstance(p, f.Present)]
    assert (news[-1].count, news[-1].went) == (1, [bob.identity.pk])


def test_leaving_a_room_ends_its_entries(world: RelayWorld, rsa: RsaKey) -> None:
    """After `unsub` nothing of the room comes, and posting to it is answered."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    bob.say(f.Unsub(rid=bob.rid))
    before = len(bob.logged())
    ada.post(ada.sealed("gone?"))
    bob.post(bob.sealed("still here?"))
    world.run()
    assert len(bob.logged()) == before
    assert [e.code for e in bob.errors()] == [Code.NOT_MEMBER]


def test_a_want_is_answered_with_the_grant_again(world: RelayWorld, rsa: RsaKey) -> None:
    """A member that lost its key asks and gets it."""
    ada = world.member(rsa)
    ada.enter()
    before = len(ada.said(f.GrantFrame))
    ada.say(f.Want(rid=ada.rid))
    world.run()
    assert len(ada.said(f.GrantFrame)) == before + 1


def test_a_slow_reader_holds_a_position_and_misses_nothing(world: RelayWorld, rsa: RsaKey) -> None:
    """A full transport is written nothing more; once it drains, every entry follows once, in order."""
    ada = world.member(rsa)
    ada.enter()
    slow = world.member(rsa, limit=4000)
    slow.enter()
    slow.wire.drain()
    world.run()
    for i in range(300):
        ada.post(ada.sealed(f"{i:0200}"))
        world.run()
        ada.head = (world.relay.rooms[ada.room_id].state.seq, world.relay.rooms[ada.room_id].state.h)
    assert slow.wire.unsent < 64 * 1024
    assert len(texts(slow)) < 100
    for _ in range(300):
        slow.wire.drain()
        world.run()
    assert texts(slow) == texts(ada)
    assert len(texts(slow)) == 300


def test_a_slow_reader_off_the_tape_reads_from_the_log(rsa: RsaKey) -> None:
    """What left the tape comes from the log, in the same order."""
    world = RelayWorld(limits=Limits(tape_bytes=2000))
    ada = world.member(rsa)
    ada.enter()
    slow = world.member(rsa, limit=1000)
    slow.enter()
    for i in range(100):
        ada.post(ada.sealed(str(i)))
        world.run()
    for _ in range(100):
        slow.wire.drain()
        world.run()
    assert texts(slow) == [str(i) for i in range(100)]


def test_a_reader_without_progress_is_closed_with_4008(world: RelayWorld, rsa: RsaKey) -> None:
    """A transport that takes nothing for 60 s ends; one that takes a little stays; neither is read from."""
    ada = world.member(rsa)
    ada.enter()
    dead, alive = world.member(rsa, limit=3000), world.member(rsa, limit=3000)
    for member in (dead, alive):
        member.enter()
        member.wire.drain()
    ada.post(*(ada.sealed("x" * 2000) for _ in range(5)))
    world.run()
    for _ in range(8):
        ada.say(f.Ping())
        alive.wire.unsent -= 1
        world.pass_time(10)
    assert dead.wire.ended is not None
    assert dead.wire.ended[0] == CloseCode.TOO_SLOW
    assert alive.wire.ended is None
    assert not alive.wire.is_reading


def test_the_disk_failing_stops_posting_not_reading(world: RelayWorld, rsa: RsaKey) -> None:
    """Posts are answered `full`, nothing accepted is shown; then whose entry was lost comes back, readers stay."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(ada.sealed("safe"))
    world.run()
    pending = ada.sealed("pending")
    ada.post(pending)
    while world.soon:
        world.turn()
    broken = world.store
    broken.fail(LogError("the disk is gone"))
    world.run()
    assert refuse(ada, ada.sealed("later")) == [Code.FULL]
    bob = world.member(rsa)
    bob.enter(create=False)
    assert texts(bob) == ["safe"]
    world.attach(broken.crash())
    world.relay.recover(world.store)
    assert ada.wire.ended is not None
    assert ada.wire.ended[0] == CloseCode.RESTARTING
    assert bob.wire.ended is None
    again = world.member(rsa, identity=ada.identity)
    again.session = ada.session
    again.enter(create=False)
    assert refuse(again, pending) == []
    assert texts(bob) == texts(again) == ["safe", "pending"]


def test_a_stop_commits_and_shows_what_was_accepted(world: RelayWorld, rsa: RsaKey) -> None:
    """SIGTERM loses nothing: the last accepted message is durable and shown before 1012."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(ada.sealed("last words"))
    world.relay.finish()
    world.store.close()
    world.relay.dismiss(CloseCode.RESTARTING, "the server restarts")
    assert texts(ada) == ["last words"]
    assert ada.wire.ended == (CloseCode.RESTARTING, "the server restarts")


def test_retention_drops_messages_and_the_keys_that_opened_them(world: RelayWorld, rsa: RsaKey) -> None:
    """After retention the epochs of pruned messages are forgotten; the newest goes on, numbers and all."""
    ada = world.member(rsa)
    ada.enter()
    ada.post(ada.sealed("old"))
    world.run()
    for _ in range(40):
        world.wall += 24 * 3600 * 1000
        world.pass_time(61)
    room = world.relay.rooms[ada.room_id]
    assert room.log.extent.first > 3
    bob = world.member(rsa)
    bob.enter()
    assert texts(bob) == []
    assert max(bob.keys) == room.state.epoch
    assert 1 not in bob.keys
    bob.post(bob.sealed("new"))
    world.run()
    assert not bob.refused()


@pytest.mark.parametrize(("slow_ones", "waits"), [(1, False), (3, True)], ids=["a minority", "most"])
def test_writers_wait_for_most_readers_not_for_a_minority(rsa: RsaKey, slow_ones: int, waits: bool) -> None:
    """Who lags with a minority goes on from the log; when most readers lag the writers are paced."""
    world = RelayWorld(limits=Limits(tape_bytes=4000))
    ada, bob = world.member(rsa), world.member(rsa)
    slow = [world.member(rsa, limit=2000) for _ in range(slow_ones)]
    for member in (ada, bob, *slow):
        member.enter()
    held = 0
    for turn in range(60):
        for _ in range(4):
            if ada.wire.is_reading:
                ada.post(ada.sealed("x" * 900))
            world.run()
        held += not ada.wire.is_reading
        if turn % 2:
            for member in slow:
                member.wire.drain()
        world.run()
        world.now += 0.1
        world.relay.tick()
    assert bool(held) == waits


def test_writers_do_not_wait_for_readers_who_never_catch_up(world: RelayWorld, rsa: RsaKey) -> None:
    """After a second of waiting in vain they go on, and do not wait at all for a while."""
    room = world.relay.rooms.found("lobby")
    world.run()
    room.reading.tape.put(Chunk(3, 4, b"x"))
    room.reading.tape.put(Chunk(5, 6, b"x"))
    room.audience.sent = 6
    reader = Reader(room.audience, lambda data: None, 0, world.now)
    room.audience.add(reader)
    waited = []
    for tenths in range(150):
        now = world.now + tenths / 10
        reader.alive_at = now
        waited.append(room.patience.must_wait(0, now))
    assert waited[:10] == [True] * 10
    assert not any(waited[12:110])
    assert any(waited[112:])
