"""The evidence of one run in one room: what each process wrote down, and the log at the end.

Types only, shared by the writer (`history`), the judge (`checker`) and the generator (`synthetic`). Nothing here
reads or writes a file. Hashes, keys and session ids are lower-case hex, because people read the evidence too.

A *payload* is the text that a person sends; its `sha` is SHA-256 of its UTF-8. Payloads are unique in a run by
construction (the producer's name and number are in the text), so a sha names one message however often the
library sealed it.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec


class BadHistory(ValueError):
    """The evidence contradicts itself, so that no verdict would mean anything: the test is wrong, not the server."""


class _Event(msgspec.Struct, frozen=True, tag_field="e", tag=str.lower, forbid_unknown_fields=True):
    """One line of a history file; `e` is the event's name."""


class Invoke(_Event, frozen=True):
    """Written before a producer hands a message to the library."""

    id: int
    """The producer's own number of the message; never used twice in one history."""
    sha: str
    sender: str
    session: str
    epoch: int | None = None
    """Epoch and n of the first sealing if the producer knows them. The library may seal again: evidence, not judged."""
    n: int | None = None


class Ok(_Event, frozen=True):
    """Written after a message was confirmed."""

    id: int | None
    """None if this process finished what another one invoked (an adopted outbox)."""
    seq: int
    sha: str
    h: str | None
    """The chain value at `seq`; None if the producer is not told."""


class Subscribe(_Event, frozen=True, omit_defaults=True):
    """Written whenever a consumer subscribes on purpose; from here on its cursor is `after`.

    A library that reconnects by itself writes nothing: its stream must go on as if nothing had happened.
    """

    after: int
    messages_only: bool = False
    """Whether this consumer is shown messages only, so that a control entry left out is no hole."""


class Got(_Event, frozen=True):
    """Written for each entry that a consumer is shown, in the order shown."""

    seq: int
    sha: str | None
    """None for a control entry, and for a message that the consumer could not open."""
    h: str | None
    """The chain value at `seq`; None if the consumer is not told."""


class Lost(_Event, frozen=True):
    """Written when a consumer is told that the server lost the last `n` entries of what it had."""

    n: int


Event = Invoke | Ok | Subscribe | Got | Lost


class History(NamedTuple):
    """All that one process wrote down about one room, and the processes that took over its file after a crash."""

    name: str
    events: list[Event]


class LogRecord(NamedTuple):
    """One entry of the final log."""

    seq: int
    time_ms: int
    h: bytes
    """The chain value as it is stored."""
    entry: bytes
    payload: str | None
    """The sha of the text, as a fresh client opened it; None for a control entry."""


class FinalLog(NamedTuple):
    """The whole log of one room after the run, from seq 1. Where retention prunes: what an archiving reader kept."""

    room_id: bytes
    records: list[LogRecord]


def payload_sha(text: str) -> str:
    """Return the name of a payload in all evidence."""
    return hashlib.sha256(text.encode()).hexdigest()
