"""A follower of a room whose log a scribe writes by hand: for logs that no honest server would serve."""

from __future__ import annotations

from collections.abc import Iterable

from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.client.outbox import Outbox
from sendall.client.room import RoomFollower
from sendall.crypto.grants import seal_grant
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.protocol import frames as f
from sendall.protocol.verdict import Verdict
from tests.client.worlds import MemoryOutboxStore, new_session
from tests.tools.scribe import Line, Scribe

EVE = Identity(b"e" * 32)


def lose(scribe: Scribe, to: int) -> Scribe:
    """Return the server as it is after it lost everything beyond `to` and said so."""
    after = Scribe(scribe._seed, scribe.name)
    after.keys = dict(scribe.keys)
    after.steward_session = b"another steward!"
    after.sessions = {id_pk: session[::-1] for id_pk, session in scribe.sessions.items()}
    for line in scribe.lines[:to]:
        after.log(line.entry)
    assert [line.h for line in after.lines] == [line.h for line in scribe.lines[:to]]
    assert after.log(after.restart()) is Verdict.OK
    return after


class Scribed:
    """A follower, told what the test wants it told. `told` gathers its events."""

    def __init__(
        self,
        scribe: Scribe,
        rsa: RsaKey,
        *,
        identity: Identity = EVE,
        beginning: Beginning = Beginning(),  # noqa: B008  # a named tuple does not change
        room_id: bytes | None = None,
        seen: tuple[int, bytes] | None = None,
        name: str = "lobby",
        store: MemoryOutboxStore | None = None,
    ) -> None:
        self.scribe = scribe
        self.rsa = rsa
        self.identity = identity
        self.outbox = Outbox(store or MemoryOutboxStore(), identity, new_session)
        self.room = RoomFollower(
            name,
            server_pk=scribe.server.pk,
            identity=identity,
            rsa=rsa,
            outbox=self.outbox,
            nick="eve",
            beginning=beginning,
            room_id=room_id,
            seen=seen,
        )
        self.told: list[ev.Event] = []

    def sub(self) -> f.Sub:
        sub = self.room.sub(1)
        assert isinstance(sub, f.Sub)
        return sub

    def subok(
        self,
        *,
        from_: int = 0,
        first: int = 1,
        last: int | None = None,
        h: bytes | None = None,
        room: bytes | None = None,
        cut: int | None = None,
    ) -> bool:
        known = self.scribe.lines[from_ - 1].h if from_ else self.scribe.room_id
        ok = f.SubOk(
            q=1,
            rid=7,
            room=f.B64(room or self.scribe.room_id),
            first=first,
            last=len(self.scribe.lines) if last is None else last,
            from_=from_,
            h=f.B64(known if h is None else h),
            cut=cut,
        )
        try:
            return self.room.subscribed(ok, 0.0)
        finally:
            self.collect()

    def read(self, lines: Iterable[Line] | None = None) -> None:
        for line in self.scribe.lines if lines is None else lines:
            try:
                self.room.logged(line.seq, line.time_ms, line.entry)
            finally:
                self.collect()

    def read_rest(self) -> None:
        self.read(self.scribe.lines[self.room.log.head[0] :])

    def read_late(self, from_: int) -> None:
        """What a reader who begins after `from_` is sent: control entries, then everything."""
        lines = self.scribe.lines
        self.read([line for line in lines[:from_] if line.entry[1] >= 0x10] + lines[from_:])

    def grant(self, keys: dict[int, bytes] | None = None) -> None:
        granted = self.scribe.keys if keys is None else keys
        self.room.granted(
            self.identity.pk, seal_grant(self.scribe.room_id, self.identity.pk, self.rsa.modulus, granted)
        )
        self.collect()

    def begin(self) -> None:
        """Read everything there is, with its keys."""
        self.subok()
        self.grant()
        self.read()

    def collect(self) -> None:
        self.told += self.room.take_events()

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, ev.Message)]

    def kinds(self, *kinds: type) -> list[ev.Event]:
        return [event for event in self.told if isinstance(event, kinds)]

    @property
    def alarms(self) -> list[str]:
        return [event.alarm.kind for event in self.told if isinstance(event, ev.Alarm)]
