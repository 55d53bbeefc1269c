"""Whatever an evil server does, the clients that it does it to report it by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from sendall.client.keyring import Keyring
from sendall.crypto.primitives import RsaKey
from sendall.errors import SecurityAlarm
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType
from tests.attacks import misdeeds as m
from tests.attacks import scenes
from tests.attacks.evil_server import EvilServer, Tampering
from tests.conftest import RsaPool

Scene = Callable[[EvilServer, Callable[[EvilServer], Tampering], str], Awaitable[list[str]]]


class Case(NamedTuple):
    """One misdeed, where it is done, and the report that it must cause."""

    name: str
    evil: Callable[[EvilServer], Tampering]
    scene: Scene
    report: str


def flipped(ok: f.SubOk) -> dict[str, object]:
    return {"h": f.B64(bytes(32))}


def shorter(ok: f.SubOk) -> dict[str, object]:
    return {"last": ok.last - 1, "from_": ok.last - 1}


def hide(*types: EntryType) -> Callable[[EvilServer], Tampering]:
    return lambda server: m.Hide(server, lambda entry: entry.type in types)


IN_X = partial(m.AskOtherwise, change=scenes.sub_by_name("x"))
TAKEN_BACK = partial(m.AnswerOtherwise, change=lambda ok: {"cut": ok.last - 2})
FORK, HISTORY, ROOM, LINEAGE = "alarm: fork", "alarm: history", "alarm: room", "alarm: lineage"
OPEN = [
    Case("drops a message", m.Drop, scenes.while_listening, FORK),
    Case("tells two messages in the other order", m.Swap, scenes.while_listening, FORK),
    Case("shows two people two orders", m.Swap, scenes.at_once, FORK),
    Case("invents a message", m.Invent, scenes.while_listening, FORK),
    Case("replays a message of the room", m.ReplayOld, scenes.while_listening, FORK),
    Case("replays a message of another room", m.ReplayElsewhere, scenes.while_listening, FORK),
    Case("alters a message", m.Alter, scenes.while_listening, FORK),
    Case("alters a time", m.ChangeTime, scenes.while_listening, FORK),
    Case("restarts without a cause", m.RestartWithoutCause, scenes.while_listening, FORK),
    Case("restores an old log", partial(m.AnswerOtherwise, change=shorter), scenes.coming_back, HISTORY),
    Case("has another history", partial(m.AnswerOtherwise, change=flipped), scenes.coming_back, HISTORY),
    Case("gives a false beginning", partial(m.AnswerOtherwise, change=flipped), scenes.coming_late, FORK),
    Case("swaps a room", IN_X, scenes.entering_another, ROOM),
    Case(
        "makes a room anew",
        IN_X,
        scenes.entering_another_again,
        ROOM,
    ),
    Case("gives a page that does not chain", m.FalsePage, scenes.paging_back, HISTORY),
    Case("alters what is long ago", m.AlteredPage, scenes.paging_back, HISTORY),
    Case("refuses a message and logs it", m.RefuseAndLog, scenes.speaking, "GivenUp"),
    Case("has another identity", m.OtherIdentity, scenes.shaking_hands, "alarm: identity"),
    Case("cannot prove its identity", m.FalseProof, scenes.shaking_hands, "alarm: identity"),
    Case("has another certificate", m.OtherLeaf, scenes.shaking_hands, "alarm: certificate"),
]
PRIVATE = [
    Case("drops a message", m.Drop, scenes.in_private, FORK),
    Case("makes itself an admin", m.MakeItselfAdmin, scenes.in_private, FORK),
    Case("adds a member silently", m.AddSilently, scenes.in_private, FORK),
    Case("puts its key into a join", m.SubstituteKey, scenes.while_cyd_joins, FORK),
    Case("hides who joins", m.HideJoin, scenes.while_cyd_joins, FORK),
    Case("withholds a kick", m.WithholdEpoch, scenes.while_cyd_is_kicked, FORK),
    Case("gives a false key", m.FalseGrant, scenes.while_ada_rotates, "message: under the new key"),
    Case("hides a join of the past", hide(EntryType.JOIN), scenes.after_a_past, LINEAGE),
    Case("hides a leave", hide(EntryType.LEAVE), scenes.after_a_past, LINEAGE),
    Case("hides the use of a link", hide(EntryType.JOIN, EntryType.LEAVE), scenes.after_a_past, LINEAGE),
    Case("breaks the lineage", hide(EntryType.ROLE), scenes.after_a_past, LINEAGE),
    Case("withholds an epoch of the past", hide(EntryType.EPOCH), scenes.after_a_past, LINEAGE),
    Case("shows a newcomer an old fork", m.StaleFork, scenes.after_a_past, ROOM),
    Case("withholds the genesis", hide(EntryType.GENESIS), scenes.after_a_past, ROOM),
    Case(
        "passes an OPEN room off",
        IN_X,
        scenes.after_a_past,
        ROOM,
    ),
    Case("says that a member is none", m.DenyMembership, scenes.with_a_kick_behind, "refused: the server says"),
    Case("takes a kick back by a restart", TAKEN_BACK, scenes.with_a_kick_behind, HISTORY),
    Case("restores a log", partial(m.AnswerOtherwise, change=shorter), scenes.with_a_kick_behind, HISTORY),
    Case("has another history", partial(m.AnswerOtherwise, change=flipped), scenes.with_a_kick_behind, HISTORY),
]


@pytest.fixture
async def server(tmp_path: Path, rsa_pool: RsaPool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EvilServer]:
    async def pooled() -> RsaKey:
        return rsa_pool[1]

    monkeypatch.setattr("sendall.client.entrance.new_wrap", pooled)  # an RSA key takes up to a second
    server = EvilServer(tmp_path, rsa_pool)
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("case", OPEN, ids=lambda case: case.name)
async def test_in_an_open_room_it_is_reported(server: EvilServer, case: Case) -> None:
    """By the alarm of that name, or in the words that the table has."""
    reports = await case.scene(server, case.evil, case.report)
    assert any(report.startswith(case.report) for report in reports), reports


@pytest.mark.parametrize("case", PRIVATE, ids=lambda case: case.name)
async def test_in_a_private_room_it_is_reported(server: EvilServer, case: Case) -> None:
    """The same, by those who keep the room for themselves."""
    reports = await case.scene(server, case.evil, case.report)
    assert any(report.startswith(case.report) for report in reports), reports


HONEST = [
    (scenes.while_listening, "message: three"),
    (scenes.at_once, "message: three"),
    (scenes.coming_back, "Back"),
    (scenes.coming_late, "message: after"),
    (scenes.entering_another, "message: before"),
    (scenes.entering_another_again, "no alarm"),
    (scenes.paging_back, "no alarm"),
    (scenes.speaking, "message: said"),
    (scenes.shaking_hands, "no alarm"),
    (scenes.in_private, "message: three"),
    (scenes.while_cyd_joins, "message: three"),
    (scenes.while_cyd_is_kicked, "message: two"),
    (scenes.while_ada_rotates, "message: under the new key"),
    (scenes.after_a_past, "no alarm"),
    (scenes.with_a_kick_behind, "Back"),
]


@pytest.mark.parametrize(("scene", "end"), HONEST, ids=lambda part: getattr(part, "__name__", ""))
async def test_an_honest_server_raises_no_alarm(server: EvilServer, scene: Scene, end: str) -> None:
    """The control: the same scenes with a server that does nothing wrong come to their end."""
    reports = await scene(server, Tampering, end)
    assert reports[-1] == end
    assert not [report for report in reports if report.startswith(("alarm", "unreadable"))]


def test_enough_is_tried() -> None:
    """At least twenty misdeeds, each with a report of its own, in every scene there is."""
    assert len({(case.name, case.scene) for case in [*OPEN, *PRIVATE]}) >= 20
    assert {case.scene for case in [*OPEN, *PRIVATE]} == {scene for scene, _ in HONEST}


async def test_a_kick_that_the_server_swallows_is_not_confirmed(server: EvilServer) -> None:
    """The admin's call does not return, and nothing of hers goes out under the old key meanwhile."""
    async with scenes.a_private_room(server) as cast:
        bob, _ = await cast.enters("bob")
        _, cyd = await cast.enters("cyd")
        room = server.relay.rooms[cast.ada.id]
        await cast.ada.send("all of hers before this is logged")
        before = {key: n for key, n in room.state.last.items() if key[0] == cast.admin.id}
        server.turn_evil(m.SwallowEpochs, cast.admin.id)
        kicking = asyncio.create_task(cast.ada.kick(cyd.id))
        secret = cast.ada.post_nowait("without cyd, I hope")
        await bob.send("still here")
        assert (await scenes.reports_of(cast.ada, "message: still here"))[-1] == "message: still here"
        assert not kicking.done()
        assert not secret.is_confirmed
        assert {key: n for key, n in room.state.last.items() if key[0] == cast.admin.id} == before
        kicking.cancel()


async def test_who_cannot_prove_an_identity_is_not_pinned_by_it(server: EvilServer, tmp_path: Path) -> None:
    """At the first contact a claim alone changes nothing on this device."""
    server.turn_evil(m.FalseProof)
    with pytest.raises(SecurityAlarm, match="could not prove"):
        await server.client("new").__aenter__()
    assert Keyring(tmp_path / "new").server_pk(server.address) is None
