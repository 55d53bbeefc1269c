"""The place in one log: what a server may not say before a late beginning, and how far a restart reaches."""

from __future__ import annotations

import pytest

from sendall.client import events as ev
from sendall.client.following import MAX_CHECKPOINTS
from sendall.errors import Malformed, SecurityAlarm
from sendall.protocol.entry import ZERO_32, Role
from tests.client.scribed import Scribed, lose
from tests.conftest import RsaPool
from tests.tools.scribe import FIRST_TIME_MS, Scribe


@pytest.fixture
def scribe() -> Scribe:
    scribe = Scribe("client following")
    scribe.found()
    return scribe


@pytest.fixture
def reader(scribe: Scribe, rsa_pool: RsaPool) -> Scribed:
    return Scribed(scribe, rsa_pool[0])


def left_out(scribe: Scribe, reader: Scribed, gone: int) -> None:
    """Let the reader read a log in which the entry at `gone` never was, and all behind it moved up."""
    lines = [line for line in scribe.lines if line.seq != gone]
    reader.subok(last=len(lines))
    reader.grant()
    reader.read([line._replace(seq=seq) for seq, line in enumerate(lines, 1)])


def test_what_is_behind_an_entry_that_was_dropped_raises_the_alarm(scribe: Scribe, reader: Scribed) -> None:
    """It is signed, and knows as many entries as come before it, itself counted: so one was dropped."""
    for i in range(3):
        scribe.say(f"m{i}")
    left_out(scribe, reader, 3)
    assert reader.alarms == ["fork"]
    evidence = reader.room.log.evidence
    assert evidence is not None
    assert (evidence.seq, evidence.head_seq, evidence.known_h) == (3, 3, ZERO_32)
    assert not reader.texts


def test_a_gap_in_somebodys_numbers_raises_the_alarm_if_its_head_differs(scribe: Scribe, reader: Scribed) -> None:
    """The entry is not OK, but its signature is: what its author saw is not what was shown here."""
    scribe.say("m0")
    scribe.say("b0", scribe.bob)
    scribe.log(scribe.message(head=(scribe.state.seq - 1, scribe.lines[-2].h)))
    reader.subok(last=4)
    reader.grant()
    reader.read([*scribe.lines[:2], scribe.lines[3]._replace(seq=3), scribe.lines[4]._replace(seq=4)])
    assert reader.alarms == ["fork"]
    assert "gap" in str(reader.kinds(ev.Unreadable))


@pytest.mark.parametrize("defect", ["signature", "head"])
def test_what_nobody_signed_raises_no_alarm(scribe: Scribe, reader: Scribed, defect: str) -> None:
    """A head that is not before it, or another one, tells nothing if the signature does not hold."""
    head = (scribe.state.seq + 1, ZERO_32) if defect == "head" else (scribe.state.seq, bytes(32))
    scribe.log(scribe.message(head=head)[:-64] + bytes(64))
    reader.begin()
    assert reader.alarms == []
    assert len(reader.kinds(ev.Unreadable)) == 1


@pytest.mark.parametrize("what", ["rubbish", "message", "again", "backwards"])
def test_before_a_late_beginning_only_control_entries_come_in_their_order(
    scribe: Scribe, reader: Scribed, what: str
) -> None:
    """Bytes that are no entry, a message, a repetition or a step back end the connection."""
    scribe.log(scribe.role(scribe.bob.pk, Role.READER))
    scribe.say("m0")
    _, epoch, role, message = (line.entry for line in scribe.lines)
    seq, raw = {"rubbish": (4, b"\x01\x17"), "message": (4, message), "again": (3, role), "backwards": (2, epoch)}[what]
    reader.subok(from_=4)
    reader.read(scribe.lines[:3])
    with pytest.raises(Malformed):
        reader.room.logged(seq, FIRST_TIME_MS, raw)


def test_a_late_reader_from_whom_the_genesis_is_withheld_is_alarmed(scribe: Scribe, reader: Scribed) -> None:
    """Without the entry that names the room nothing proves whose room this is: it is not followed."""
    scribe.say("m0")
    reader.subok(from_=2)
    with pytest.raises(SecurityAlarm):
        reader.read(scribe.lines[2:])
    assert reader.alarms == ["room"]
    assert reader.texts == []
    assert not reader.room.is_alive


def test_a_message_from_before_two_skips_cannot_be_replayed(scribe: Scribe, reader: Scribed) -> None:
    """The last number ever seen of a session counts, also of one that was silent between the skips."""
    scribe.say("a0")
    reader.begin()
    for first in (0, 4):
        reader.room.disconnected()
        for i in range(first, first + 4):
            scribe.say(f"b{i}", scribe.bob)
        reader.subok(from_=5 + first)
        reader.read(scribe.lines[5 + first :])
    scribe.log(scribe.lines[2].entry)
    reader.read_rest()
    assert reader.texts == ["a0", "b2", "b3", "b6", "b7"]
    assert isinstance(reader.told[-1], ev.Unreadable)


def test_an_epoch_entry_ends_what_was_seen_before_a_skip(scribe: Scribe, reader: Scribed) -> None:
    """In a new epoch a session begins at 0 again, however far a late reader had seen it in the old one."""
    for i in range(3):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    scribe.say("m3")
    reader.subok(from_=6)
    scribe.log(scribe.epoch())
    reader.grant()
    scribe.say("b0", scribe.bob)
    reader.read(scribe.lines[6:])
    reader.room.disconnected()
    scribe.say("b1", scribe.bob)
    scribe.say("n0")
    reader.subok(from_=9)
    reader.read(scribe.lines[9:])
    assert reader.texts == ["m0", "m1", "m2", "b0", "n0"]


def test_a_restart_among_what_was_skipped_explains_the_loss(scribe: Scribe, reader: Scribed) -> None:
    """Where what follows the cut is pruned already, the restart entry comes early, and is as good there."""
    for i in range(5):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    reader.scribe = after = lose(scribe, 4)
    for i in range(3):
        after.say(f"n{i}")
    assert not reader.subok(from_=4, cut=4)
    reader.subok(from_=7)
    reader.read([after.lines[4], *after.lines[7:]])
    reader.grant()
    assert reader.kinds(ev.ServerLost) == [ev.ServerLost(3, 4)]
    assert reader.texts == ["m0", "m1", "m2", "m3", "m4", "n2"]
    assert reader.alarms == []
    assert reader.room.log.state.h == after.state.h


def test_another_control_entry_than_the_restart_does_not_explain_a_loss(scribe: Scribe, reader: Scribed) -> None:
    """Whatever comes early in place of the restart entry that a cut promised is an alarm."""
    for i in range(5):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    other = Scribe("client following")
    other.keys = scribe.keys
    for line in scribe.lines[:4]:
        other.log(line.entry)
    other.log(other.role(scribe.bob.pk, Role.READER))
    other.say("n0")
    reader.scribe = other
    assert not reader.subok(from_=4, cut=4)
    reader.subok(from_=5)
    with pytest.raises(SecurityAlarm):
        reader.read(other.lines[4:5])
    assert reader.alarms == ["history"]
    assert not reader.room.is_alive


@pytest.mark.parametrize(("cut", "is_kept"), [(4, False), (5, True)])
def test_a_restart_reaches_back_as_far_as_states_are_kept(
    scribe: Scribe, reader: Scribed, cut: int, is_kept: bool
) -> None:
    """64 control entries may be taken back; beyond, the state would be a guess, and is an alarm instead."""
    for i in range(MAX_CHECKPOINTS + 3):
        scribe.log(scribe.role(scribe.bob.pk, Role.READER if i % 2 else Role.MEMBER))
    reader.begin()
    assert len(scribe.lines) == 2 + MAX_CHECKPOINTS + 3
    reader.room.disconnected()
    reader.scribe = after = lose(scribe, cut)
    if not is_kept:
        with pytest.raises(SecurityAlarm):
            reader.subok(from_=cut, cut=cut)
        assert reader.alarms == ["history"]
        return
    assert not reader.subok(from_=cut, cut=cut)
    assert reader.subok(from_=cut)
    reader.read_rest()
    assert reader.alarms == []
    assert reader.room.log.state.roles.given == after.state.roles.given
    assert reader.room.log.state.h == after.state.h
