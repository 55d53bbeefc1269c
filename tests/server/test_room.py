"""One room: what it does with a log that was pruned, damaged, or is longer than a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, Code
from sendall.log.roomlog import Checkpoint, Damaged
from sendall.protocol import frames as f
from sendall.protocol.chain import link
from sendall.protocol.checkpoint import pack
from sendall.server.open_room import OpenRoom
from tests.server.disks import SqliteWorld, make_unreadable
from tests.server.members import Member, RelayWorld


@pytest.fixture
def sqlite_world(tmp_path: Path) -> Iterator[SqliteWorld]:
    world = SqliteWorld(tmp_path)
    yield world
    world.disk.close()


def written(world: RelayWorld, rsa: RsaKey, n: int, *, size: int = 10) -> Member:
    """Return a member in a room to which it wrote `n` messages: seq 3 and on."""
    ada = world.member(rsa)
    ada.enter()
    for i in range(n):
        ada.post(ada.sealed("x" * size, n=i))
        world.run()
    ada.n = n
    return ada


def prune(world: RelayWorld) -> None:
    """Let everything grow too old to be kept, and retention see it."""
    world.wall += 40 * 24 * 3600 * 1000
    world.pass_time(1)


def loaded(world: RelayWorld, ada: Member) -> OpenRoom:
    """Return ada's room, read anew from its log."""
    room = OpenRoom(9, world.store.open(ada.room_id), world.identity.pk, Limits(), world.now)
    room.load()
    return room


# --- retention racing a reader: SQLite has deleted, and the relay has not been told


def raced(world: SqliteWorld, rsa: RsaKey) -> Member:
    """Return a member in a room of 20 messages, of which the disk has just dropped all but 3 untold."""
    ada = written(world, rsa, 20)
    world.restart()
    eve = world.member(rsa)
    eve.enter(create=False, tail=0)
    world.prune_untold(ada.room_id, 3)
    return eve


@pytest.mark.parametrize("tail", [None, 10], ids=["from the beginning", "from a place that is gone"])
def test_a_reader_overtaken_by_retention_comes_back(sqlite_world: SqliteWorld, rsa: RsaKey, tail: int | None) -> None:
    """Nobody is given a history with a hole: 4008, and a moment later the reader begins at what is kept."""
    eve = raced(sqlite_world, rsa)
    before = len(eve.logged())
    eve.say(f.Sub(q=2, name="lobby", after=0, tail=tail))
    assert eve.wire.ended is not None
    assert eve.wire.ended[0] == CloseCode.TOO_SLOW
    assert len(eve.logged()) == before
    sqlite_world.run()
    again = sqlite_world.member(rsa)
    assert again.enter(create=False).first == 20
    assert [entry.seq for entry in again.logged()] == [1, 2, 20, 21, 22]


def test_a_page_overtaken_by_retention_is_an_error(sqlite_world: SqliteWorld, rsa: RsaKey) -> None:
    """A page never has a hole: what is not wholly kept is answered `stale`, and what is kept can be asked for."""
    eve = raced(sqlite_world, rsa)
    eve.say(f.Read(q=5, rid=eve.rid, from_=10, to=22))
    assert [(e.q, e.code) for e in eve.errors()] == [(5, Code.STALE)]
    sqlite_world.run()
    eve.say(f.Read(q=6, rid=eve.rid, from_=10, to=22))
    (page,) = (page for page in eve.said(f.Page) if isinstance(page, f.Page))
    assert (page.q, page.from_, page.to) == (6, 20, 22)


# --- pages and heads


def test_a_page_larger_than_its_limit_begins_later(world: RelayWorld, rsa: RsaKey) -> None:
    """A page ends where it was asked to and has at most 256 KiB; what lies before it is the next page."""
    ada = written(world, rsa, 10, size=50_000)
    before = len(ada.logged())
    ada.say(f.Read(q=5, rid=ada.rid, from_=1, to=12))
    (page,) = (page for page in ada.said(f.Page) if isinstance(page, f.Page))
    entries = ada.logged()[before:]
    assert page.from_ > 1
    assert [entry.seq for entry in entries] == list(range(page.from_, 13))
    assert sum(len(entry.entry) for entry in entries) <= 256 * 1024
    h: bytes = page.h
    for entry in entries:
        h = link(h, entry.seq, entry.time_ms, entry.entry)
    assert h == world.relay.rooms[ada.room_id].state.h


def test_what_was_written_while_away_is_judged_by_one_read(world: RelayWorld, rsa: RsaKey) -> None:
    """All that names one old head costs one read of the log; a head that never was is still a fork."""
    ada = written(world, rsa, 5)
    head = (3, world.relay.rooms[ada.room_id].reading.h_at(3) or b"")
    world.restart()
    ada = world.member(rsa, identity=ada.identity)
    ada.enter(create=False)
    ada.post(ada.sealed("one", head=head))
    make_unreadable(world.relay.rooms[ada.room_id].log)
    ada.post(ada.sealed("two", head=head), ada.sealed("three", n=2, head=(3, b"f" * 32)))
    world.run()
    assert [refused.code for refused in ada.refused()] == [Code.FORK]
    assert ada.wire.ended is None


def test_a_head_that_retention_took_is_no_reason_to_refuse(world: RelayWorld, rsa: RsaKey) -> None:
    """Who wrote while away longer than messages are kept is accepted: the server cannot tell, the readers can."""
    ada = written(world, rsa, 5)
    h = world.relay.rooms[ada.room_id].reading.h_at(3) or b""
    prune(world)
    world.restart()
    ada = world.member(rsa, identity=ada.identity)
    ada.enter(create=False)
    ada.post(ada.sealed("late", head=(3, h)))
    world.run()
    assert ada.refused() == []


# --- loading


def test_a_log_without_its_checkpoint_is_loaded_whole(world: RelayWorld, rsa: RsaKey) -> None:
    """A checkpoint of another version costs time only: numbers, roles and chain come from the entries."""
    ada = written(world, rsa, 5)
    room = world.relay.rooms[ada.room_id]
    room.log.checkpoint(Checkpoint(4, b"of another version"))
    world.store.flush()
    world.store.commit()
    state = loaded(world, ada).state
    assert pack(state) == pack(room.state)


def test_a_pruned_log_whose_checkpoint_cannot_be_used_is_not_served(world: RelayWorld, rsa: RsaKey) -> None:
    """The numbers of pruned messages are in the checkpoint alone: without it messages could come twice."""
    ada = written(world, rsa, 5)
    prune(world)
    log = world.relay.rooms[ada.room_id].log
    last = log.extent.last
    log.checkpoint(Checkpoint(last, b"of another version"))
    world.store.flush()
    world.store.commit()
    with pytest.raises(Damaged, match="a checkpoint that is none") as caught:
        loaded(world, ada)
    assert (caught.value.room_id, caught.value.seq) == (ada.room_id, last)


def test_a_log_with_a_hole_after_its_checkpoint_is_not_served(
    world: RelayWorld, rsa: RsaKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A room is rebuilt from dense entries or not at all, even if the first of them is there."""
    ada = written(world, rsa, 5)
    prune(world)
    log = world.store.open(ada.room_id)
    monkeypatch.setattr(log, "latest_checkpoint", lambda: None)  # the simulated disk forgot it
    assert log.read(0, 1)[0].seq == 1
    with pytest.raises(Damaged, match="entries after the checkpoint are missing") as caught:
        loaded(world, ada)
    assert caught.value.seq == 1
