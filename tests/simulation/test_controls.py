"""The simulation has teeth: worlds with a defective piece in them are found out, each by the right finding."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.protocol.entry import Entry
from sendall.protocol.room import RoomState
from sendall.server.delivery import Audience
from sendall.server.room import Refusal, Room
from tests.simulation.defects import (
    CarelessOutbox,
    ForgetfulOutbox,
    HastyRelay,
    MixedUpOutbox,
    RashOutbox,
    ResealingOutbox,
    TrustingOutbox,
    skip_when_behind,
)
from tests.simulation.simulation import Simulation
from tests.simulation.world import Parts
from tests.tools.nonces import NonceAudit, installed

SEEDS = 60
"""Within so many worlds a defect must show; a test ends at the first that shows it."""


def find(parts: Parts, finding: str) -> None:
    """Play worlds until one has a finding that contains `finding`.

    Raises:
        AssertionError: none has; the evidence is all that was found instead.
    """
    others: list[str] = []
    for seed in range(SEEDS):
        found = Simulation(seed, parts).run()
        if any(finding in sentence for sentence in found):
            return
        others += found
    raise AssertionError(f"{SEEDS} worlds, and nothing about {finding!r}: {others[:10]}")


@pytest.mark.parametrize(
    ("parts", "finding"),
    [
        (Parts(make_outbox=ResealingOutbox), "ONCE"),
        (Parts(make_outbox=RashOutbox), "ONCE"),
        (Parts(make_outbox=ForgetfulOutbox), "sealed twice"),
        (Parts(make_outbox=CarelessOutbox), "ONCE"),
        (Parts(make_outbox=MixedUpOutbox), "ORDER"),
        (Parts(make_outbox=TrustingOutbox), "lost without a word"),
        (Parts(make_relay=HastyRelay), "RECEIPT"),
        (Parts(is_clean_lie=True), "alarm"),
    ],
    ids=[
        "reseals",
        "old-epochs",
        "forgets-numbers",
        "sends-before-disk",
        "mixes-up",
        "drops",
        "shows-before-disk",
        "hides-a-loss",
    ],
)
def test_a_defective_part_is_found_out(parts: Parts, finding: str) -> None:
    """Whoever breaks one rule of exactly-once is found out within a few worlds."""
    with installed(NonceAudit()):  # what is planted here must not fail the audit of the run
        find(parts, finding)


def test_a_relay_that_counts_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts the same entry again breaks its members' numbers."""
    judge: Callable[[Room, Entry, float], Refusal | None] = Room.judge_post

    def judge_no_numbers(room: Room, entry: Entry, now: float) -> Refusal | None:
        refusal = judge(room, entry, now)
        return None if refusal is not None and refusal.code == "dup" else refusal

    monkeypatch.setattr(Room, "judge_post", judge_no_numbers)
    find(Parts(), "ONCE")


def test_a_relay_that_lets_the_banned_stay_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is banned must not open a later epoch, and the judge looks."""
    monkeypatch.setattr(RoomState, "is_banned", lambda state, id_pk: False)
    find(Parts(), "is banned since")


def test_a_relay_that_skips_for_slow_readers_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow reader that is spared one entry does not go unnoticed."""
    monkeypatch.setattr(Audience, "fall_behind", skip_when_behind)
    find(Parts(), "was to follow")
