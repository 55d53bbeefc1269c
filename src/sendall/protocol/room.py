"""The one state machine: what a room's log makes of a room.

`RoomState.apply` is total and deterministic and shared by server and clients (the page has the same
one, against the same vectors): every entry of the log gets a verdict, only an OK one changes more
than the place in the log. What differs by the kind of room is in `rights`: `protocol.roles` or
`protocol.members`. Pure; `verify` comes from the primitives. Source: docs/protocol.md, "The one state machine".
"""

from __future__ import annotations

from sendall.crypto.primitives import verify
from sendall.errors import Malformed
from sendall.protocol.bodies import Body, Epoch, Genesis, Join, Leave, Rekey, Restart, parse_body, room_id_of
from sendall.protocol.chain import link
from sendall.protocol.entry import (
    FIRST_CONTROL,
    HEADER_SIZE,
    MIN_SEALED_BODY,
    SIGNATURE_SIZE,
    ZERO_32,
    Entry,
    EntryType,
    Kind,
    Role,
    entry_hash,
    parse,
    signed_context,
)
from sendall.protocol.members import Membership
from sendall.protocol.roles import Rights, Roles
from sendall.protocol.verdict import Verdict

# Bound once: looking up an enum's member takes Python 3.11 0.1 µs, and judging a message needs ten.
_OK, _MESSAGE, _GENESIS = Verdict.OK, EntryType.MESSAGE, EntryType.GENESIS


class RoomState:
    """The state of one room after some seq."""

    def __init__(self, room_id: bytes, server_pk: bytes, kind: Kind = Kind.OPEN) -> None:
        self.room_id = room_id
        self.server_pk = server_pk
        self.kind = kind
        self.roles = Roles(server_pk)
        """Of an OPEN room."""
        self.membership = Membership(room_id, server_pk)
        """Of a PRIVATE room."""
        self.rights: Rights = self.roles if kind is Kind.OPEN else self.membership
        self.seq = 0
        self.h = room_id
        self.now = 0
        self.epoch = 0
        self.commit = ZERO_32
        self.auth = ZERO_32
        self.floor = 0
        self.name = ""
        self.history = 0
        self.last: dict[tuple[bytes, bytes], int] = {}
        """The highest n of messages by (sender, session), in the current epoch."""
        self.lastc: dict[tuple[bytes, bytes], int] = {}
        """The same for control entries."""
        self.is_late = False
        """Whether messages of the current epoch were skipped: unknown sessions may begin at any n."""

    # -- judging ------------------------------------------------------------------------------

    def judge(
        self, entry: Entry, *, seq: int | None = None, time_ms: int | None = None, check_signature: bool = True
    ) -> Verdict:
        """Return the verdict that `entry` would get at `seq` (the next one by default). Changes nothing.

        `time_ms` is its time in the log (by default that of the room now), which counts for the expiry of invites:
        it alone, because the times of messages are unknown to a late reader. `check_signature` is False only where
        the signature is known to hold, or where the server judges a message: its author's connection is
        authenticated, and a bad signature puts only its author's own numbers out of step.
        """
        if seq is None:
            seq = self.seq + 1
        try:
            body = self._check_layout(entry, seq)
        except Malformed:
            return Verdict.BAD
        if check_signature and not self.is_signed(entry):
            return Verdict.BAD_SIG
        if isinstance(body, Genesis):
            return _OK
        if entry.epoch != self.epoch or entry.head_seq < self.floor:
            return Verdict.STALE
        verdict = self._check_number(entry)
        if verdict is not _OK:
            return verdict
        if body is None:
            return _OK if self.rights.may_post(entry.sender) else Verdict.DENIED
        if isinstance(body, Restart):
            is_right = entry.sender == self.server_pk and entry.head_seq == seq - 1
            return _OK if is_right else Verdict.DENIED
        return self.rights.judge(entry, body, self.auth, self.now if time_ms is None else time_ms)

    def _check_layout(self, entry: Entry, seq: int) -> Body | None:
        """Return the body of a control entry; None for a message."""
        if entry.head_seq >= seq or (entry.type == _GENESIS) != (seq == 1):
            raise Malformed("an entry that cannot stand at this seq")
        if entry.type == _MESSAGE:
            # Messages are the hot path: no body to parse, only sizes.
            if len(entry.raw) < HEADER_SIZE + MIN_SEALED_BODY + SIGNATURE_SIZE or not entry.epoch:
                raise Malformed("a message without a sealed body")
            return None
        body = parse_body(entry)
        if isinstance(body, Genesis):
            is_first = not (entry.epoch or entry.n or entry.head_seq) and entry.head_hash == ZERO_32
            if not is_first or room_id_of(entry.raw) != self.room_id:
                raise Malformed("a genesis entry of another room")
        self.rights.check_layout(entry, body)
        return body

    def is_signed(self, entry: Entry) -> bool:
        """Return whether its sender signed this entry for this room."""
        return verify(entry.sender, signed_bytes(entry, self.room_id), entry.raw[-SIGNATURE_SIZE:])

    def _check_number(self, entry: Entry) -> Verdict:
        is_control = entry.type >= FIRST_CONTROL
        known = (self.lastc if is_control else self.last).get((entry.sender, entry.session))
        if known is None and self.is_late and not is_control:
            return _OK
        expected = 0 if known is None else known + 1
        if entry.n == expected:
            return _OK
        return Verdict.REPLAY if entry.n < expected else Verdict.GAP

    def may_post(self, id_pk: bytes) -> bool:
        return self.rights.may_post(id_pk)

    def is_banned(self, id_pk: bytes) -> bool:
        """Whether an OPEN room keeps this identity out."""
        return self.roles.role_of(id_pk) is Role.BANNED

    def next_n(self, sender: bytes, session: bytes, *, control: bool) -> int:
        """Return the n that this session's next message (or control entry) must bear."""
        numbers = self.lastc if control else self.last
        return numbers.get((sender, session), -1) + 1

    # -- applying -----------------------------------------------------------------------------

    def apply(self, seq: int, time_ms: int, raw: bytes) -> Verdict:
        """Take the entry at `seq` (the next one) and return its verdict. Never raises on any bytes.

        seq, chain value and time always advance; the rest only on OK.
        """
        assert seq == self.seq + 1, "entries are applied in order; the caller checks seq"
        try:
            entry = parse(raw)
        except Malformed:
            verdict = Verdict.BAD
        else:
            verdict = self.judge(entry, time_ms=time_ms)
            if verdict is Verdict.OK:
                self._take(entry, seq)
        self.advance(seq, time_ms, link(self.h, seq, time_ms, raw))
        return verdict

    def apply_judged(self, entry: Entry, seq: int, time_ms: int, h: bytes) -> None:
        """Take an entry that `judge` found OK; `h` is its chain value."""
        self._take(entry, seq)
        self.advance(seq, time_ms, h)

    def apply_run(self, first: Entry, n: int, seq: int, time_ms: int, h: bytes) -> None:
        """Take the messages that go on with `first` (`protocol.runs`), up to number `n` at `seq`."""
        self.last[first.sender, first.session] = n
        self.advance(seq, time_ms, h)

    def apply_early_control(self, seq: int, time_ms: int, raw: bytes) -> Verdict:
        """Take a control entry from before a late reader's beginning: without the chain.

        All control entries are kept and their numbers count apart, so every verdict is exact.
        `begin_at` follows once the last of them is taken.
        """
        assert seq > self.seq, "control entries come in order"
        try:
            entry = parse(raw)
        except Malformed:
            self.advance(seq, time_ms, self.h)
            return Verdict.BAD
        verdict = self.judge(entry, seq=seq, time_ms=time_ms)
        self.apply_early_judged(entry, seq, time_ms, verdict)
        return verdict

    def apply_early_judged(self, entry: Entry, seq: int, time_ms: int, verdict: Verdict) -> None:
        """As `apply_early_control`, of an entry that was judged."""
        if verdict is _OK:
            self._take(entry, seq)
        self.advance(seq, time_ms, self.h)

    def begin_at(self, seq: int, h: bytes) -> None:
        """Go on after `seq` with the server's `h`: the coming late of docs/protocol.md."""
        self.seq = seq
        self.h = h
        self.is_late = True

    def advance(self, seq: int, time_ms: int, h: bytes) -> None:
        self.seq = seq
        self.h = h
        if time_ms > self.now:
            self.now = time_ms

    def _take(self, entry: Entry, seq: int) -> None:
        if entry.type == _MESSAGE:
            self.last[entry.sender, entry.session] = entry.n
            return
        body = parse_body(entry)
        self.rights.take(entry, body)
        match body:
            case Restart():
                self.floor = seq
                self._forget_numbers()
                return
            case Epoch():
                self.auth = entry_hash(entry.raw)
                self.epoch, self.commit = body.e, body.commit
                self._forget_numbers()
                return
            case Genesis():
                self.auth = entry_hash(entry.raw)
                self.name, self.history = body.name, body.history
            case Join() | Rekey() | Leave():
                pass
            case _:
                self.auth = entry_hash(entry.raw)
        self.lastc[entry.sender, entry.session] = entry.n

    def _forget_numbers(self) -> None:
        # What begins from here on is read from its first number, so the reader is late no more.
        self.last = {}
        self.lastc = {}
        self.is_late = False


def signed_bytes(entry: Entry, room_id: bytes) -> bytes:
    """Return what the sender of an entry of this room has signed."""
    context = ZERO_32 if entry.type == _GENESIS else room_id
    return signed_context(context, entry.raw[:-SIGNATURE_SIZE])
