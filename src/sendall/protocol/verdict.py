"""What `apply` makes of an entry. Pure."""

from __future__ import annotations

import enum


class Verdict(enum.Enum):
    """The order is that of the checks (docs/protocol.md, "The one state machine")."""

    OK = "ok"
    BAD = "bad"
    BAD_SIG = "bad_sig"
    STALE = "stale"
    REPLAY = "replay"
    GAP = "gap"
    DENIED = "denied"
    CONFLICT = "conflict"
