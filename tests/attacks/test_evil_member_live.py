"""The same attempts at the real relay: refused, and nobody else is told anything."""

from __future__ import annotations

import pytest

from sendall.protocol import frames as f
from sendall.protocol.entry import parse
from sendall.protocol.verdict import Verdict
from sendall.server.room import CODES
from tests.attacks.evil_member import CASES, PLAINTEXT, Case, Stage
from tests.attacks.live_stage import LiveStage
from tests.conftest import RsaPool
from tests.server.insiders import insider
from tests.tools.states import contents

ELSEWHERE = {
    "a signal for the log": "a relay takes it for what it is, a signal",
    "as the server": "a relay lets nobody in who has its identity",
    "a message sealed before the restart": "this relay has lost nothing, so it wrote no restart entry",
    "no signature": "a relay does not verify messages: below",
    "an entry signed for another room": "the same",
}
LIVE = [case for case in CASES if case.name not in ELSEWHERE]
NOT_FOR_ITS_VERDICT = {"forbidden", "not_member", "too_big", "closed with 4000"}
"""Who sends it is refused, before anybody looks at what it says; or it is no entry at all."""


@pytest.fixture(scope="module")
def stage(rsa_pool: RsaPool) -> LiveStage:
    stage = LiveStage(rsa_pool[0])
    stage.found()
    for case in LIVE:
        stage.at(case.by)
    return stage


@pytest.mark.parametrize("case", LIVE, ids=lambda case: f"{case.by}: {case.name}")
def test_the_relay_refuses_it_and_nobody_hears_of_it(stage: LiveStage, case: Case) -> None:
    """With the code of its verdict, if its sender may say anything at all; the room stays as it is."""
    room = stage.world.relay.rooms[stage.room_id]
    before = contents(room.state)
    codes: list[str] = []
    heard = stage.heard_by_others(case.by, lambda: codes.extend(stage.tried(case.by, case.make(stage))))
    assert codes
    assert set(codes) <= NOT_FOR_ITS_VERDICT | {CODES[case.verdict].value}
    assert [frame for frame in heard if not isinstance(frame, f.Present)] == []
    assert contents(room.state) == before


def test_the_relay_still_takes_what_is_right(stage: LiveStage) -> None:
    """The control: after all these attempts each of them is let do what he may."""
    assert stage.tried("cyd", stage.message(who=stage.cyd)) == []
    assert stage.tried("eve", stage.rekey(stage.eve, label=" new")) == []
    assert stage.tried("joe", stage.join(stage.joe, "open")) == []


@pytest.mark.parametrize("room_id", [None, bytes(32)], ids=["no signature", "of another room"])
def test_a_message_with_a_wrong_signature_harms_only_its_author(rsa_pool: RsaPool, room_id: bytes | None) -> None:
    """The relay logs it, every reader says BAD_SIG, and only the numbers of the author's session are out of step."""
    stage = LiveStage(rsa_pool[0])
    stage.found()
    right = stage.message(PLAINTEXT, stage.eve)
    wrong = right[:-64] + bytes(64) if room_id is None else stage.signed_by(stage.eve, right[:-64], room_id)
    assert stage.tried("eve", wrong) == []
    (logged,) = [frame for frame in stage.at("cyd").logged() if frame.entry == wrong]
    assert stage.state.apply(logged.seq, logged.time_ms, wrong) is Verdict.BAD_SIG
    assert stage.tried("cyd", stage.message(who=stage.cyd)) == []
    assert stage.tried("eve", right) == ["dup"]
    assert stage.tried("eve", stage.message(who=stage.eve, session=bytes(16), n=0)) == []


def test_nobody_connects_as_the_server(rsa_pool: RsaPool) -> None:
    """Its identity is refused in the handshake, whoever has the key."""
    stage = LiveStage(rsa_pool[0])
    here = insider(stage.world, rsa_pool[0], identity=stage.server)
    assert not here.said(f.Welcome)
    assert here.wire.ended is not None


def test_what_a_clock_takes_back_opens_no_link(rsa_pool: RsaPool) -> None:
    """A join is judged at the time it would have in the log, so the relay logs none that readers refuse."""
    stage = LiveStage(rsa_pool[0])
    Stage.found(stage)
    expires = stage.state.now + 60_000
    stage.put(stage.invite("short", expires_ms=expires))
    stage.pass_time(70_000)
    stage.put(stage.message(PLAINTEXT, stage.cyd))
    stage.world.wall -= 40_000
    assert stage.tried("joe", stage.join(stage.joe, "short")) == ["forbidden"]
    assert stage.state.judge(parse(stage.join(stage.joe, "short")), time_ms=expires) is Verdict.OK
