"""What was said about messages: edits, deletions and reactions, by the message they name.

They may come before their message is loaded, or long after, and in any order: each keeps the seq it
was logged at, and what counts is found from those. Nothing is thrown away but by seq, so that going
back (a restart of the server) and forgetting (what is far up) leave what the rest of the log would
have left. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple, assert_never

from sendall.client.conversation.kinds import Delete, Edit, Reaction
from sendall.client.conversation.rows import Post, Reactions


class Mark(NamedTuple):
    """One of them, with its place in the log and its sender."""

    seq: int
    sender: bytes
    what: Edit | Delete | Reaction


class Marks:
    """All that were heard, by target."""

    def __init__(self) -> None:
        self._by_target: dict[int, list[Mark]] = {}

    def add(self, mark: Mark) -> bool:
        """Keep a mark; return whether it is news, and could count: what it names stands before it."""
        if mark.what.re >= mark.seq:
            return False
        marks = self._by_target.setdefault(mark.what.re, [])
        at = len(marks) if not marks or marks[-1].seq < mark.seq else bisect_left(marks, mark.seq, key=_seq)
        if at < len(marks) and marks[at].seq == mark.seq:
            return False
        marks.insert(at, mark)
        return True

    def touch(self, post: Post, mark: Mark) -> bool:
        """Let one more mark change its post; return whether it did."""
        match mark.what:
            case Reaction():
                counts = not post.is_deleted
            case Delete():
                counts = mark.sender == post.sender and not post.is_deleted
                if counts:
                    post.is_deleted, post.text = True, ""
            case Edit(text=text):
                counts = mark.sender == post.sender and mark.seq > post.edit_seq
                if counts:
                    post.edit_seq = mark.seq
                    counts = not post.is_deleted
                if counts:
                    post.text = text
            case never:
                assert_never(never)
        post.version += counts
        return counts

    def fold(self, post: Post) -> None:
        """Bring a post to what all marks make of it."""
        post.text, post.edit_seq, post.is_deleted = post.original, 0, False
        post.version += 1
        for mark in self._by_target.get(post.seq, ()):
            self.touch(post, mark)

    def reactions(self, post: Post) -> list[Reactions]:
        """Return the reactions to a post, in the order in which the first of each emoji came."""
        groups: dict[str, dict[bytes, None]] = {}
        for mark in () if post.is_deleted else self._by_target.get(post.seq, ()):
            if not isinstance(mark.what, Reaction):
                continue
            emoji = mark.what.emoji
            if not mark.what.is_off:
                groups.setdefault(emoji, {})[mark.sender] = None
            elif mark.sender in groups.get(emoji, ()):
                del groups[emoji][mark.sender]
                if not groups[emoji]:
                    del groups[emoji]
        return [Reactions(emoji, tuple(senders)) for emoji, senders in groups.items()]

    def forget(self, first: int, last: int) -> list[int]:
        """Forget what was logged before `first` or after `last`; return the targets that lost something."""
        touched = []
        for target, marks in list(self._by_target.items()):
            kept = [mark for mark in marks if first <= mark.seq <= last]
            if len(kept) < len(marks):
                touched.append(target)
                self._by_target[target] = kept
            if not kept:
                del self._by_target[target]
        return touched


def _seq(mark: Mark) -> int:
    return mark.seq
