"""What one program says in a room without logging it: its card, and signals.

Numbers and keys of signals are their own, apart from those of messages (docs/protocol.md, "Keys").
Nothing here is kept or repeated: a signal that cannot be sent soon is dropped. Pure.
"""

from __future__ import annotations

from typing import Any

from sendall.client.conversation.kinds import Card, content_of
from sendall.client.items import Place
from sendall.client.keys import write_content
from sendall.crypto.identity import Identity
from sendall.crypto.sealing import Sealer
from sendall.protocol.entry import EntryType
from sendall.protocol.frames import post_frame

MAX_WAITING = 64
"""Signals that wait to be sent; the oldest beyond it are dropped."""


class Signals:
    """The signals of one program in one room."""

    def __init__(self, identity: Identity, nick: str) -> None:
        self.card_due = False
        """Whether this connection, or a new epoch, still lacks our card."""
        self.nick = nick
        """What our card says that we are called."""
        self._identity = identity
        self._card = write_content(content_of(Card(nick)))
        self._waiting: list[bytes] = []
        self._sealer: Sealer | None = None
        self._sealed_under = (0, b"")
        self._next_n: dict[tuple[int, bytes], int] = {}  # by epoch and session: no number is used twice

    def rename(self, card: Card) -> None:
        """Show another card from now on."""
        self.nick = card.name
        self._card = write_content(content_of(card))
        self.card_due = True

    def post(self, content: dict[str, Any]) -> None:
        """Send something to those present; it may be lost."""
        self._waiting.append(write_content(content))
        del self._waiting[:-MAX_WAITING]

    def clear(self) -> None:
        self._waiting.clear()

    def flush(self, rid: int, place: Place, room_id: bytes, session: bytes) -> list[bytes]:
        """Return the frames to send now."""
        out = []
        if self.card_due:
            self.card_due = False
            out.append(post_frame(rid, self._seal(self._card, place, room_id, session), card=True))
        if self._waiting:
            out += [post_frame(rid, self._seal(content, place, room_id, session)) for content in self._waiting]
            self._waiting.clear()
        return out

    def _seal(self, plaintext: bytes, place: Place, room_id: bytes, session: bytes) -> bytes:
        under = (place.epoch, session)
        if self._sealer is None or self._sealed_under != under:
            self._sealer = Sealer(place.key, room_id, place.epoch, self._identity.pk, session)
            self._sealed_under = under
        n = self._next_n.get(under, 0)
        self._next_n[under] = n + 1
        return self._sealer.seal(
            EntryType.SIGNAL, n, plaintext, head_seq=place.seq, head_hash=place.h, sign=self._identity.sign
        )
