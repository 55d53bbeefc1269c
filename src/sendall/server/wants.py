"""Wants: members who lack the key of the current epoch, and whom they were passed on to.

A want goes to one member at a time, so that a room of a thousand does not answer a thousandfold; who does
not answer within 3 s, or answers with rubbish, is followed by the next. Pure; time enters as an argument
(monotonic seconds). Source: docs/protocol.md, "Grants".
"""

from __future__ import annotations

from collections.abc import Sequence

ASK_EVERY_S = 5.0
"""A member that asks more often is not heard."""
PATIENCE_S = 3.0
"""How long one member has to answer."""


class Want:
    """What became of one member's asking."""

    __slots__ = ("is_open", "passed_at", "said_at", "tried")

    def __init__(self) -> None:
        self.is_open = False
        self.said_at = float("-inf")
        self.passed_at = float("-inf")
        self.tried: set[bytes] = set()
        """Whom it was passed to since the asker last had the key, or all were tried."""


class Wants:
    """The wants of one room, by who wants."""

    def __init__(self) -> None:
        self._wants: dict[bytes, Want] = {}

    def ask(self, id_pk: bytes, now: float) -> None:
        """A member lacks the key. Heard once in 5 s; one that is still open goes on where it is."""
        want = self._wants.setdefault(id_pk, Want())
        if now - want.said_at >= ASK_EVERY_S:
            want.said_at = now
            want.is_open = True

    def answered(self, id_pk: bytes) -> None:
        """A grant for it came. Who answered is not asked again first: it may have been rubbish."""
        if id_pk in self._wants:
            self._wants[id_pk].is_open = False
            self._wants[id_pk].passed_at = float("-inf")

    def settled(self, id_pk: bytes) -> None:
        """It says that it has the key, or it is gone; the 5 s still hold if it comes back at once."""
        if id_pk in self._wants:
            self.answered(id_pk)
            self._wants[id_pk].tried.clear()

    def forget_old(self, now: float) -> None:
        """Drop what changes nothing any more; called about once a minute."""
        self._wants = {i: w for i, w in self._wants.items() if w.is_open or now - w.said_at < 60}

    def due(self, now: float, helpers: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """Return (who wants, whom to pass it to) for all whose turn it is.

        `helpers` are the members who could answer, the first to be asked first. Who was passed to all of them
        is heard again when it asks again.
        """
        passes = []
        for id_pk, want in self._wants.items():
            if not want.is_open or now - want.passed_at < PATIENCE_S:
                continue
            helper = next((h for h in helpers if h not in want.tried and not self._is_wanting(h)), None)
            if helper is None:
                want.is_open = False
                want.tried.clear()
                continue
            want.tried.add(helper)
            want.passed_at = now
            passes.append((id_pk, helper))
        return passes

    def _is_wanting(self, id_pk: bytes) -> bool:
        return id_pk in self._wants and self._wants[id_pk].is_open

    @property
    def are_open(self) -> bool:
        return any(want.is_open for want in self._wants.values())
