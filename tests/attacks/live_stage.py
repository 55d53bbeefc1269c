"""The stage of `evil_member` at the real relay: everybody is connected, and every entry goes over a connection.

The relay gives seq and time; the scribe's state follows what ada is told. Sockets, clock and disk are
simulated, as in all tests of the relay.
"""

from __future__ import annotations

from collections.abc import Callable

from sendall.crypto.primitives import RsaKey
from sendall.protocol import frames as f
from sendall.protocol.entry import EntryType, entry_hash
from sendall.protocol.verdict import Verdict
from tests.attacks.evil_member import Stage
from tests.server.insiders import Insider, insider
from tests.server.members import RelayWorld


class LiveStage(Stage):
    """The same room and the same people, at a relay."""

    def __init__(self, rsa: RsaKey) -> None:
        super().__init__("live stage")
        self.world = RelayWorld(identity=self.server)
        self.world.wall = self.state.now
        self._rsa = rsa
        self._here: dict[bytes, Insider] = {}
        self.ada_here = self.at("ada")
        self.ada_here.ask(f.Make(q=1, genesis=f.B64(self.genesis)))
        self._follow()

    def found(self) -> None:
        super().found()
        self.at("cyd")

    def at(self, name: str) -> Insider:
        """Return this person's connection, subscribed to what the relay lets him have; a new one if it ended."""
        pk = self.people[name].pk
        here = self._here.get(pk)
        if here is None or here.wire.ended is not None:
            here = self._here[pk] = insider(self.world, self._rsa, identity=self.people[name])
            if self.state.seq:
                self._enter(here)
        return here

    def _enter(self, here: Insider) -> None:
        pk, m = here.identity.pk, self.membership
        if pk in m.members or pk in m.pending:
            here.enter_room(self.room_id)
        else:
            invite = next(line.entry for line in reversed(self.lines) if line.entry[1] == EntryType.INVITE)
            here.ask(f.Sub(q=1, invite=f.B64(entry_hash(invite)), after=0))

    def log(
        self, entry: bytes, note: str = "", plaintext: bytes | None = None, *, time_ms: int | None = None
    ) -> Verdict:
        """Send an entry over its sender's connection and take what comes of it, if it is accepted."""
        if entry in (self.genesis, b"") or entry[1] == EntryType.RESTART:
            return Verdict.OK  # made with the room; a relay that lost nothing writes no restart entry
        here = self.at(next(name for name, who in self.people.items() if who.pk == entry[8:40]))
        was_member = here.identity.pk in self.membership.members
        self.pass_time(1_000)
        here.act(entry)
        self._follow()
        if was_member != (here.identity.pk in self.membership.members):
            del self._here[here.identity.pk]  # what may be asked for is another thing now
        return Verdict.OK

    def _follow(self) -> None:
        """Apply what ada was told; it must be right."""
        for frame in self.ada_here.logged():
            if frame.seq > self.state.seq:
                assert super().log(frame.entry, time_ms=frame.time_ms) is Verdict.OK

    def pass_time(self, ms: int) -> None:
        self.world.wall += ms
        self.world.now += ms / 1_000

    def tried(self, name: str, entry: bytes) -> list[str]:
        """Send an entry over this person's connection; return the codes of refusals, or how the connection ended."""
        here = self.at(name)
        self.pass_time(20_000)
        before = len(here.errors())
        codes = here.tried(entry) + [error.code.value for error in here.errors()[before:]]
        return codes if here.wire.ended is None else [*codes, f"closed with {here.wire.ended[0]}"]

    def heard_by_others(self, name: str, do: Callable[[], object]) -> list[object]:
        """Return the frames that ada and cyd were sent while `do` was done."""
        others = [self.at(other) for other in ("ada", "cyd") if other != name]
        before = [len(other.frames()) for other in others]
        do()
        return [frame for other, seen in zip(others, before, strict=True) for frame in other.frames()[seen:]]
