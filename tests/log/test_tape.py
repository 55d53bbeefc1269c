from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.log.tape import Tape
from sendall.protocol.chunks import Chunk, frame_entries
from sendall.protocol.frames import Logged, server_frames

RID = 7


def entry_of(seq: int, size: int = 200) -> bytes:
    return seq.to_bytes(4, "big") + bytes(size - 4)


def chunk_of(first: int, last: int, size: int = 200) -> Chunk:
    (chunk,) = frame_entries(RID, [(seq, 1000 + seq, entry_of(seq, size)) for seq in range(first, last + 1)])
    return chunk


def seqs_in(chunk: Chunk | None) -> list[int]:
    """Return the seqs of a chunk, which must be one WebSocket message of what it says."""
    assert chunk is not None
    payload = chunk.data[{126: 4, 127: 10}.get(chunk.data[1], 2) :]
    frames = list(server_frames(payload))
    for frame in frames:
        assert isinstance(frame, Logged)
        assert frame == Logged(RID, frame.seq, 1000 + frame.seq, entry_of(frame.seq, len(frame.entry)))
    seqs = [frame.seq for frame in frames if isinstance(frame, Logged)]
    assert (chunk.first, chunk.last) == (seqs[0], seqs[-1])
    return seqs


def test_an_empty_tape_has_nothing_for_anybody() -> None:
    """No cursor can be served, and there is no middle."""
    tape = Tape(1000)
    assert (tape.after, tape.half, tape.next_after(0)) == (None, None, None)


def test_a_reader_gets_chunk_after_chunk() -> None:
    """From its cursor to the head, then nothing."""
    tape = Tape(10**6)
    chunks = [chunk_of(1, 3), chunk_of(4, 4), chunk_of(5, 9)]
    for chunk in chunks:
        tape.put(chunk)
    assert tape.next_after(0) is chunks[0]
    assert tape.next_after(3) is chunks[1]
    assert tape.next_after(4) is chunks[2]
    assert tape.next_after(9) is None
    assert tape.next_after(10) is None


def test_a_cursor_within_a_chunk_gets_its_rest() -> None:
    """Nothing twice, and the rest is one whole message."""
    tape = Tape(10**6)
    tape.put(chunk_of(1, 3))
    tape.put(chunk_of(4, 8))
    assert seqs_in(tape.next_after(1)) == [2, 3]
    assert seqs_in(tape.next_after(2)) == [3]
    assert seqs_in(tape.next_after(6)) == [7, 8]


@pytest.mark.parametrize("size", [168, 30_000, 65_720], ids=["short header", "two in a chunk", "8-byte length"])
def test_the_rest_is_found_whatever_the_length_of_the_header(size: int) -> None:
    """WebSocket headers have 4 or 10 bytes; a chunk of one entry has no rest."""
    tape = Tape(10**6)
    for chunk in frame_entries(RID, [(seq, 1000 + seq, entry_of(seq, size)) for seq in range(1, 5)]):
        tape.put(chunk)
    for cursor in range(4):
        assert seqs_in(tape.next_after(cursor))[0] == cursor + 1


def test_the_oldest_chunks_leave_first() -> None:
    """Beyond its capacity the tape forgets; whoever is behind that reads the log."""
    tape = Tape(3 * len(chunk_of(1, 1).data))
    for seq in range(1, 6):
        tape.put(chunk_of(seq, seq))
    assert tape.after == 2
    assert tape.next_after(1) is None
    assert seqs_in(tape.next_after(2)) == [3]


def test_the_newest_chunk_stays_however_large_it_is() -> None:
    """Current readers are always served from memory."""
    tape = Tape(1)
    tape.put(chunk_of(1, 1))
    tape.put(chunk_of(2, 4))
    assert (tape.after, tape.half) == (1, 1)
    assert seqs_in(tape.next_after(1)) == [2, 3, 4]


def test_the_half_is_the_cursor_in_the_middle() -> None:
    """Who is behind it is about to need the log."""
    tape = Tape(10**6)
    for seq in range(11, 21):
        tape.put(chunk_of(seq, seq))
    assert (tape.after, tape.half) == (10, 15)


@pytest.mark.parametrize("first", [1, 3, 5])
def test_a_hole_or_a_repetition_is_a_mistake_of_the_caller(first: int) -> None:
    """Chunks are dense."""
    tape = Tape(10**6)
    tape.put(chunk_of(1, 3))
    with pytest.raises(AssertionError):
        tape.put(chunk_of(first, first))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=10), st.integers(400, 4000), st.integers(0, 50))
def test_pulling_from_any_cursor_gives_the_rest_once(lengths: list[int], capacity: int, cursor: int) -> None:
    """Whatever was put and kept: from a cursor that is served on, every seq to the head, in order."""
    tape, head = Tape(capacity), 0
    for length in lengths:
        tape.put(chunk_of(head + 1, head + length))
        head += length
    assert tape.after is not None
    told = []
    at = cursor
    while (chunk := tape.next_after(at)) is not None:
        told += seqs_in(chunk)
        at = chunk.last
    assert told == (list(range(cursor + 1, head + 1)) if cursor >= tape.after else [])


def test_a_cleared_tape_starts_afresh() -> None:
    """It holds nothing and takes any chunk as its first."""
    tape = Tape(10**6)
    tape.put(chunk_of(1, 3))
    tape.clear()
    assert (tape.after, tape.next_after(0)) == (None, None)
    tape.put(chunk_of(10, 12))
    assert seqs_in(tape.next_after(9)) == [10, 11, 12]
