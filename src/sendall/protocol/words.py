"""Fingerprints as words, for people to compare aloud.

The first 88 bits of a hash, 11 at a time, in the BIP-39 English list (2,048 words, `words.txt`
beside this file; its checksum is pinned by a test). Pure. Source: docs/protocol.md, "Words".
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

WORD_COUNT = 8


@cache
def word_list() -> tuple[str, ...]:
    return tuple(files("sendall.protocol").joinpath("words.txt").read_text("ascii").split())


def words_of(fingerprint: bytes) -> str:
    """Return eight words for a hash of at least 11 bytes."""
    bits = int.from_bytes(fingerprint[:11], "big")
    return " ".join(word_list()[bits >> 11 * i & 2047] for i in reversed(range(WORD_COUNT)))
