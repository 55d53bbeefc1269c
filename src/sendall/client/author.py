"""The session under which a process seals in one room, and its numbers.

One number is used for one content, ever: also of what is refused, given up, or never sent. Pure.
Source: docs/protocol.md, "Keys" and "Exactly once".
"""

from __future__ import annotations

from collections.abc import Callable

from sendall.client.items import Place
from sendall.crypto.identity import Identity
from sendall.crypto.sealing import Sealer
from sendall.protocol.entry import Entry, EntryType, parse


class Author:
    """Seals messages under 0, 1, 2, … of a session that no other process has."""

    def __init__(self, identity: Identity, new_session: Callable[[], bytes]) -> None:
        """`new_session` returns 16 random bytes."""
        self._identity = identity
        self._new_session = new_session
        self._sealer: Sealer | None = None
        self._next_n: dict[int, int] = {}  # by epoch, in this session: going back to one goes on with its numbers
        self.epoch = 0
        """That of what was sealed last."""
        self.session = new_session()
        self.sessions = {self.session}
        """This session and those before it."""

    def renew(self) -> None:
        """Go on under a new session: the numbers of the old one are out of step, or another process has it."""
        self.session = self._new_session()
        self.sessions.add(self.session)
        self._sealer = None
        self._next_n.clear()

    def seal(self, plaintext: bytes, place: Place, room_id: bytes) -> Entry:
        """Return the next message; its number is used up, whatever becomes of it."""
        if self._sealer is None or place.epoch != self.epoch:
            self._sealer = Sealer(place.key, room_id, place.epoch, self._identity.pk, self.session)
            self.epoch = place.epoch
        n = self._next_n.get(place.epoch, 0)
        self._next_n[place.epoch] = n + 1
        raw = self._sealer.seal(
            EntryType.MESSAGE, n, plaintext, head_seq=place.seq, head_hash=place.h, sign=self._identity.sign
        )
        return parse(raw)
