"""The chronicle: what a client must know of a PRIVATE room by seq, beside its state.

Which epoch and whose membership a place in the log had (older pages are judged by it), which authority
entries were valid (a new one must follow one of them), and a digest of all control entries (nothing
may take one back). Grows by some bytes per control entry. Pure. Source: docs/protocol.md, "The one
state machine".
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal, NamedTuple

import msgspec

from sendall.crypto.primitives import sha256
from sendall.errors import Malformed
from sendall.protocol.bodies import Admit, Body, Epoch, Genesis, Invite, Join, Leave, Rekey, Restart, Revoke, RoleChange
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import Entry, entry_hash
from sendall.protocol.room import RoomState

InviteEnd = Literal["used up", "revoked", "ended"]
"""Why an invite is open no more; "ended": somebody was removed, which ends them all."""


class Tenure(NamedTuple):
    """Somebody was a member from one seq to another."""

    began: int
    ended: int
    """The seq of the entry that ended it; 0: still a member."""


class Past(NamedTuple):
    """Up to where the control entries were seen, and their digest."""

    seq: int
    digest: bytes


class Chronicle(msgspec.Struct):
    """Of the control entries with verdict OK, in their order."""

    past: Past = Past(0, b"")
    epochs: list[tuple[int, int, bytes]] = []
    """(seq, e, commitment), ascending."""
    epoch_ms: int = 0
    """When the newest began, by the server's clock."""
    tenures: dict[bytes, list[Tenure]] = {}
    auths: set[bytes] = set()
    """Hashes of all authority entries and of the genesis."""
    invites: dict[bytes, bytes] = {}
    """`invite_pk` by the hash of its entry."""
    ends: dict[bytes, InviteEnd] = {}
    """By `invite_pk`."""
    is_knock: bool = False
    """Whether an admin's client said that links open nothing while no member is online."""

    def take(self, seq: int, entry: Entry, body: Body, before: RoomState) -> None:
        """Take a control entry; `before` is the state on which it is OK and which it has not changed yet."""
        self.past = Past(seq, sha256(self.past.digest + seq.to_bytes(8, "big") + entry_hash(entry.raw)))
        membership = before.membership
        match body:
            case Genesis():
                self.auths.add(entry_hash(entry.raw))
                self._came(entry.sender, seq)
            case Join():
                invite = membership.invites[body.invite_pk]
                if not invite.needs_admit:
                    self._came(entry.sender, seq)
                if invite.uses + 1 == invite.max_uses:
                    self.ends[body.invite_pk] = "used up"
            case Leave():
                self._went(entry.sender, seq)
            case Rekey() | Restart():
                pass
            case _:
                self.auths.add(entry_hash(entry.raw))
                self._take_authority(seq, entry, body, before)

    def _take_authority(
        self, seq: int, entry: Entry, body: Epoch | Invite | Revoke | Admit | RoleChange, before: RoomState
    ) -> None:
        match body:
            case Epoch():
                self.epochs.append((seq, body.e, body.commit))
                for id_pk in body.removed:
                    self._went(id_pk, seq)
                if body.removed:
                    self.ends.update(dict.fromkeys(before.membership.invites, "ended"))
            case Invite():
                self.invites[entry_hash(entry.raw)] = body.invite_pk
            case Revoke():
                self.ends[body.invite_pk] = "revoked"
            case Admit():
                self._came(body.id_pk, seq)
            # A role changes neither who is in nor which key there is.

    def was_member(self, id_pk: bytes, seq: int) -> bool:
        """Whether an entry of this identity at `seq` was a member's."""
        return any(t.began < seq and (not t.ended or seq < t.ended) for t in self.tenures.get(id_pk, ()))

    def first_epoch_of(self, id_pk: bytes) -> int:
        """Return the epoch in which this member joined (for the last time); 0 if before the first."""
        tenures = self.tenures.get(id_pk)
        began = tenures[-1].began if tenures else 0
        at = bisect_left(self.epochs, (began, 0, b""))
        return self.epochs[at - 1][1] if at else 0

    def first_seq_for(self, id_pk: bytes) -> int:
        """Return where the epoch begins in which this member joined (for the last time)."""
        e = self.first_epoch_of(id_pk)
        return next((seq for seq, epoch, _ in self.epochs if epoch == e), 1)

    @property
    def has_lost_since_epoch(self) -> bool:
        """Whether somebody left who has the newest key."""
        began = self.epochs[-1][0] if self.epochs else 0
        return any(tenures[-1].ended > began for tenures in self.tenures.values())

    def _came(self, id_pk: bytes, seq: int) -> None:
        self.tenures.setdefault(id_pk, []).append(Tenure(seq, 0))

    def _went(self, id_pk: bytes, seq: int) -> None:
        tenures = self.tenures.get(id_pk)
        if tenures and not tenures[-1].ended:  # who only waited was none yet
            tenures[-1] = tenures[-1]._replace(ended=seq)


class SavedRoom(NamedTuple):
    """What one program leaves of a room for the next."""

    state: RoomState
    chronicle: Chronicle
    tail: tuple[bytes, ...] = ()
    """The chain values before the state's own, ascending and without gaps: a restart may go back to any of them."""


class _Saved(msgspec.Struct):
    state: bytes
    chronicle: Chronicle
    tail: bytes = b""


def pack_room(saved: SavedRoom) -> bytes:
    """Return what a later program needs to go on from here."""
    return msgspec.msgpack.encode(_Saved(pack(saved.state), saved.chronicle, b"".join(saved.tail)))


def unpack_room(packed: bytes) -> SavedRoom:
    """Return what `pack_room` made bytes of.

    Raises:
        Malformed: it did not.
    """
    try:
        saved = msgspec.msgpack.decode(packed, type=_Saved)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Malformed("a saved room that is none") from error
    tail = tuple(saved.tail[at : at + 32] for at in range(0, len(saved.tail), 32))
    return SavedRoom(unpack(saved.state), saved.chronicle, tail)
