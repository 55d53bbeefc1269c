"""Whether a link leads in; each sentence that says why not."""

from __future__ import annotations

import pytest

from sendall.client.chronicle import Chronicle
from sendall.client.foyer import Door
from sendall.crypto.invites import InviteKeys
from sendall.errors import Code, Refused, SecurityAlarm
from sendall.protocol.entry import entry_hash
from tests.client.test_chronicle import chronicle_of
from tests.tools.private_scribe import PrivateScribe


@pytest.fixture
def scribe() -> PrivateScribe:
    scribe = PrivateScribe("foyer")
    scribe.found()
    return scribe


def door_of(scribe: PrivateScribe, label: str, *, expires_ms: int = 0) -> Door:
    entry = scribe.invite(label, expires_ms=expires_ms)
    scribe.log(entry)
    return Door(entry_hash(entry), scribe.link(label))


def why(scribe: PrivateScribe, door: Door, now_ms: int = 1) -> str:
    with pytest.raises(Refused) as caught:
        door.check(scribe.state, chronicle_of(scribe), now_ms)
    assert caught.value.code is Code.UNKNOWN_INVITE
    assert caught.value.hint
    return str(caught.value)


def test_an_open_link_leads_in(scribe: PrivateScribe) -> None:
    """Until it is used up, revoked, ended or expired."""
    door = door_of(scribe, "open", expires_ms=10)
    door.check(scribe.state, chronicle_of(scribe), 10)


def test_a_link_that_was_never_made_here_is_an_alarm(scribe: PrivateScribe) -> None:
    """The server shows another room."""
    with pytest.raises(SecurityAlarm) as caught:
        Door(b"?" * 32, scribe.link("x")).check(scribe.state, Chronicle(), 1)
    assert caught.value.kind == "room"


def test_a_link_with_a_broken_end_is_damaged(scribe: PrivateScribe) -> None:
    """Its secret is not that of the invite it names."""
    door = door_of(scribe, "open")._replace(keys=InviteKeys(b"another secret!!"))
    assert "damaged" in why(scribe, door)


def test_a_link_that_is_used_up(scribe: PrivateScribe) -> None:
    """As often as it may be."""
    door = door_of(scribe, "once")
    scribe.log(scribe.join(scribe.bob, "once"))
    assert "as often as it may be" in why(scribe, door)


def test_a_link_that_was_revoked(scribe: PrivateScribe) -> None:
    """By an admin."""
    door = door_of(scribe, "revoked")
    scribe.log(scribe.revoke("revoked"))
    assert "revoked by an admin" in why(scribe, door)


def test_a_link_that_ended_with_a_removal(scribe: PrivateScribe) -> None:
    """As all do."""
    scribe.let_in(scribe.bob)
    door = door_of(scribe, "ended")
    scribe.log(scribe.epoch(removed=[scribe.bob]))
    assert "ended when somebody was removed" in why(scribe, door)


def test_a_link_that_expired(scribe: PrivateScribe) -> None:
    """By this device's clock; the server has its own."""
    assert "expired" in why(scribe, door_of(scribe, "old", expires_ms=10), now_ms=11)
