"""The steward: the resident member that is the authority of OPEN rooms.

It signs with the server identity, makes the epoch keys, keeps them sealed under a key derived from
that identity, and grants them to whoever proved an identity and is not banned. Pure but for
os.urandom. Source: docs/protocol.md, "Grant", "Rotation".
"""

from __future__ import annotations

import os
import struct

from sendall.crypto.grants import seal_grant
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import Aead, CannotOpen
from sendall.crypto.sealing import EPOCH_KEY_SIZE, commitment
from sendall.log.roomlog import RoomLog
from sendall.protocol.bodies import Epoch, Genesis, RoleChange, room_id_of
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role, header, signed_context
from sendall.protocol.roles import NO_MEMBERS_HASH
from sendall.protocol.room import RoomState

_NONCE_SIZE = 12
_EPOCH = struct.Struct(">I")


class Steward:
    """Makes authority entries and grants. One per server process, with a session of its own."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._session = os.urandom(16)
        self._at_rest = Aead(identity.derive(b"at rest"))
        self._keys: dict[bytes, dict[int, bytes]] = {}

    @property
    def server_pk(self) -> bytes:
        return self._identity.pk

    def genesis(self, name: str) -> tuple[bytes, bytes]:
        """Return (room_id, genesis entry) of a new OPEN room whose whole history members may read."""
        body = Genesis(Kind.OPEN, 1, os.urandom(16), name).pack()
        # Another session than the later entries', as its numbers count on their own.
        head = header(
            EntryType.GENESIS,
            epoch=0,
            sender=self._identity.pk,
            session=os.urandom(16),
            n=0,
            head_seq=0,
            head_hash=ZERO_32,
        )
        entry = self._signed(ZERO_32, head + body)
        return room_id_of(entry), entry

    def open_room(self, log: RoomLog) -> None:
        """Read the sealed keys of a room; what does not open was sealed by another identity and is lost."""
        keys = self._keys[log.room_id] = {}
        for e, sealed in log.keys().items():
            try:
                keys[e] = self._at_rest.open(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], _about(log.room_id, e))
            except CannotOpen:
                continue

    def drop_keys(self, log: RoomLog, below: int) -> None:
        """Forget the keys of the epochs below `below`, here and on the disk."""
        keys = self._keys[log.room_id]
        if any(e < below for e in keys):
            self._keys[log.room_id] = {e: key for e, key in keys.items() if e >= below}
            log.drop_keys(below)

    def has_key(self, state: RoomState) -> bool:
        key = self._keys.get(state.room_id, {}).get(state.epoch)
        return key is not None and commitment(key, state.room_id, state.epoch) == state.commit

    def epoch(self, state: RoomState, log: RoomLog) -> bytes:
        """Return the entry of a new epoch; its key is queued to the log first."""
        e = state.epoch + 1
        key = os.urandom(EPOCH_KEY_SIZE)
        nonce = os.urandom(_NONCE_SIZE)
        log.keep_key(e, nonce + self._at_rest.seal(nonce, key, _about(state.room_id, e)))
        self._keys.setdefault(state.room_id, {})[e] = key
        body = Epoch(state.auth, e, commitment(key, state.room_id, e), NO_MEMBERS_HASH, ()).pack()
        return self._entry(state, EntryType.EPOCH, body)

    def role(self, state: RoomState, id_pk: bytes, role: Role) -> bytes:
        return self._entry(state, EntryType.ROLE, RoleChange(state.auth, id_pk, role).pack())

    def restart(self, state: RoomState) -> bytes:
        return self._entry(state, EntryType.RESTART, b"")

    def grant(self, state: RoomState, id_pk: bytes, modulus: bytes) -> bytes:
        """Return a grant of all retained keys up to the current epoch."""
        keys = {e: key for e, key in self._keys[state.room_id].items() if e <= state.epoch}
        return seal_grant(state.room_id, id_pk, modulus, keys)

    def _entry(self, state: RoomState, type_: EntryType, body: bytes) -> bytes:
        head = header(
            type_,
            epoch=state.epoch,
            sender=self._identity.pk,
            session=self._session,
            n=state.next_n(self._identity.pk, self._session, control=True),
            head_seq=state.seq,
            head_hash=state.h,
        )
        return self._signed(state.room_id, head + body)

    def _signed(self, room_id: bytes, unsigned: bytes) -> bytes:
        return unsigned + self._identity.sign(signed_context(room_id, unsigned))


def _about(room_id: bytes, e: int) -> bytes:
    return room_id + _EPOCH.pack(e)
