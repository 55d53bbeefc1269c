"""How far a person has read a room: what is unread, how often they are meant, where the new begins. Pure."""

from __future__ import annotations


class ReadMark:
    """What was seen, and what came since."""

    def __init__(self, seen: int) -> None:
        """`seen`: the highest seq that was seen at an earlier time; 0: nothing is known of that."""
        self.seen = seen
        self.unread = 0
        self.mentions = 0
        self.new_after: int | None = seen or None
        """Behind which seq the line "new" stands; None: nowhere."""
        self._is_watched = False

    def came(self, seq: int, *, is_mine: bool, is_mention: bool) -> bool:
        """Something was said at `seq`; return whether it is unread now."""
        if seq <= self.seen:
            return False
        if is_mine or self._is_watched:
            self.seen = seq
            if is_mine:
                self.new_after = None
            return False
        if self.unread == 0 and self.new_after is None:
            self.new_after = self.seen
        self.unread += 1
        self.mentions += is_mention
        return True

    def watch(self, *, is_watched: bool, last_seq: int) -> None:
        """The end of the room is in sight, or no more."""
        if is_watched:
            self.seen = max(self.seen, last_seq)
            self.unread = self.mentions = 0
        elif self._is_watched:
            self.new_after = None
        self._is_watched = is_watched
