"""Signatures of many control entries, verified ahead."""

from __future__ import annotations

import pytest

from sendall.client.verifying import WORTHWHILE, Unverified, control_entries, halves, those_that_hold
from sendall.protocol.frames import logged_frame
from tests.tools.private_scribe import PrivateScribe

RID = 7


@pytest.fixture
def scribe() -> PrivateScribe:
    scribe = PrivateScribe("verifying")
    scribe.found()
    scribe.say("a message")
    return scribe


def test_the_control_entries_of_known_rooms_are_found(scribe: PrivateScribe) -> None:
    """Messages and other rooms are not; a message that is no sequence of frames has none."""
    lines = scribe.lines
    data = b"".join(logged_frame(RID, line.seq, line.time_ms, line.entry) for line in lines)
    found = control_entries(data, {RID: scribe.room_id})
    assert found == [Unverified(RID, scribe.room_id, line.entry) for line in lines[:3]]
    assert control_entries(data, {RID + 1: scribe.room_id}) == []
    assert control_entries(data[:-1], {RID: scribe.room_id}) == []


def test_little_work_is_not_parted(scribe: PrivateScribe) -> None:
    """Much is halved, and nothing is lost."""
    one = Unverified(RID, scribe.room_id, scribe.lines[0].entry)
    for count in (0, 1, WORTHWHILE - 1, WORTHWHILE, WORTHWHILE + 1):
        entries = [one] * count
        parts = list(halves(entries))
        assert len(parts) == (1 if count < WORTHWHILE else 2)
        assert [entry for part in parts for entry in part] == entries


def test_only_what_was_signed_holds(scribe: PrivateScribe) -> None:
    """Genesis is signed without a room; what is no entry, and what was signed for another room, does not hold."""
    right = [Unverified(RID, scribe.room_id, line.entry) for line in scribe.lines]
    wrong = [
        Unverified(RID, b"?" * 32, scribe.lines[1].entry),
        Unverified(RID, scribe.room_id, scribe.lines[1].entry[:-1] + b"?"),
        Unverified(RID, scribe.room_id, b"rubbish"),
    ]
    assert those_that_hold([*wrong, *right]) == right
