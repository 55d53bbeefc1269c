from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.crypto.primitives import RSA_BYTES, rsa_encrypt, sha256
from sendall.errors import Malformed
from sendall.protocol.bodies import (
    NEEDS_ADMIT,
    Admit,
    Body,
    Epoch,
    Genesis,
    Invite,
    Join,
    Leave,
    Rekey,
    Restart,
    Revoke,
    RoleChange,
    join_context,
    parse_body,
    room_id_of,
)
from sendall.protocol.entry import MAX_SEQ, ZERO_32, EntryType, Kind, Role, header, parse

SENDER = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
MODULUS = b"\x80" + bytes(RSA_BYTES - 2) + b"\1"
NOT_CANONICAL = bytes([0xED]) + bytes([0xFF]) * 30 + bytes([0x7F])
SMALL_ORDER = (
    bytes(32),
    b"\1" + bytes(31),
    bytes([0xEC]) + bytes([0xFF]) * 30 + bytes([0x7F]),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
)
NO_KEYS = (NOT_CANONICAL, *SMALL_ORDER, *(key[:31] + bytes([key[31] | 0x80]) for key in SMALL_ORDER))
KEY = st.binary(min_size=32, max_size=32)


def entry_of(type_: int, body: bytes, *, sender: bytes = SENDER, epoch: int = 0) -> bytes:
    head = header(type_, epoch=epoch, sender=sender, session=bytes(16), n=0, head_seq=0, head_hash=ZERO_32)
    return head + body + bytes(64)


def parsed(type_: int, body: bytes, *, sender: bytes = SENDER, epoch: int = 0) -> Body:
    return parse_body(parse(entry_of(type_, body, sender=sender, epoch=epoch)))


BODIES: list[tuple[EntryType, Body]] = [
    (EntryType.GENESIS, Genesis(Kind.OPEN, 1, b"s" * 16, "lobby ä")),
    (EntryType.GENESIS, Genesis(Kind.PRIVATE, 0, b"s" * 16, "")),
    (EntryType.EPOCH, Epoch(b"p" * 32, 1, b"c" * 32, b"m" * 32, ())),
    (EntryType.EPOCH, Epoch(b"p" * 32, 1, b"c" * 32, b"m" * 32, (b"a" * 32, b"b" * 32))),
    (EntryType.ROLE, RoleChange(b"p" * 32, b"i" * 32, Role.BANNED)),
    (EntryType.INVITE, Invite(b"p" * 32, SENDER, b"d" * 32, 65_535, MAX_SEQ - 1, NEEDS_ADMIT)),
    (EntryType.INVITE, Invite(b"p" * 32, SENDER, ZERO_32, 0, 0)),
    (EntryType.REVOKE, Revoke(b"p" * 32, b"i" * 32)),
    (EntryType.ADMIT, Admit(b"p" * 32, b"i" * 32)),
    (EntryType.JOIN, Join(MODULUS, b"i" * 32, b"s" * 64)),
    (EntryType.REKEY, Rekey(MODULUS)),
    (EntryType.LEAVE, Leave()),
    (EntryType.RESTART, Restart()),
]


def name_of(value: object) -> str:
    return value.name.lower() if isinstance(value, EntryType) else type(value).__name__


@pytest.mark.parametrize(("type_", "body"), BODIES, ids=name_of)
def test_a_body_is_read_as_it_was_written(type_: EntryType, body: Body) -> None:
    """Packing and parsing are inverse, for every type of control entry."""
    assert parsed(type_, body.pack()) == body


@pytest.mark.parametrize(("type_", "body"), BODIES, ids=name_of)
def test_a_body_one_byte_longer_or_shorter_is_malformed(type_: EntryType, body: Body) -> None:
    """Every length is exact: nothing trails, nothing is left out."""
    packed = body.pack()
    for other in (packed + b"\0", packed[:-1]):
        if other != packed:
            with pytest.raises(Malformed):
                parsed(type_, other)


@given(st.integers(0, 255), st.binary(max_size=700))
def test_any_bytes_are_a_body_or_malformed(type_: int, body: bytes) -> None:
    """Parsing raises nothing else, and what it reads packs to the same bytes."""
    try:
        found = parsed(type_, body)
    except Malformed:
        return
    assert found.pack() == body


@given(KEY, KEY, KEY, st.lists(KEY, unique=True, max_size=8), st.integers(0, 2**32 - 2))
def test_an_epoch_entry_has_its_removed_in_one_order(
    prev: bytes, commit: bytes, members: bytes, removed: list[bytes], e: int
) -> None:
    """Ascending and each once, so that one removal has one entry."""
    body = Epoch(prev, e + 1, commit, members, tuple(sorted(removed)))
    assert parsed(EntryType.EPOCH, body.pack(), epoch=e) == body
    if removed:
        twice = body._replace(removed=(*body.removed, body.removed[-1]))
        with pytest.raises(Malformed):
            parsed(EntryType.EPOCH, twice.pack(), epoch=e)
    if len(removed) > 1:
        with pytest.raises(Malformed):
            parsed(EntryType.EPOCH, body._replace(removed=body.removed[::-1]).pack(), epoch=e)


@pytest.mark.parametrize("e", [0, 4, 5, 7])
def test_an_epoch_entry_names_the_epoch_after_its_own(e: int) -> None:
    """What its body and its header say contradicts itself otherwise, whatever the room's state is."""
    body = Epoch(b"p" * 32, e, b"c" * 32, b"m" * 32, ())
    with pytest.raises(Malformed):
        parsed(EntryType.EPOCH, body.pack(), epoch=5)


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        (EntryType.GENESIS, b"\2\1" + bytes(17)),
        (EntryType.GENESIS, b"\1\2" + bytes(17)),
        (EntryType.GENESIS, b"\0\1" + bytes(16) + b"\1\xff"),
        (EntryType.GENESIS, b"\0\1" + bytes(16) + b"\2\xc3\x28"),
        (EntryType.EPOCH, bytes(35) + b"\1" + bytes(64) + b"\0\2" + bytes(32)),
        (EntryType.ROLE, bytes(64) + b"\4"),
        (EntryType.INVITE, Invite(ZERO_32, SENDER, ZERO_32, 0, 0, 2).pack()),
        (EntryType.INVITE, Invite(ZERO_32, SENDER, ZERO_32, 0, 0, 0x80).pack()),
        (EntryType.INVITE, Invite(ZERO_32, SENDER, ZERO_32, 0, MAX_SEQ).pack()),
        (EntryType.JOIN, Join(b"\x7f" + MODULUS[1:], b"i" * 32, b"s" * 64).pack()),
        (EntryType.REKEY, MODULUS[:-1] + b"\2"),
        (EntryType.REKEY, b"\x7f" + MODULUS[1:]),
        (EntryType.MESSAGE, bytes(80)),
        (EntryType.SIGNAL, bytes(80)),
        (0x19, b""),
        (0xFF, b""),
    ],
    ids=[
        "genesis of a third kind",
        "genesis with an unknown history flag",
        "a name that is no UTF-8",
        "a name of a broken sequence",
        "epoch with fewer removed than it counts",
        "role 4",
        "an unknown flag of an invite",
        "the highest flag of an invite",
        "an expiry that not every implementation holds exactly",
        "join with a short modulus",
        "an even modulus",
        "a modulus of 3,071 bits",
        "a message",
        "a signal",
        "an unknown type",
        "the last type",
    ],
)
def test_a_body_with_one_defect_is_malformed(type_: int, body: bytes) -> None:
    """Flags, ranges, keys and types: what is not written down is refused."""
    with pytest.raises(Malformed):
        parsed(type_, body)


@pytest.mark.parametrize("key", NO_KEYS, ids=bytes.hex)
def test_keys_that_libraries_judge_differently_are_none(key: bytes) -> None:
    """Neither an invite nor a joiner may have one of small order, or one that is not canonical."""
    with pytest.raises(Malformed):
        parsed(EntryType.INVITE, Invite(ZERO_32, key, ZERO_32, 0, 0).pack())
    with pytest.raises(Malformed):
        parsed(EntryType.JOIN, Join(MODULUS, b"i" * 32, b"s" * 64).pack(), sender=key)


@given(st.binary(min_size=RSA_BYTES - 2, max_size=RSA_BYTES - 2), st.integers(0x80, 0xFF), st.integers(0, 127))
def test_whatever_passes_for_a_modulus_can_be_sealed_to(middle: bytes, first: int, last: int) -> None:
    """A member who gives bytes that are no product of two primes harms nobody but himself."""
    modulus = bytes([first]) + middle + bytes([2 * last + 1])
    rekey = parsed(EntryType.REKEY, modulus)
    assert isinstance(rekey, Rekey)
    assert len(rsa_encrypt(rekey.modulus, bytes(32), bytes(32))) == RSA_BYTES


def test_a_room_and_a_join_are_named_as_the_specification_says() -> None:
    """Written here by hand: tag, then what is hashed or signed."""
    raw = entry_of(EntryType.GENESIS, BODIES[0][1].pack())
    assert room_id_of(raw) == sha256(b"sendall-v1 room\0" + raw)
    spki = bytes.fromhex("308201a2300d06092a864886f70d01010105000382018f003082018a0282018100") + MODULUS
    expected = b"sendall-v1 join\0" + b"r" * 32 + SENDER + sha256(spki + bytes.fromhex("0203010001"))
    assert join_context(b"r" * 32, SENDER, MODULUS) == expected
