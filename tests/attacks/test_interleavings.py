"""Whatever the order in which a server takes what was sent: one key per epoch, and none for who was removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from unittest import mock

import pytest

from sendall.client.acts import Acts
from sendall.client.custody import Custody
from sendall.client.keys import EpochKeys
from sendall.crypto.sealing import Opener
from sendall.protocol.entry import EntryType
from sendall.protocol.frames import grant_frame
from sendall.protocol.members import Membership
from sendall.protocol.room import RoomState
from tests.attacks.interleavings import INSIDE, World
from tests.attacks.judged import judge, ledger_of
from tests.attacks.modelled import modelled, modelled_grant
from tests.attacks.participants import PEOPLE, modulus_of

QUICK = 300
CHUNK = 500
CHUNKS = 200 if os.environ.get("SENDALL_CAMPAIGN") else 20
FIRST = 10_000


def play(seed: int) -> list[str]:
    """Return what was wrong with the world of this seed."""
    world = World(seed)
    world.play()
    return [f"seed {seed}: {finding}" for finding in judge(world)]


def play_all(seeds: range) -> list[str]:
    with modelled():
        return [finding for seed in seeds for finding in play(seed)]


def test_a_few_hundred_worlds_keep_every_promise() -> None:
    """One key per epoch, no later one for who was removed, equal states also of late readers, and it comes to rest."""
    assert play_all(range(QUICK)) == []


@pytest.mark.faults
@pytest.mark.parametrize("first", range(FIRST, FIRST + CHUNK * CHUNKS, CHUNK))
def test_ten_thousand_worlds_keep_every_promise(first: int) -> None:
    """The same in CI size; a finding names its seed, which `play` plays again."""
    assert play_all(range(first, first + CHUNK)) == []


# -- the judge finds what is wrong --------------------------------------------------------------


def _leaves_invites_open(self: Membership, removed: Sequence[bytes]) -> None:
    for id_pk in removed:
        self.members.pop(id_pk, None)
        self.pending.pop(id_pk, None)


def _believes_any_key(self: EpochKeys, e: int, key: bytes) -> bool:
    self._keys[e] = key
    self._openers[e] = Opener(key, self._room_id)
    return True


def _gives_to_everybody(
    self: Custody, rid: int, state: RoomState, keys: Mapping[int, bytes], *_: object
) -> list[bytes]:
    if state.epoch not in keys:
        return []
    self._members.clear()
    people = [(who.pk, modulus_of(f"{i}")) for i, who in enumerate(PEOPLE)]
    return [grant_frame(rid, pk, modelled_grant(state.room_id, pk, n, keys)) for pk, n in people]


def _forgets_who_waits(self: RoomState, seq: int, h: bytes) -> None:
    self.seq, self.h, self.is_late = seq, h, True
    self.membership.invites.clear()


def _never_tries_again(self: Acts, *_: object) -> None: ...


DEFECTS: dict[str, tuple[str, Callable[..., object], str]] = {
    "a removal leaves links open": ("sendall.protocol.members.Membership._remove", _leaves_invites_open, "by a link"),
    "commitments are not compared": ("sendall.client.keys.EpochKeys._prove", _believes_any_key, "holds another key"),
    "keys for everybody": ("sendall.client.custody.Custody.flush", _gives_to_everybody, "was neither in"),
    "a late reader forgets": ("sendall.protocol.room.RoomState.begin_at", _forgets_who_waits, "who begins after"),
    "a lost race is final": ("sendall.client.acts.Acts.refused", _never_tries_again, "did not come to rest"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found(name: str) -> None:
    """The controls: with one rule left out some of a hundred worlds are wrong, in the words of that rule."""
    target, defect, words = DEFECTS[name]
    with mock.patch(target, defect):
        found = play_all(range(100))
    assert any(words in finding for finding in found)


def test_much_happens_in_these_worlds() -> None:
    """They are no idle ones: nearly a removal and more than a join in each, and epochs by several people."""
    with modelled():
        worlds = [World(seed) for seed in range(100)]
        for world in worlds:
            world.play()
        ledgers = [ledger_of(world) for world in worlds]
    assert sum(ledger.removals for ledger in ledgers) >= 80
    assert sum(ledger.joins for ledger in ledgers) >= 100 * (INSIDE - 1) + 100
    assert sum(ledger.messages for ledger in ledgers) >= 100
    makers = {r.entry.sender for world in worlds for r in world.server.log if r.entry.type == EntryType.EPOCH}
    assert len(makers) >= 3
