"""What is owed to whom: keys to members and doors, in slices, and never to a stranger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.client import custody as c
from sendall.client.custody import Custody
from sendall.crypto.doors import open_door_grant
from sendall.crypto.grants import open_grant
from sendall.crypto.primitives import CannotOpen, RsaKey
from sendall.protocol.frames import grant_frame
from sendall.protocol.verdict import Verdict
from tests.conftest import RsaPool
from tests.tools.private_scribe import PrivateScribe

RID = 3
Grant = tuple[bytes, bytes]


def split(frame: bytes) -> Grant:
    """Return (recipient, grant) of a frame 04."""
    recipient, grant = frame[5:37], frame[41:]
    assert frame == grant_frame(RID, recipient, grant)
    return recipient, grant


class Keeper:
    """Ada's custody of a scribe's room."""

    def __init__(self, scribe: PrivateScribe) -> None:
        self.scribe = scribe
        self.custody = Custody(scribe.ada.pk)
        self.first_epoch = 0
        self.now_ms = 1

    def flush(self, *, has_keys: bool = True) -> list[Grant]:
        keys = self.scribe.keys if has_keys else {}
        frames = self.custody.flush(RID, self.scribe.state, keys, lambda _: self.first_epoch, self.now_ms)
        return [split(frame) for frame in frames]

    def recipients(self) -> set[bytes]:
        return {recipient for recipient, _ in self.flush()}


@pytest.fixture
def rsa(rsa_pool: RsaPool) -> RsaKey:
    return rsa_pool[0]


@pytest.fixture
def scribe(rsa: RsaKey) -> PrivateScribe:
    scribe = PrivateScribe("custody")
    scribe.found()
    scribe.log(scribe.invite("bob"))
    scribe.log(scribe.join(scribe.bob, "bob", modulus=rsa.modulus))
    scribe.log(scribe.epoch())
    return scribe


@pytest.fixture
def keeper(scribe: PrivateScribe) -> Keeper:
    return Keeper(scribe)


def opened(keeper: Keeper, grant: bytes, rsa: RsaKey) -> dict[int, bytes]:
    return open_grant(grant, keeper.scribe.room_id, keeper.scribe.bob.pk, rsa)


def test_everybody_else_is_owed_the_key_of_a_new_epoch(keeper: Keeper) -> None:
    """All members but oneself, and all doors; once."""
    keeper.scribe.log(keeper.scribe.invite("open"))
    keeper.custody.owe_all(keeper.scribe.state)
    assert keeper.custody.is_owing
    assert keeper.recipients() == {keeper.scribe.bob.pk, keeper.scribe.link("open").invite_pk}
    assert not keeper.custody.is_owing
    assert keeper.flush() == []


def test_a_member_is_given_all_keys_of_a_room_whose_history_is_for_newcomers(keeper: Keeper, rsa: RsaKey) -> None:
    """And else those from the epoch on in which it joined; the current one in any case."""
    for history, first, epochs in ((1, 2, {1, 2}), (0, 2, {2}), (0, 1, {1, 2}), (0, 9, {2})):
        keeper.scribe.state.history = history
        keeper.first_epoch = first
        keeper.custody.owe_member(keeper.scribe.bob.pk)
        [(_, grant)] = keeper.flush()
        assert opened(keeper, grant, rsa) == {e: keeper.scribe.keys[e] for e in epochs}


def test_a_door_is_given_what_a_newcomer_may_read(keeper: Keeper) -> None:
    """All keys, or the current one."""
    scribe = keeper.scribe
    scribe.log(scribe.invite("open"))
    link = scribe.link("open")
    for history, epochs in ((1, {1, 2}), (0, {2})):
        scribe.state.history = history
        keeper.custody.owe_door(link.invite_pk)
        [(recipient, grant)] = keeper.flush()
        assert recipient == link.invite_pk
        assert open_door_grant(grant, scribe.room_id, link.invite_pk, link.door).keys() == epochs


def test_nothing_is_given_before_the_current_key_is_here(keeper: Keeper) -> None:
    """Somebody else's epoch, whose key is yet to come: it stays owed."""
    keeper.custody.owe_member(keeper.scribe.bob.pk)
    assert keeper.flush(has_keys=False) == []
    assert keeper.custody.is_owing
    assert keeper.recipients() == {keeper.scribe.bob.pk}


def test_keys_of_epochs_to_come_are_nobodys_yet(keeper: Keeper, rsa: RsaKey) -> None:
    """A key of one's own whose epoch entry is under way is not handed out."""
    keeper.scribe.keys[3] = b"k" * 32
    keeper.custody.owe_member(keeper.scribe.bob.pk)
    [(_, grant)] = keeper.flush()
    assert opened(keeper, grant, rsa).keys() == {1, 2}


def test_strangers_the_keyless_and_oneself_are_owed_nothing(keeper: Keeper) -> None:
    """Who was removed meanwhile, who has no RSA key yet, and who holds the keys already."""
    scribe = keeper.scribe
    scribe.membership.members[scribe.cyd.pk] = scribe.membership.members[scribe.bob.pk]._replace(modulus=b"")
    for who in (scribe.eve, scribe.cyd, scribe.ada):
        keeper.custody.owe_member(who.pk)
    assert keeper.flush() == []
    assert not keeper.custody.is_owing


def test_doors_that_lead_nowhere_are_owed_nothing(keeper: Keeper) -> None:
    """An ended invite, an expired one, one without a door, one that needs an admin, and one whose key is none."""
    scribe = keeper.scribe
    low_order = bytes(31) + b"\x80"
    entries: tuple[Callable[[], bytes], ...] = (
        lambda: scribe.invite("expired", expires_ms=5),
        lambda: scribe.invite("no door", has_door=False),
        lambda: scribe.invite("approve", approve=True),
        lambda: scribe.invite("bad door", door_pk=low_order),
    )
    for entry in entries:
        assert scribe.log(entry()) is Verdict.OK
    keeper.now_ms = 6
    for label in ("expired", "no door", "approve", "bad door", "unknown"):
        keeper.custody.owe_door(scribe.link(label).invite_pk)
    assert keeper.flush() == []
    assert not keeper.custody.is_owing


def test_an_odd_rsa_key_stops_nobody(keeper: Keeper) -> None:
    """Any modulus that the protocol takes can be sealed to: what comes of it is its owner's concern."""
    scribe = keeper.scribe
    for number, modulus in enumerate((b"\xff" * 384, b"\x80" + bytes(382) + b"\x01")):
        pk = bytes([number + 1]) * 32
        scribe.membership.members[pk] = scribe.membership.members[scribe.bob.pk]._replace(modulus=modulus)
        keeper.custody.owe_member(pk)
    keeper.custody.owe_member(scribe.bob.pk)
    assert len(keeper.flush()) == 3


def test_a_turn_makes_a_few_grants_only(keeper: Keeper) -> None:
    """About 2 ms of RSA; members come before doors."""
    scribe = keeper.scribe
    scribe.log(scribe.invite("open"))
    bob = scribe.membership.members[scribe.bob.pk]
    crowd = [bytes([1, number]) + bytes(30) for number in range(c.PER_TURN)]
    scribe.membership.members.update(dict.fromkeys(crowd, bob))
    keeper.custody.owe_all(scribe.state)
    assert len(keeper.flush()) == c.PER_TURN
    assert keeper.custody.is_owing
    assert keeper.recipients() >= {scribe.link("open").invite_pk}


def test_who_asks_is_given_the_same_once_in_a_while(keeper: Keeper) -> None:
    """Whatever the server passes on."""
    bob = keeper.scribe.bob.pk
    for now, is_given in ((0.0, True), (c.AGAIN_S - 0.1, False), (c.AGAIN_S, True)):
        keeper.custody.wanted(bob, now)
        assert bool(keeper.flush()) is is_given


def test_what_may_not_have_arrived_is_owed_again(keeper: Keeper) -> None:
    """No grant is acknowledged: what went out in the last seconds of a connection is given again on the next."""
    scribe = keeper.scribe
    scribe.log(scribe.invite("open"))
    keeper.custody.tick(0.0)
    keeper.custody.owe_all(scribe.state)
    first = keeper.recipients()
    keeper.custody.disconnected()
    assert keeper.recipients() == first
    keeper.custody.tick(c.SURE_AFTER_S)
    keeper.custody.tick(c.SURE_AFTER_S + 1)
    keeper.custody.disconnected()
    assert keeper.recipients() == first
    keeper.custody.tick(2 * c.SURE_AFTER_S)
    keeper.custody.tick(3 * c.SURE_AFTER_S)
    keeper.custody.disconnected()
    assert not keeper.custody.is_owing


def test_a_new_epoch_settles_what_was_owed_before(keeper: Keeper) -> None:
    """Its maker gives its key to all; who asks then is heard at once."""
    scribe = keeper.scribe
    keeper.custody.wanted(scribe.bob.pk, 0.0)
    keeper.custody.owe_door(scribe.link("open").invite_pk)
    keeper.custody.epoch_began()
    assert not keeper.custody.is_owing
    keeper.custody.wanted(scribe.bob.pk, 1.0)
    assert keeper.recipients() == {scribe.bob.pk}


def test_a_grant_opens_with_nothing_but_its_recipients_key(keeper: Keeper, rsa_pool: RsaPool) -> None:
    """The RSA key is that of this client's own state."""
    keeper.custody.owe_member(keeper.scribe.bob.pk)
    [(_, grant)] = keeper.flush()
    with pytest.raises(CannotOpen):
        opened(keeper, grant, rsa_pool[1])
