"""Grants: who gets none although it waits for one, and what a lost key costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.crypto.primitives import RsaKey
from sendall.protocol import frames as f
from sendall.protocol.entry import Role
from tests.server.members import Member, RelayWorld


def leave(member: Member) -> None:
    member.say(f.Unsub(rid=member.rid))


def vanish(member: Member) -> None:
    member.connection.closed()


def be_banned(member: Member) -> None:
    member.world.relay.set_role("lobby", member.identity.pk, Role.BANNED)


@pytest.mark.parametrize("go", [leave, vanish, be_banned])
def test_who_went_before_its_turn_is_granted_nothing(
    world: RelayWorld, rsa: RsaKey, go: Callable[[Member], None]
) -> None:
    """A grant that waits for its slice is not made for somebody who left, vanished or was banned meanwhile."""
    ada, eve = world.member(rsa), world.member(rsa)
    ada.enter()
    eve.say(f.Sub(q=1, name="lobby", after=0))
    (ok,) = (frame for frame in eve.said(f.SubOk) if isinstance(frame, f.SubOk))
    eve.rid = ok.rid
    go(eve)
    world.run()
    assert not eve.said(f.GrantFrame)


def test_one_sealed_key_that_does_not_open_costs_its_epoch_only(world: RelayWorld, rsa: RsaKey) -> None:
    """A restarted server grants what it can still open, and members go on posting."""
    ada = world.member(rsa)
    ada.enter()
    room = world.relay.rooms[ada.room_id]
    world.relay.rooms.begin_epoch(room)
    world.run()
    room.log.keep_key(1, bytes(60))
    world.store.flush()
    world.store.commit()
    world.serve(world.store.crash())
    bob = world.member(rsa)
    bob.enter(create=False)
    assert set(bob.keys) == {2}
    bob.post(bob.sealed("still here"))
    world.run()
    assert not bob.refused()
