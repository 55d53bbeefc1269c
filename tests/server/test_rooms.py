"""The rooms of a server: damaged ones beside sound ones, and a log that fails and is opened anew."""

from __future__ import annotations

import os

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, Code, LogError
from sendall.log.memory import MemoryStore
from sendall.log.roomlog import Retention
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType, Role, parse
from tests.server.disks import make_unreadable
from tests.server.members import Member, RelayWorld

DAY_MS = 24 * 3600 * 1000
KEEP_NONE = Retention(max_age_ms=1 << 50, max_bytes=1 << 50, max_count=0)


def asks(member: Member, q: int, name: str, *, create: bool = False) -> None:
    member.say(f.Sub(q=q, name=name, after=0, create=create))


def told(member: Member) -> list[tuple[int | None, Code]]:
    return [(error.q, error.code) for error in member.errors()]


def break_disk(world: RelayWorld) -> MemoryStore:
    """Let the disk fail, and return what a new start finds on it."""
    world.store.fail(LogError("the simulated disk broke"))
    return world.store.crash()


def recover(world: RelayWorld, store: MemoryStore) -> None:
    """Open the log anew under the running relay."""
    world.attach(store)
    world.relay.recover(store)
    world.run()


# --- damage


@pytest.mark.parametrize("what", ["latest_checkpoint", "read", "keys"])
def test_a_damaged_room_is_refused_and_the_others_are_served(world: RelayWorld, rsa: RsaKey, what: str) -> None:
    """A room that could not be read is not served, nor tried again, before the log is opened anew."""
    ada = world.member(rsa)
    for name in ("bad", "good"):
        ada.enter(name)
        if name == "bad":
            damaged = ada.room_id
    world.serve(world.store.crash())
    log = world.store.open(damaged)
    make_unreadable(log, what)
    bob = world.member(rsa)
    asks(bob, 1, "bad")
    delattr(log, what)  # a disk that reads it now and then
    asks(bob, 2, "bad")
    assert told(bob) == [(1, Code.FULL), (2, Code.FULL)]
    bob.enter("good", create=False)
    bob.post(bob.sealed("unharmed"))
    world.run()
    assert not bob.refused()
    recover(world, break_disk(world))
    bob.enter("bad", create=False)
    assert max(bob.keys) == 1


def test_damage_met_while_loading_idle_rooms_harms_nothing(world: RelayWorld, rsa: RsaKey) -> None:
    """Rooms that nobody visits are loaded one a second; a damaged one is said once and passed over."""
    ada = world.member(rsa)
    for name in ("a", "b", "c"):
        ada.enter(name)
        if name == "b":
            damaged = ada.room_id
    world.serve(world.store.crash())
    make_unreadable(world.store.open(damaged))
    seen = []
    for _ in range(4):
        world.pass_time(1)
        seen.append(sorted(room.state.name for room in world.relay.rooms))
    assert seen == [["a"], ["a"], ["a", "c"], ["a", "c"]]


@pytest.mark.parametrize("asked", [{"tail": 0}, {"since_ms": 0}], ids=["what follows", "where it begins"])
def test_a_log_that_cannot_be_read_back_harms_no_other_room(
    world: RelayWorld, rsa: RsaKey, asked: dict[str, int]
) -> None:
    """Who waited for a room that cannot be read is closed with 1001; other rooms of the same commit get theirs."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter("lobby")
    bob.say(f.Sub(q=1, name="new", after=0, create=True, **asked))  # type: ignore[arg-type]  # numbers
    (founded,) = (room for room in world.relay.rooms if room.state.name == "new")
    make_unreadable(founded.log)
    ada.post(ada.sealed("hello"))
    world.run()
    assert bob.wire.ended is not None
    assert bob.wire.ended[0] == CloseCode.GOING_AWAY
    assert len(ada.logged()) == 3


def test_rooms_of_another_identity_are_not_served(
    world: RelayWorld, rsa: RsaKey, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder whose identity file was lost says so, instead of making entries that nobody can accept."""
    world.member(rsa).enter("kept")
    stranger = RelayWorld()
    stranger.serve(world.store.crash())
    ada = stranger.member(rsa)
    asks(ada, 1, "kept", create=True)
    stranger.run()
    assert told(ada) == [(1, Code.FULL)]
    assert "another server identity" in caplog.text


def test_names_are_not_compared_for_whoever_guesses(world: RelayWorld, rsa: RsaKey) -> None:
    """Comparing names costs time: beyond ten guesses at once the error names no rooms."""
    ada = world.member(rsa)
    ada.enter("operations")
    for q in range(12):
        asks(ada, q, "operation")
    assert [error.text for error in ada.errors()] == ["operations"] * 10 + ["", ""]


# --- roles


def test_a_role_in_a_room_that_is_none_is_an_error(world: RelayWorld) -> None:
    """The operator is told of a misspelt room, and none is made."""
    with pytest.raises(KeyError, match="loby"):
        world.relay.set_role("loby", os.urandom(32), Role.READER)
    assert len(world.relay.rooms) == 0


def test_a_role_while_the_log_is_broken_is_an_error(world: RelayWorld, rsa: RsaKey) -> None:
    """A ban that could not be kept is not pretended: it fails, and nobody's rights change."""
    ada = world.member(rsa)
    ada.enter()
    break_disk(world)
    with pytest.raises(LogError, match="takes nothing"):
        world.relay.set_role("lobby", ada.identity.pk, Role.BANNED)
    assert not world.relay.rooms[ada.room_id].state.is_banned(ada.identity.pk)
    assert ada.wire.ended is None


# --- founding


def test_who_left_while_a_room_was_founded_is_passed_over(world: RelayWorld, rsa: RsaKey) -> None:
    """All who asked for a new room enter it when it is durable, but for those who went: nobody sees a ghost."""
    members = [world.member(rsa) for _ in range(3)]
    for member in members:
        asks(member, 1, "new", create=True)
    members[1].connection.closed()
    world.run()
    assert [len(member.said(f.SubOk)) for member in members] == [1, 0, 1]
    (room,) = world.relay.rooms
    assert room.presence.count == 2


def test_who_is_banned_while_a_room_is_founded_does_not_enter(world: RelayWorld, rsa: RsaKey) -> None:
    """A ban holds for those who wait, too: an error instead of the room."""
    ada, eve = world.member(rsa), world.member(rsa)
    for member in (ada, eve):
        asks(member, 1, "new", create=True)
    world.relay.set_role("new", eve.identity.pk, Role.BANNED)
    world.run()
    assert (told(eve), eve.said(f.SubOk), eve.logged()) == ([(1, Code.BANNED)], [], [])
    assert len(ada.said(f.SubOk)) == 1


def test_retention_leaves_a_room_that_is_being_founded_alone(world: RelayWorld, rsa: RsaKey) -> None:
    """A retention pass between asking and founding harms neither."""
    ada = world.member(rsa)
    asks(ada, 1, "new", create=True)
    world.relay.tick()
    world.run()
    assert len(ada.said(f.SubOk)) == 1
    assert [parse(entry.entry).type for entry in ada.logged()] == [EntryType.GENESIS, EntryType.EPOCH]


# --- a log that fails, and is opened anew


def test_a_room_that_never_became_durable_can_be_founded_again(world: RelayWorld, rsa: RsaKey) -> None:
    """Who waited for it is told, whoever vanished is not, and the name is free."""
    ada, eve = world.member(rsa), world.member(rsa)
    for member in (ada, eve):
        asks(member, 1, "new", create=True)
    eve.connection.closed()
    world.turns()
    recover(world, break_disk(world))
    assert told(ada) == [(1, Code.FULL)]
    assert (told(eve), len(world.relay.rooms)) == ([], 0)
    ada.enter("new")
    assert max(ada.keys) == 1


def test_while_the_log_is_broken_nothing_is_begun(world: RelayWorld, rsa: RsaKey) -> None:
    """A day that ends meanwhile gets its epoch once the log is open again."""
    ada = world.member(rsa)
    ada.enter()
    store = break_disk(world)
    world.wall += DAY_MS
    world.pass_time(1)
    assert world.relay.rooms[ada.room_id].state.epoch == 1
    recover(world, store)
    world.pass_time(1)
    ada.take_grants()
    assert set(ada.keys) == {1, 2}


def test_what_became_durable_unnoticed_is_shown(world: RelayWorld, rsa: RsaKey) -> None:
    """Entries that reached the disk although it failed are given to everybody once it is open again."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter()
    bob.enter()
    ada.post(ada.sealed("kept"))
    world.turns()
    world.store.durable = lambda log, records: None  # the word of it is lost
    world.store.commit()
    recover(world, break_disk(world))
    assert [len(member.logged()) for member in (ada, bob)] == [3, 3]
    ada.post(ada.sealed("more"))
    world.run()
    assert [entry.seq for entry in bob.logged()] == [1, 2, 3, 4]


def test_readers_of_a_room_that_lost_what_they_lack_come_back(world: RelayWorld, rsa: RsaKey) -> None:
    """What became durable unnoticed and was then pruned leaves a hole: that room's readers are closed with 1012."""
    ada, bob = world.member(rsa), world.member(rsa)
    ada.enter("lobby")
    bob.enter("other")
    ada.post(ada.sealed("unseen"))
    world.turns()
    room = world.relay.rooms[ada.room_id]
    world.relay.rooms.begin_epoch(room)  # is never pruned: what is left is not empty
    world.turns()
    room.checkpoint_if_due(now=True)
    world.store.durable = lambda log, records: None  # the word of it is lost
    world.store.flush()
    world.store.commit()
    world.store.retain([ada.room_id], KEEP_NONE, world.wall)
    world.store.commit()
    assert room.log.extent.first == 4
    recover(world, break_disk(world))
    assert ada.wire.ended is not None
    assert ada.wire.ended[0] == CloseCode.RESTARTING
    assert bob.wire.ended is None
    again = world.member(rsa, identity=ada.identity)
    assert again.enter("lobby", create=False, after=2).first == 4


def test_after_a_lost_tail_all_come_back_and_find_a_restart(world: RelayWorld, rsa: RsaKey) -> None:
    """If the log may have lost what was shown, connections end with 1012 and the room goes on behind a restart."""
    ada, idle = world.member(rsa), world.member(rsa)
    ada.enter()
    ada.post(ada.sealed("lost"))
    world.run()
    world.store.fail(LogError("the simulated disk broke"))
    recover(world, world.store.lose(1))
    assert ada.wire.ended is not None
    assert ada.wire.ended[0] == CloseCode.RESTARTING
    assert idle.wire.ended is None, "who was in no room was shown nothing"
    again = world.member(rsa, identity=ada.identity)
    again.enter(create=False)
    assert [parse(entry.entry).type for entry in again.logged()][-1] == EntryType.RESTART


def test_a_clean_stop_after_an_unclean_start_leaves_no_room_without_its_restart(world: RelayWorld, rsa: RsaKey) -> None:
    """Rooms that nobody visited in between get their restart entry before the end is marked as clean, too."""
    ada = world.member(rsa)
    for name in ("visited", "idle"):
        ada.enter(name)
        ada.n = 0
        ada.post(ada.sealed("lost"))
        world.run()
    world.serve(world.store.lose(1))
    world.member(rsa).enter("visited", create=False)
    world.restart()
    assert not world.store.unclean
    for name in ("visited", "idle"):
        reader = world.member(rsa)
        reader.enter(name, create=False)
        types = [parse(entry.entry).type for entry in reader.logged()]
        assert types == [EntryType.GENESIS, EntryType.EPOCH, EntryType.RESTART]


def test_a_writer_held_by_a_room_that_is_gone_is_read_from_again(rsa: RsaKey) -> None:
    """Whoever left a room while it waited for the disk does not wait for it for ever."""
    world = RelayWorld(limits=Limits(pending_bytes=1000))
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed("x" * 300) for _ in range(5)))
    ada.say(f.Unsub(rid=ada.rid))  # it came with the same read
    world.turns()
    assert not ada.wire.is_reading
    world.store.fail(LogError("the simulated disk broke"))
    recover(world, world.store.lose(0))
    assert ada.wire.is_reading
    assert ada.wire.ended is None
