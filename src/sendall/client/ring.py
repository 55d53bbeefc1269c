"""The ring: the keys that one member holds of a PRIVATE room, and the RSA and door keys that brought them.

What opened and fits its commitment is on the disk before anybody is told that it is held. Pure: what
keeps it is a `Safe`. Source: docs/protocol.md, "Grants".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from sendall.client.keys import EpochKeys
from sendall.crypto.doors import open_door_grant
from sendall.crypto.grants import open_grant
from sendall.crypto.invites import InviteKeys
from sendall.crypto.primitives import CannotOpen, RsaKey


class Kept(Protocol):
    """An RSA key as the safe has it."""

    @property
    def rsa(self) -> RsaKey: ...


class Safe(Protocol):
    """What keeps the keys of rooms for later programs (`client.vault`); on the disk when each method returns."""

    def keep_keys(self, room_id: bytes, keys: Iterable[tuple[int, bytes]]) -> None: ...

    def keys(self, room_id: bytes) -> dict[int, list[bytes]]: ...

    def settle_key(self, room_id: bytes, e: int, key: bytes) -> None: ...

    def wrap_keys(self, room_id: bytes) -> Sequence[Kept]: ...

    def keep_wrap_key(self, room_id: bytes, rsa: RsaKey, made_ms: int) -> None: ...

    def mark_used(self, room_id: bytes, modulus: bytes) -> None: ...

    def drop_wrap_keys(self, room_id: bytes, *, keep: bytes) -> int: ...


class Ring(EpochKeys):
    """Epoch keys by commitment, opened by whichever of this device's RSA keys a grant was sealed to."""

    def __init__(
        self, room_id: bytes, id_pk: bytes, wraps: Sequence[RsaKey], safe: Safe, invite: InviteKeys | None
    ) -> None:
        """`wraps`: the newest last; at least one."""
        super().__init__(room_id, id_pk, wraps[-1])
        self.wraps = list(wraps)
        self._safe = safe
        self._invite = invite
        self._used: set[bytes] = set()
        self._kept = safe.keys(room_id)
        for e, keys in self._kept.items():
            self._candidates[e] = keys

    @property
    def held(self) -> dict[int, bytes]:
        """All keys by epoch that a commitment proved."""
        return dict(self._keys)

    def take_grant_for(self, recipient: bytes, grant: bytes) -> list[int]:
        """As `take_grant`, of a grant for this member or for the door of its invite."""
        granted = self._open(recipient, grant)
        if granted is None:
            return []
        # A key that waits for its epoch entry is no one's word yet: it is kept only in memory.
        return self.take_keys(granted)

    def look_in_safe(self, e: int) -> bool:
        """Take what another program of this identity kept for an epoch; return whether it is proved now."""
        for key in self._safe.keys(self._room_id).get(e, ()):
            if self.take_keys({e: key}):
                return True
        return self.key(e) is not None

    @property
    def is_newest_used(self) -> bool:
        """Whether a grant was opened with the newest of the RSA keys."""
        return self.wraps[-1].modulus in self._used

    def has_wrap(self, modulus: bytes) -> bool:
        """Whether this device has the RSA key of this modulus; another program of this identity may have made it."""
        if all(rsa.modulus != modulus for rsa in self.wraps):
            kept = [kept.rsa for kept in self._safe.wrap_keys(self._room_id)]
            self.wraps = sorted(kept, key=lambda rsa: rsa.modulus == modulus) or self.wraps
        return any(rsa.modulus == modulus for rsa in self.wraps)

    def settle_wrap(self, modulus: bytes) -> None:
        """Grants are made to this RSA key now, and older ones were used or dropped: the others go."""
        if len(self.wraps) > 1 and self.wraps[-1].modulus == modulus:
            self._safe.drop_wrap_keys(self._room_id, keep=modulus)
            del self.wraps[:-1]

    def _open(self, recipient: bytes, grant: bytes) -> dict[int, bytes] | None:
        if self._invite is not None and recipient == self._invite.invite_pk:
            try:
                return open_door_grant(grant, self._room_id, recipient, self._invite.door)
            except CannotOpen:
                return None
        for rsa in reversed(self.wraps):
            try:
                granted = open_grant(grant, self._room_id, self._id_pk, rsa)
            except CannotOpen:
                continue
            if rsa.modulus not in self._used:
                self._used.add(rsa.modulus)
                self._safe.mark_used(self._room_id, rsa.modulus)
            return granted
        return None

    def _prove(self, e: int, key: bytes) -> bool:
        if not super()._prove(e, key):
            return False
        if self._kept.get(e) != [key]:
            self._kept[e] = [key]
            self._safe.settle_key(self._room_id, e, key)
        return True
