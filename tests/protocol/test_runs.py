from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.protocol import frames as f
from sendall.protocol.chain import Window, link, link_run
from sendall.protocol.entry import MAX_N, MIN_SEALED_BODY, SIGNATURE_SIZE, EntryType, header
from sendall.protocol.runs import go_on

SIZE = MIN_SEALED_BODY + SIGNATURE_SIZE


def entry(
    n: int,
    *,
    type_: int = EntryType.MESSAGE,
    epoch: int = 1,
    sender: bytes = b"s" * 32,
    session: bytes = b"t" * 16,
    head_seq: int = 5,
    head_hash: bytes = b"h" * 32,
    size: int = SIZE,
) -> bytes:
    return (
        header(type_, epoch=epoch, sender=sender, session=session, n=n, head_seq=head_seq, head_hash=head_hash)
        + bytes([n % 256]) * size
    )


FIRST = entry(3)
NEXT = entry(4)


def run_of(*posts: bytes) -> list[bytes]:
    """Return what goes on with the first of these frames."""
    return go_on(b"".join(posts), 0, len(posts[0]))


def test_messages_that_count_up_go_on_with_the_first() -> None:
    """Whatever their lengths are."""
    entries = [entry(n, size=SIZE + n) for n in range(3, 40)]
    assert run_of(*(f.post_frame(1, each) for each in entries)) == entries[1:]


@pytest.mark.parametrize(
    "other",
    [
        f.post_frame(2, NEXT),
        f.post_frame(1, NEXT, card=True),
        f.post_frame(1, entry(4, type_=EntryType.SIGNAL)),
        f.post_frame(1, entry(4, epoch=2)),
        f.post_frame(1, entry(4, sender=b"x" * 32)),
        f.post_frame(1, entry(4, session=b"x" * 16)),
        f.post_frame(1, entry(4, head_seq=6)),
        f.post_frame(1, entry(4, head_hash=b"x" * 32)),
        f.post_frame(1, entry(3)),
        f.post_frame(1, entry(5)),
        f.post_frame(1, NEXT[:1] + NEXT[1:2] + b"\1" + NEXT[3:]),
        f.post_frame(1, entry(4, size=SIZE - 1)) + bytes(9),
        f.post_frame(1, NEXT)[:5] + (2**20).to_bytes(4, "big") + NEXT,
    ],
    ids=["rid", "card", "type", "epoch", "sender", "session", "seq", "hash", "again", "gap", "bits", "short", "cut"],
)
def test_the_first_that_is_otherwise_ends_the_run(other: bytes) -> None:
    """Another room, header, number, or a frame that is not whole."""
    assert run_of(f.post_frame(1, FIRST), other, f.post_frame(1, NEXT)) == []


def test_a_number_never_runs_over_its_limit() -> None:
    """The last number there is ends a run."""
    posts = [f.post_frame(1, entry(MAX_N - 1)), f.post_frame(1, entry(MAX_N))]
    assert run_of(*posts) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([b"a" * 16, b"b" * 16]), st.booleans()), min_size=1))
def test_nothing_is_lost_or_moved_by_runs(said: list[tuple[int, bytes, bool]]) -> None:
    """Posts and their runs, one behind the other, are the entries of the batch in their order."""
    said = said[:150]
    posts = [(entry(n, session=session), card) for n, session, card in said]
    batch = b"".join(f.post_frame(1, raw, card=card) for raw, card in posts)
    frames = [frame for frame in f.client_frames(batch) if isinstance(frame, f.Post)]
    assert [raw for frame in frames for raw in (frame.entry, *frame.run)] == [raw for raw, _ in posts]
    assert all(frame.kind == f.POST or not frame.run for frame in frames)


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_a_run_is_chained_as_its_entries_are(entries: list[bytes]) -> None:
    """One value for each, and the window keeps the last ones."""
    values, h = [], b"p" * 32
    for seq, each in enumerate(entries, 7):
        h = link(h, seq, 1, each)
        values.append(h)
    assert link_run(b"p" * 32, 7, 1, entries) == values
    one_by_one, at_once = Window(4), Window(4)
    for window in (one_by_one, at_once):
        window.put(6, b"p" * 32)
    for seq, value in enumerate(values, 7):
        one_by_one.put(seq, value)
    at_once.put_run(7, values)
    assert [at_once.at(seq) for seq in range(20)] == [one_by_one.at(seq) for seq in range(20)]
