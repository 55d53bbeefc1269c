"""States of rooms, compared: what two readers must agree on, whatever way they came."""

from __future__ import annotations

from sendall.errors import Malformed
from sendall.protocol.entry import parse
from sendall.protocol.room import RoomState
from tests.tools.scribe import Scribe

FORGOTTEN_BY_THE_LATE = frozenset({"last", "is_late", "now"})
"""What a reader who skipped messages cannot know: it is no part of who may do what."""


def contents(state: RoomState) -> dict[str, object]:
    """Return everything a state holds, for `==`."""
    parts = {"roles": vars(state.roles), "membership": vars(state.membership), "rights": None}
    return {**vars(state), **parts}


def agreed(state: RoomState) -> dict[str, object]:
    """Return what also a late reader must agree on."""
    return {name: value for name, value in contents(state).items() if name not in FORGOTTEN_BY_THE_LATE}


def replayed(scribe: Scribe) -> RoomState:
    """Return the state of who reads the scribe's whole log; every verdict is compared."""
    state = RoomState(scribe.room_id, scribe.server.pk, scribe.kind)
    for line in scribe.lines:
        assert state.apply(line.seq, line.time_ms, line.entry) is line.verdict, line.note
    return state


def read_late(scribe: Scribe, from_: int) -> RoomState:
    """Return the state of a reader who is given control entries up to `from_` and everything after it.

    Every verdict on a control entry is compared. Those on messages may differ: of a session whose beginning
    was skipped the late reader takes any number.
    """
    state = RoomState(scribe.room_id, scribe.server.pk, scribe.kind)
    for line in scribe.lines[:from_]:
        if is_control(line.entry):
            verdict = state.apply_early_control(line.seq, line.time_ms, line.entry)
            assert verdict is line.verdict, line.note
    state.begin_at(from_, scribe.lines[from_ - 1].h)
    for line in scribe.lines[from_:]:
        verdict = state.apply(line.seq, line.time_ms, line.entry)
        assert verdict is line.verdict or not is_control(line.entry), line.note
    return state


def is_control(raw: bytes) -> bool:
    """Return whether these are the bytes of a control entry, right or wrong."""
    try:
        return parse(raw).is_control
    except Malformed:
        return False
