"""The one state machine: what a room's log makes of a room.

`RoomState.apply` is total and deterministic and shared by server and clients (the page has the same
one, against the same vectors): every entry of the log gets a verdict, only an OK one changes more
than the place in the log. This is the part for OPEN rooms. Pure; `verify` comes from the primitives.
Source: docs/protocol.md, "The one state machine".
"""

from __future__ import annotations

import enum
import unicodedata
from typing import assert_never

import msgspec

from sendall.crypto.primitives import verify
from sendall.errors import Malformed
from sendall.protocol.chain import link
from sendall.protocol.entry import (
    HEADER_SIZE,
    MIN_SEALED_BODY,
    SIGNATURE_SIZE,
    ZERO_32,
    Entry,
    EntryType,
    Epoch,
    Genesis,
    Kind,
    Role,
    RoleChange,
    entry_hash,
    parse,
    parse_body,
    room_id_of,
    signed_context,
)

MAX_ROOM_NAME = 64
"""Bytes of UTF-8."""

NO_MEMBERS_HASH = entry_hash(b"")
"""`members_hash` of an OPEN room's epoch entries."""


class Verdict(enum.Enum):
    """What `apply` makes of an entry; the order is that of the checks."""

    OK = "ok"
    BAD = "bad"
    BAD_SIG = "bad_sig"
    STALE = "stale"
    REPLAY = "replay"
    GAP = "gap"
    DENIED = "denied"
    CONFLICT = "conflict"


# Bound once: looking up an enum's member takes Python 3.11 0.1 µs, and judging a message needs ten.
_OK, _MESSAGE, _GENESIS = Verdict.OK, EntryType.MESSAGE, EntryType.GENESIS
_SILENT = (Role.READER, Role.BANNED)


def is_room_name(name: str) -> bool:
    """Return whether `name` is 1 to 64 bytes of NFC UTF-8 without control or format characters."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return (
        1 <= size <= MAX_ROOM_NAME
        and unicodedata.is_normalized("NFC", name)
        and not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in name)
    )


class RoomState:
    """The state of one OPEN room after some seq."""

    def __init__(self, room_id: bytes, server_pk: bytes) -> None:
        self.room_id = room_id
        self.server_pk = server_pk
        self.seq = 0
        self.h = room_id
        self.now = 0
        self.epoch = 0
        self.commit = ZERO_32
        self.auth = ZERO_32
        self.floor = 0
        self.name = ""
        self.history = 0
        self.default = Role.MEMBER
        self.roles: dict[bytes, Role] = {}
        self.last: dict[tuple[bytes, bytes], int] = {}
        """The highest n of messages by (sender, session), in the current epoch."""
        self.lastc: dict[tuple[bytes, bytes], int] = {}
        """The same for control entries."""
        self.is_late = False
        """Whether messages of the current epoch were skipped: unknown sessions may begin at any n."""

    # -- judging ------------------------------------------------------------------------------

    def judge(self, entry: Entry, *, seq: int | None = None, check_signature: bool = True) -> Verdict:
        """Return the verdict that `entry` would get at `seq` (the next one by default). Changes nothing.

        `check_signature` is False only where the server judges a message: its author's connection is
        authenticated, and a bad signature puts only its author's own numbers out of step.
        """
        if seq is None:
            seq = self.seq + 1
        try:
            body = self._check_layout(entry, seq)
        except Malformed:
            return Verdict.BAD
        if check_signature and not self._is_signed(entry):
            return Verdict.BAD_SIG
        if isinstance(body, Genesis):
            return Verdict.OK
        if entry.epoch != self.epoch or entry.head_seq < self.floor:
            return Verdict.STALE
        verdict = self._check_number(entry)
        if verdict is not _OK:
            return verdict
        return self._check_right(entry, body, seq)

    def _check_layout(self, entry: Entry, seq: int) -> Epoch | Genesis | RoleChange | None:
        if entry.head_seq >= seq or (entry.type == _GENESIS) != (seq == 1):
            raise Malformed("an entry that cannot stand at this seq")
        if entry.type == _MESSAGE:
            # Messages are the hot path: no body to parse, only sizes.
            if len(entry.raw) < HEADER_SIZE + MIN_SEALED_BODY + SIGNATURE_SIZE or not entry.epoch:
                raise Malformed("a message without a sealed body")
            return None
        body = parse_body(entry)
        match body:
            case Genesis():
                self._check_genesis(entry, body)
            case Epoch() if body.e != self.epoch + 1:
                raise Malformed("an epoch entry that skips or repeats an epoch")
            case Epoch() if body.removed:
                raise Malformed("an OPEN room removes nobody: a ban is a role")
            case _:
                pass
        return body

    def _check_genesis(self, entry: Entry, body: Genesis) -> None:
        is_first = not (entry.epoch or entry.n or entry.head_seq) and entry.head_hash == ZERO_32
        if not is_first or room_id_of(entry.raw) != self.room_id:
            raise Malformed("a genesis entry of another room")
        if body.kind is not Kind.OPEN or entry.sender != self.server_pk or not is_room_name(body.name):
            raise Malformed("a genesis entry of no OPEN room of this server")

    def _is_signed(self, entry: Entry) -> bool:
        context = ZERO_32 if entry.type == EntryType.GENESIS else self.room_id
        unsigned = entry.raw[:-SIGNATURE_SIZE]
        return verify(entry.sender, signed_context(context, unsigned), entry.raw[-SIGNATURE_SIZE:])

    def _check_number(self, entry: Entry) -> Verdict:
        numbers = self.lastc if entry.is_control else self.last
        known = numbers.get((entry.sender, entry.session))
        if known is None and self.is_late and not entry.is_control:
            return _OK
        expected = 0 if known is None else known + 1
        if entry.n == expected:
            return _OK
        return Verdict.REPLAY if entry.n < expected else Verdict.GAP

    def _check_right(self, entry: Entry, body: Epoch | RoleChange | None, seq: int) -> Verdict:
        is_authority = entry.sender == self.server_pk
        if entry.type == _MESSAGE:
            return _OK if is_authority or self.may_post(entry.sender) else Verdict.DENIED
        if not is_authority:
            return Verdict.DENIED
        match body:
            case None:
                return Verdict.OK if entry.head_seq == seq - 1 else Verdict.DENIED
            case Epoch():
                if body.prev_auth != self.auth or body.members_hash != NO_MEMBERS_HASH:
                    return Verdict.CONFLICT
            case RoleChange():
                if body.prev_auth != self.auth:
                    return Verdict.CONFLICT
                if body.id_pk == ZERO_32 and body.role is Role.ADMIN:
                    return Verdict.DENIED
            case never:
                assert_never(never)
        return Verdict.OK

    def may_post(self, id_pk: bytes) -> bool:
        return self.roles.get(id_pk, self.default) not in _SILENT

    def is_banned(self, id_pk: bytes) -> bool:
        return self.roles.get(id_pk, self.default) is Role.BANNED

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
            verdict = self.judge(entry)
            if verdict is Verdict.OK:
                self._take(entry, seq)
        self.advance(seq, time_ms, link(self.h, seq, time_ms, raw))
        return verdict

    def apply_judged(self, entry: Entry, seq: int, time_ms: int, h: bytes) -> None:
        """Take an entry that `judge` found OK; `h` is its chain value."""
        self._take(entry, seq)
        self.advance(seq, time_ms, h)

    def apply_early_control(self, seq: int, time_ms: int, raw: bytes) -> Verdict:
        """Take a control entry from before a late reader's beginning: without the chain.

        All control entries are kept and their numbers count apart, so every verdict is exact.
        `begin_at` follows once the last of them is taken.
        """
        assert seq > self.seq, "control entries come in order"
        self.seq = seq - 1
        h = self.h
        verdict = self.apply(seq, time_ms, raw)
        self.h = h
        return verdict

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
        match parse_body(entry):
            case Genesis() as body:
                self.auth = entry_hash(entry.raw)
                self.name, self.history = body.name, body.history
            case Epoch() as body:
                self.auth = entry_hash(entry.raw)
                self.epoch, self.commit = body.e, body.commit
                self._forget_numbers()
                return
            case RoleChange() as body:
                self.auth = entry_hash(entry.raw)
                if body.id_pk == ZERO_32:
                    self.default = body.role
                else:
                    self.roles[body.id_pk] = body.role
            case None:
                self.floor = seq
                self._forget_numbers()
                return
            case never:
                assert_never(never)
        self.lastc[entry.sender, entry.session] = entry.n

    def _forget_numbers(self) -> None:
        # What begins from here on is read from its first number, so the reader is late no more.
        self.last = {}
        self.lastc = {}
        self.is_late = False

    # -- checkpoints --------------------------------------------------------------------------

    def pack(self) -> bytes:
        """Return the state as bytes, for a checkpoint in this server's or client's own store."""
        return msgspec.msgpack.encode(
            _Packed(
                room_id=self.room_id,
                server_pk=self.server_pk,
                seq=self.seq,
                h=self.h,
                now=self.now,
                epoch=self.epoch,
                commit=self.commit,
                auth=self.auth,
                floor=self.floor,
                name=self.name,
                history=self.history,
                default=self.default,
                roles=list(self.roles.items()),
                last=[(*key, n) for key, n in self.last.items()],
                lastc=[(*key, n) for key, n in self.lastc.items()],
                is_late=self.is_late,
            )
        )

    @classmethod
    def unpack(cls, packed: bytes) -> RoomState:
        """Raises Malformed: these are not the bytes of `pack`."""
        try:
            p = msgspec.msgpack.decode(packed, type=_Packed)
        except (msgspec.MsgspecError, ValueError) as error:
            raise Malformed("a checkpoint that is none") from error
        state = cls(p.room_id, p.server_pk)
        state.seq, state.h, state.now = p.seq, p.h, p.now
        state.epoch, state.commit, state.auth, state.floor = p.epoch, p.commit, p.auth, p.floor
        state.name, state.history, state.default = p.name, p.history, p.default
        state.roles = dict(p.roles)
        state.last = {(sender, session): n for sender, session, n in p.last}
        state.lastc = {(sender, session): n for sender, session, n in p.lastc}
        state.is_late = p.is_late
        return state


class _Packed(msgspec.Struct, frozen=True):
    room_id: bytes
    server_pk: bytes
    seq: int
    h: bytes
    now: int
    epoch: int
    commit: bytes
    auth: bytes
    floor: int
    name: str
    history: int
    default: Role
    roles: list[tuple[bytes, Role]]
    last: list[tuple[bytes, bytes, int]]
    lastc: list[tuple[bytes, bytes, int]]
    is_late: bool
