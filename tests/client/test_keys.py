"""Epoch keys, and the strict reading of plaintexts."""

from __future__ import annotations

import json

import msgspec
import pytest

from sendall.client.keys import (
    MAX_CANDIDATES,
    MAX_EARLY_EPOCHS,
    EpochKeys,
    Unreadable,
    read_plaintext,
    reference_of,
    write_content,
)
from sendall.crypto.grants import seal_grant
from sendall.crypto.sealing import commitment
from tests.conftest import RsaPool

ROOM, ME = b"r" * 32, b"i" * 32


def grant_of(rsa_pool: RsaPool, keys: dict[int, bytes], *, to: bytes = ME, key: int = 0) -> bytes:
    return seal_grant(ROOM, to, rsa_pool[key].modulus, keys)


@pytest.mark.parametrize("grant_first", [True, False])
def test_a_key_counts_once_its_commitment_fits(rsa_pool: RsaPool, grant_first: bool) -> None:
    """Whether the grant or the epoch entry comes first, the key is there after both and not before."""
    keys = EpochKeys(ROOM, ME, rsa_pool[0])
    grant, commit = grant_of(rsa_pool, {3: b"k" * 32}), commitment(b"k" * 32, ROOM, 3)
    if grant_first:
        assert keys.take_grant(grant) == []
        assert keys.key(3) is None
        assert keys.committed(3, commit)
    else:
        assert not keys.committed(3, commit)
        assert keys.take_grant(grant) == [3]
    assert keys.key(3) == b"k" * 32
    assert keys.newest_granted == 3


def test_a_key_that_does_not_fit_is_ignored(rsa_pool: RsaPool) -> None:
    """A forged grant neither gives a key nor keeps the right one out."""
    keys = EpochKeys(ROOM, ME, rsa_pool[0])
    keys.committed(1, commitment(b"k" * 32, ROOM, 1))
    assert keys.take_grant(grant_of(rsa_pool, {1: b"x" * 32})) == []
    assert keys.key(1) is None
    assert keys.take_grant(grant_of(rsa_pool, {1: b"k" * 32})) == [1]


def test_forged_grants_that_come_early_are_bounded(rsa_pool: RsaPool) -> None:
    """However many keys wait for a commitment, the newest few are kept."""
    keys = EpochKeys(ROOM, ME, rsa_pool[0])
    for i in range(MAX_CANDIDATES + 1):
        keys.take_grant(grant_of(rsa_pool, {1: bytes([i]) * 32}))
    assert not keys.committed(1, commitment(bytes([0]) * 32, ROOM, 1))


def test_a_grant_for_somebody_else_is_nothing(rsa_pool: RsaPool) -> None:
    """Another recipient, another key or altered bytes: no key, no error."""
    keys = EpochKeys(ROOM, ME, rsa_pool[0])
    keys.committed(1, commitment(b"k" * 32, ROOM, 1))
    right = grant_of(rsa_pool, {1: b"k" * 32})
    for wrong in (
        grant_of(rsa_pool, {1: b"k" * 32}, to=b"o" * 32),
        grant_of(rsa_pool, {1: b"k" * 32}, key=1),
        right[:-1] + bytes([right[-1] ^ 1]),
        right[:100],
        b"",
    ):
        assert keys.take_grant(wrong) == []


def test_a_restart_takes_keys_back(rsa_pool: RsaPool) -> None:
    """Keys of epochs that the log lost are forgotten: the epoch may be made again with another key."""
    keys = EpochKeys(ROOM, ME, rsa_pool[0])
    for e in (1, 2):
        keys.committed(e, commitment(bytes([e]) * 32, ROOM, e))
    keys.take_grant(grant_of(rsa_pool, {1: bytes([1]) * 32, 2: bytes([2]) * 32}))
    keys.forget_after(1)
    assert keys.key(1) is not None
    assert keys.key(2) is None
    assert keys.opener(2) is None


def test_forged_epochs_that_come_early_are_bounded(rsa_pool: RsaPool) -> None:
    """Keys of 1,024 epochs that no entry names leave no place for more, and none is lost: it is granted again."""
    keys = EpochKeys(ROOM, ME, rsa_pool[0])
    keys.take_grant(grant_of(rsa_pool, {e: b"x" * 32 for e in range(2, 2 + MAX_EARLY_EPOCHS)}))
    right = grant_of(rsa_pool, {1: b"k" * 32})
    assert keys.take_grant(right) == []
    assert not keys.committed(1, commitment(b"k" * 32, ROOM, 1))
    assert keys.take_grant(right) == [1]


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b'{"t":"m"',
        b'{"t":"m"} x',
        b"\xef\xbb\xbf{}",
        b'{"x":"\xff"}',
        b'{"x":"\xed\xa0\x80"}',
        b'{"x":"\\ud800"}',
        b'{"x":NaN}',
        b'{"x":Infinity}',
        b'{"x":9007199254740992}',
        b'{"x":-9007199254740992}',
        b'{"x":[{"y":9007199254740993}]}',
        b'{"x":9007199254740992.0}',
        b'{"x":[-1e300]}',
        b'{"x":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"x":' + b"9" * 5000 + b"}",
        b'{"x":' + b"[" * 60_000 + b"]" * 5,
        b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b"{'x':1}",
        b'{"x":"\n"}',
    ],
)
def test_what_is_no_json_object_of_the_protocol_is_unreadable(plaintext: bytes) -> None:
    """Invalid UTF-8, a byte order mark, NaN, great numbers, non-objects and nesting bombs end alike."""
    with pytest.raises(Unreadable):
        read_plaintext(plaintext)


def test_what_every_client_can_hold_is_read_as_it_is() -> None:
    """Truth, nothing, fractions, nesting and the greatest integers of JavaScript are content like any other."""
    value = [True, False, None, 0.5, 2**53 - 1, 1 - 2**53, {"y": [{}, "z"]}, json.loads("[" * 62 + "]" * 62)]
    assert read_plaintext(msgspec.json.encode({"x": value, "y": True})) == {"x": value, "y": True}


def test_the_last_of_two_equal_names_counts() -> None:
    """As in every browser."""
    assert read_plaintext(b'{"x":1,"x":9007199254740991}') == {"x": 2**53 - 1}


def test_a_message_reads_as_it_was_written() -> None:
    """Text and name survive the way."""
    assert read_plaintext(write_content({"t": "m", "x": 'a"\n\u2028', "nick": "ada"})) == {
        "t": "m",
        "x": 'a"\n\u2028',
        "nick": "ada",
    }


@pytest.mark.parametrize(
    ("plaintext", "re"),
    [(b'{"t":"del","re":7}', 7), (b'{"t":"m","x":""}', 0), (b'{"re":"7"}', 0), (b'{"re":true}', 0), (b"[]", 0)],
)
def test_what_a_plaintext_names(plaintext: bytes, re: int) -> None:
    """A seq, or nothing; also of what another version of this program wrote."""
    assert reference_of(plaintext) == re


def test_text_that_utf8_cannot_hold_is_a_value_error() -> None:
    """A lone surrogate is refused before anything is kept."""
    with pytest.raises(ValueError, match="surrogate"):
        write_content({"t": "m", "x": "\ud800"})
