"""The error tree, the codes on the wire, and whether a retry helps.

Three families: the peer's mistake (`PeerError`, ends in a close code), the person's or the
program's (`UsageError` and its kin, raised to the caller), ours (an assertion). Facts are
attributes; the sentence is built when printed: what happened, whose doing, then a hint with the
next command. Imports nothing of sendall.

    SendallError
    ├── PeerError               the other side broke the protocol; `close_code` says how it ends
    │   └── Malformed           bytes that are no frame, entry or request
    ├── Refused                 the server declined one entry or request, with a `Code`
    ├── SecurityAlarm           an identity, a history or a key is not what it was: stop, keep evidence
    ├── ConnectError            no usable server at an address
    ├── UsageError              a wrong argument, setting or file of the person's
    └── LogError                the durable log cannot serve (disk error, damage, in use)
"""

from __future__ import annotations

import enum


class Code(enum.StrEnum):
    """Codes of `refused` and `error` (docs/protocol.md, "Codes")."""

    STALE = "stale"
    DUP = "dup"
    GAP = "gap"
    FORK = "fork"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    TOO_BIG = "too_big"
    MALFORMED = "malformed"
    FULL = "full"
    SLOW_DOWN = "slow_down"
    UNKNOWN_ROOM = "unknown_room"
    UNKNOWN_INVITE = "unknown_invite"
    NOT_MEMBER = "not_member"
    BAD_AUTH = "bad_auth"
    BAD_TOKEN = "bad_token"
    BANNED = "banned"

    @property
    def repeats(self) -> bool:
        """Whether the same bytes may be accepted later."""
        return self in (Code.FULL, Code.SLOW_DOWN)


class CloseCode(enum.IntEnum):
    """WebSocket close codes the server uses (docs/protocol.md, "Codes")."""

    GOING_AWAY = 1001
    TOO_BIG = 1009
    RESTARTING = 1012
    MALFORMED = 4000
    NOT_AUTHENTICATED = 4001
    BANNED = 4003
    TOO_SLOW = 4008
    TOO_MANY = 4029

    @property
    def reconnects(self) -> bool:
        """Whether a client comes back by itself after this code."""
        return self not in (CloseCode.MALFORMED, CloseCode.NOT_AUTHENTICATED, CloseCode.BANNED)


class SendallError(Exception):
    """What happened, in one sentence without a full stop; `hint` names what to do next."""

    hint: str = ""

    def __init__(self, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence)
        if hint:
            self.hint = hint

    def explain(self) -> str:
        """Return the sentence and, on a line of its own, the hint."""
        return f"{self}\nhint: {self.hint}" if self.hint else str(self)


class PeerError(SendallError):
    """The other side broke the protocol."""

    close_code = CloseCode.MALFORMED


class Malformed(PeerError):
    """Bytes that are no frame, entry, grant or request of protocol v1."""


class Refused(SendallError):
    """The server declined one entry or request.

    Attributes:
        code: why, as the server said it. A hint, not proof: only the log decides.
    """

    def __init__(self, code: Code, sentence: str = "", *, hint: str = "") -> None:
        super().__init__(sentence or f"the server refused: {code.value}", hint=hint)
        self.code = code


class SecurityAlarm(SendallError):
    """An identity, a history or a key is not what this client knew: stop and keep the evidence.

    Attributes:
        kind: `identity`, `fork`, `history`, `lineage`, `room` or `certificate`.
    """

    def __init__(self, kind: str, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence, hint=hint)
        self.kind = kind


class ConnectError(SendallError):
    """No usable server at an address.

    Attributes:
        retry: whether trying again later can help without anybody changing anything.
    """

    def __init__(self, sentence: str, *, hint: str = "", retry: bool = False) -> None:
        super().__init__(sentence, hint=hint)
        self.retry = retry


class UsageError(SendallError):
    """A wrong argument, setting or file; the hint says which to change."""


class LogError(SendallError):
    """The durable log cannot serve: a disk error, damage, or a folder in use."""
