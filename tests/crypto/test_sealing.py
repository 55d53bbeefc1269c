from __future__ import annotations

from math import floor, log2

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.crypto.identity import Identity
from sendall.crypto.primitives import Aead, CannotOpen, hkdf, verify
from sendall.crypto.sealing import MAX_PLAINTEXT, Opener, Sealer, _Keys, commitment, pad, padded_size, unpad
from sendall.protocol.entry import MAX_ENTRY, ZERO_32, Entry, EntryType, parse, signed_context

ROOM = b"r" * 32
KEY = b"k" * 32
ADA = Identity(b"a" * 32)
SESSION = b"s" * 16
V = b"sendall-v1 "


def seal(
    plaintext: bytes = b"{}", *, n: int = 0, type_: EntryType = EntryType.MESSAGE, key: bytes = KEY, epoch: int = 1
) -> Entry:
    sealer = Sealer(key, ROOM, epoch, ADA.pk, SESSION)
    return parse(sealer.seal(type_, n, plaintext, head_seq=2, head_hash=ZERO_32, sign=ADA.sign))


def padme(length: int) -> int:
    """Padmé as the specification writes it."""
    if length <= 64:
        return 64
    e: int = floor(log2(length))
    s: int = floor(log2(e)) + 1
    step: int = 2 ** (e - s)
    return -(-length // step) * step


@pytest.mark.parametrize(
    ("length", "size"),
    [(1, 64), (64, 64), (65, 72), (72, 72), (73, 80), (128, 128), (129, 144), (1000, 1024), (65_535, 65_536)],
)
def test_sizes_at_the_edges_of_buckets(length: int, size: int) -> None:
    """64 up to 64, then Padmé."""
    assert padded_size(length) == size


@given(st.integers(1, 65_536))
def test_padded_sizes_are_padme(length: int) -> None:
    """The formula of the specification, never smaller than the length, at most 12 % larger beyond 64."""
    size = padded_size(length)
    assert size == padme(length)
    assert length <= size <= max(64, length * 1.125)
    assert padded_size(size) == size


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda data: data + b"\x80" + bytes(20)))
def test_padding_comes_off_as_it_went_on(plaintext: bytes) -> None:
    """Whatever the plaintext ends with."""
    padded = pad(plaintext)
    assert unpad(padded) == plaintext
    assert len(padded) == padded_size(len(plaintext) + 1)


@pytest.mark.parametrize("padded", [b"", bytes(64), b"abc", b"abc" + bytes(61), b"\x81" + bytes(63)])
def test_what_has_no_mark_before_its_zeros_is_no_padding(padded: bytes) -> None:
    """It does not open, and says no more than that."""
    with pytest.raises(CannotOpen):
        unpad(padded)


@given(st.binary(max_size=500), st.integers(0, 2**32 - 1), st.sampled_from([EntryType.MESSAGE, EntryType.SIGNAL]))
def test_what_is_sealed_opens(plaintext: bytes, n: int, type_: EntryType) -> None:
    """With the epoch key alone; the signature covers all of it."""
    entry = seal(plaintext, n=n, type_=type_)
    assert Opener(KEY, ROOM).open(entry) == plaintext
    assert verify(ADA.pk, signed_context(ROOM, entry.raw[:-64]), entry.raw[-64:])


@pytest.mark.parametrize(("type_", "purpose"), [(EntryType.MESSAGE, b"msg"), (EntryType.SIGNAL, b"signal")])
def test_sealing_is_that_of_the_specification(type_: EntryType, purpose: bytes) -> None:
    """Key, nonce and additional data, derived here by hand."""
    entry = seal(b"{}", n=7, type_=type_)
    key = hkdf(KEY, salt=ROOM, info=V + purpose + b"\0\0\0\1" + ADA.pk + SESSION)
    padded = Aead(key).open(bytes(11) + b"\7", entry.body, ROOM + entry.raw[:104])
    assert padded == b"{}\x80" + bytes(61)


def test_the_longest_plaintext_makes_the_longest_entry() -> None:
    """65,535 bytes fit exactly, one more does not."""
    entry = seal(b"x" * MAX_PLAINTEXT)
    assert len(entry.raw) == MAX_ENTRY
    assert Opener(KEY, ROOM).open(entry) == b"x" * MAX_PLAINTEXT
    with pytest.raises(ValueError, match="at most 65,535 bytes, this one 65,536"):
        seal(b"x" * (MAX_PLAINTEXT + 1))


@pytest.mark.parametrize("field", ["epoch", "sender", "session", "n", "head_hash", "body"])
def test_every_part_of_the_header_is_bound(field: str) -> None:
    """A ciphertext under another header does not open: nobody can pass another's off as their own."""
    at = {"epoch": 7, "sender": 39, "session": 55, "n": 63, "head_hash": 103, "body": 110}[field]
    raw = bytearray(seal().raw)
    raw[at] ^= 1
    with pytest.raises(CannotOpen):
        Opener(KEY, ROOM).open(parse(bytes(raw)))


def test_another_key_or_room_does_not_open() -> None:
    """Nor does an entry that is sealed by nobody."""
    entry = seal()
    for opener in (Opener(b"K" * 32, ROOM), Opener(KEY, b"R" * 32)):
        with pytest.raises(CannotOpen):
            opener.open(entry)
    for type_ in (EntryType.EPOCH, 0x03):
        with pytest.raises(CannotOpen):
            Opener(KEY, ROOM).open(msgspec.structs.replace(entry, type=type_))


def test_an_opener_answers_alike_whatever_it_opened_before() -> None:
    """Entries that claim another epoch are opened under that epoch's derived key, not under a remembered one."""
    opener = Opener(KEY, ROOM)
    assert opener.open(seal(epoch=1)) == b"{}"
    assert opener.open(seal(epoch=2)) == b"{}"
    assert opener.open(seal(epoch=1)) == b"{}"


def test_derived_keys_are_kept_for_a_bounded_number_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is derived anew when it is needed again."""
    monkeypatch.setattr(_Keys, "LIMIT", 2)
    keys = _Keys(KEY, ROOM)
    first = keys.aead(EntryType.MESSAGE, 1, ADA.pk, b"1" * 16)
    assert keys.aead(EntryType.MESSAGE, 1, ADA.pk, b"1" * 16) is first
    for session in (b"2" * 16, b"3" * 16):
        keys.aead(EntryType.MESSAGE, 1, ADA.pk, session)
    assert keys.aead(EntryType.MESSAGE, 1, ADA.pk, b"1" * 16) is not first


def test_a_commitment_admits_one_key_in_one_room_and_epoch() -> None:
    """HKDF with the room as salt and the epoch in the info."""
    assert commitment(KEY, ROOM, 1) == hkdf(KEY, salt=ROOM, info=V + b"commit\0\0\0\1")
    others = {commitment(b"K" * 32, ROOM, 1), commitment(KEY, b"R" * 32, 1), commitment(KEY, ROOM, 2)}
    assert commitment(KEY, ROOM, 1) not in others
    assert len(others) == 3
