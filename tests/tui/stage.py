"""A client whose network is the test: rooms are real, what they tell is scripted, and the clock stands still.

For what depends on every detail of what comes, and for pictures. What is sent stays on its way until
the test lets it arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from sendall.client.beginning import Beginning
from sendall.client.conversation.kinds import Card, Delete, Edit, Reaction, Spoken, Text, Topic
from sendall.client.events import Change, Event, Message, Pending, Presence, Receipt, Told
from sendall.client.joined import Past, Room
from sendall.client.names import safe_nick, tag_of
from sendall.client.outbox import Outbox
from sendall.client.outbox_store import Lane, OutboxFile
from sendall.client.room import RoomFollower
from sendall.client.sending import Sent
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.errors import SendallError
from sendall.tui.app import SendallApp
from sendall.tui.clock import Clock
from sendall.tui.opening import Opening
from sendall.tui.ways_in import WaysIn

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ME = Identity(b"a" * 32)
SERVER_PK = hashlib.sha256(b"server").digest()
WORDS = "ladder violin ocean cabin pepper magnet story humble"
WAYS = WaysIn(
    join="sendall join 'http://192.0.2.7:12345/#k=example&room=lobby'",
    link="https://192.0.2.7:12345/#k=example",
    only_here="",
    words=WORDS,
    readers="whoever reaches this port, and this server itself; nobody in between",
    stored="messages for 30 days, on disk before anybody sees them",
)


def person(name: str) -> bytes:
    """Return the key of somebody: the same for the same name."""
    return ME.pk if name == "ada" else Identity(hashlib.sha256(name.encode("utf-8", "replace")).digest()).pk


class StillClock(Clock):
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        return NOON + timedelta(hours=1) + self.passed

    def monotonic(self) -> float:
        return 1_000.0 + self.passed.total_seconds()


class StagedRoom(Room):
    """A room whose events the test makes; `older` is what the server has of the past."""

    def __init__(self, stage: Stage, follower: RoomFollower, lane: Lane) -> None:
        super().__init__(stage, follower, lane, stage.nick)
        self.clock = stage.clock
        self.seq = 0
        self.older: list[Told] = []
        self.asked: list[int] = []
        self.seen_up_to = 0
        self.typed = 0

    def put_nowait(self, what: Spoken) -> Pending:
        pending = self._sending.write(what, round(self.clock.now().timestamp() * 1000))
        if self._why_ended is not None:
            raise self._why_ended
        return pending

    async def past(self, before: int, limit: int = 50) -> Past | None:
        self.asked.append(before)
        told = [each for each in self.older if each.seq < before][-limit:]
        return Past(told[0].seq, told) if told else None

    def typing(self, *, is_over: bool = False) -> None:
        self.typed += 1

    def seen(self, seq: int) -> None:
        self.seen_up_to = max(self.seen_up_to, seq)

    # -- what the test does -------------------------------------------------------------------

    def tell_all(self, *events: Event) -> None:
        self.inbox.put(events)

    def says(self, who: str, text: str, *, minute: int | None = None, re: int | None = None, me: bool = False) -> int:
        """Let somebody say something; return its seq."""
        self.seq += 1
        self.tell_all(message(self.seq, who, text, minute=minute, re=re, is_action=me))
        return self.seq

    def changes(self, who: str, what: Edit | Delete | Reaction | Topic, *, minute: int | None = None) -> int:
        """Let somebody change something; return its seq."""
        self.seq += 1
        key = person(who)
        time_ = NOON + timedelta(minutes=self.seq if minute is None else minute)
        self.tell_all(Change(self.seq, time_, "lobby", key, b"s" * 16, who, tag_of(key), who == "ada", what))
        return self.seq

    def come(self, *names: str) -> None:
        """Let these be present, this person among them."""
        for name in names:
            self.follower.people.nicks[person(name)] = name
            self.follower.people.hues[person(name)] = None
        self.follower.people.count = len(self.follower.people.nicks)
        self.tell_all(Presence(self.follower.people.count))

    def confirm(self) -> None:
        """Let what was sent arrive, in its order."""
        for sent in self._take():
            self.seq += 1
            now = NOON + timedelta(minutes=self.seq)
            match sent.what:
                case Text(text, re, is_action):
                    self.tell_all(message(self.seq, "ada", text, re=re, is_action=is_action, is_mine=True))
                case Edit() | Delete() | Reaction() | Topic() as what:
                    self.changes("ada", what)
            sent.confirm(Receipt(self.seq, now))

    def fails(self, error: SendallError) -> None:
        """Let what was sent be given up."""
        for sent in self._take():
            sent.fail(error)

    def _take(self) -> list[Sent]:
        """Take what is on its way, oldest first."""
        sent = list(self._sending._open.values())
        self._sending._open.clear()
        return sent


def message(
    seq: int,
    who: str,
    text: str,
    *,
    minute: int | None = None,
    re: int | None = None,
    is_action: bool = False,
    is_mine: bool = False,
) -> Message:
    """Return a message by somebody; one a minute if nothing else is said."""
    key = person(who)
    time_ = NOON + timedelta(minutes=seq if minute is None else minute)
    return Message(seq, time_, "lobby", key, b"s" * 16, safe_nick(who), tag_of(key), is_mine, text, "m", re, is_action)


class Stage:
    """The client of the application under test."""

    address = "192.0.2.7:12345"
    id = ME.pk
    kept_days = 30
    server_words = WORDS

    def __init__(self, folder: Path, rsa: RsaKey, clock: Clock) -> None:
        self.clock = clock
        self.nick = "ada"
        self.retry_at = 0.0
        self.rooms: dict[str, StagedRoom] = {}
        self.began_ms = time.time_ns() // 1_000_000
        self.refuses: dict[str, SendallError] = {}
        self._rsa = rsa
        self._outbox = OutboxFile(folder)

    async def join(self, name: str) -> StagedRoom:
        if name in self.refuses:
            raise self.refuses[name]
        lane = self._outbox.lane(SERVER_PK, ME.pk, name, self.began_ms)
        follower = RoomFollower(
            name,
            server_pk=SERVER_PK,
            identity=ME,
            rsa=self._rsa,
            outbox=Outbox(lane, ME, lambda: os.urandom(16)),
            nick=self.nick,
            beginning=Beginning(),
        )
        self.rooms[name] = StagedRoom(self, follower, lane)
        self.rooms[name].come("ada")
        return self.rooms[name]

    def rename(self, nick: str) -> None:
        self.nick = safe_nick(nick)
        for room in self.rooms.values():
            room.rename(Card(self.nick))

    def close(self) -> None:
        self._outbox.close()

    # -- the carrier of its rooms -------------------------------------------------------------

    async def written(self) -> None:
        pass

    def wake(self) -> None:
        pass

    def can_page(self, room: Room) -> bool:
        return False

    def ask_page(self, room: Room, before: int, limit: int) -> bool:
        return False

    def let_go(self, room: Room) -> None:
        self.rooms.pop(room.name, None)

    def renamed(self, room: Room, name: str) -> None:
        raise AssertionError("no room is renamed on a stage")


class Staged:
    """An application that runs on a stage."""

    def __init__(self, app: SendallApp, stage: Stage, clock: StillClock, pilot: Pilot[None]) -> None:
        self.app = app
        self.stage = stage
        self.clock = clock
        self.pilot = pilot

    @property
    def lobby(self) -> StagedRoom:
        return self.stage.rooms["lobby"]

    async def settle(self) -> None:
        """Let everything that is under way come to the screen. Waits for messages, not for time."""
        for _ in range(ROUNDS):
            await self.pilot._wait_for_screen()
            await asyncio.sleep(0)
        self.app.show_changes()
        await self.pilot._wait_for_screen()
        self.app.screen._on_timer_update()

    async def type(self, text: str) -> None:
        """Type a text, as it stands."""
        for c in text:
            self._send("ctrl+j" if c == "\n" else _character_to_key(c), c)
        await self.settle()

    async def enter(self, text: str) -> None:
        """Type a line and press Enter."""
        await self.type(text)
        await self.press("enter")

    async def press(self, *keys: str) -> None:
        """Press keys, each when what the one before did has come to the screen."""
        for key in keys:
            self._send(key, key if len(key) == 1 else {"plus": "+", "full_stop": "."}.get(key))
            await self.settle()

    def _send(self, key: str, character: str | None) -> None:
        self.send(events.Key(key, character))

    def send(self, event: events.Event) -> None:
        """Let the terminal tell something."""
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    def screen(self) -> str:
        """Return what stands on the screen, line by line, without trailing spaces."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in lines)

    def sees(self, *words: str) -> str:
        """Check that all of `words` are on the screen, and return it."""
        shown = self.screen()
        for each in words:
            assert each in shown, f"{each!r} is not on the screen:\n{shown}"
        return shown


ROUNDS = 3
"""How often every widget's messages are waited for: what one does may be another's message."""


@asynccontextmanager
async def staged(
    folder: Path, rsa: RsaKey, size: tuple[int, int] = (100, 30), **opening: object
) -> AsyncIterator[Staged]:
    """Run the application on a stage; the room `lobby` is open."""
    clock = StillClock()
    stage = Stage(folder, rsa, clock)
    stage.refuses = opening.pop("refuses", {})  # type: ignore[assignment]  # the test knows
    given = {"client": stage, "room": "lobby", "folder": folder, "ways": WAYS, "is_tls": True, "clock": clock}
    app = SendallApp(Opening(**(given | opening)))  # type: ignore[arg-type]  # whoever calls knows the fields
    try:
        async with app.run_test(size=size) as pilot:
            running = Staged(app, stage, clock, pilot)
            await running.settle()
            yield running
    finally:
        stage.close()
