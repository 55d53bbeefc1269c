"""Saying things in a room: kinds through the outbox to the others, and hints at their pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

import sendall
from sendall.client import events as ev
from sendall.client.client import Client, Room
from sendall.client.conversation.hints import SEEN_EVERY_S, TYPING_EVERY_S, TYPING_S
from sendall.client.conversation.kinds import Delete, Edit, Hint, Reaction, Seen, Topic, Typing
from sendall.client.conversation.rows import Post
from sendall.client.conversation.timeline import Timeline
from sendall.client.speaking import HintPace
from sendall.config import ServerSettings
from sendall.node import Node
from tests.conftest import RsaPool

WAIT_S = 30.0
E = TypeVar("E")


class Place:
    """A server, and clients that find it."""

    def __init__(self, node: Node, folder: Path, rsa_pool: RsaPool) -> None:
        self.node = node
        self.folder = folder
        self.rsa_pool = rsa_pool

    def client(self, who: str) -> Client:
        address = f"127.0.0.1:{self.node.address[1]}"
        return sendall.connect(address, nick=who, state=self.folder / who, _rsa=self.rsa_pool[0])


@pytest.fixture
async def place(tmp_path: Path, rsa_pool: RsaPool) -> AsyncIterator[Place]:
    async with Node(ServerSettings(port=0, data=tmp_path / "server")) as node:
        yield Place(node, tmp_path, rsa_pool)


async def told(room: Room, kind: type[E], count: int) -> list[E]:
    """Return the next `count` events of a kind."""
    found: list[E] = []
    async with asyncio.timeout(WAIT_S):
        async for event in room.events():
            if isinstance(event, kind):
                found.append(event)
                if len(found) == count:
                    return found
    raise AssertionError(f"the room ended after {found}")


async def test_everything_that_can_be_said_reaches_the_others(place: Place) -> None:
    """Replies, actions, edits, reactions, deletions and topics, in order, each with its sender's name and receipt."""
    async with place.client("ada") as ada, place.client("bob") as bob:
        lobby, other = await ada.join(), await bob.join()
        first = await lobby.send("helo")
        await lobby.send("waves", reply_to=first.seq, is_action=True)
        await lobby.edit(first.seq, "hello")
        await other.react(first.seq, "👍")
        await other.react(first.seq, "👍", is_off=True)
        await lobby.delete(first.seq)
        receipt = await lobby.set_topic("plans")
        said = [await told(room, ev.Said, 7) for room in (other, lobby)]
        assert [event.seq for event in said[0]] == [event.seq for event in said[1]]
        message, answer, *changes = said[0]
        assert isinstance(message, ev.Message)
        assert isinstance(answer, ev.Message)
        assert (message.text, message.re, answer.re, answer.is_action) == ("helo", None, first.seq, True)
        assert [change.what for change in changes if isinstance(change, ev.Change)] == [
            Edit(first.seq, "hello"),
            Reaction(first.seq, "👍"),
            Reaction(first.seq, "👍", is_off=True),
            Delete(first.seq),
            Topic("plans"),
        ]
        assert [change.nick for change in changes] == ["ada", "bob", "bob", "ada", "ada"]
        assert [change.mine for change in changes] == [False, True, True, False, False]
        assert changes[-1].seq == receipt.seq


async def test_pages_of_the_past_hold_everything_that_was_said(place: Place) -> None:
    """Paging back gives changes too, so that the timeline is that of whoever was there; `history` is messages alone."""
    async with place.client("ada") as ada:
        lobby = await ada.join()
        seqs = [(await lobby.send(f"m{i}")).seq for i in range(4)]
        await lobby.edit(seqs[0], "edited")
        timeline = Timeline()
        before = (await lobby.react(seqs[1], "👍")).seq + 1
        while (past := await lobby.past(before, 2)) is not None:
            assert past.first < before
            timeline.take(past.told)
            before = past.first
        rows = [timeline[at] for at in range(len(timeline))]
        assert [row.text for row in rows] == ["edited", "m1", "m2", "m3"]
        assert [len(timeline.reactions(row)) for row in rows if isinstance(row, Post)] == [0, 1, 0, 0]
        assert [message.text for message in await lobby.history(seqs[3] + 3, 10)] == ["m0", "m1", "m2", "m3"]


async def test_typing_seen_and_names_reach_those_present(place: Place) -> None:
    """As hints with the name of whoever they are about; a new name or colour is told, and shown among the members."""
    async with place.client("ada") as ada, place.client("bob") as bob:
        bob.rename("bobby", 200)
        lobby, other = await ada.join(), await bob.join()
        [came] = await told(lobby, ev.Came, 1)
        assert came.nick == "bobby"
        other.typing()
        other.typing()
        other.typing(is_over=True)
        other.seen(7)
        assert await told(lobby, ev.Typing, 2) == [
            ev.Typing(bob.id, "bobby"),
            ev.Typing(bob.id, "bobby", is_over=True),
        ]
        assert await told(lobby, ev.SeenUpTo, 1) == [ev.SeenUpTo(bob.id, "bobby", 7)]
        bob.rename("robert\u202e", 120)
        assert await told(lobby, ev.Named, 1) == [ev.Named(bob.id, "robert", 120)]
        [member] = lobby.members
        assert (member.nick, member.hue, bob.nick) == ("robert", 120, "robert")
        await other.send("hi")
        [message] = await told(lobby, ev.Message, 1)
        assert message.nick == "robert"


async def test_hints_of_the_time_away_are_not_said_afterwards(place: Place) -> None:
    """Typing while the connection is lost is nobody's news when it is back; what is written then goes out."""
    async with place.client("ada") as ada, place.client("bob") as bob:
        lobby, other = await ada.join(), await bob.join()
        other.follower.rid, rid = None, other.follower.rid
        other.typing()
        other.follower.rid = rid
        other.lost()
        other.seen(3)
        await other.send("hi")
        heard: list[ev.Event] = []
        async for event in lobby.events():
            heard.append(event)
            if isinstance(event, ev.Message):
                break
        assert [event for event in heard if isinstance(event, ev.Typing)] == []
        assert [event.seq for event in heard if isinstance(event, ev.SeenUpTo)] == [3]


async def test_what_waits_says_what_it_is(place: Place) -> None:
    """A screen lists what is not confirmed by its words, and knows the kind."""
    async with place.client("ada") as ada:
        lobby = await ada.join()
        pendings = [lobby.post_nowait("hi"), lobby.put_nowait(Edit(1, "ho")), lobby.put_nowait(Delete(1))]
        assert [pending.text for pending in pendings] == ["hi", "ho", ""]
        assert pendings[1].what == Edit(1, "ho")
        await lobby.drain()


@pytest.mark.parametrize("seq", [0, -1, 2**53])
async def test_a_seq_that_is_none_is_the_callers_mistake(place: Place, seq: int) -> None:
    """Nothing of it reaches the outbox."""
    async with place.client("ada") as ada:
        lobby = await ada.join()
        with pytest.raises(ValueError, match="not the number of a message"):
            await lobby.edit(seq, "x")
        with pytest.raises(ValueError, match="no emoji"):
            await lobby.react(1, " ")
        with pytest.raises(ValueError, match="at most 200 characters"):
            await lobby.set_topic("x" * 201)
        assert lobby.unconfirmed == []


# -- the pace of hints -------------------------------------------------------------------------------


class Clock:
    """An event loop's timers, turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, Callable[[], None], Clock.Handle]] = []

    class Handle:
        is_cancelled = False

        def cancel(self) -> None:
            self.is_cancelled = True

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Clock.Handle:
        handle = Clock.Handle()
        self._due.append((self.now + delay, callback, handle))
        return handle

    def turn(self, seconds: float) -> None:
        self.now += seconds
        due, self._due = [d for d in self._due if d[0] <= self.now], [d for d in self._due if d[0] > self.now]
        for _, callback, handle in due:
            if not handle.is_cancelled:
                callback()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent() -> list[Hint]:
    return []


@pytest.fixture
def pace(clock: Clock, sent: list[Hint]) -> HintPace:
    return HintPace(sent.append, clock)


def test_typing_is_said_every_few_seconds_and_its_end_once(pace: HintPace, clock: Clock, sent: list[Hint]) -> None:
    """However often a key is pressed; the end is said only to those who still believe in it."""
    pace.typing(is_over=True)
    assert sent == []
    for _ in range(3):
        pace.typing(is_over=False)
    assert sent == [Typing()]
    clock.turn(TYPING_EVERY_S)
    pace.typing(is_over=False)
    assert sent == [Typing(), Typing()]
    pace.typing(is_over=True)
    pace.typing(is_over=True)
    assert sent[2:] == [Typing(is_over=True)]
    pace.typing(is_over=False)
    clock.turn(TYPING_S)
    pace.typing(is_over=True)
    assert sent[3:] == [Typing()]


def test_a_message_ends_typing_without_a_word(pace: HintPace, sent: list[Hint]) -> None:
    """The others see it by the message; who types on says so at once."""
    pace.typing(is_over=False)
    pace.said()
    pace.typing(is_over=True)
    pace.typing(is_over=False)
    assert sent == [Typing(), Typing()]


def test_how_far_one_has_read_is_said_at_most_once_a_second(pace: HintPace, clock: Clock, sent: list[Hint]) -> None:
    """The newest is always said in the end, and nothing twice."""
    for seq in (5, 6, 9, 7):
        pace.seen(seq)
    assert sent == [Seen(5)]
    clock.turn(SEEN_EVERY_S)
    assert sent == [Seen(5), Seen(9)]
    clock.turn(SEEN_EVERY_S)
    pace.seen(8)
    assert sent == [Seen(5), Seen(9)]
    pace.seen(10)
    pace.seen(11)
    pace.stop()
    pace.stop()
    clock.turn(SEEN_EVERY_S)
    assert sent[2:] == [Seen(10)]


def test_after_a_lost_connection_everything_is_said_again(pace: HintPace, clock: Clock, sent: list[Hint]) -> None:
    """Whoever is there now has not heard it."""
    pace.typing(is_over=False)
    pace.seen(5)
    pace.begin_again()
    clock.turn(SEEN_EVERY_S)
    pace.typing(is_over=False)
    assert sent == [Typing(), Seen(5), Seen(5), Typing()]
