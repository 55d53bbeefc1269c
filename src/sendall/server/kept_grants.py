"""The grants that wait in a PRIVATE room's log, and who is known to have none.

Members say `have` and come back far more often than anybody leaves a grant: neither then costs a read or
a write. Pure over the `RoomLog` contract; it cannot open a grant.
"""

from __future__ import annotations

from collections.abc import Iterable

from sendall.log.roomlog import Grant
from sendall.server.reading import Reading


class KeptGrants:
    """What is kept for the members and invites of one room."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._without: set[bytes] = set()
        # Who has none for certain. Members and invites of one room, so it is small.

    def of(self, recipient: bytes) -> list[Grant]:
        """Return what waits for `recipient`, oldest first.

        Raises:
            LogError: it cannot be read.
        """
        if recipient in self._without:
            return []
        grants = self._reading.log.grants(recipient)
        if not grants:
            self._without.add(recipient)
        return grants

    def keep(self, grant: Grant) -> None:
        self._without.discard(grant.recipient)
        self._reading.log.keep_grant(grant)

    def drop(self, recipients: Iterable[bytes]) -> None:
        """Let go of what waits for these, with the next commit."""
        going = [recipient for recipient in recipients if recipient not in self._without]
        self._without.update(going)
        self._reading.log.drop_grants(going)

    def forget(self) -> None:
        """Know nothing any more: the log was opened anew, and may have lost the last changes."""
        self._without.clear()
