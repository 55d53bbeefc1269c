"""A follower of a PRIVATE room whose log a scribe writes by hand: for servers that no honest one is like."""

from __future__ import annotations

from collections.abc import Iterable

from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.client.foyer import Door
from sendall.client.origin import Means, Origin
from sendall.client.outbox import Outbox
from sendall.client.private_room import PrivateFollower
from sendall.crypto.grants import seal_grant
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.errors import Code
from sendall.protocol import frames as f
from sendall.protocol.entry import ZERO_32, Entry, EntryType, entry_hash, parse
from sendall.protocol.verdict import Verdict
from tests.client.plaintexts import write_message
from tests.client.private_worlds import MemorySafe
from tests.client.worlds import MemoryOutboxStore, new_session
from tests.tools.private_scribe import PrivateScribe
from tests.tools.scribe import FIRST_TIME_MS, Line

RID = 7


def copy_of(scribe: PrivateScribe, upto: int) -> PrivateScribe:
    """Return the room as it was after `upto`: what a server may tell that takes the rest back."""
    twin = PrivateScribe(scribe._seed)
    for line in scribe.lines[:upto]:
        twin.log(line.entry, time_ms=line.time_ms)
    twin.keys = dict(scribe.keys)
    return twin


class PrivateScribed:
    """A follower, told what the test wants it told. `told` gathers its events."""

    def __init__(
        self,
        scribe: PrivateScribe,
        rsa: RsaKey,
        *,
        identity: Identity | None = None,
        origin: Origin | None = None,
        saved: bytes | None = None,
        beginning: Beginning = Beginning(tail=50),  # noqa: B008  # a named tuple does not change
        store: MemoryOutboxStore | None = None,
        safe: MemorySafe | None = None,
    ) -> None:
        """By default bob comes back to a room that he knows."""
        self.scribe = scribe
        self.rsa = rsa
        self.identity = identity or scribe.bob
        self.safe = safe or MemorySafe()
        self.wall = FIRST_TIME_MS + 1_000_000
        self.store = store or MemoryOutboxStore()
        self.outbox = Outbox(self.store, self.identity, new_session)
        self.room = PrivateFollower(
            "ops",
            server_pk=scribe.server.pk,
            identity=self.identity,
            outbox=self.outbox,
            nick="bob",
            beginning=beginning,
            origin=origin or Origin(scribe.room_id, wraps=(rsa,), saved=saved),
            means=Means(self.safe, lambda size: new_session() * (size // 16), lambda: self.wall),
        )
        self.now = 0.0
        self.told: list[ev.Event] = []

    # -- what the server says ---------------------------------------------------------------------

    def sub(self) -> f.Sub | f.Make:
        return self.room.sub(1)

    def subok(
        self, *, from_: int = 0, last: int | None = None, first: int = 1, h: bytes | None = None, cut: int | None = None
    ) -> bool:
        """Ask, and answer."""
        self.sub()
        known = self.scribe.lines[from_ - 1].h if from_ else self.scribe.room_id
        ok = f.SubOk(
            q=1,
            rid=RID,
            room=f.B64(self.scribe.room_id),
            first=first,
            last=len(self.scribe.lines) if last is None else last,
            from_=from_,
            h=f.B64(known if h is None else h),
            cut=cut,
        )
        try:
            return self.room.subscribed(ok, self.now)
        finally:
            self.collect()

    def read(self, lines: Iterable[Line] | None = None) -> None:
        for line in self.scribe.lines if lines is None else lines:
            try:
                self.room.logged(line.seq, line.time_ms, line.entry)
            finally:
                self.collect()

    def news(self, entry: bytes, *, time_ms: int | None = None) -> None:
        """The server takes an entry, and shows it."""
        assert self.scribe.log(entry, time_ms=time_ms) is Verdict.OK
        self.read(self.scribe.lines[-1:])

    def controls(self, upto: int | None = None, after: int = 0) -> list[Line]:
        return [line for line in self.scribe.lines[after:upto] if line.entry[1] >= EntryType.GENESIS]

    def present(self, count: int = 1) -> None:
        try:
            self.room.present(f.Present(rid=RID, count=count), self.now)
        finally:
            self.collect()

    def cut(self) -> None:
        self.room.disconnected()
        self.collect()

    def know(self, *epochs: int) -> None:
        """Let it hold keys, as if a grant had brought them."""
        keys = self.scribe.keys
        self.room.ring.take_keys({e: keys[e] for e in epochs or keys})

    def grant(self, keys: dict[int, bytes] | None = None, *, rsa: RsaKey | None = None) -> None:
        granted = self.scribe.keys if keys is None else keys
        modulus = (rsa or self.rsa).modulus
        self.room.granted(self.identity.pk, seal_grant(self.scribe.room_id, self.identity.pk, modulus, granted))
        self.collect()

    def follow(self) -> None:
        """Read everything there is, with its keys."""
        self.subok()
        self.know()
        self.read()

    def refuse(self, raw: bytes, code: Code, retry_ms: int | None = None) -> None:
        entry = parse(raw)
        frame = f.RefusedFrame(
            rid=RID, session=f.B64(entry.session), type=entry.type, n=entry.n, code=code, retry_ms=retry_ms
        )
        self.room.refused(frame, self.now)
        self.collect()

    # -- what the client does -----------------------------------------------------------------------

    def write(self, text: str) -> None:
        self.outbox.write(write_message(text, "bob"), self.wall)

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.wall += int(seconds * 1000)
        self.room.tick(self.now)
        self.collect()

    def frames(self) -> list[tuple[int, bytes]]:
        """Return the kind and the rest of each binary frame that it sends now."""
        return [(frame[0], frame[5:]) for frame in self.room.flush(self.now)]

    def entries(self) -> list[Entry]:
        """Return the log entries that it sends now."""
        return [
            entry for kind, rest in self.frames() if kind == 1 and (entry := parse(rest[4:])).type != EntryType.SIGNAL
        ]

    def messages(self) -> list[Entry]:
        return [entry for entry in self.entries() if entry.type == EntryType.MESSAGE]

    def asked(self, kind: type) -> list[f.FromClient]:
        """Return the requests of this kind, and forget all."""
        found = [frame for frame in self.room.requests if isinstance(frame, kind)]
        self.room.requests.clear()
        return found

    def collect(self) -> None:
        self.told += self.room.take_events()

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, ev.Message)]

    @property
    def sentences(self) -> list[str]:
        return [event.sentence for event in self.told if isinstance(event, ev.Notice)]

    @property
    def alarms(self) -> list[str]:
        return [event.alarm.kind for event in self.told if isinstance(event, ev.Alarm)]


def with_bob(rsa: RsaKey, *, seed: str = "client", messages: int = 0) -> PrivateScribe:
    """Return ada's room with bob, whose RSA key is real, and some messages of ada's."""
    scribe = PrivateScribe(seed)
    scribe.found()
    assert scribe.log(scribe.invite("bob")) is Verdict.OK
    assert scribe.log(scribe.join(scribe.bob, "bob", modulus=rsa.modulus)) is Verdict.OK
    for number in range(messages):
        assert scribe.say(f"message {number}") is Verdict.OK
    return scribe


def by_link(scribe: PrivateScribe, rsa: RsaKey, label: str) -> Origin:
    """Return how somebody comes by the link of this label, whose invite entry stands in the log."""
    link = scribe.link(label)
    entry = next(line.entry for line in scribe.lines if link.invite_pk in line.entry and line.entry[1] == 0x11)
    return Origin(None, door=Door(entry_hash(entry), link), wraps=(rsa,))


NOBODY = ZERO_32
