from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.errors import Malformed
from sendall.protocol.bodies import Epoch, Genesis, Restart, RoleChange, parse_body, room_id_of
from sendall.protocol.entry import (
    HEADER_SIZE,
    MAX_ENTRY,
    MAX_N,
    MAX_SEQ,
    MIN_ENTRY,
    ZERO_32,
    Entry,
    EntryType,
    Kind,
    Role,
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


@given(st.sampled_from([*EntryType, 0x00, 0x11, 0x12, 0xFF]), st.binary(max_size=250))
def test_any_body_is_parsed_without_loss_or_malformed(type_: int, body: bytes) -> None:
    """A body has one encoding: what is parsed packs to the same bytes."""
    try:
        parsed = parse_body(parse(an_entry(body, type_)))
    except Malformed:
        return
    assert (b"" if parsed is None else parsed.pack()) == body


@pytest.mark.parametrize(
    "body",
    [
        Genesis(Kind.OPEN, 1, b"s" * 16, "lobby"),
        Genesis(Kind.PRIVATE, 0, b"s" * 16, ""),
        Genesis(Kind.OPEN, 0, b"s" * 16, "ä" * 127),
        Epoch(b"a" * 32, 1, b"c" * 32, b"m" * 32, ()),
        Epoch(b"a" * 32, 2**32 - 1, b"c" * 32, b"m" * 32, (b"\0" * 32, b"\1" * 32)),
        *(RoleChange(b"a" * 32, b"i" * 32, role) for role in Role),
    ],
    ids=str,
)
def test_each_body_survives_packing(body: Genesis | Epoch | RoleChange) -> None:
    """Packing and parsing are inverse."""
    types = {Genesis: EntryType.GENESIS, Epoch: EntryType.EPOCH, RoleChange: EntryType.ROLE}
    assert parse_body(parse(an_entry(body.pack(), types[type(body)]))) == body


def test_a_restart_entry_has_no_body() -> None:
    """None stands for the empty body; a byte in it is malformed."""
    assert parse_body(parse(an_entry(b"", EntryType.RESTART))) == Restart()
    with pytest.raises(Malformed, match="restart"):
        parse_body(parse(an_entry(b"x", EntryType.RESTART)))


GENESIS = Genesis(Kind.OPEN, 1, b"s" * 16, "lobby").pack()
EPOCH = Epoch(b"a" * 32, 1, b"c" * 32, b"m" * 32, (b"\1" * 32, b"\2" * 32)).pack()
ROLE = RoleChange(b"a" * 32, b"i" * 32, Role.READER).pack()


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        (EntryType.GENESIS, GENESIS[:18]),
        (EntryType.GENESIS, GENESIS[:-1]),
        (EntryType.GENESIS, GENESIS + b"x"),
        (EntryType.GENESIS, b"\2" + GENESIS[1:]),
        (EntryType.GENESIS, GENESIS[:1] + b"\2" + GENESIS[2:]),
        (EntryType.GENESIS, GENESIS[:-1] + b"\xff"),
        (EntryType.EPOCH, EPOCH[:101]),
        (EntryType.EPOCH, EPOCH[:-1]),
        (EntryType.EPOCH, EPOCH + b"x"),
        (EntryType.EPOCH, EPOCH[:-32] + b"\1" * 32),
        (EntryType.EPOCH, EPOCH[:-32] + b"\0" * 32),
        (EntryType.ROLE, ROLE[:-1]),
        (EntryType.ROLE, ROLE + b"x"),
        (EntryType.ROLE, ROLE[:-1] + b"\4"),
    ],
    ids=[
        "genesis without a name length",
        "genesis too short",
        "genesis too long",
        "genesis of an unknown kind",
        "genesis with an unknown history flag",
        "genesis whose name is no UTF-8",
        "epoch too short",
        "epoch with a cut id",
        "epoch too long",
        "epoch that removes one twice",
        "epoch that removes in descending order",
        "role too short",
        "role too long",
        "unknown role",
    ],
)
def test_a_body_with_one_defect_is_malformed(type_: EntryType, body: bytes) -> None:
    """Lengths, flags and orders are exact."""
    with pytest.raises(Malformed):
        parse_body(parse(an_entry(body, type_)))


@pytest.mark.parametrize("type_", [EntryType.MESSAGE, EntryType.SIGNAL, 0x19, 0x1F, 0x21, 0xFF])
def test_types_without_a_body_are_malformed(type_: int) -> None:
    """What is sealed, and what is unknown, is no control entry."""
    with pytest.raises(Malformed, match="no control entry"):
        parse_body(parse(an_entry(b"", type_)))


def test_hashes_and_contexts_are_those_of_the_specification() -> None:
    """H(entry), the room_id and the signed bytes begin with V and their purpose."""
    assert entry_hash(b"x") == hashlib.sha256(b"x").digest()
    assert room_id_of(b"x") == hashlib.sha256(b"sendall-v1 room\0x").digest()
    assert signed_context(b"r" * 32, b"x") == b"sendall-v1 entry\0" + b"r" * 32 + b"x"
