"""How a program comes to a PRIVATE room, and what its surroundings give it there.

By the genesis entry it made, by a link, or as somebody who knows the room. Values only. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sendall.client.foyer import Door
from sendall.client.ring import Safe
from sendall.crypto.primitives import RsaKey


class Means(NamedTuple):
    """What the follower of a PRIVATE room is given by its surroundings."""

    safe: Safe
    random: Callable[[int], bytes]
    wall_ms: Callable[[], int]


class Origin(NamedTuple):
    """How this program comes to the room: by its genesis, by a link, or as somebody who knows it."""

    room_id: bytes | None
    """None by a link: the invite entry tells."""
    genesis: bytes | None = None
    door: Door | None = None
    saved: bytes | None = None
    """What an earlier program saved of it."""
    wraps: Sequence[RsaKey] = ()
    """This device's RSA keys for the room, the newest last; at least one."""
    knock: bool = False
    """Whether a new room's links open nothing while no member is online."""


class Backfill(NamedTuple):
    """Messages from before the place where this program began to follow, to be shown first."""

    first: int
    last: int
    since_ms: int
    """Those of an earlier time are left out."""
