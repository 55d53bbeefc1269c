"""From entries to what people read: what waits, what is dropped, and that neither grows without end."""

from __future__ import annotations

import pytest

from sendall.client import events as ev
from sendall.client.reading import MAX_SIGNAL_SESSIONS, MAX_WAITING_BYTES, Reader
from sendall.protocol.entry import EntryType
from tests.client.scribed import Scribed
from tests.conftest import RsaPool
from tests.tools.scribe import Scribe


@pytest.fixture
def scribe() -> Scribe:
    scribe = Scribe("client reading")
    scribe.found()
    return scribe


@pytest.fixture
def reader(scribe: Scribe, rsa_pool: RsaPool) -> Scribed:
    return Scribed(scribe, rsa_pool[0])


def signal(scribe: Scribe, plaintext: bytes, n: int, session: bytes | None = None) -> bytes:
    return scribe.message(plaintext, type_=EntryType.SIGNAL, n=n, session=session)


def test_what_waits_for_a_key_is_bounded_and_its_loss_is_said(scribe: Scribe, reader: Scribed) -> None:
    """Beyond 8 MiB the oldest are told as unreadable, in their places; the others are read once the key is there."""
    size = 60_000
    count = MAX_WAITING_BYTES // size + 3
    for i in range(count):
        scribe.say(f"{i}:".ljust(size, "x"))
    reader.subok()
    reader.read()
    lost = len(reader.told)
    assert 0 < lost < count
    assert {type(event) for event in reader.told} == {ev.Unreadable}
    reader.grant()
    assert [text.split(":")[0] for text in reader.texts] == [str(i) for i in range(lost, count)]
    assert [event.seq for event in reader.told if isinstance(event, ev.Unreadable | ev.Message)] == [
        *range(3, 3 + count)
    ]


@pytest.mark.parametrize("plaintext", [b"", b"[]", b"\xff", b'{"i":9007199254740992}'])
def test_a_hostile_signal_is_dropped_and_uses_up_no_number(scribe: Scribe, reader: Scribed, plaintext: bytes) -> None:
    """A signal whose content is none is no news to anybody, and the next of that number is told."""
    reader.begin()
    reader.room.shown(signal(scribe, plaintext, 0))
    reader.room.shown(signal(scribe, b'{"t":"poke"}', 0))
    reader.collect()
    assert [event.content for event in reader.told if isinstance(event, ev.Signal)] == [{"t": "poke"}]


def test_a_signal_under_another_key_is_dropped(scribe: Scribe, reader: Scribed) -> None:
    """Whoever is in the room and seals a signal with a key of their own says nothing."""
    reader.begin()
    scribe.keys[1] = b"x" * 32
    reader.room.shown(signal(scribe, b'{"t":"poke"}', 0))
    reader.collect()
    assert reader.told == []


def test_sessions_of_signals_are_remembered_up_to_a_bound(scribe: Scribe, rsa_pool: RsaPool) -> None:
    """Signals of sessions without end do not fill a reader's memory, and one that repeats itself stays known."""
    room = Scribed(scribe, rsa_pool[0])
    room.begin()
    reader: Reader = room.room._reader
    noise = b'{"t":"poke"}'
    for i in range(MAX_SIGNAL_SESSIONS + 3):
        assert len(reader.signals(signal(scribe, noise, 0, i.to_bytes(16, "big")), 1)) == 1
    assert len(reader._seen) == MAX_SIGNAL_SESSIONS
    assert reader.signals(signal(scribe, noise, 0, (MAX_SIGNAL_SESSIONS + 2).to_bytes(16, "big")), 1) == []
