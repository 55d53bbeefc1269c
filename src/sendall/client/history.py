"""Paging back: older parts of a log, verified against chain values this client already knows.

A page must chain up to a known h[to]; what it shows passes the checks of docs/protocol.md,
"Requests". Knows nothing of the room's state but the epochs by seq and the anchors it is told. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from sendall.client.events import Told
from sendall.client.reading import Reader
from sendall.crypto.primitives import verify
from sendall.errors import Malformed, Refused, SecurityAlarm
from sendall.protocol.chain import link
from sendall.protocol.entry import SIGNATURE_SIZE, Entry, EntryType, parse, signed_context
from sendall.protocol.frames import Page, Read

ANCHOR_EVERY = 256
"""Seqs between the chain values that are kept for ever, so that any place can be paged from."""
PAGE = 256
"""Entries asked for at once, beside those up to the next anchor."""
MAX_SESSIONS = 65_536


class PageRead(NamedTuple):
    """The answer to one `read`: messages ascending, and from which seq on the page began."""

    q: int
    first: int
    told: list[Told]
    refused: Refused | None = None


class History:
    """What can be paged back to, and the one page that is under way."""

    def __init__(self, room_id: bytes) -> None:
        self._room_id = room_id
        self._seqs: list[int] = []  # ascending, with their values in _values
        self._values: dict[int, bytes] = {}
        self._epochs: list[tuple[int, int]] = []  # (seq of the epoch entry, e), ascending
        # (n, seq) of the lowest message known, by (epoch, sender, session).
        self._first_n: OrderedDict[tuple[int, bytes, bytes], tuple[int, int]] = OrderedDict()
        self._lowest: int | None = None  # of what was judged or paged: lower seqs are looked at for repetitions
        self._asked: Read | None = None
        self._page: Page | None = None
        self._entries: list[tuple[int, int, bytes]] = []
        self.may_show: Callable[[int, Entry], bool] = lambda seq, entry: True
        """Whether the sender of the message at a seq was a member there; OPEN rooms have none."""
        self.refused: set[int] = set()
        """Seqs whose entry had another verdict than OK: never shown."""

    # -- what the follower tells ------------------------------------------------------------

    def begins(self, seq: int, h: bytes) -> None:
        """Reading began (again) after `seq`."""
        self._lowest = seq + 1
        self._anchor(seq, h)

    def passed(self, seq: int, h: bytes) -> None:
        """The log was read up to `seq`; called for every seq, keeps every 256th."""
        if seq % ANCHOR_EVERY == 0:
            self._anchor(seq, h)

    def new_epoch(self, seq: int, e: int) -> None:
        if (seq, e) not in self._epochs:
            self._epochs.append((seq, e))

    def saw_first(self, entry: Entry, seq: int) -> None:
        """A late reader saw a message: of a session it did not know, this is the lowest n it may ever show."""
        self._first_n.setdefault((entry.epoch, entry.sender, entry.session), (entry.n, seq))
        if len(self._first_n) > MAX_SESSIONS:
            self._first_n.popitem(last=False)

    def cut(self, seq: int) -> None:
        """A restart took back what came after `seq`."""
        for late in self._seqs[bisect_right(self._seqs, seq) :]:
            del self._values[late]
        del self._seqs[bisect_right(self._seqs, seq) :]
        self._epochs = [place for place in self._epochs if place[0] <= seq]
        self.refused = {s for s in self.refused if s <= seq}
        self.disconnected()

    def disconnected(self) -> None:
        self._asked = self._page = None
        self._entries = []

    # -- asking -------------------------------------------------------------------------------

    @property
    def is_asked(self) -> bool:
        """Whether a page is under way, also one that nobody waits for any more."""
        return self._asked is not None

    def ask(self, q: int, rid: int, before: int, limit: int, known: bytes | None) -> Read | None:
        """Return the request for about `limit` entries before seq `before`; None if there can be none.

        `known` is h[before - 1] where the follower still has it. One page at a time.
        """
        assert self._asked is None, "one page at a time"
        to = before - 1
        if known is not None:
            self._anchor(to, known)
        at = bisect_left(self._seqs, to)
        if to < 1 or at == len(self._seqs):
            return None
        from_ = max(1, to - max(1, min(limit, PAGE)) + 1)
        self._asked = Read(q=q, rid=rid, from_=from_, to=self._seqs[at])
        return self._asked

    def page(self, frame: Page) -> None:
        """Take the head of the answer.

        Raises:
            Malformed: not the answer to what was asked. An empty page is none: paging would never end.
        """
        asked = self._asked
        fits = asked is not None and frame.q == asked.q and asked.from_ <= frame.from_ <= frame.to == asked.to
        if not fits or self._page is not None:
            raise Malformed("a page that was not asked for")
        self._page = frame

    def declined(self, q: int) -> bool:
        """The server refused request `q`; return whether it was for a page."""
        is_ours = self._asked is not None and self._asked.q == q
        if is_ours:
            self.disconnected()
        return is_ours

    def expects(self, seq: int) -> bool:
        """Whether a frame of this seq can only be the next entry of the page under way."""
        return self._page is not None and seq == self._page.from_ + len(self._entries)

    def take(self, seq: int, time_ms: int, raw: bytes) -> bool:
        """Take the next entry; return whether the page is complete."""
        self._entries.append((seq, time_ms, raw))
        return self._page is not None and seq == self._page.to

    # -- judging ------------------------------------------------------------------------------

    def finish(self, reader: Reader) -> PageRead:
        """Return the complete page, verified.

        Raises:
            SecurityAlarm: it does not chain up to what this client knows.
        """
        page, entries = self._page, self._entries
        assert page is not None
        self.disconnected()
        h = bytes(page.h)
        for seq, time_ms, raw in entries:
            h = link(h, seq, time_ms, raw)
        if h != self._values.get(page.to):
            raise SecurityAlarm("history", "the server's history does not fit what it said before")
        told: list[Told] = []
        for seq, time_ms, raw in reversed(entries):
            entry = self._shown(seq, raw)
            if entry is not None:
                told.append(reader.open(seq, time_ms, entry))
        self._anchor(page.from_ - 1, bytes(page.h))
        self._lowest = page.from_ if self._lowest is None else min(self._lowest, page.from_)
        return PageRead(page.q, page.from_, told[::-1])

    def _shown(self, seq: int, raw: bytes) -> Entry | None:
        try:
            entry = parse(raw)
        except Malformed:
            return None
        if entry.type != EntryType.MESSAGE or entry.epoch != self._epoch_at(seq) or seq in self.refused:
            return None
        signed = signed_context(self._room_id, raw[:-SIGNATURE_SIZE])
        if not verify(entry.sender, signed, raw[-SIGNATURE_SIZE:]) or not self.may_show(seq, entry):
            return None
        if self._lowest is None or seq < self._lowest:
            # Going down, the numbers of a session only descend; the same message at its own seq is no repetition.
            number = (entry.epoch, entry.sender, entry.session)
            n, at = self._first_n.get(number, (entry.n + 1, seq + 1))
            if (entry.n >= n) != (seq >= at):
                self.refused.add(seq)
                return None
            if seq < at:
                self._first_n[number] = (entry.n, seq)
        return entry

    def _epoch_at(self, seq: int) -> int:
        at = bisect_left(self._epochs, (seq, 0))
        return self._epochs[at - 1][1] if at else 0

    def _anchor(self, seq: int, h: bytes) -> None:
        if seq not in self._values:
            self._seqs.insert(bisect_left(self._seqs, seq), seq)
        self._values[seq] = h
