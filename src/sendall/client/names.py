"""Names and foreign text, made safe for one line of any screen, and the tags that tell keys apart.

Nothing a peer chose leaves here with a character that commands a terminal or reorders a line. The
same rules in the browser page: vectors/conversation-names.json. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b32encode
from functools import lru_cache

from sendall.crypto.identity import person_fingerprint

NO_NICK = "?"
MAX_NICK = 32
"""Graphemes of a name that are shown."""
MAX_CLUSTER = 10
"""Code points that count as one grapheme at most: the longest emoji of today has ten."""
TAG = 4
"""Characters of a key's fingerprint beside every name."""

_MARKS_PER_CHARACTER = 2
_ZWJ = "\u200d"
_JOINERS = "\u200c" + _ZWJ  # needed by several scripts and by emoji; they move nothing on a terminal
_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # control sequences
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # strings with an end
    r"|\x1b[ -/]*[0-~]?"
)
_BLANKS = dict.fromkeys((0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800), " ")  # letters and symbols that nobody sees
_SPACES = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")


def safe_text(text: str) -> str:
    """Return `text` in one line, without anything that commands a terminal or reorders a line.

    Line ends and tabs become spaces; control, escape, format and bidi characters go; a lone surrogate
    becomes U+FFFD.
    """
    if text.isprintable():  # no control, format, surrogate or separator character in it
        return text
    kept = []
    for c in _ESCAPE_SEQUENCES.sub("", text.replace("\r\n", "\n")):
        category = unicodedata.category(c)
        if c in _SPACES:
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")
        elif category not in ("Cc", "Cf") or c in _JOINERS:
            kept.append(c)
    return "".join(kept)


def safe_lines(text: str) -> list[str]:
    """Return `text` as lines, each as `safe_text` makes it; a tab becomes four spaces."""
    bare = _ESCAPE_SEQUENCES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return [safe_text(line.replace("\t", "    ")) for line in bare.split("\n")]


@lru_cache(4096)
def safe_nick(nick: str) -> str:
    """Return a name that can stand in one line: NFKC, at most 32 graphemes, "?" if nothing is left.

    A grapheme is a character with what stands on it: up to two marks, a skin tone, a second regional
    indicator, or the symbol behind a joiner; never more than ten code points.
    """
    flat = " ".join(safe_text(unicodedata.normalize("NFKC", nick[:1024]).translate(_BLANKS)).split())
    kept: list[str] = []
    graphemes = cluster = marks = flags = 0
    for c in flat:
        category = unicodedata.category(c)
        is_mark = category in ("Mn", "Mc", "Me") or c in _JOINERS or "\U0001f3fb" <= c <= "\U0001f3ff"
        is_flag = "\U0001f1e6" <= c <= "\U0001f1ff"
        marks = marks + 1 if is_mark else 0
        flags = flags + 1 if is_flag else 0
        if marks > _MARKS_PER_CHARACTER or ((is_mark or c == " ") and not kept):
            continue
        goes_on = is_mark or (is_flag and flags % 2 == 0) or (category == "So" and bool(kept) and kept[-1] == _ZWJ)
        cluster = cluster + 1 if goes_on and cluster < MAX_CLUSTER else 1
        graphemes += cluster == 1
        if graphemes > MAX_NICK:
            break
        kept.append(c)
    return "".join(kept).rstrip(_JOINERS + " ") or NO_NICK


@lru_cache(4096)
def tag_of(id_pk: bytes, length: int = TAG) -> str:
    """Return the first characters of a person's key fingerprint, to tell equal names apart."""
    return b32encode(person_fingerprint(id_pk)).decode().lower()[:length]


class Tags:
    """The tags of those who were seen in one room, long enough to differ.

    Four characters can be had by trying a million keys. So where two keys share them, both get as many
    characters as it takes: nobody can look like somebody else.
    """

    def __init__(self) -> None:
        self._known: dict[str, list[bytes]] = {}  # those who share four characters
        self._long: dict[bytes, str] = {}

    def meet(self, id_pk: bytes) -> bool:
        """Take note of a key; return whether tags that were shown before are longer now."""
        sharing = self._known.setdefault(tag_of(id_pk), [])
        if id_pk in sharing:
            return False
        sharing.append(id_pk)
        if len(sharing) == 1:
            return False
        length = TAG
        while len({tag_of(each, length) for each in sharing}) < len(sharing):
            length += 1
        self._long.update((each, tag_of(each, length)) for each in sharing)
        return True

    def tag(self, id_pk: bytes) -> str:
        """Return the tag to show beside the name."""
        return self._long.get(id_pk) or tag_of(id_pk)
