"""Duties: what a member's client does in a PRIVATE room by itself, and when.

An admin's gives the room a new key daily, after so many entries, when somebody left, and when nobody
has the current one. Every member's replaces its RSA key in time and says the room's name again. Decides
only; the acts are `acts`'. Time enters as an argument (monotonic seconds). Pure.
Source: docs/protocol.md, "Rotation and joining".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sendall.client.acts import Act, Rekey, Rotate
from sendall.client.chronicle import Chronicle
from sendall.client.ring import Ring
from sendall.protocol.room import RoomState

EPOCH_MS = 24 * 3600 * 1000
EPOCH_ENTRIES = 2**20
KEYLESS_S = 30.0
"""Seconds that an admin waits in vain for the key of an epoch before making a new one."""
OLD_KEYS_S = 10.0
"""Seconds after the current key came in which keys of older epochs may still come."""
WRAP_MS = 7 * 24 * 3600 * 1000
WRAP_MS_LARGE = 30 * 24 * 3600 * 1000
LARGE = 100
"""Members from which RSA keys are replaced monthly instead of weekly."""


class Duties:
    """What is due in one room."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self.needs_wrap = False
        """Whether a new RSA key is to be made for this device (it takes up to a second: not here)."""
        self.topic_due = False
        """Whether the room's name is to be said again: a new epoch of ours began."""
        self.wrap_made_ms = wall_ms()
        """When the RSA key in use was made, and whether it opened a grant; the caller's to set."""
        self.is_wrap_used = False
        self._wall_ms = wall_ms
        self._epoch_at = (0, 0)  # (seq, time_ms)
        self._left_in: int | None = None
        self._keyless_since: float | None = None
        self._keyed_since: float | None = None
        self._has_given_up = False

    # -- what happened ------------------------------------------------------------------------------

    def subscribed(self, now: float) -> None:
        self._keyless_since = now

    def disconnected(self) -> None:
        self._keyless_since = self._keyed_since = None

    def resumed(self, chronicle: Chronicle) -> None:
        """An earlier program stopped here."""
        if chronicle.epochs:
            seq, e, _ = chronicle.epochs[-1]
            self._epoch_at = (seq, min(chronicle.epoch_ms, self._wall_ms()))
            if chronicle.has_lost_since_epoch:
                self._left_in = e

    def epoch_began(self, state: RoomState, *, is_news: bool) -> None:
        """`is_news`: just now, so that its age is by this device's clock: the server's may be wrong by days."""
        wall_ms = self._wall_ms()
        self._epoch_at = (state.seq, wall_ms if is_news else min(state.now, wall_ms))
        self._keyless_since = self._keyed_since = None
        self._has_given_up = False

    def somebody_left(self, epoch: int) -> None:
        self._left_in = epoch

    def rewrapped(self) -> None:
        """A new RSA key was made."""
        self.needs_wrap = False
        self.wrap_made_ms, self.is_wrap_used = self._wall_ms(), False

    # -- what is due ----------------------------------------------------------------------------------

    def due(self, state: RoomState, ring: Ring, me: bytes, now: float) -> Iterator[Act]:
        """Yield what is to be done now; asked about once a second, at the head."""
        has_key = ring.key(state.epoch) is not None
        self._note_key(has_key, now)
        if state.membership.is_admin(me) and self._is_rotation_due(state, now):
            yield Rotate(state.epoch)
        age_ms = self._wall_ms() - self.wrap_made_ms
        is_large = len(state.membership.members) > LARGE
        if has_key and self.is_wrap_used and age_ms >= (WRAP_MS_LARGE if is_large else WRAP_MS):
            self.needs_wrap = True
        modulus = state.membership.members[me].modulus
        if not ring.has_wrap(modulus):
            self.needs_wrap = True  # grants are made to a key that this device has not
        elif modulus != ring.wraps[-1].modulus:
            yield Rekey(ring.wraps[-1].modulus)  # a program ended before it could say so
        elif self._keyed_since is not None and now - self._keyed_since >= OLD_KEYS_S:
            ring.settle_wrap(modulus)

    def _note_key(self, has_key: bool, now: float) -> None:
        if not has_key:
            self._keyed_since = None
            self._keyless_since = now if self._keyless_since is None else self._keyless_since
        elif self._keyed_since is None:
            self._keyless_since, self._keyed_since = None, now

    def _is_rotation_due(self, state: RoomState, now: float) -> bool:
        seq, time_ms = self._epoch_at
        return (
            (self._left_in == state.epoch)
            or (bool(time_ms) and self._wall_ms() - time_ms >= EPOCH_MS)
            or (bool(seq) and state.seq - seq >= EPOCH_ENTRIES)
            or (self._keyless_since is not None and now - self._keyless_since >= KEYLESS_S)
        )

    def gave_up_old_keys(self, now: float) -> bool:
        """Whether messages of older epochs wait no longer for their keys; True once per epoch."""
        if self._has_given_up or self._keyed_since is None or now - self._keyed_since < OLD_KEYS_S:
            return False
        self._has_given_up = True
        return True
