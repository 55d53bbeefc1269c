"""The contract every durable log obeys, and the few types that cross it.

A `Store` keeps the logs of all rooms of one server and the steward's sealed epoch keys. The caller
(the relay) decides seq, time and chain value of each entry before it hands it over; a store only
makes them durable, in order, all rooms together in one commit, and says so afterwards. Nothing is
shown to anybody before `durable` was called with it. Knows nothing of sockets, rooms' state or keys.
`tests/log/contract.py` is the suite that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from sendall.errors import LogError


class Record(NamedTuple):
    """One entry at its place in a log."""

    seq: int
    """Dense per room, from 1."""
    time_ms: int
    """Never descends within a room."""
    h: bytes
    """The chain value after this entry (32 bytes)."""
    entry: bytes
    """The signed bytes, as the sender made them."""


class Checkpoint(NamedTuple):
    """A packed room state as of one seq, so that a start needs to read only what came after."""

    seq: int
    state: bytes


class Extent(NamedTuple):
    """Where a room's retained log begins and ends."""

    first: int
    """Lowest seq from which nothing is missing: 1 if nothing was pruned, `last` + 1 if the newest entry itself was."""
    last: int
    """Highest durable seq; 0 if the log is empty."""
    h_before_first: bytes
    """The chain value at `first` - 1 (the room_id if `first` is 1)."""


GRANTS_PER_RECIPIENT = 8
"""A ninth granter's grant for the same recipient replaces the oldest."""


class Grant(NamedTuple):
    """Room keys that somebody sealed for somebody who may be away; a `RoomLog` cannot open it."""

    recipient: bytes
    """Whom it waits for: a member's `id_pk`, or the `invite_pk` of an open invite."""
    granter: bytes
    """`id_pk` of who left it."""
    sealed_to: bytes
    """The `id_pk` or `invite_pk` whose key it is sealed to: an invite's also where a member waits for it."""
    sealed: bytes


class Retention(NamedTuple):
    """What `Store.retain` keeps of a room's messages; whatever exceeds any of the three is pruned, oldest first.

    Control entries are neither counted nor pruned.
    """

    max_age_ms: int
    max_bytes: int
    max_count: int


class Damaged(LogError):
    """What was read back is not what was written.

    Attributes:
        room_id, seq: where the first damaged entry is.
    """

    def __init__(self, room_id: bytes, seq: int, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence, hint=hint)
        self.room_id = room_id
        self.seq = seq


class FolderInUse(LogError):
    """Another server holds this data folder.

    Attributes:
        pid: its process, 0 if unknown.
    """

    def __init__(self, folder: str, pid: int) -> None:
        super().__init__(
            f"the data folder {folder} is in use by another sendall server (process {pid or 'unknown'})",
            hint="join that server with `sendall join`, stop it, or give this one its own folder with `--data`",
        )
        self.pid = pid


class RoomLog(Protocol):
    """The durable log of one room. Every method is called from one thread and returns at once."""

    room_id: bytes

    @property
    def extent(self) -> Extent:
        """The durable, retained extent. `append` moves it only once the commit is done."""
        ...

    def append(self, records: Sequence[Record]) -> None:
        """Queue `records` for the next commit, which `Store.flush` brings about.

        They must go on where the last queued ones ended (seq + 1); anything else is an assertion.
        Once durable, the store calls `durable` with them (see `Store`). Dropped after an error or `Store.close`.
        """
        ...

    def read(self, after: int, limit_bytes: int, upto: int | None = None) -> list[Record]:
        """Return retained records with `after` < seq <= `upto`, ascending, durable ones only.

        At most `limit_bytes` of entries, but at least one record if there is any. Where messages were
        pruned, only control entries come. An empty list: there is nothing (more) in that range.

        Raises:
            Damaged: the first entry of the range is missing, cannot be read or does not fit its chain value
                (the predecessor's is kept even where it was pruned). If sound entries come before the
                damaged one, they are returned, and the next read raises.
        """
        ...

    def control(self, after: int, upto: int, limit_bytes: int | None = None) -> list[Record]:
        """Return all durable control entries with `after` < seq <= `upto`, ascending (entry type >= 0x10).

        With a limit, only the first of them up to so many bytes of entries, but at least one if there is any.

        Raises:
            Damaged: one of them cannot be read or does not fit its chain value.
        """
        ...

    def h_at(self, seq: int) -> bytes | None:
        """Return the chain value at `seq`; 0 gives the room_id.

        Known for every retained entry, for `extent.last`, and for the predecessor of each retained entry
        (so at `extent.first` - 1); None for other pruned seqs and for what is not durable.
        Raises `Damaged` as `read` does.
        """
        ...

    def first_since(self, time_ms: int) -> int:
        """Return the lowest retained seq whose time is >= `time_ms`; `extent.last` + 1 if there is none."""
        ...

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Queue a checkpoint of something appended; it replaces the one before, durable no sooner than its entry."""
        ...

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest durable checkpoint, None if there is none; raise `Damaged` if it was changed."""
        ...

    def keep_key(self, epoch: int, sealed: bytes) -> None:
        """Queue a sealed epoch key; durable no later than anything appended after it.

        The room's first entry must have been appended before: a room begins with it.
        """
        ...

    def drop_keys(self, below: int) -> None:
        """Queue the deletion of the keys of all epochs below `below`: what they open is pruned."""
        ...

    def keys(self) -> dict[int, bytes]:
        """Return the sealed epoch keys that are durable, by epoch."""
        ...

    def keep_grant(self, grant: Grant) -> None:
        """Queue a grant: the latest of its (recipient, granter), and one of the recipient's latest eight.

        The room's first entry must have been appended before. Dropped after an error or `Store.close`.
        """
        ...

    def drop_grants(self, recipients: Iterable[bytes]) -> None:
        """Queue the deletion of everything that is kept for these; unknown ones are no error."""
        ...

    def grants(self, recipient: bytes) -> list[Grant]:
        """Return what is kept for `recipient`, oldest first, as queued: also what is not durable yet.

        So a grant can be handed on at once. A kill may take back what was queued last: who needs it asks again.
        Raises `LogError` if they cannot be read.
        """
        ...


class RoomInfo(NamedTuple):
    room_id: bytes
    name: str


Durable = Callable[["RoomLog", list[Record]], None]
Failed = Callable[[LogError], None]


class Store(Protocol):
    """All that one server keeps. One writer; group commit: while one commit syncs, the next gathers.

    Constructed with `durable` (called once per room and commit, in order, on the caller's thread) and
    `failed` (called once: a disk error; from then on every `append` is dropped and nothing more becomes
    durable, because a failed fsync must never be tried again).
    """

    unclean: bool
    """Whether the last run may have lost entries it had shown (sync "os" and no clean end).

    Never control entries, nor anything before one: those are synced whatever the setting.
    """

    def rooms(self) -> list[RoomInfo]:
        """Return all rooms that hold a durable entry, by name."""
        ...

    def create(self, room_id: bytes, name: str) -> RoomLog:
        """Return the log of a new room; the room is durable together with its first records."""
        ...

    def open(self, room_id: bytes) -> RoomLog:
        """Return the log of a known room (the same object every time).

        Raises:
            KeyError: there is no such room.
            Damaged: the ends of its log are not what was written; other rooms are not concerned.
        """
        ...

    def flush(self) -> None:
        """Hand what is queued to the writer now, or as soon as the commit under way is done. Never waits.

        Batches that were flushed during a commit become the next commit together.
        """
        ...

    @property
    def queued_bytes(self) -> int:
        """Bytes of entries appended and not yet durable."""
        ...

    def retain(self, room_ids: Iterable[bytes], retention: Retention, now_ms: int) -> None:
        """Queue a pruning pass over these rooms: messages only, oldest first, never a control entry.

        Never beyond a room's newest durable checkpoint: the numbers of what goes live on in it alone.
        One pass drops at most a tenth of a room's messages or 1,000, whichever is more, so that a
        clock that jumps cannot empty a room; bounded transactions keep commits waiting <= 100 ms.
        Does nothing while the pass before is still under way.

        Raises:
            KeyError: one of the rooms is unknown.
        """
        ...

    @property
    def is_full(self) -> bool:
        """Whether the data folder is at its watermark: publishing must answer `full`. At most a second old."""
        ...

    def close(self) -> None:
        """Commit what is queued, wait for it, mark the end as clean, and free the folder.

        `durable` is called for the last commits before this returns. Repeated calls do nothing. Afterwards
        nothing may be read any more, and what is appended is dropped.
        """
        ...
