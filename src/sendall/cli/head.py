"""What a room is, in the lines that come before anything else: its kind, who can read it, and what one waits for."""

from __future__ import annotations

import sys
import time

from sendall.client.client import Room
from sendall.client.private_joined import PrivateRoom

CHECKING_EVERY_S = 1.0
"""How often a person is told how far that is."""


def head_of(room: Room) -> list[str]:
    """Return the lines that tell what a room is, and what is missing before one can read and write."""
    return [f"{room.name}: {room.kind_line}", *waits_of(room)]


def waits_of(room: Room) -> list[str]:
    """Return what one waits for in a PRIVATE room; nothing if one can read and write."""
    if not isinstance(room, PrivateRoom):
        return []
    if room.is_pending:
        me = next(member for member in room.all_members() if member.is_me)
        who = f"you wait to be let in by an admin, who sees you as {me.nick}·{me.tag} with these words:"
        return [who, f"  {me.words}"]
    if room.lacks_key:
        return ["you have no key of this room yet: the next member who is online gives it to you"]
    return []


def say_head(room: Room) -> None:
    """Print to stderr what the room is, if a person looks at it, and in any case what is missing."""
    for line in head_of(room) if sys.stderr.isatty() else waits_of(room):
        print(f"-- {line}", file=sys.stderr, flush=True)


def greet(room: Room, server_words: str, *, is_writing: bool) -> None:
    """Print the same, and to a person who will type also how to leave and the server's words to compare."""
    if not is_writing:
        say_head(room)
        return
    for line in (*head_of(room), f"server: {server_words}", "exit leaves, /help tells more"):
        print(f"-- {line}", file=sys.stderr, flush=True)


class Checking:
    """Tells, line by line, how far the entries of a large PRIVATE room were checked. Called by the library."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, at: int, last: int) -> None:
        now = time.monotonic()
        if now - self._told_at >= CHECKING_EVERY_S:
            self._told_at = now
            print(f"-- checking who was let in and removed: {at:,} of {last:,}", file=sys.stderr, flush=True)
