from __future__ import annotations

import hashlib
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from sendall.protocol.words import word_list, words_of


def test_the_word_list_is_the_published_one() -> None:
    """BIP-39 English, byte by byte: another list would be other words for the same key."""
    data = files("sendall.protocol").joinpath("words.txt").read_bytes()
    assert hashlib.sha256(data).hexdigest() == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    assert len(word_list()) == len(set(word_list())) == 2048


def test_words_are_eleven_bits_each_from_the_left() -> None:
    """The first 88 bits, most significant first."""
    assert words_of(bytes(11)) == " ".join(["abandon"] * 8)
    assert words_of(b"\xff" * 32) == " ".join(["zoo"] * 8)
    assert words_of(b"\x00\x20" + bytes(9)) == "ability" + " abandon" * 7
    assert words_of(bytes(10) + b"\x01") == "abandon " * 7 + "ability"


@given(st.binary(min_size=32, max_size=32))
def test_the_words_hold_88_bits_of_the_fingerprint(fingerprint: bytes) -> None:
    """From the words the first eleven bytes can be read back."""
    bits = 0
    for word in words_of(fingerprint).split():
        bits = bits << 11 | word_list().index(word)
    assert bits.to_bytes(11, "big") == fingerprint[:11]
