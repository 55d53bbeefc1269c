"""The epoch keys of one room, and what opens under them.

A granted key counts once the commitment of a valid epoch entry fits it; the grant may come before
that entry or after it. Also the strict reading of plaintexts: what is no JSON object of the protocol
is unreadable, for every client alike. Pure. Source: docs/protocol.md, "Grant", "Entry".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sendall.crypto.grants import open_grant
from sendall.crypto.identity import equal
from sendall.crypto.primitives import CannotOpen, RsaKey
from sendall.crypto.sealing import Opener, commitment
from sendall.errors import SendallError

MAX_CANDIDATES = 4
"""Keys kept per epoch until its commitment is known; the newest win."""
MAX_EARLY_EPOCHS = 1024
MAX_DEPTH = 64
"""Objects and arrays within each other, the outermost counted: every JSON reader can go that deep."""
_NUMBERS_END = 2**53
_decoder = msgspec.json.Decoder(dict[str, Any])  # Any: JSON of another client's making


class Unreadable(SendallError):
    """What was sealed is not what the protocol calls a plaintext."""


class EpochKeys:
    """Keys by epoch: those that a commitment proved, and those that still wait for theirs."""

    def __init__(self, room_id: bytes, id_pk: bytes, rsa: RsaKey) -> None:
        self._room_id = room_id
        self._id_pk = id_pk
        self._rsa = rsa
        self._commits: dict[int, bytes] = {}
        self._keys: dict[int, bytes] = {}
        self._openers: dict[int, Opener] = {}
        self._candidates: dict[int, list[bytes]] = {}
        self.newest_granted = 0
        """The highest epoch that a grant of this connection named; 0 before the first grant."""

    def disconnected(self) -> None:
        self.newest_granted = 0

    def take_grant(self, grant: bytes) -> list[int]:
        """Open a grant (1 ms of RSA) and return the epochs whose key is proved only now.

        What does not open or fit is ignored: a grant is not signed, the commitment decides.
        """
        try:
            granted = open_grant(grant, self._room_id, self._id_pk, self._rsa)
        except CannotOpen:
            return []
        self.newest_granted = max(self.newest_granted, max(granted))
        return self.take_keys(granted)

    def take_keys(self, granted: Mapping[int, bytes]) -> list[int]:
        """Take keys by epoch and return the epochs whose key is proved only now."""
        proved = []
        for e, key in granted.items():
            if e in self._keys:
                continue
            if e in self._commits:
                if self._prove(e, key):
                    proved.append(e)
            elif len(self._candidates) < MAX_EARLY_EPOCHS:
                waiting = self._candidates.setdefault(e, [])
                waiting.append(key)
                del waiting[:-MAX_CANDIDATES]
        return proved

    def committed(self, e: int, commit: bytes) -> bool:
        """Take the commitment of a valid epoch entry; return whether a key that fits was waiting for it."""
        if self._commits.get(e, commit) != commit:  # another history is being read
            self._keys.pop(e, None)
            self._openers.pop(e, None)
        self._commits[e] = commit
        return any(self._prove(e, key) for key in self._candidates.pop(e, []))

    def _prove(self, e: int, key: bytes) -> bool:
        if not equal(commitment(key, self._room_id, e), self._commits[e]):
            return False
        self._keys[e] = key
        self._openers[e] = Opener(key, self._room_id)
        return True

    def key(self, e: int) -> bytes | None:
        return self._keys.get(e)

    def opener(self, e: int) -> Opener | None:
        return self._openers.get(e)

    def forget_after(self, e: int) -> None:
        """Forget what belongs to epochs that a restart took back."""
        for kept in (self._commits, self._keys, self._openers, self._candidates):
            for late in [epoch for epoch in kept if epoch > e]:
                del kept[late]


def write_content(content: dict[str, Any]) -> bytes:
    """Return the bytes to seal for a JSON object. Raises ValueError: not encodable (a lone surrogate)."""
    return msgspec.json.encode(content)


def read_plaintext(plaintext: bytes) -> dict[str, Any]:
    """Return the JSON object, strictly: UTF-8 without byte order mark, no NaN, no number of 2^53 or more, 64 deep.

    Raises:
        Unreadable: anything else.
    """
    try:
        content = _decoder.decode(plaintext)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Unreadable("its content is not the JSON object it has to be") from None
    for value in content.values():
        if type(value) is not str and not _is_modest(value):
            raise Unreadable("its content has a number or a depth that not every client can hold")
    return content


def reference_of(plaintext: bytes) -> int:
    """Return the seq of the message that a plaintext of our own names; 0: none."""
    try:
        re = read_plaintext(plaintext).get("re")
    except Unreadable:  # of another version of this program
        return 0
    return re if type(re) is int else 0


def _is_modest(value: object) -> bool:
    """Return whether every client can hold the value of a member."""
    level = [value]
    depth = 1
    while level:
        # A reader in JavaScript cannot tell 1e16 from an integer: what has an exponent is judged alike.
        if any(isinstance(one, int | float) and abs(one) >= _NUMBERS_END for one in level):
            return False
        containers = [one for one in level if isinstance(one, dict | list)]
        if containers and depth == MAX_DEPTH:
            return False
        level = [inner for one in containers for inner in (one.values() if isinstance(one, dict) else one)]
        depth += 1
    return True
