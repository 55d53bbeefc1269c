from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendall.errors import Malformed
from sendall.protocol.chain import link
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import MIN_ENTRY, EntryType, Role, parse
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.tools.scribe import Scribe


@pytest.fixture
def scribe() -> Scribe:
    """A room with its genesis and epoch 1."""
    scribe = Scribe("room tests")
    scribe.found()
    return scribe


def replayed(scribe: Scribe) -> RoomState:
    state = RoomState(scribe.room_id, scribe.server.pk)
    for line in scribe.lines:
        assert state.apply(line.seq, line.time_ms, line.entry) is line.verdict
    return state


def contents(state: RoomState) -> dict[str, object]:
    parts = {"roles": vars(state.roles), "membership": vars(state.membership), "rights": None}
    return {**vars(state), **parts}


# -- totality ---------------------------------------------------------------------------------

FIXED = Scribe("totality")
FIXED.found()
FIXED.say("one")
FIXED.log(FIXED.role(FIXED.bob.pk, Role.READER))
GOOD = [
    FIXED.message(),
    FIXED.role(FIXED.ada.pk, Role.BANNED),
    FIXED.restart(),
    FIXED.epoch(),
    FIXED.control(EntryType.GENESIS, b""),
]


@given(
    st.binary(max_size=500) | st.builds(lambda t, b: FIXED.control(t, b), st.integers(0, 255), st.binary(max_size=150))
)
@settings(deadline=None)
def test_any_bytes_get_a_verdict(raw: bytes) -> None:
    """`apply` never raises; seq, chain and time advance, and nothing else unless it is OK."""
    state = unpack(pack(FIXED.state))
    before = contents(state)
    verdict = state.apply(state.seq + 1, state.now + 5, raw)
    after = contents(state)
    assert (state.seq, state.now) == (FIXED.state.seq + 1, FIXED.state.now + 5)
    assert state.h == link(FIXED.state.h, state.seq, state.now, raw)
    if verdict is not Verdict.OK:
        assert {k for k in after if after[k] != before[k]} == {"seq", "h", "now"}


@given(st.sampled_from(GOOD), st.data())
@settings(deadline=None)
def test_a_changed_entry_is_never_ok(raw: bytes, data: st.DataObject) -> None:
    """Whatever bit is flipped, byte inserted or dropped: the signature covers all of it."""
    at = data.draw(st.integers(0, len(raw) - 1))
    mutated = data.draw(
        st.sampled_from(
            [
                raw[:at] + bytes([raw[at] ^ (1 << data.draw(st.integers(0, 7)))]) + raw[at + 1 :],
                raw[:at] + b"\0" + raw[at:],
                raw[:at] + raw[at + 1 :],
                raw[:at],
                raw + b"\0",
            ]
        )
    )
    state = unpack(pack(FIXED.state))
    assert state.apply(state.seq + 1, state.now, mutated) is not Verdict.OK


@given(st.lists(st.sampled_from([*GOOD, b"", bytes(MIN_ENTRY)]), max_size=8))
@settings(deadline=None)
def test_two_readers_of_one_log_agree(entries: list[bytes]) -> None:
    """Refused entries stay in the log and get the same verdict from everybody."""
    one, two = (unpack(pack(FIXED.state)) for _ in range(2))
    for raw in entries:
        assert one.apply(one.seq + 1, one.now, raw) is two.apply(two.seq + 1, two.now, raw)
    assert contents(one) == contents(two)


# -- coming late ------------------------------------------------------------------------------


def a_long_log() -> Scribe:
    scribe = Scribe("late")
    scribe.found()
    for text in "ab":
        scribe.say(text)
    scribe.log(scribe.role(scribe.bob.pk, Role.READER))
    scribe.log(scribe.epoch())
    for text in "cde":
        scribe.say(text)
    scribe.log(scribe.restart())
    scribe.say("f")
    scribe.say("g")
    return scribe


def late_reader(scribe: Scribe, from_: int) -> RoomState:
    """Return the state of a reader who is given control entries up to `from_` and everything after it."""
    state = RoomState(scribe.room_id, scribe.server.pk)
    for line in scribe.lines[:from_]:
        if parse(line.entry).is_control:
            assert state.apply_early_control(line.seq, line.time_ms, line.entry) is line.verdict
    state.begin_at(from_, scribe.lines[from_ - 1].h)
    for line in scribe.lines[from_:]:
        assert state.apply(line.seq, line.time_ms, line.entry) is line.verdict, line.note
    return state


@pytest.mark.parametrize("from_", range(1, 12))
def test_a_late_reader_comes_to_the_same_state(from_: int) -> None:
    """Wherever it begins: same chain value, epoch, roles and authority, and every verdict."""
    scribe = a_long_log()
    state = late_reader(scribe, from_)
    forgotten = {"last", "is_late", "now"}
    assert {k: v for k, v in contents(state).items() if k not in forgotten} == {
        k: v for k, v in contents(scribe.state).items() if k not in forgotten
    }
    assert state.now <= scribe.state.now


def test_a_late_reader_takes_a_session_where_it_finds_it() -> None:
    """Of a session whose beginning it has not read the first n is as good as any; then it counts."""
    scribe = Scribe("late")
    scribe.found()
    for text in "abc":
        scribe.say(text)
    state = late_reader(scribe, scribe.state.seq)
    raw = scribe.message()
    assert parse(raw).n == 3
    assert state.apply(state.seq + 1, state.now, raw) is Verdict.OK
    assert state.apply(state.seq + 1, state.now, raw) is Verdict.REPLAY
    assert state.apply(state.seq + 1, state.now, scribe.message(n=5)) is Verdict.GAP


def test_a_late_reader_counts_control_entries_exactly() -> None:
    """They are all there, so a gap among them is a gap."""
    scribe = Scribe("late")
    scribe.found()
    state = late_reader(scribe, scribe.state.seq)
    assert state.apply(state.seq + 1, state.now, scribe.control(EntryType.RESTART, b"", n=1)) is Verdict.GAP


def test_a_new_epoch_ends_being_late() -> None:
    """What begins after it is read from its first number."""
    scribe = Scribe("late")
    scribe.found()
    scribe.say("a")
    state = late_reader(scribe, scribe.state.seq)
    assert state.is_late
    assert scribe.log(scribe.epoch()) is Verdict.OK
    line = scribe.lines[-1]
    assert state.apply(line.seq, line.time_ms, line.entry) is Verdict.OK
    assert not state.is_late
    assert state.apply(state.seq + 1, state.now, scribe.message(n=1)) is Verdict.GAP


def test_early_control_entries_come_in_order() -> None:
    """One that is not later than the last is a mistake of the caller."""
    scribe = a_long_log()
    state = RoomState(scribe.room_id, scribe.server.pk)
    state.apply_early_control(1, 1, scribe.lines[0].entry)
    with pytest.raises(AssertionError):
        state.apply_early_control(1, 1, scribe.lines[0].entry)


# -- checkpoints ------------------------------------------------------------------------------


def test_a_packed_state_is_the_state() -> None:
    """Everything comes back, also that a reader is late."""
    scribe = a_long_log()
    assert contents(unpack(pack(scribe.state))) == contents(scribe.state)
    late = late_reader(scribe, scribe.state.seq)
    assert unpack(pack(late)).is_late
    assert contents(unpack(pack(late))) == contents(late)


@given(st.binary(max_size=100))
def test_any_other_bytes_are_no_checkpoint(data: bytes) -> None:
    """Unpacking raises Malformed and nothing else."""
    with pytest.raises(Malformed):
        unpack(data)


def test_a_checkpoint_with_an_unknown_role_is_none() -> None:
    """The bytes are MessagePack of the right shape, but not of ours."""
    packed = msgspec.msgpack.decode(pack(FIXED.state))
    with pytest.raises(Malformed):
        unpack(msgspec.msgpack.encode({**packed, "default": 9}))


def test_the_replayed_log_is_the_state_it_was_written_on(scribe: Scribe) -> None:
    """A log alone makes the state, whatever was refused in it."""
    for entry in (b"rubbish", scribe.message(n=3), scribe.message(), scribe.role(scribe.bob.pk, Role.READER)):
        scribe.log(entry)
    assert contents(replayed(scribe)) == contents(scribe.state)
