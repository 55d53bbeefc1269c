"""From entries to what people read: opening, in order, and waiting for keys.

Entries reach it with their verdict already OK. Those whose key is not there yet wait, and all behind
them, so that what is told stays in the log's order. Pure.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Container

from sendall.client.conversation.kinds import Newer, NotOfItsKind, Text, read_spoken
from sendall.client.events import NEWER_CLIENT, Change, Event, Message, Signal, Told, Unreadable, utc
from sendall.client.keys import EpochKeys, read_plaintext
from sendall.client.keys import Unreadable as NotAPlaintext
from sendall.client.names import NO_NICK, safe_nick, tag_of
from sendall.crypto.primitives import CannotOpen, verify
from sendall.errors import Malformed
from sendall.protocol.entry import HEADER_SIZE, MIN_SEALED_BODY, SIGNATURE_SIZE, Entry, EntryType, parse, signed_context

MAX_WAITING = 4096
"""Entries that wait for a key; the oldest beyond it are told as unreadable."""
MAX_WAITING_BYTES = 8 * 1024 * 1024
MAX_WAITING_SIGNALS = 256
MAX_SIGNAL_SESSIONS = 4096


class Reader:
    """Opens one room's messages and signals and tells what they are."""

    def __init__(
        self, room: str, room_id: bytes, keys: EpochKeys, my_sessions: Container[bytes], told: list[Event]
    ) -> None:
        """What is to be told is appended to `told`."""
        self.room = room
        self.room_id = room_id
        self.keys = keys
        self.show_from = 0
        """Messages before this seq are not told: they were read only to learn what became of the outbox."""
        self.show_since_ms = 0
        self._my_sessions = my_sessions
        self._tell = told.append
        self._waiting: deque[tuple[int, int, Entry]] = deque()
        self._waiting_bytes = 0
        self._signals: deque[Entry] = deque(maxlen=MAX_WAITING_SIGNALS)
        self._seen: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()

    # -- messages -----------------------------------------------------------------------------

    def take(self, seq: int, time_ms: int, entry: Entry) -> None:
        """Tell a message, now or once its key is there."""
        if seq < self.show_from or time_ms < self.show_since_ms:
            return
        if not self._waiting and self.keys.opener(entry.epoch) is not None:
            self._tell(self.open(seq, time_ms, entry))
            return
        self._waiting.append((seq, time_ms, entry))
        self._waiting_bytes += len(entry.raw)
        self.release()
        while len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self._tell_next()

    def forget_after(self, seq: int) -> None:
        """Forget what waits for its key and was taken back by a restart."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0] <= seq)
        self._waiting_bytes = sum(len(entry.raw) for _, _, entry in self._waiting)

    def release(self) -> None:
        """Tell what waited, as far as keys are there, or can come no more: a newer grant left them out."""
        keys = self.keys
        while self._waiting:
            epoch = self._waiting[0][2].epoch
            if keys.opener(epoch) is None and epoch >= keys.newest_granted:
                return
            self._tell_next()

    def _tell_next(self) -> None:
        seq, time_ms, entry = self._waiting.popleft()
        self._waiting_bytes -= len(entry.raw)
        self._tell(self.open(seq, time_ms, entry))

    def open(self, seq: int, time_ms: int, entry: Entry) -> Told:
        """Return what a message entry says; its signature was checked before."""
        opener = self.keys.opener(entry.epoch)
        if opener is None:
            return Unreadable(seq, f"sealed with key epoch {entry.epoch}, which nobody granted to this client")
        try:
            content = read_plaintext(opener.open(entry))
            spoken = read_spoken(content)
        except (CannotOpen, NotAPlaintext, NotOfItsKind) as error:
            return Unreadable(seq, str(error))
        name, sender, session = content.get("nick"), entry.sender, entry.session
        nick = safe_nick(name) if type(name) is str else NO_NICK
        who = (sender, session, nick, tag_of(sender), session in self._my_sessions)
        match spoken:
            case Text(text, re, is_action):
                return Message(seq, utc(time_ms), self.room, *who, text, "m", re, is_action)
            case Newer(kind):
                return Message(seq, utc(time_ms), self.room, *who, NEWER_CLIENT, kind)
            case change:
                return Change(seq, utc(time_ms), self.room, *who, change)

    # -- signals ------------------------------------------------------------------------------

    def epoch_passed(self) -> None:
        """Numbers of signals begin again."""
        self._seen.clear()

    def signals(self, raw: bytes, epoch: int) -> list[Signal]:
        """Return what can be told now, this signal and earlier ones that waited for the key of `epoch`.

        What does not verify, fit or open is dropped without a word: signals may be lost anyway.
        """
        try:
            entry = parse(raw)
        except Malformed:
            return []
        if entry.type != EntryType.SIGNAL or len(raw) < HEADER_SIZE + MIN_SEALED_BODY + SIGNATURE_SIZE:
            return []
        self._signals.append(entry)
        return self.release_signals(epoch)

    def release_signals(self, epoch: int) -> list[Signal]:
        if self.keys.opener(epoch) is None:
            return []
        told = [signal for entry in self._signals if (signal := self._open_signal(entry, epoch)) is not None]
        self._signals.clear()
        return told

    def _open_signal(self, entry: Entry, epoch: int) -> Signal | None:
        number = (entry.sender, entry.session)
        opener = self.keys.opener(epoch)
        is_new = entry.epoch == epoch and entry.n > self._seen.get(number, -1)
        if opener is None or not is_new or entry.session in self._my_sessions:
            return None
        signed = signed_context(self.room_id, entry.raw[:-SIGNATURE_SIZE])
        if not verify(entry.sender, signed, entry.raw[-SIGNATURE_SIZE:]):
            return None
        try:
            content = read_plaintext(opener.open(entry))
        except (CannotOpen, NotAPlaintext):
            return None
        self._seen[number] = entry.n
        self._seen.move_to_end(number)
        if len(self._seen) > MAX_SIGNAL_SESSIONS:
            self._seen.popitem(last=False)
        return Signal(entry.sender, NO_NICK, content)
