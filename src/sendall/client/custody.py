"""Custody: handing the room keys this client holds to members and doors that lack them.

After an epoch entry of one's own everybody is owed the new key; a member who asks, who was admitted, or
an invite that was made, is owed what it may have. The recipient's RSA key comes from this client's own
state, never from the server's word. Pure but for the randomness of sealing. Source: docs/protocol.md, "Grants".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from sendall.crypto.doors import seal_door_grant
from sendall.crypto.grants import seal_grant
from sendall.crypto.primitives import CannotOpen
from sendall.protocol.frames import grant_frame
from sendall.protocol.room import RoomState

PER_TURN = 20
"""Grants made between two other things: about 2 ms of RSA."""
SURE_AFTER_S = 5.0
"""Seconds after which what was written to a connection that still stands has arrived."""
AGAIN_S = 5.0
"""Seconds before the same member is given the same again."""


class Custody:
    """What is owed to whom in one room."""

    def __init__(self, me: bytes) -> None:
        self._me = me
        self._members: dict[bytes, None] = {}
        self._doors: dict[bytes, None] = {}
        self._given_at: dict[bytes, float] = {}
        self._unsure: list[tuple[dict[bytes, None], bytes]] = []
        self._given: list[tuple[dict[bytes, None], bytes]] = []
        self._sure_at = 0.0

    @property
    def is_owing(self) -> bool:
        return bool(self._members or self._doors)

    def tick(self, now: float) -> None:
        """What was given some seconds ago has arrived, if the connection is still there."""
        if now >= self._sure_at:
            self._sure_at = now + SURE_AFTER_S
            self._unsure = self._given
            self._given = []

    def disconnected(self) -> None:
        """What was given just before may not have arrived: no grant is acknowledged."""
        for owed, recipient in [*self._unsure, *self._given]:
            owed[recipient] = None
        self._unsure, self._given = [], []

    def epoch_began(self) -> None:
        """Who makes an epoch gives its key to all: what others owed before is settled with it."""
        self._members.clear()
        self._doors.clear()
        self._given_at.clear()

    def owe_all(self, state: RoomState) -> None:
        """Everybody lacks the newest key: an epoch of one's own has begun."""
        self._members.update(dict.fromkeys(id_pk for id_pk in state.membership.members if id_pk != self._me))
        self._doors.update(dict.fromkeys(state.membership.invites))

    def owe_member(self, id_pk: bytes) -> None:
        if id_pk != self._me:
            self._members[id_pk] = None

    def owe_door(self, invite_pk: bytes) -> None:
        self._doors[invite_pk] = None

    def wanted(self, id_pk: bytes, now: float) -> None:
        """The server says that a member lacks the newest key."""
        if now - self._given_at.get(id_pk, float("-inf")) >= AGAIN_S:
            self._given_at[id_pk] = now
            self.owe_member(id_pk)

    def flush(
        self,
        rid: int,
        state: RoomState,
        keys: Mapping[int, bytes],
        first_epoch_of: Callable[[bytes], int],
        now_ms: int,
    ) -> list[bytes]:
        """Return frames for some of what is owed. Who is no member (any more) is owed nothing.

        `keys`: those proved, by epoch. `first_epoch_of` gives the epoch in which a member joined: unless the
        room's history is for newcomers, they get none from before.
        """
        if state.epoch not in keys:
            return []  # somebody else's epoch, whose key is yet to come
        current = {state.epoch: keys[state.epoch]}
        frames = []
        for id_pk in list(islice(self._members, PER_TURN)):
            del self._members[id_pk]
            self._given.append((self._members, id_pk))
            member = state.membership.members.get(id_pk)
            if member is not None and member.modulus:
                first = 0 if state.history else first_epoch_of(id_pk)
                given = {e: key for e, key in keys.items() if first <= e <= state.epoch} | current
                frames.append(grant_frame(rid, id_pk, seal_grant(state.room_id, id_pk, member.modulus, given)))
        for invite_pk in list(islice(self._doors, PER_TURN - len(frames))):
            del self._doors[invite_pk]
            self._given.append((self._doors, invite_pk))
            invite = state.membership.invites.get(invite_pk)
            if invite is not None and invite.has_door and not invite.is_expired(now_ms):
                try:
                    grant = seal_door_grant(
                        state.room_id, invite_pk, invite.door_pk, keys if state.history else current
                    )
                except CannotOpen:
                    continue  # a door that no key fits: its maker's doing
                frames.append(grant_frame(rid, invite_pk, grant))
        return frames
