"""PRIVATE rooms over a log that was cut, damaged, or is another server's."""

from __future__ import annotations

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, LogError
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType, Kind
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.server.disks import make_unreadable
from tests.server.insiders import Insider, genesis_of, insider
from tests.server.members import RelayWorld


@pytest.fixture
def ada(world: RelayWorld, rsa: RsaKey) -> Insider:
    ada = insider(world, rsa)
    ada.make()
    return ada


def back(member: Insider) -> Insider:
    again = insider(member.world, member.rsa, identity=member.identity)
    again.enter_room(member.room_id)
    again.keys = dict(member.keys)
    return again


def codes(member: Insider) -> list[str]:
    return [error.code.value for error in member.errors()]


def test_a_lost_tail_is_followed_by_the_servers_restart(ada: Insider) -> None:
    """As in OPEN rooms: signed by the server, valid for the members; no epoch of its own follows."""
    bob = insider(ada.world, ada.rsa).joined(ada.invite())
    ada.write("kept", "lost", "lost")
    ada.world.serve(ada.world.store.lose(2))
    ada = back(ada)
    ada.world.pass_time(1)
    assert ada.types()[-2:] == [EntryType.MESSAGE, EntryType.RESTART]
    state = RoomState(ada.room_id, ada.world.identity.pk, Kind.PRIVATE)
    for frame in ada.logged():
        assert state.apply(frame.seq, frame.time_ms, frame.entry) is Verdict.OK
    bob = insider(ada.world, ada.rsa, identity=bob.identity)
    ok = bob.ask(f.Sub(q=1, room=f.B64(ada.room_id), after=99, h=f.B64(bytes(32))))
    assert ok.cut == ada.state.seq - 1
    assert not bob.logged()


def test_newcomers_after_a_restart_can_join(ada: Insider, rsa: RsaKey) -> None:
    """They begin at the end, so their join is on a head that the restart did not void."""
    link = ada.invite()
    ada.write("kept", "lost")
    ada.world.serve(ada.world.store.lose(1))
    ada.world.pass_time(1)
    bob = insider(ada.world, rsa)
    ok = bob.watch(link)
    assert ok.from_ == ok.last == bob.seqs()[-1]
    bob.act(bob.join(link))


def test_a_watcher_with_another_history_is_told_and_given_nothing(ada: Insider, rsa: RsaKey) -> None:
    """A newcomer who resumes where the log never was learns it as members do."""
    link = ada.invite()
    eve = insider(ada.world, rsa)
    ok = eve.watch(link, after=99)
    assert (ok.from_, ok.cut) == (4, None)
    ada.write("not for eve")
    assert eve.logged() == []
    assert eve.connection.places == 0


def test_a_damaged_room_is_refused_and_the_others_are_served(ada: Insider, rsa: RsaKey) -> None:
    """By id, by invite and by its genesis; until the log is opened anew."""
    genesis, link, damaged = ada.logged()[0].entry, ada.invite(), ada.room_id
    ada.make()
    good = ada.room_id
    ada.world.serve(ada.world.store.crash())
    make_unreadable(ada.world.store.open(damaged))
    bob = insider(ada.world, rsa, identity=ada.identity)
    bob.say(f.Sub(q=1, room=f.B64(damaged), after=0))
    bob.say(f.Make(q=2, genesis=f.B64(genesis)))
    bob.say(f.Sub(q=3, invite=f.B64(link.hash), after=0))
    ada.world.run()
    assert codes(bob) == ["full", "full", "unknown_invite"]
    bob.enter_room(good)


@pytest.mark.parametrize("trace", ["a restart", "a checkpoint"])
def test_a_room_of_another_server_identity_is_not_served(
    ada: Insider, rsa: RsaKey, trace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the log shows whose it is, a folder whose identity file was lost says so."""
    if trace == "a restart":
        ada.write("lost")
        ada.world.serve(ada.world.store.lose(1))
        ada.world.pass_time(1)
    else:
        ada.world.restart()
    stranger = RelayWorld()
    stranger.serve(ada.world.store.crash())
    eve = insider(stranger, rsa, identity=ada.identity)
    eve.say(f.Sub(q=1, room=f.B64(ada.room_id), after=0))
    assert codes(eve) == ["full"]
    assert "another server identity" in caplog.text


def test_a_room_that_never_became_durable_can_be_made_again(world: RelayWorld, rsa: RsaKey) -> None:
    """Who waited for it is told; the same genesis then makes it."""
    ada = insider(world, rsa)
    genesis = genesis_of(ada.identity)
    ada.say(f.Make(q=1, genesis=f.B64(genesis)))
    world.turns()
    world.store.fail(LogError("the simulated disk broke"))
    world.attach(world.store.crash())
    world.relay.recover(world.store)
    world.run()
    assert codes(ada) == ["full"]
    assert len(world.relay.rooms) == 0
    ada.make(genesis)
    ada.write("made")


def test_after_a_lost_tail_watchers_come_back_too(ada: Insider, rsa: RsaKey) -> None:
    """A log that may have lost what was shown ends all who were shown any of it; others stay."""
    link = ada.invite()
    eve, idle = insider(ada.world, rsa), insider(ada.world, rsa)
    eve.watch(link)
    ada.world.store.fail(LogError("the simulated disk broke"))
    ada.world.attach(ada.world.store.lose(0))
    ada.world.relay.recover(ada.world.store)
    ada.world.run()
    assert eve.wire.ended is not None
    assert eve.wire.ended[0] == CloseCode.RESTARTING
    assert idle.wire.ended is None


def test_watchers_stay_when_nothing_was_lost(ada: Insider, rsa: RsaKey) -> None:
    """What became durable unnoticed is given to them, too: the control entries of it."""
    link = ada.invite()
    eve = insider(ada.world, rsa)
    eve.watch(link)
    ada.post(ada.sealed("not for eve"))
    ada.post(ada.invite_entry())
    ada.world.turns()
    ada.world.store.durable = lambda log, records: None  # the word of it is lost
    ada.world.store.commit()
    ada.world.store.fail(LogError("the simulated disk broke"))
    ada.world.attach(ada.world.store.crash())
    ada.world.relay.recover(ada.world.store)
    ada.world.run()
    assert eve.types() == [*(EntryType.GENESIS, EntryType.REKEY, EntryType.EPOCH), EntryType.INVITE, EntryType.INVITE]
    assert eve.types() == [frame.entry[1] for frame in ada.logged() if frame.entry[1] != EntryType.MESSAGE]


def test_retention_takes_messages_and_nothing_else(ada: Insider, rsa: RsaKey) -> None:
    """Control entries are for ever: a newcomer after retention sees all of them, and joins."""
    link = ada.invite()
    ada.write(*"abcdef")
    ada.world.wall += 40 * 24 * 3600 * 1000
    ada.world.pass_time(1)
    assert ada.room.log.extent.first == ada.state.seq + 1
    bob = insider(ada.world, rsa)
    bob.watch(link)
    assert bob.types() == [EntryType.GENESIS, EntryType.REKEY, EntryType.EPOCH, EntryType.INVITE]
    bob.act(bob.join(link))
    bob.enter_room(bob.room_id, after=bob.state.seq)


def test_a_room_beyond_its_rate_slows_control_entries_too(rsa: RsaKey) -> None:
    """The room's bucket holds for all entries of all its members together."""
    world = RelayWorld(limits=Limits(room_rate=2))
    ada = insider(world, rsa)
    ada.make()
    ada.write("one", "two")
    assert ada.tried(ada.invite_entry()) == ["slow_down"]
