"""Who is in the room, as far as presence and cards tell: hints, never proof.

Presence brings ids (the server's word), cards bring names (sealed and signed). The first presence of
a connection is the roster and no news; who comes later is told with the name if its card follows
soon. Pure.
"""

from __future__ import annotations

from collections import OrderedDict

from sendall.client.conversation.kinds import Card
from sendall.client.events import Came, Event, Named, Presence, Went
from sendall.client.names import NO_NICK
from sendall.protocol.frames import Present

CARD_WAIT_S = 2.0
"""Seconds that the news of somebody's coming waits for the name."""
ANNOUNCED_S = 3.0
"""Seconds after its card within which the server tells that somebody came; it tells at most once a second."""
MAX_PEOPLE = 4096


class People:
    """Names by id, the count of those present, and who is about to be announced."""

    def __init__(self, me: bytes) -> None:
        self.count = 0
        self.nicks: OrderedDict[bytes, str] = OrderedDict()
        """Names of those present whose card is known; the oldest leave beyond 4,096."""
        self.hues: dict[bytes, int | None] = {}
        """The colours that the cards of those in `nicks` wish for."""
        self._me = me
        self._here: set[bytes] | None = None  # None: the roster is yet to come
        self._coming: dict[bytes, float] = {}
        self._unannounced: dict[bytes, float] = {}  # whose card came and whose coming was not told

    def disconnected(self) -> None:
        """The server tells everything again after the next connection."""
        self.count = 0
        self.nicks.clear()
        self.hues.clear()
        self._here = None
        self._coming.clear()
        self._unannounced.clear()

    def present(self, frame: Present, now: float) -> list[Event]:
        events: list[Event] = []
        is_roster, here = self._here is None, self._here or set()
        self._here = here
        for id_pk in map(bytes, frame.came):
            if id_pk == self._me or id_pk in here or len(here) >= MAX_PEOPLE:
                continue
            here.add(id_pk)
            if is_roster:
                continue
            nick = self.nicks.get(id_pk)
            if nick is None:
                self._coming[id_pk] = now + CARD_WAIT_S
            else:
                events.append(Came(id_pk, nick))
        for id_pk in map(bytes, frame.went):
            here.discard(id_pk)
            nick = self.nicks.pop(id_pk, NO_NICK)
            self.hues.pop(id_pk, None)
            if id_pk != self._me and self._coming.pop(id_pk, None) is None:
                events.append(Went(id_pk, nick))
        if frame.count != self.count:
            self.count = frame.count
            events.append(Presence(frame.count))
        return events

    def card(self, id_pk: bytes, card: Card) -> list[Event]:
        before = (self.nicks.get(id_pk), self.hues.get(id_pk))
        self.nicks[id_pk], self.hues[id_pk] = card.name, card.hue
        self.nicks.move_to_end(id_pk)
        if len(self.nicks) > MAX_PEOPLE:
            oldest, _ = self.nicks.popitem(last=False)
            del self.hues[oldest]
        if self._coming.pop(id_pk, None) is not None:
            return [Came(id_pk, card.name)]
        return [Named(id_pk, card.name, card.hue)] if before != (card.name, card.hue) else []

    def tick(self, now: float) -> list[Event]:
        """Announce those whose card did not come, and forget those of whom only a card came: they went at once."""
        late = [id_pk for id_pk, until in self._coming.items() if now >= until]
        for id_pk in late:
            del self._coming[id_pk]
        if self._here is not None:
            strangers = self.nicks.keys() - self._here - {self._me}
            self._unannounced = {i: self._unannounced.get(i, now + ANNOUNCED_S) for i in strangers}
            for id_pk in [i for i, until in self._unannounced.items() if now >= until]:
                del self._unannounced[id_pk], self.nicks[id_pk], self.hues[id_pk]
        return [Came(id_pk, NO_NICK) for id_pk in late]
