"""Facts about rooms and people as the panes show them. Pure."""

from __future__ import annotations

from typing import NamedTuple


class RoomLine(NamedTuple):
    """A room, as the list shows it."""

    name: str
    unread: int
    mentions: int
    is_current: bool
    is_private: bool
    is_troubled: bool
    """It cannot be used any more: an alarm, or we were sent away."""


class PersonLine(NamedTuple):
    """Somebody, as the list shows them."""

    name: str
    tag: str
    hue: str
    role: str
    """admin, reader, waiting; empty for a plain member and in OPEN rooms."""
    is_me: bool
    is_here: bool
    is_typing: bool
    is_ignored: bool
