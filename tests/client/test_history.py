"""Turning back: pages of what is older, from servers that may not be honest."""

from __future__ import annotations

import msgspec
import pytest

from sendall.client import events as ev
from sendall.client.history import MAX_SESSIONS, History, PageRead
from sendall.errors import Code, Malformed, Refused
from sendall.protocol import frames as f
from sendall.protocol.entry import parse
from sendall.protocol.verdict import Verdict
from tests.client.scribed import Scribed
from tests.conftest import RsaPool
from tests.tools.scribe import Scribe


@pytest.fixture
def scribe() -> Scribe:
    scribe = Scribe("client history")
    scribe.found()
    return scribe


@pytest.fixture
def reader(scribe: Scribe, rsa_pool: RsaPool) -> Scribed:
    return Scribed(scribe, rsa_pool[0])


def begin_late(reader: Scribed, from_: int) -> None:
    """Read what comes after `from_`, with its keys."""
    reader.subok(from_=from_)
    reader.read_late(from_)
    reader.grant()


def ask(reader: Scribed, before: int, limit: int = 50) -> f.Read:
    assert reader.room.ask_page(1, before, limit)
    [read] = [request for request in reader.room.requests if isinstance(request, f.Read)]
    reader.room.requests.clear()
    return read


def head_of(reader: Scribed, read: f.Read) -> f.Page:
    """The head of the page that an honest server answers with."""
    h = reader.scribe.lines[read.from_ - 2].h if read.from_ > 1 else reader.scribe.room_id
    return f.Page(q=read.q, rid=7, from_=read.from_, to=read.to, h=f.B64(h))


def turn_back(reader: Scribed, before: int, limit: int = 50) -> PageRead:
    """Ask for a page and answer it from the scribe's log, whatever stands there."""
    read = ask(reader, before, limit)
    reader.room.paged(head_of(reader, read))
    reader.read(reader.scribe.lines[read.from_ - 1 : read.to])
    [page] = reader.room.pages
    reader.room.pages.clear()
    return page


def texts(page: PageRead) -> list[str]:
    return [message.text for message in page.told if isinstance(message, ev.Message)]


def test_a_page_shows_messages_and_nothing_else(scribe: Scribe, reader: Scribed) -> None:
    """Rubbish, a forged signature and an entry of another epoch are in the chain of a page and not on it."""
    scribe.say("m0")
    assert scribe.log(b"\x01\x01rubbish") is Verdict.BAD
    forged = bytearray(scribe.message(b'{"t":"m","x":"forged"}'))
    forged[-1] ^= 1
    assert scribe.log(bytes(forged)) is Verdict.BAD_SIG
    assert scribe.log(scribe.message(b'{"t":"m","x":"stale"}', epoch=7)) is Verdict.STALE
    scribe.say("m1")
    begin_late(reader, len(scribe.lines))
    assert texts(turn_back(reader, len(scribe.lines) + 1)) == ["m0", "m1"]


def test_what_a_server_repeats_in_the_past_is_shown_once(scribe: Scribe, reader: Scribed) -> None:
    """Of two copies of a message in what was skipped one is shown, on every turn of the page."""
    for i in range(2):
        scribe.say(f"m{i}")
    assert scribe.log(scribe.lines[-1].entry) is Verdict.REPLAY
    scribe.say("m2")
    begin_late(reader, len(scribe.lines))
    for _ in range(2):
        assert texts(turn_back(reader, len(scribe.lines) + 1)) == ["m0", "m1", "m2"]


def test_what_was_read_is_not_shown_again_from_before_the_beginning(scribe: Scribe, reader: Scribed) -> None:
    """A server that puts a copy of a message into what was skipped does not make it appear twice."""
    for i in range(3):
        scribe.say(f"m{i}")
    copied = Scribe("client history")
    copied.found()
    for at in (2, 4, 3, 4):  # m0, m2 before its time, m1, m2
        copied.log(scribe.lines[at].entry)
    reader.scribe = copied
    copied.keys = scribe.keys
    begin_late(reader, 5)
    assert reader.texts == ["m2"]
    assert texts(turn_back(reader, 6)) == ["m0", "m1"]


def test_a_page_reaches_over_what_was_read_between_two_skips(scribe: Scribe, reader: Scribed) -> None:
    """What a late reader read before it fell behind again is no repetition: the page has it, and both stretches."""
    for i in range(4):
        scribe.say(f"m{i}")
    begin_late(reader, 3)
    reader.room.disconnected()
    for i in range(4, 8):
        scribe.say(f"m{i}")
    reader.subok(from_=9)
    reader.read(scribe.lines[9:])
    assert reader.texts == ["m1", "m2", "m3", "m7"]
    assert texts(turn_back(reader, 10)) == [f"m{i}" for i in range(7)]


def test_before_the_first_entry_there_is_nothing(scribe: Scribe, reader: Scribed) -> None:
    """At the beginning of the room the server is not even asked."""
    reader.begin()
    reader.room.requests.clear()
    assert not reader.room.ask_page(1, 1, 50)
    assert reader.room.requests == []


def test_nothing_is_asked_of_a_room_that_is_not_followed_now(scribe: Scribe, reader: Scribed) -> None:
    """Before the beginning is read, and between two connections, there is nobody to ask."""
    scribe.say("m0")
    reader.subok(from_=3)
    assert not reader.room.ask_page(1, 3, 50)
    reader.read_late(3)
    reader.grant()
    assert reader.room.can_page
    reader.room.disconnected()
    assert not reader.room.ask_page(1, 3, 50)


def test_a_page_that_nobody_waits_for_any_more_is_waited_out(scribe: Scribe, reader: Scribed) -> None:
    """Whoever asks again before the answer came, having given up, asks once it is there."""
    scribe.say("m0")
    begin_late(reader, 3)
    read = ask(reader, 4)
    assert not reader.room.can_page
    assert not reader.room.ask_page(2, 4, 50)
    reader.room.paged(head_of(reader, read))
    reader.read(scribe.lines[read.from_ - 1 : read.to])
    reader.room.pages.clear()
    assert reader.room.can_page
    assert texts(turn_back(reader, 4)) == ["m0"]


def test_what_the_server_keeps_no_more_is_said_and_paging_goes_on(scribe: Scribe, reader: Scribed) -> None:
    """A refusal of the page under way is its answer; refusals of other requests are not."""
    scribe.say("m0")
    begin_late(reader, 3)
    refused = Refused(Code.STALE)
    read = ask(reader, 2)
    reader.room.could_not_page(read.q + 1, refused)
    assert reader.room.pages == []
    reader.room.could_not_page(read.q, refused)
    assert reader.room.pages == [PageRead(read.q, 0, [], refused)]
    reader.room.pages.clear()
    assert texts(turn_back(reader, 4)) == ["m0"]
    reader.room.could_not_page(read.q, refused)
    assert reader.room.pages == []


@pytest.mark.parametrize("change", ["q", "to", "before", "empty", "twice"])
def test_a_page_other_than_the_asked_one_is_malformed(scribe: Scribe, reader: Scribed, change: str) -> None:
    """Another answer, more than was asked for, the same again, or nothing at all: paging always gets on."""
    for i in range(6):
        scribe.say(f"m{i}")
    begin_late(reader, 8)
    read = ask(reader, 9, 4)
    right = head_of(reader, read)
    wrong = {
        "q": msgspec.structs.replace(right, q=read.q + 1),
        "to": msgspec.structs.replace(right, to=read.to - 1),
        "before": msgspec.structs.replace(right, from_=read.from_ - 1),
        "empty": msgspec.structs.replace(right, from_=read.to + 1),
        "twice": right,
    }[change]
    if change == "twice":
        reader.room.paged(right)
    with pytest.raises(Malformed):
        reader.room.paged(wrong)


def test_what_a_restart_took_back_is_no_place_to_page_from(scribe: Scribe) -> None:
    """A chain value from after the cut would make the honest pages of the new history look like lies."""
    history = History(scribe.room_id)
    history.begins(0, scribe.room_id)
    lost = b"l" * 32
    assert history.ask(1, 7, before=11, limit=5, known=lost) == f.Read(q=1, rid=7, from_=6, to=10)
    history.cut(5)
    assert history.ask(2, 7, before=9, limit=5, known=None) is None
    assert history.ask(3, 7, before=9, limit=5, known=b"n" * 32) == f.Read(q=3, rid=7, from_=4, to=8)


def test_sessions_are_remembered_up_to_a_bound(scribe: Scribe) -> None:
    """A room in which somebody begins sessions without end does not fill a late reader's memory."""
    history = History(scribe.room_id)
    entry = parse(scribe.message())
    for i in range(MAX_SESSIONS + 3):
        history.saw_first(msgspec.structs.replace(entry, session=i.to_bytes(16, "big")), i)
    assert len(history._first_n) == MAX_SESSIONS
