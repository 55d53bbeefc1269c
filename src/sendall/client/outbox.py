"""The outbox of one room: every message once, in order, whatever breaks.

Holds what was written and has not come back, seals it, and says what to send when. It obeys the
client rules of docs/protocol.md, "Exactly once": only the log decides, a refusal is a hint, and two
contents are never sealed under one (epoch, session, n). What survives a crash is in an
`OutboxStore`. Pure: no sockets, no clock, no randomness of its own; it never sees the room's state
but for the `Place` it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence

from sendall.client.author import Author
from sendall.client.events import NotKnown, Receipt, utc
from sendall.client.items import Item, OutboxStore, Place, Row, Settlement
from sendall.client.keys import reference_of
from sendall.client.pacing import Pacing
from sendall.crypto.identity import Identity
from sendall.errors import Code, Refused
from sendall.protocol.entry import Entry

_WAITS = {Code.SLOW_DOWN, Code.FULL, Code.GAP}
_TELLS_NOTHING = {Code.DUP, Code.STALE}
"""The log will show: the entry itself, or the epoch or restart entry that passed it."""


_Number = tuple[bytes, int, int]  # session, epoch, n


class Outbox:
    """What one program has to say in one room, its own and what it took over."""

    def __init__(self, store: OutboxStore, identity: Identity, new_session: Callable[[], bytes]) -> None:
        """`new_session` returns 16 random bytes that no other process can ever have."""
        self._store = store
        self._author = Author(identity, new_session)
        self.settled: list[Settlement] = []
        """What was decided since the caller last took it (`take_settled`)."""
        self.pacing = Pacing()
        self._sealed: dict[_Number, Item] = {}
        self._unsealed: deque[Item] = deque()
        self._kept: dict[int, Item] = {}  # held and not sealed
        self._resend: deque[Item] = deque()
        self._foreign = 0  # sealed items under other sessions that must come back before anything new is sealed
        self._deleted: list[int] = []
        self._floor = 0
        for row in store.rows():
            self._admit(Item(row))
        self._order_sealed()

    def _admit(self, item: Item) -> None:
        if item.doubt:
            item.entry = None
        if item.entry is not None:
            self._sealed[_number(item.entry)] = item
            self._foreign += not item.held
        elif item.held:
            self._kept[item.id] = item
        else:
            self._unsealed.append(item)

    def _order_sealed(self) -> None:
        # By number within a session, which is not the order of writing where something held was sent late.
        oldest: dict[bytes, int] = {}
        for (session, _, _), item in self._sealed.items():
            oldest.setdefault(session, item.id)
        ordered = sorted(self._sealed.items(), key=lambda pair: (oldest[pair[0][0]], *pair[0]))
        self._sealed = dict(ordered)

    @property
    def session(self) -> bytes:
        """The session under which this process seals now."""
        return self._author.session

    @property
    def sessions(self) -> Container[bytes]:
        """All sessions of this process: what comes back under one of them is "mine"."""
        return self._author.sessions

    # -- what the person does -----------------------------------------------------------------

    def write(self, plaintext: bytes, written_ms: int) -> Item:
        """Keep a message until it is settled; it is on disk when this returns."""
        item = Item(Row(self._store.put(plaintext, written_ms), written_ms, plaintext, None, held=False))
        self._unsealed.append(item)
        return item

    @property
    def open(self) -> list[Item]:
        """What is neither settled nor held, in the order of writing."""
        sealed = [item for item in self._sealed.values() if not item.held]
        return sorted([*sealed, *self._unsealed], key=_by_id)

    @property
    def has_open(self) -> bool:
        return bool(self._unsealed) or any(not item.held for item in self._sealed.values())

    @property
    def held(self) -> list[Item]:
        """What waits for the person's word, in the order of writing."""
        sealed = [item for item in self._sealed.values() if item.held]
        return sorted([*sealed, *self._kept.values()], key=_by_id)

    def send_held(self) -> list[Item]:
        """Let what is held go out, in order, before newer messages; return it."""
        items = self.held
        doubtful = [item for item in items if item.doubt]
        self._store.update([(item.id, None, False) for item in doubtful])
        for item in items:
            item.held = item.doubt = False
            if item.entry is not None:
                self._foreign += 1
                self._resend.append(item)
        self._queue_again([item for item in items if item.entry is None])
        self._kept.clear()
        return items

    def discard_held(self) -> list[Item]:
        """Forget what is held; what was sealed before may still appear."""
        items = self.held
        for item in items:
            if item.entry is not None:
                del self._sealed[_number(item.entry)]
        self._kept.clear()
        self._store.delete([item.id for item in items])
        return items

    # -- what the connection does -------------------------------------------------------------

    @property
    def start(self) -> int | None:
        """The seq after which the log must be read to learn what became of what is sealed; None: nothing is."""
        return min((item.entry.head_seq for item in self._sealed.values() if item.entry), default=None)

    def disconnected(self) -> None:
        """Nothing is under way any more; `caught_up` begins again."""
        self._step_back()
        self._resend.clear()

    def void_lost_heads(self, head: int, h_at: Callable[[int], bytes | None]) -> None:
        """Seal again, in a new session, what names a head that is not in the log up to `head` (rule 5).

        It was sealed by a program that had seen what the server lost since then; no server accepts it.
        `h_at` gives the chain value at a seq, None if it is not known.
        """
        void = []
        for item in self._sealed.values():
            assert item.entry is not None, "sealed"
            known = h_at(item.entry.head_seq)
            if item.entry.head_seq > head or known not in (None, item.entry.head_hash):
                void.append(item)
        if void:
            self._unseal(void)
            self._renew_session()

    def caught_up(self) -> None:
        """The log was read to the head once on this connection: what is still sealed is sent again (rule 2)."""
        self._step_back()

    def flush(self, place: Place, room_id: bytes, now: float) -> list[bytes]:
        """Return the entries to send now, in order; new ones are on disk before this returns (rule 1)."""
        if not self.pacing.may_send(now):
            return []
        out: list[bytes] = []
        new: list[tuple[int, bytes | None, bool]] = []
        while self.pacing.has_room:
            item = self._next(place, room_id, new)
            if item is None or item.entry is None:
                break
            item.is_sent = True
            self.pacing.sent(len(item.entry.raw))
            out.append(item.entry.raw)
        if new:
            self._store.update(new)
        return out

    def _next(self, place: Place, room_id: bytes, new: list[tuple[int, bytes | None, bool]]) -> Item | None:
        while self._resend:
            item = self._resend.popleft()
            if item.entry is not None and not item.is_sent and self._sealed.get(_number(item.entry)) is item:
                return item
        if self._foreign or not self._unsealed:
            return None
        item = self._unsealed.popleft()
        item.entry = self._author.seal(item.plaintext, place, room_id)
        self._sealed[_number(item.entry)] = item
        new.append((item.id, item.entry.raw, False))
        return item

    # -- what the log says: it alone decides ----------------------------------------------------

    def came_back(self, entry: Entry, seq: int, time_ms: int) -> None:
        """An entry of this identity stands in the log with verdict OK (rule 4)."""
        item = self._sealed.get(_number(entry))
        if item is not None and item.entry is not None and item.entry.raw == entry.raw:
            self._settle(item, Receipt(seq, utc(time_ms)))

    def epoch_passed(self, e: int) -> None:
        """The entry of epoch `e` was read: what was sealed before and did not come back was not accepted (rule 5)."""
        self._unseal([item for number, item in self._sealed.items() if number[1] < e])

    def restarted(self, seq: int, *, went_back: bool) -> None:
        """The restart entry at `seq` was read: as an epoch entry, and what follows goes out in a new session.

        `went_back`: this client had read further than the restart entry says, so that heads beyond `seq` are
        no proof of having been sealed after it.
        """
        self._unseal(
            [i for i in self._sealed.values() if went_back or (i.entry is not None and i.entry.head_seq < seq)]
        )
        self._renew_session()

    def skipped(self, upto: int, epoch: int, floor: int) -> None:
        """The log up to `upto` was not read whole: answers may have stood there (rule 8).

        `epoch` and `floor` are those of the room's state at `upto`.
        """
        for item in [i for i in self._sealed.values() if i.entry is not None and i.entry.head_seq < upto]:
            entry = item.entry
            if entry is not None and entry.epoch == epoch and entry.head_seq >= floor:
                item.is_pruned = True
            else:
                self._doubt([item])
        if floor > self._floor:
            self._floor = floor
            self._renew_session()  # the restart entry among what was skipped ended the numbers of the old one

    def lost_behind(self, kept: int) -> None:
        """The server lost what stood behind seq `kept`: give up what names a message there.

        Sent again, it would name whatever has that place now. All that was sealed before is sealed anew already.
        """
        for item in [*self._unsealed, *self._kept.values()]:
            if reference_of(item.plaintext) > kept:
                self._kept.pop(item.id, None)
                self._deleted.append(item.id)
                self.settled.append(Settlement(item, Refused(Code.STALE, hint="the server lost the message it names")))
        gone = set(self._deleted)
        self._unsealed = deque(item for item in self._unsealed if item.id not in gone)

    # -- what the server says: hints ----------------------------------------------------------

    def refused(self, session: bytes, n: int, code: Code, retry_ms: int | None, now: float) -> float | None:
        """Take a refusal of a message; return the seconds to wait if the server wants this client slower.

        The epoch is not in a refusal: a late one may name an entry that has its number since then. Nothing
        below does harm in that case.
        """
        item = self._find(session, n)
        if item is None or item.entry is None:
            return None
        if code in _WAITS:
            if self.pacing.is_under_way:  # else the refusal of an entry behind the one that was stepped back for
                self._step_back()
            return self.pacing.step_back(code, retry_ms, now)
        if code is Code.DUP and item.is_pruned:
            self._settle(item, Receipt(0, utc(item.written_ms)))
        elif code is Code.FORK:
            # Sealed on a head that this server's log does not have. Sealing it again on the server's word alone
            # could make it appear twice (rule 7), so the person decides.
            self._doubt(self._of_session(session))
            self._renew_if(session)
        elif code not in _TELLS_NOTHING:
            for given_up in self._of_session(session):
                self._settle(given_up, Refused(code, hint="it may still appear"))
            self._renew_if(session)
        return None

    # -- ends ---------------------------------------------------------------------------------

    def commit_settled(self) -> None:
        """Let the store forget what was settled since the last call, in one commit."""
        if self._deleted:
            self._store.delete(self._deleted)
            self._deleted = []

    def take_settled(self) -> list[Settlement]:
        settled, self.settled = self.settled, []
        return settled

    def renew_after_fork(self, store: OutboxStore) -> None:
        """In the child of a fork: what is open stays with the parent, and no number of its session is used."""
        self._store = store
        self._sealed.clear()
        self._unsealed.clear()
        self._kept.clear()
        self._deleted.clear()
        self._author.sessions.clear()
        self._renew_session()
        self.disconnected()

    # -- inside -------------------------------------------------------------------------------

    def _find(self, session: bytes, n: int) -> Item | None:
        item = self._sealed.get((session, self._author.epoch, n))
        if item is not None:
            return item
        return next((i for number, i in self._sealed.items() if number[::2] == (session, n)), None)

    def _of_session(self, session: bytes) -> list[Item]:
        return [item for (s, _, _), item in self._sealed.items() if s == session]

    def _settle(self, item: Item, outcome: Receipt | Refused) -> None:
        self._forget_sealed(item)
        self._deleted.append(item.id)
        self.settled.append(Settlement(item, outcome))

    def _doubt(self, items: Iterable[Item]) -> None:
        items = list(items)
        for item in items:
            self._forget_sealed(item)
            item.entry = None
            item.held = item.doubt = True
            self._kept[item.id] = item
            self.settled.append(Settlement(item, NotKnown()))
        self._store.update([(item.id, None, True) for item in items])

    def _forget_sealed(self, item: Item) -> None:
        assert item.entry is not None
        del self._sealed[_number(item.entry)]
        if not item.held:
            self._foreign -= item.entry.session != self.session
        if item.is_sent:
            item.is_sent = False
            self.pacing.answered(len(item.entry.raw))

    def _unseal(self, items: Sequence[Item]) -> None:
        # Where the answer may have stood in a part that nobody keeps, sealing again could double it (rule 8).
        self._doubt([item for item in items if item.is_pruned])
        items = [item for item in items if not item.is_pruned]
        for item in items:
            self._forget_sealed(item)
            item.entry = None
            if item.held:
                self._kept[item.id] = item
        self._queue_again([item for item in items if not item.held])

    def _queue_again(self, items: Sequence[Item]) -> None:
        if items:
            self._unsealed = deque(sorted([*items, *self._unsealed], key=_by_id))

    def _step_back(self) -> None:
        """Begin sending again at the first that is open, the same bytes (rules 3 and 7)."""
        for item in self._sealed.values():
            item.is_sent = False
        self.pacing.nothing_under_way()
        self._resend = deque(item for item in self._sealed.values() if not item.held)

    def _renew_session(self) -> None:
        self._author.renew()
        self._foreign = sum(not item.held for item in self._sealed.values())

    def _renew_if(self, session: bytes) -> None:
        if session == self.session:
            self._renew_session()


def _number(entry: Entry) -> _Number:
    return entry.session, entry.epoch, entry.n


def _by_id(item: Item) -> int:
    return item.id
