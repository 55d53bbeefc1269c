"""The server's process: the relay and the steward of production over a disk that takes its time.

It may be killed at any moment (also between a commit and its news), lose a tail to a power cut, be
stopped as SIGTERM does, or have its disk fail under it. Its machine goes on: the disk survives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from sendall.config import ServerSettings
from sendall.crypto.identity import NO_LEAF, Identity
from sendall.errors import CloseCode, LogError
from sendall.log.memory import MemoryStore
from sendall.log.roomlog import Record, RoomLog
from sendall.server.relay import Relay
from sendall.server.session import Credentials
from sendall.steward.authority import Steward
from tests.simulation.archive import Archives
from tests.simulation.loop import Loop
from tests.simulation.net import Link

WALL_MS = 1_700_000_000_000
TURN_S = 0.002
"""Mean time until a turn of the loop; what arrives meanwhile belongs to it."""


class MakeRelay(Protocol):
    """`Relay`, or a defective one."""

    def __call__(
        self,
        settings: ServerSettings,
        credentials: Credentials,
        store: MemoryStore,
        authority: Steward,
        *,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        call_soon: Callable[[Callable[[], None]], object],
        random_bytes: Callable[[int], bytes],
    ) -> Relay: ...


class SimServer:
    """One server over all its lives."""

    def __init__(
        self,
        loop: Loop,
        settings: ServerSettings,
        archives: Archives,
        make_relay: MakeRelay,
        *,
        commit_s: float,
        is_clean_lie: bool,
    ) -> None:
        self.settings = settings
        self.identity = Identity(loop.stream("server identity").randbytes(32))
        self.relay: Relay | None = None
        """None while it is down."""
        self.wall_ahead_ms = 0
        """How far its wall clock is ahead of the world's."""
        self.commit_s = commit_s
        """Mean time of a commit."""
        self.store = MemoryStore(durable=_told_nobody, failed=_failed_unseen)
        self._loop = loop
        self._rng = loop.stream("server")
        self._archives = archives
        self._make_relay = make_relay
        self._is_clean_lie = is_clean_lie
        self._soon: deque[Callable[[], None]] = deque()
        self._life = 0
        self._loses: int | None = None  # with the disk that is broken
        self._is_turn_due = self._is_commit_due = self._is_disk_broken = False
        self._links: list[Link] = []

    def wall_ms(self) -> int:
        return WALL_MS + int(self._loop.now * 1000) + self.wall_ahead_ms

    # -- lives ----------------------------------------------------------------------------------

    def start(self) -> None:
        self._life += 1
        self._soon.clear()
        self._links = []
        self._is_turn_due = self._is_commit_due = self._is_disk_broken = False
        self._archives.compare(self.store)
        relay = self.relay = self._make_relay(
            self.settings,
            Credentials(self.identity.pk, self.identity.sign, NO_LEAF, None),
            self.store,
            Steward(self.identity),
            clock=lambda: self._loop.now,
            wall_ms=self.wall_ms,
            call_soon=self._call_soon,
            random_bytes=self._rng.randbytes,
        )
        self._attach(relay)
        self._alive(self._rng.random(), self._tick)

    def _attach(self, relay: Relay) -> None:
        def durable(log: RoomLog, records: Sequence[Record]) -> None:
            self._archives.add(log.room_id, records)
            relay.durable(log, list(records))

        self.store.durable = durable
        self.store.failed = relay.failed

    def kill(self, *, lose: int | None = None) -> None:
        """End the process at once; `lose`: the machine loses power, and each log so many of its last records."""
        self._commit_untold()
        self._survive(lose)
        self._end()
        for link in self._links:
            link.server_died()

    def _survive(self, lose: int | None) -> None:
        if lose is None:
            self.store = self.store.crash()
        else:
            # Written in this order, the disk loses a checkpoint only together with the pruning that followed it.
            logs = [self.store.open(room_id) for room_id, _ in self.store.rooms()]
            pruned = [log for log in logs if log.extent.first > 1]
            kept = [(log.latest_checkpoint(), log.extent.last) for log in pruned]
            self.store = self.store.lose(min([lose, *(last - c.seq for c, last in kept if c is not None)]))
        if self._is_clean_lie:
            self.store.unclean = False

    def stop(self) -> None:
        """End as SIGTERM does: what was accepted is committed, everybody is told."""
        assert self.relay is not None
        self.relay.finish()
        if self._is_disk_broken:
            self._commit_untold()
            self._survive(self._loses)
        else:
            self.store.close()
            self._survive(None)
        self.relay.dismiss(CloseCode.RESTARTING, "the server restarts")
        self._end()
        for link in self._links:
            link.server_left()

    def _end(self) -> None:
        self.relay = None
        self._life += 1

    def heal(self) -> None:
        """Run, on a good disk."""
        self.commit_s = 0.005
        self.store.is_full = False
        if self.relay is None:
            self.start()
        elif self._is_disk_broken:
            self._reopen()

    def _commit_untold(self) -> None:
        """Perhaps the disk was done, and nobody has heard of it."""
        self.store.durable = lambda log, records: self._archives.add(log.room_id, records)
        if self._rng.random() < 0.5:
            self.store.commit()

    # -- the disk -------------------------------------------------------------------------------

    def disk_fails(self, *, lose: int | None) -> None:
        """A failed sync: the log is opened anew after a while, as the composition root does."""
        assert self.relay is not None
        self._is_disk_broken = True
        self._loses = lose
        self.relay.failed(LogError("the disk failed"))
        self._alive(self._rng.uniform(0.5, 5.0), self._reopen)

    def _reopen(self) -> None:
        if self.relay is None or not self._is_disk_broken:
            return
        self._is_disk_broken = False
        self._commit_untold()  # what the failed sync was about may be there all the same
        self._survive(self._loses)
        self._archives.compare(self.store)
        self._attach(self.relay)
        self.relay.recover(self.store)
        self._after()

    def _commit(self) -> None:
        self._is_commit_due = False
        if not self._is_disk_broken:
            self.store.commit()

    # -- turns ----------------------------------------------------------------------------------

    def accept(self, link: Link) -> bool:
        """Take a new connection; False while the server is down."""
        if self.relay is None:
            return False
        self._links.append(link)
        link.answered_by(self.relay.open(link))
        self._after()
        return True

    def _call_soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)
        self._plan_turn()

    def _plan_turn(self) -> None:
        if self._soon and not self._is_turn_due:
            self._is_turn_due = True
            self._alive(self._rng.expovariate(1 / TURN_S), self._turn)

    def _turn(self) -> None:
        self._is_turn_due = False
        for _ in range(len(self._soon)):
            self._soon.popleft()()
        self._plan_turn()
        self._after()

    def _tick(self) -> None:
        relay = self.relay
        assert relay is not None
        for connection in list(relay.connections):
            connection.tick(self._loop.now)
        relay.tick()
        self._after()
        self._alive(1.0, self._tick)

    def _after(self) -> None:
        if not self._is_commit_due:
            self._is_commit_due = True
            self._alive(self._rng.expovariate(1 / self.commit_s), self._commit)

    def _alive(self, delay: float, call: Callable[[], None]) -> None:
        """Call later, unless this life is over by then."""
        life = self._life

        def call_if_alive() -> None:
            if self._life == life:
                call()

        self._loop.later(delay, call_if_alive)


def _told_nobody(log: RoomLog, records: Sequence[Record]) -> None:
    """The process that waited for this is gone."""


def _failed_unseen(error: LogError) -> None:
    raise AssertionError("a disk failed that nobody uses")
