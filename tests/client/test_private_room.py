"""PRIVATE rooms end to end, without sockets: real followers against the real relay."""

from __future__ import annotations

import pytest

from sendall.client import acts as a
from sendall.client import events as ev
from sendall.protocol.entry import Role
from tests.client.private_worlds import PrivateParty
from tests.conftest import RsaPool
from tests.server.members import RelayWorld


@pytest.fixture
def world() -> RelayWorld:
    return RelayWorld()


@pytest.fixture
def ada(world: RelayWorld, rsa_pool: RsaPool) -> PrivateParty:
    return PrivateParty.maker(world, rsa_pool[0])


def test_who_makes_a_room_is_its_admin_and_can_write(ada: PrivateParty) -> None:
    """Genesis, the admin's key and the first epoch are there after one exchange."""
    assert ada.roles == {ada.identity.pk: Role.ADMIN}
    assert ada.room.log.state.epoch == 1
    ada.write("hello")
    ada.pump()
    assert ada.texts == ["hello"]


def test_a_link_leads_in_while_nobody_is_online(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The invite grant at the door is enough: the newcomer reads and writes, and the admin sees the join later."""
    link = ada.invite()
    ada.cut()
    bob = ada.newcomer(rsa_pool[1], link)
    bob.write("here")
    bob.pump()
    assert bob.texts == ["here"]
    ada.connect()
    assert ada.texts == ["here"]
    assert ada.roles == {ada.identity.pk: Role.ADMIN, bob.identity.pk: Role.MEMBER}
    assert any("joined by a link" in notice.sentence for notice in ada.told if isinstance(notice, ev.Notice))


def test_who_is_kicked_reads_nothing_more(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The removing entry is the last that comes; the key of the new epoch never does."""
    bob = ada.newcomer(rsa_pool[1], ada.invite())
    ada.pump()
    ada.kick(bob)
    bob.pump()
    ada.write("without bob")
    ada.pump()
    bob.pump()
    assert bob.room.why_gone is not None
    assert bob.texts == []
    assert ada.texts == ["without bob"]
    assert bob.room.ring.held.keys() == {1}


def test_a_rotation_gives_everybody_the_new_key(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Members who are there, and those who are away and come back."""
    bob = ada.newcomer(rsa_pool[1], ada.invite())
    carol = ada.newcomer(rsa_pool[2], ada.invite(), nick="carol")
    carol.cut()
    ada.do(a.Rotate(1))
    bob.pump()
    ada.pump()
    ada.write("two")
    ada.pump()
    bob.pump()
    carol.connect()
    assert bob.texts == ["two"]
    assert carol.texts == ["two"]
