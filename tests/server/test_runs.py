"""Messages that come in a run are treated as if they had come one by one."""

from __future__ import annotations

import msgspec
import pytest

from sendall.config import Limits
from sendall.crypto.primitives import RsaKey
from sendall.errors import Code
from sendall.protocol.checkpoint import pack
from sendall.server.wire import Peer
from tests.server.members import Member, RelayWorld


def told(rsa: RsaKey, *, together: bool, limits: Limits, count: int) -> tuple[RelayWorld, Member]:
    """Return a world in which a member has posted `count` entries, in one batch or each in its own."""
    world = RelayWorld(limits=limits)
    ada = world.member(rsa)
    ada.enter()
    entries = [ada.sealed(f"{n}") for n in range(count)]
    for batch in [entries] if together else [[each] for each in entries]:
        ada.post(*batch)
    world.run()
    return world, ada


@pytest.mark.parametrize("lower", [{}, {"member_rate": 1.0, "member_burst": 7}, {"room_rate": 3.0}])
def test_a_run_is_accepted_as_its_messages_would_be(rsa: RsaKey, lower: dict[str, float]) -> None:
    """The same places in the log, the same refusals, the same budgets left, the same state."""
    limits = msgspec.structs.replace(Limits(), **lower)
    worlds = [told(rsa, together=together, limits=limits, count=20) for together in (True, False)]
    numbers = [[(frame.seq, frame.time_ms, len(frame.entry)) for frame in ada.logged()] for _, ada in worlds]
    assert numbers[0] == numbers[1]
    refused = [[(frame.n, frame.code) for frame in ada.refused()] for _, ada in worlds]
    assert refused[0] == refused[1]
    assert bool(refused[0]) == bool(lower)
    for world, ada in worlds:
        room = world.relay.rooms[ada.room_id]
        before = pack(room.state)
        room.load()
        assert (pack(room.state), room.pending_bytes) == (before, 0)


def test_what_follows_a_refused_message_is_refused_too(rsa: RsaKey) -> None:
    """A run is no way around the first message's verdict: each gets its own answer."""
    world = RelayWorld()
    ada = world.member(rsa)
    ada.enter()
    ada.post(*(ada.sealed("x", n=n) for n in (1, 2, 3)))
    world.run()
    assert [(frame.n, frame.code) for frame in ada.refused()] == [(n, Code.GAP) for n in (1, 2, 3)]


def test_an_address_has_one_budget_for_runs_as_well(rsa: RsaKey) -> None:
    """What an address may send is counted by message, and a refused run costs the member nothing."""
    world = RelayWorld(limits=Limits(address_rate=4.0))
    ada = world.member(rsa, peer=Peer("192.0.2.1", trusted=False, tls=True))
    ada.enter()
    ada.post(*(ada.sealed("x") for _ in range(20)))
    world.run()
    assert [frame.n for frame in ada.refused()] == list(range(8, 20))
