from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.errors import Malformed
from sendall.protocol.entry import (
    HEADER_SIZE,
    MAX_ENTRY,
    MAX_N,
    MAX_SEQ,
    MIN_ENTRY,
    ZERO_32,
    Entry,
    EntryType,
    entry_hash,
    header,
    parse,
    signed_context,
)

U32 = st.integers(0, 2**32 - 1)
B32 = st.binary(min_size=32, max_size=32)


def an_entry(body: bytes = b"", type_: int = EntryType.MESSAGE, n: int = 0, head_seq: int = 0) -> bytes:
    head = header(type_, epoch=1, sender=ZERO_32, session=bytes(16), n=n, head_seq=head_seq, head_hash=ZERO_32)
    return head + body + bytes(64)


@given(
    st.integers(0, 255),
    U32,
    B32,
    st.binary(min_size=16, max_size=16),
    U32,
    st.integers(0, MAX_SEQ - 1),
    B32,
    st.binary(max_size=200),
    st.binary(min_size=64, max_size=64),
)
def test_a_built_entry_is_parsed_to_the_same_fields(
    type_: int, epoch: int, sender: bytes, session: bytes, n: int, head_seq: int, head: bytes, body: bytes, sig: bytes
) -> None:
    """Header fields, body and signature stand where the layout says."""
    built = header(type_, epoch=epoch, sender=sender, session=session, n=n, head_seq=head_seq, head_hash=head)
    entry = parse(built + body + sig)
    assert entry == Entry(built + body + sig, type_, epoch, sender, session, n, head_seq, head)
    assert (len(built), entry.body, entry.raw[-64:]) == (HEADER_SIZE, body, sig)
    assert entry.is_control == (type_ >= 0x10)


def test_the_layout_is_that_of_the_specification() -> None:
    """Each field is at its offset, big-endian."""
    raw = header(0x17, epoch=0x01020304, sender=b"s" * 32, session=b"S" * 16, n=5, head_seq=6, head_hash=b"h" * 32)
    assert raw.hex() == "01170000" + "01020304" + "73" * 32 + "53" * 16 + f"{5:016x}" + f"{6:016x}" + "68" * 32


@pytest.mark.parametrize("size", [0, 1, MIN_ENTRY - 1, MAX_ENTRY + 1])
def test_an_entry_of_a_wrong_size_is_malformed(size: int) -> None:
    """Nothing shorter than header and signature, nothing longer than the limit."""
    raw = an_entry(bytes(MAX_ENTRY))[:size]
    with pytest.raises(Malformed, match="bytes"):
        parse(raw)


@pytest.mark.parametrize("size", [MIN_ENTRY, MAX_ENTRY])
def test_an_entry_of_an_extreme_size_is_parsed(size: int) -> None:
    """Both limits belong to the range."""
    assert len(parse(an_entry(bytes(size - MIN_ENTRY))).raw) == size


@pytest.mark.parametrize(
    ("offset", "value"),
    [(0, 0), (0, 2), (2, 0x80), (3, 1)],
    ids=["version 0", "version 2", "high reserved bit", "low reserved bit"],
)
def test_another_version_or_a_reserved_bit_is_malformed(offset: int, value: int) -> None:
    """What this version does not know it does not guess at."""
    raw = bytearray(an_entry())
    raw[offset] = value
    with pytest.raises(Malformed, match="version"):
        parse(bytes(raw))


@pytest.mark.parametrize(("n", "head_seq"), [(MAX_N, 0), (0, MAX_SEQ), (2**64 - 1, 2**64 - 1)])
def test_numbers_out_of_range_are_malformed(n: int, head_seq: int) -> None:
    """n stays below 2^32 and head_seq below 2^53."""
    with pytest.raises(Malformed, match="out of range"):
        parse(an_entry(n=n, head_seq=head_seq))


def test_the_highest_numbers_are_parsed() -> None:
    """One below each limit is still good."""
    entry = parse(an_entry(n=MAX_N - 1, head_seq=MAX_SEQ - 1))
    assert (entry.n, entry.head_seq) == (MAX_N - 1, MAX_SEQ - 1)


@given(st.binary(max_size=400))
def test_any_bytes_are_an_entry_or_malformed(data: bytes) -> None:
    """Parsing raises nothing else, and an entry is its very bytes."""
    with suppress(Malformed):
        assert parse(data).raw == data


def test_hashes_and_contexts_are_those_of_the_specification() -> None:
    """H(entry), and the signed bytes, which begin with V and their purpose."""
    assert entry_hash(b"x") == hashlib.sha256(b"x").digest()
    assert signed_context(b"r" * 32, b"x") == b"sendall-v1 entry\0" + b"r" * 32 + b"x"
