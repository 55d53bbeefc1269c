"""Verifying signatures ahead: many control entries at once, so that two threads can share the work.

A newcomer of an old room reads thousands of them. What held is noted with the room, which then need not
verify it again; what did not is judged in its turn like any other. Pure: the threads are `link`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sendall.crypto.primitives import verify
from sendall.errors import Malformed
from sendall.protocol.entry import FIRST_CONTROL, SIGNATURE_SIZE, parse
from sendall.protocol.frames import Logged, server_frames
from sendall.protocol.room import signed_bytes

WORTHWHILE = 16
"""Entries from which handing them to a thread costs less than it gains."""


class Unverified(NamedTuple):
    """A control entry, and the room whose id its sender signed."""

    rid: int
    room_id: bytes
    raw: bytes


def control_entries(message: bytes, rooms: Mapping[int, bytes]) -> list[Unverified]:
    """Return the control entries in a binary message, of the rooms named by rid and id; none if it is malformed."""
    try:
        return [
            Unverified(frame.rid, rooms[frame.rid], frame.entry)
            for frame in server_frames(message)
            if isinstance(frame, Logged) and frame.rid in rooms and frame.entry[1:2] >= bytes([FIRST_CONTROL])
        ]
    except Malformed:
        return []


def halves(entries: Sequence[Unverified]) -> Iterable[Sequence[Unverified]]:
    """Return two parts of the work, or one where there is little."""
    if len(entries) < WORTHWHILE:
        return (entries,)
    middle = len(entries) // 2
    return (entries[:middle], entries[middle:])


def those_that_hold(entries: Sequence[Unverified]) -> list[Unverified]:
    """Return the entries whose signature holds; 0.13 ms each, without the interpreter's lock."""
    return [one for one in entries if _holds(one)]


def _holds(one: Unverified) -> bool:
    try:
        entry = parse(one.raw)
    except Malformed:
        return False
    return verify(entry.sender, signed_bytes(entry, one.room_id), one.raw[-SIGNATURE_SIZE:])
