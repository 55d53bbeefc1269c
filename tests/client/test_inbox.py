"""The inbox: bounded whatever happens, and nothing lost without a trace."""

from __future__ import annotations

import asyncio

import pytest

from sendall.client.events import Lost, Message, Presence, utc
from sendall.client.inbox import LIMIT, Hole, Inbox
from sendall.errors import SendallError


def message(seq: int) -> Message:
    return Message(seq, utc(0), "r", b"", b"", "n", "t", False, str(seq))


async def test_events_come_out_as_they_went_in() -> None:
    """One reader gets everything, in order, then the end."""
    inbox = Inbox()
    inbox.put([message(1), Presence(3), message(2)])
    inbox.close()
    assert [await inbox.get() for _ in range(4)] == [message(1), Presence(3), message(2), None]


async def test_beyond_the_limit_messages_are_counted_not_kept() -> None:
    """A hole stands for what was heard and not kept; what passes is dropped, news of the connection is not."""
    inbox = Inbox()
    inbox.put([message(seq) for seq in range(1, LIMIT + 1)])
    assert inbox.is_full
    for seq in range(LIMIT + 1, LIMIT * 10):
        inbox.put([message(seq), Presence(seq)])
    inbox.put([Lost("gone", 1.0), message(LIMIT * 10)])
    got = [await inbox.get() for _ in range(LIMIT + 3)]
    assert got[:LIMIT] == [message(seq) for seq in range(1, LIMIT + 1)]
    first, lost, second = got[LIMIT:]
    assert isinstance(first, Hole)
    assert (first.first, first.last) == (LIMIT + 1, LIMIT * 10 - 1)
    assert lost == Lost("gone", 1.0)
    assert isinstance(second, Hole)
    assert (second.first, second.last) == (LIMIT * 10, LIMIT * 10)


async def test_a_waiting_reader_is_woken_by_news_and_by_the_end() -> None:
    """`get` waits for the next event, and the error that ended the room is raised to it."""
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put([message(1)])
    assert await waiting == message(1)
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.close(SendallError("over"))
    with pytest.raises(SendallError, match="over"):
        await waiting
