"""A room's state as bytes: for a checkpoint in a server's or client's own store.

Not for the wire: whoever reads one trusts the place it was kept in. Fields that a later version adds
have defaults, so that an older checkpoint still opens. Pure.
"""

from __future__ import annotations

import msgspec

from sendall.errors import Malformed
from sendall.protocol.entry import Kind, Role
from sendall.protocol.members import Member, OpenInvite
from sendall.protocol.room import RoomState


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
    kind: Kind = Kind.OPEN
    members: list[tuple[bytes, Member]] = []
    pending: list[tuple[bytes, Member]] = []
    invites: list[tuple[bytes, OpenInvite]] = []
    used: list[bytes] = []


def pack(state: RoomState) -> bytes:
    """Return the state as bytes."""
    membership = state.membership
    is_open = state.kind is Kind.OPEN
    return msgspec.msgpack.encode(
        _Packed(
            room_id=state.room_id,
            server_pk=state.server_pk,
            seq=state.seq,
            h=state.h,
            now=state.now,
            epoch=state.epoch,
            commit=state.commit,
            auth=state.auth,
            floor=state.floor,
            name=state.name,
            history=state.history,
            default=state.roles.default if is_open else membership.default,
            roles=list(state.roles.given.items()),
            last=[(*key, n) for key, n in state.last.items()],
            lastc=[(*key, n) for key, n in state.lastc.items()],
            is_late=state.is_late,
            kind=state.kind,
            members=list(membership.members.items()),
            pending=list(membership.pending.items()),
            invites=list(membership.invites.items()),
            used=list(membership.used),
        )
    )


def unpack(packed: bytes) -> RoomState:
    """Return the state that `pack` made bytes of.

    Raises:
        Malformed: these are not the bytes of `pack`.
    """
    try:
        p = msgspec.msgpack.decode(packed, type=_Packed)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Malformed("a checkpoint that is none") from error
    state = RoomState(p.room_id, p.server_pk, p.kind)
    state.seq, state.h, state.now = p.seq, p.h, p.now
    state.epoch, state.commit, state.auth, state.floor = p.epoch, p.commit, p.auth, p.floor
    state.name, state.history = p.name, p.history
    state.roles.given = dict(p.roles)
    membership = state.membership
    if p.kind is Kind.OPEN:
        state.roles.default = p.default
    else:
        membership.default = p.default
    membership.members, membership.pending = dict(p.members), dict(p.pending)
    membership.invites, membership.used = dict(p.invites), set(p.used)
    state.last = {(sender, session): n for sender, session, n in p.last}
    state.lastc = {(sender, session): n for sender, session, n in p.lastc}
    state.is_late = p.is_late
    return state
