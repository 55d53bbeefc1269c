"""Acts: what somebody wants changed in a PRIVATE room, and the control entries that do it.

One control entry is under way at a time. It is made on the newest state, and again whenever that has
gone on without it: the authority's are compare-and-set, the others count in their session, so none
can take effect twice. An act is done when its entry came back, or when it has become needless. Pure:
the keys of new epochs come from outside. Source: docs/protocol.md, "The one state machine".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import assert_never

from sendall.crypto.identity import Identity
from sendall.crypto.sealing import EPOCH_KEY_SIZE, commitment
from sendall.errors import Code, Refused, SendallError, UsageError
from sendall.protocol import bodies as b
from sendall.protocol.entry import ZERO_32, EntryType, Role, header, parse, signed_context
from sendall.protocol.frames import RefusedFrame
from sendall.protocol.room import RoomState

MAX_TRIES = 30
FORBIDDEN_TRIES = 3
"""Times that the server may forbid an act before that is believed: its state may be ahead of ours, or behind."""
CONFLICTS_BEFORE_REVOKING = 2
"""Removals that lost a race before the open links are revoked first, so that nobody can win it by joining on and on."""
RETRY_S = 0.5
"""Seconds before a refused entry is made again, unless a control entry tells why sooner."""
MAX_RETRY_S = 60.0
_FOR_GOOD = frozenset({Code.MALFORMED, Code.TOO_BIG})
_FOR_PACE = frozenset({Code.SLOW_DOWN, Code.FULL})


@dataclass(frozen=True)
class Rotate:
    """A new key. `after`: the epoch to get out of."""

    after: int


@dataclass(frozen=True)
class Remove:
    """Members, or who waits, are removed with a new key; all open invites end."""

    ids: tuple[bytes, ...]


@dataclass(frozen=True)
class SetRole:
    id_pk: bytes
    """32 zero bytes: the default of members to come."""
    role: Role


@dataclass(frozen=True)
class Admit:
    id_pk: bytes


@dataclass(frozen=True)
class MakeInvite:
    invite_pk: bytes
    door_pk: bytes
    max_uses: int
    expires_ms: int
    flags: int


@dataclass(frozen=True)
class EndInvite:
    invite_pk: bytes


@dataclass(frozen=True)
class Join:
    modulus: bytes
    invite_pk: bytes
    sign: Callable[[bytes, bytes, bytes], bytes]
    """Signs (room_id, joiner, modulus) with the invite's key."""


@dataclass(frozen=True)
class Rekey:
    modulus: bytes


@dataclass(frozen=True)
class Leave:
    pass


Act = Rotate | Remove | SetRole | Admit | MakeInvite | EndInvite | Join | Rekey | Leave
_TYPES: dict[type[b.Body], EntryType] = {
    b.Epoch: EntryType.EPOCH,
    b.RoleChange: EntryType.ROLE,
    b.Invite: EntryType.INVITE,
    b.Revoke: EntryType.REVOKE,
    b.Admit: EntryType.ADMIT,
    b.Join: EntryType.JOIN,
    b.Rekey: EntryType.REKEY,
    b.Leave: EntryType.LEAVE,
}
_NOT_ADMIN = "only an admin of the room may do that"


class Wanted:
    """An act and what becomes of it."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.raw = b""
        """The entry that was made last, and once it is done the one that did it."""
        self.made: set[bytes] = set()
        """Every entry that was made for it: the log may still take an earlier one."""
        self.seq = 0
        """Where the entry that did it stands; 0: none was needed."""
        self.tries = 0
        self.conflicts = 0
        self.not_before = 0.0
        self.is_for_pace = False
        """Whether it waits because the server wants this client slower, which no news changes."""


class Acts:
    """The acts of one program in one room."""

    def __init__(self, identity: Identity, keep_key: Callable[[int], bytes]) -> None:
        """`keep_key` returns a new key for an epoch; it is on disk when it returns."""
        self._identity = identity
        self._keep_key = keep_key
        self._queue: list[Wanted] = []
        self._flying: Wanted | None = None
        self._flying_raw = b""
        self._made_on: tuple[int, int, bytes] = (0, 0, b"")  # epoch, floor, auth
        self.settled: list[tuple[Wanted, SendallError | None]] = []
        """What was decided since the caller last took it; None: done."""

    def want(self, act: Act) -> Wanted:
        wanted = Wanted(act)
        self._queue.append(wanted)
        return wanted

    def wants(self, kind: type[Act]) -> bool:
        """Whether an act of this kind is yet to be done."""
        return any(isinstance(wanted.act, kind) for wanted in self._queue)

    @property
    def is_idle(self) -> bool:
        """Whether no entry is under way."""
        return self._flying is None

    @property
    def is_changing_keys(self) -> bool:
        """Whether nothing may be sealed: an epoch entry of ours is under way, or somebody is yet to be removed."""
        return (self._flying is not None and isinstance(self._flying.act, Rotate)) or self.wants(Remove)

    @property
    def open(self) -> Iterable[Wanted]:
        return tuple(self._queue)

    def take_settled(self) -> list[tuple[Wanted, SendallError | None]]:
        settled, self.settled = self.settled, []
        return settled

    # -- what the log and the server say ----------------------------------------------------------

    def came_back(self, raw: bytes, seq: int) -> Wanted | None:
        """An entry of this identity stands in the log with verdict OK; return the act that it did, if it is ours."""
        wanted = next((wanted for wanted in self._queue if raw in wanted.made), None)
        if wanted is None:
            return None
        if wanted is self._flying:
            self._flying = None
        wanted.raw, wanted.seq = raw, seq
        self._settle(wanted, None)
        return wanted

    def control_changed(self, state: RoomState) -> None:
        """A control entry was taken: what is under way may have lost its race, and what had lost can try again."""
        for wanted in self._queue:
            if not wanted.is_for_pace:
                wanted.not_before = 0.0
        if self._flying is None:
            return
        epoch, floor, auth = self._made_on
        is_authority = not isinstance(self._flying.act, Join | Rekey | Leave)
        if (state.epoch, state.floor) != (epoch, floor) or (is_authority and state.auth != auth):
            self._flying = None

    def refused(self, frame: RefusedFrame, now: float) -> None:
        """The server did not take what is under way. A hint: it is made again, on a state that may be newer."""
        wanted = self._flying
        if wanted is None or not _is_of(frame, self._flying_raw):
            return
        self._flying = None
        code = frame.code
        wanted.is_for_pace = code in _FOR_PACE
        wanted.conflicts += code is Code.CONFLICT
        wait_s = RETRY_S if frame.retry_ms is None else min(frame.retry_ms / 1000, MAX_RETRY_S)
        wanted.not_before = now + wait_s
        tries = FORBIDDEN_TRIES if code is Code.FORBIDDEN else MAX_TRIES
        if wanted.tries >= tries or code in _FOR_GOOD:
            hint = "the server may be wrong, or may not have seen yet what this client has"
            self._settle(wanted, Refused(code, f"the server refused it: {code.value}", hint=hint))

    def disconnected(self) -> None:
        """What was under way is decided by the log, which is read before anything is made again."""
        self._flying = None
        for wanted in self._queue:
            wanted.not_before, wanted.is_for_pace = 0.0, False

    def has_left(self) -> bool:
        """The server knows this identity no more: if it wanted to leave, that is done. Returns whether it wanted to."""
        leaving = [wanted for wanted in self._queue if isinstance(wanted.act, Leave)]
        for wanted in leaving:
            self._settle(wanted, None)
        return bool(leaving)

    # -- making entries ---------------------------------------------------------------------------

    def flush(self, state: RoomState, head: tuple[int, bytes], session: bytes, now: float) -> bytes | None:
        """Return the next entry to send, on this state and head; None while one is under way or nothing is wanted."""
        while self._flying is None:
            wanted = self._next(now)
            if wanted is None:
                return None
            try:
                body = self._body_for(wanted, state)
            except SendallError as error:
                self._settle(wanted, error)
                continue
            if body is None:
                self._settle(wanted, None)
                continue
            wanted.tries += 1
            self._flying, self._flying_raw = wanted, self._entry(body, state, head, session)
            self._made_on = (state.epoch, state.floor, state.auth)
            if not isinstance(wanted.act, Remove) or isinstance(body, b.Epoch):
                wanted.raw = self._flying_raw
                wanted.made.add(wanted.raw)
            return self._flying_raw
        return None

    def _next(self, now: float) -> Wanted | None:
        """Return what to do now: removals first, which nothing may hold up, then in the order of wanting."""
        ready = [wanted for wanted in self._queue if now >= wanted.not_before]
        return min(ready, key=lambda wanted: not isinstance(wanted.act, Remove), default=None)

    def _body_for(self, wanted: Wanted, state: RoomState) -> b.Body | None:
        invites = state.membership.invites
        if isinstance(wanted.act, Remove) and wanted.conflicts >= CONFLICTS_BEFORE_REVOKING and invites:
            # Each join changes what a removal says of who is left; a revocation it cannot outrun. Removing ends
            # all invites anyway.
            busiest = max(invites, key=lambda pk: (invites[pk].uses, pk))
            if _body_of(wanted.act, state, self._identity.pk, lambda e: bytes(EPOCH_KEY_SIZE)) is not None:
                return b.Revoke(state.auth, busiest)
        return _body_of(wanted.act, state, self._identity.pk, self._keep_key)

    def _entry(self, body: b.Body, state: RoomState, head: tuple[int, bytes], session: bytes) -> bytes:
        me = self._identity.pk
        head_bytes = header(
            _TYPES[type(body)],
            epoch=state.epoch,
            sender=me,
            session=session,
            n=state.next_n(me, session, control=True),
            head_seq=head[0],
            head_hash=head[1],
        )
        unsigned = head_bytes + body.pack()
        return unsigned + self._identity.sign(signed_context(state.room_id, unsigned))

    def _settle(self, wanted: Wanted, error: SendallError | None) -> None:
        self._queue.remove(wanted)
        self.settled.append((wanted, error))


def _is_of(frame: RefusedFrame, raw: bytes) -> bool:
    """Whether a refusal is of this entry."""
    entry = parse(raw)
    return (frame.type, frame.session, frame.n) == (entry.type, entry.session, entry.n)


def _body_of(act: Act, state: RoomState, me: bytes, keep_key: Callable[[int], bytes]) -> b.Body | None:
    """Return the body that does `act` on `state`; None if nothing is left to do.

    Raises:
        UsageError: it is not possible, and why.
    """
    membership = state.membership
    match act:
        case Join():
            if me in membership.members or me in membership.pending:
                return None
            return b.Join(act.modulus, act.invite_pk, act.sign(state.room_id, me, act.modulus))
        case Rekey():
            member = membership.members.get(me)
            return b.Rekey(act.modulus) if member is not None and member.modulus != act.modulus else None
        case Leave():
            if membership.is_last_admin(me) and len(membership.members) > 1:
                raise UsageError("the last admin cannot leave", hint="make another member admin first: /role WHO admin")
            if membership.is_last_admin(me):
                raise UsageError(
                    "you are the only member",
                    hint="forget it on this device instead: sendall room forget ROOM",
                )
            return b.Leave() if me in membership.members else None
        case _:
            if not membership.is_admin(me):
                raise UsageError(_NOT_ADMIN, hint="ask one: /members shows who is")
            return _authority_body(act, state, me, keep_key)


def _authority_body(
    act: Rotate | Remove | SetRole | Admit | MakeInvite | EndInvite,
    state: RoomState,
    me: bytes,
    keep_key: Callable[[int], bytes],
) -> b.Body | None:
    membership, auth = state.membership, state.auth
    match act:
        case Rotate():
            return _epoch(state, (), keep_key) if state.epoch <= act.after else None
        case Remove():
            ids = tuple(sorted({i for i in act.ids if i in membership.members or i in membership.pending}))
            if me in ids:
                raise UsageError(
                    "nobody removes himself",
                    hint="leave for good instead; another admin makes the next key",
                )
            return _epoch(state, ids, keep_key) if ids else None
        case SetRole():
            return _role(act, state)
        case Admit():
            return b.Admit(auth, act.id_pk) if act.id_pk in membership.pending else None
        case MakeInvite():
            if act.invite_pk in membership.used:
                return None
            return b.Invite(auth, act.invite_pk, act.door_pk, act.max_uses, act.expires_ms, act.flags)
        case EndInvite():
            return b.Revoke(auth, act.invite_pk) if act.invite_pk in membership.invites else None
        case never:
            assert_never(never)


def _role(act: SetRole, state: RoomState) -> b.Body | None:
    membership = state.membership
    if act.id_pk == ZERO_32:
        return b.RoleChange(state.auth, ZERO_32, act.role) if membership.default is not act.role else None
    member = membership.members.get(act.id_pk)
    if member is None:
        raise UsageError("that is no member of the room", hint="/members shows who is")
    if member.role is act.role:
        return None
    if membership.is_last_admin(act.id_pk):
        raise UsageError("the last admin must stay one", hint="make another member admin first: /role WHO admin")
    return b.RoleChange(state.auth, act.id_pk, act.role)


def _epoch(state: RoomState, removed: tuple[bytes, ...], keep_key: Callable[[int], bytes]) -> b.Body:
    e = state.epoch + 1
    commit = commitment(keep_key(e), state.room_id, e)
    return b.Epoch(state.auth, e, commit, state.membership.members_hash(removed), removed)
