from __future__ import annotations

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.errors import Malformed
from sendall.protocol import frames as f
from sendall.protocol.chunks import binary_message, frame_entries, text_message
from sendall.protocol.entry import MAX_ENTRY, MAX_SEQ, MIN_ENTRY

NUMBER = st.integers(0, MAX_SEQ - 1)

# -- binary frames ----------------------------------------------------------------------------

ENTRY = st.integers(MIN_ENTRY, 400).map(bytes)
RID = st.integers(0, 2**32 - 1)
POST = st.builds(f.Post, st.sampled_from([f.POST, f.CARD]), RID, ENTRY)
GRANT = st.builds(f.GrantFrame, RID, st.binary(min_size=32, max_size=32), st.binary(min_size=1, max_size=500))
SERVER_FRAME = st.one_of(
    st.builds(f.Logged, RID, st.integers(1, MAX_SEQ - 1), NUMBER, ENTRY),
    st.builds(f.Shown, RID, ENTRY),
    GRANT,
)
CLIENT_FRAME = POST | GRANT


def pack(frame: f.Post | f.Logged | f.Shown | f.GrantFrame) -> bytes:
    match frame:
        case f.Post():
            return f.post_frame(frame.rid, frame.entry, card=frame.kind == f.CARD)
        case f.Logged():
            return f.logged_frame(*frame)
        case f.Shown():
            return f.shown_frame(*frame)
        case f.GrantFrame():
            return f.grant_frame(*frame)


@given(st.lists(CLIENT_FRAME, min_size=1, max_size=20))
def test_the_frames_of_a_client_come_out_in_order(frames: list[f.Post | f.GrantFrame]) -> None:
    """One or many posts, cards and grants, their bytes untouched."""
    assert list(f.client_frames(b"".join(map(pack, frames)))) == frames


@given(st.lists(SERVER_FRAME, min_size=1, max_size=20))
def test_the_frames_of_the_server_come_out_in_order(frames: list[f.Logged | f.Shown | f.GrantFrame]) -> None:
    """All three kinds in one message."""
    assert list(f.server_frames(b"".join(map(pack, frames)))) == frames


@given(
    st.binary(max_size=300)
    | st.lists(CLIENT_FRAME | SERVER_FRAME, max_size=3).map(lambda frames: b"".join(map(pack, frames))[:-1])
)
def test_any_bytes_are_binary_frames_or_malformed(data: bytes) -> None:
    """Neither side raises anything else."""
    for read in (f.client_frames, f.server_frames):
        with suppress(Malformed):
            list(read(data))


def test_the_layouts_are_those_of_the_specification() -> None:
    """01, 02, 03, 04, 05: every field at its offset, big-endian."""
    entry = bytes(168)
    assert f.post_frame(1, entry) == bytes.fromhex("0100000001000000a8") + entry
    assert f.logged_frame(1, 2, 3, entry).hex() == "0200000001" + f"{2:016x}{3:016x}" + "000000a8" + entry.hex()
    assert f.shown_frame(1, entry) == bytes.fromhex("0300000001000000a8") + entry
    assert f.grant_frame(1, b"i" * 32, b"grant") == bytes.fromhex("0400000001") + b"i" * 32 + bytes(3) + b"\5grant"
    assert f.post_frame(1, entry, card=True) == bytes.fromhex("0500000001000000a8") + entry


A_POST = f.post_frame(1, bytes(MIN_ENTRY))
A_GRANT = f.grant_frame(1, bytes(32), bytes(436))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00" + A_POST[1:],
        b"\x02" + A_POST[1:],
        A_POST[:8],
        A_POST[:-1],
        A_POST + b"\x01",
        f.post_frame(1, bytes(MIN_ENTRY - 1)),
        struct.pack(">BII", 1, 1, 2**32 - 1) + bytes(MIN_ENTRY),
        A_GRANT[:40],
        A_GRANT[:-1],
        f.grant_frame(1, bytes(32), b""),
        f.grant_frame(1, bytes(32), bytes(f.MAX_GRANT + 1)),
    ],
    ids=[
        "empty",
        "frame 00",
        "frame 02",
        "half a header",
        "cut",
        "a byte too many",
        "too short",
        "huge",
        "half a header of 04",
        "a grant that is cut",
        "a grant of nothing",
        "a grant too big",
    ],
)
def test_a_client_message_with_one_defect_is_malformed(message: bytes) -> None:
    """Kinds and lengths are exact."""
    with pytest.raises(Malformed):
        list(f.client_frames(message))


def test_several_frames_share_at_most_65535_bytes() -> None:
    """A batch fits a 4-byte WebSocket header; one frame alone may be larger."""
    small = f.post_frame(1, bytes(MIN_ENTRY))
    filler = f.post_frame(1, bytes(f.MAX_BATCH - len(small) - 9))
    assert len(list(f.client_frames(small + filler))) == 2
    for batch in (small + filler + small, small + f.post_frame(1, bytes(f.MAX_BATCH - len(small) - 8))):
        with pytest.raises(Malformed, match="several frames"):
            list(f.client_frames(batch))
    alone = f.post_frame(1, bytes(MAX_ENTRY))
    assert list(f.client_frames(alone)) == [f.Post(f.POST, 1, bytes(MAX_ENTRY))]


def test_an_entry_that_is_too_big_is_still_a_frame() -> None:
    """So that the server can refuse it with `too_big` instead of ending the connection."""
    entry = bytes(MAX_ENTRY + 1)
    assert list(f.client_frames(f.post_frame(1, entry))) == [f.Post(f.POST, 1, entry)]


A_LOGGED = f.logged_frame(1, 1, 0, bytes(MIN_ENTRY))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01" + A_LOGGED[1:],
        A_LOGGED[:24],
        A_LOGGED[:-1],
        A_LOGGED + b"\x03",
        f.shown_frame(1, bytes(200))[:8],
        f.grant_frame(1, bytes(32), bytes(436))[:40],
        f.logged_frame(1, 0, 0, bytes(200)),
        f.logged_frame(1, MAX_SEQ, 0, bytes(200)),
        f.logged_frame(1, 1, MAX_SEQ, bytes(200)),
        f.logged_frame(1, 1, 0, bytes(MAX_ENTRY + 1)),
        f.shown_frame(1, bytes(MAX_ENTRY + 1)),
        f.grant_frame(1, bytes(32), bytes(f.MAX_GRANT + 1)),
    ],
    ids=[
        "empty",
        "a post",
        "half a header",
        "cut",
        "a byte too many",
        "half a header of 03",
        "half a header of 04",
        "seq 0",
        "seq 2^53",
        "time 2^53",
        "entry too big",
        "signal too big",
        "grant too big",
    ],
)
def test_a_server_message_with_one_defect_is_malformed(message: bytes) -> None:
    """Kinds, lengths and numbers are exact."""
    with pytest.raises(Malformed):
        list(f.server_frames(message))


# -- framing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "header"),
    [(0, "8200"), (125, "827d"), (126, "827e007e"), (65_535, "827effff"), (65_536, "827f0000000000010000")],
)
def test_websocket_headers_are_the_shortest(size: int, header: str) -> None:
    """RFC 6455, section 5.2: unmasked, final, in the shortest form of the length."""
    assert binary_message(bytes(size)) == bytes.fromhex(header) + bytes(size)
    assert text_message(bytes(size)) == b"\x81" + bytes.fromhex(header)[1:] + bytes(size)


@given(st.lists(st.integers(MIN_ENTRY, 30_000) | st.just(MAX_ENTRY), max_size=12), st.integers(1, 1000))
def test_entries_are_framed_in_order_and_in_bounds(sizes: list[int], first: int) -> None:
    """The chunks hold every entry once, in order; each is one message of at most 65,535 bytes or one entry."""
    records = [(first + at, 7, bytes([at]) * size) for at, size in enumerate(sizes)]
    chunks = frame_entries(5, records)
    told = []
    for chunk in chunks:
        payload = chunk.data[{126: 4, 127: 10}[chunk.data[1]] :]
        frames = list(f.server_frames(payload))
        assert (frames[0].seq, frames[-1].seq) == (chunk.first, chunk.last)  # type: ignore[union-attr]  # only Logged
        assert len(payload) <= f.MAX_BATCH or len(frames) == 1
        told += frames
    assert told == [f.Logged(5, *record) for record in records]
    assert all(left.last + 1 == right.first for left, right in pairwise(chunks))
