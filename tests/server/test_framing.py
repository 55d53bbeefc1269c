"""Framing, without a socket; websockets' own parser is the oracle for what is a good stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side
from websockets.utils import apply_mask

from sendall.server.framing import BINARY, MAX_MESSAGE_BYTES, PONG, TEXT, Event, Inbound, close_frame

MASK = b"\x12\x34\x56\x78"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a masked frame; no rule of what may be sent is applied."""
    head = Frame(Opcode.BINARY, payload).serialize(mask=False).removesuffix(payload)
    return bytes((fin << 7 | opcode, head[1] | 0x80)) + head[2:] + MASK + apply_mask(payload, MASK)


def raw(first: int, second: int, rest: bytes = b"") -> bytes:
    """Return a frame that may be against every rule."""
    return bytes((first, second)) + rest


def feed(*chunks: bytes) -> tuple[list[Event], Inbound]:
    inbound = Inbound()
    return [event for chunk in chunks for event in inbound.feed(chunk)], inbound


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, MAX_MESSAGE_BYTES])
def test_messages_of_every_length_form_arrive(size: int) -> None:
    """Each of the three length forms carries a message up to the limit, which is allowed itself."""
    events, inbound = feed(frame(BINARY, bytes(size)) + frame(TEXT, b"a" * size))
    assert events == [(BINARY, bytes(size)), (TEXT, b"a" * size)]
    assert inbound.ending is None


def test_fragments_join_around_control_frames() -> None:
    """A ping between two fragments is answered at once, and the message arrives whole."""
    events, _ = feed(frame(TEXT, b"a", fin=False) + frame(0x9, b"p") + frame(0x0, b"b", fin=False) + frame(0x0, b"c"))
    assert events == [(PONG, b"\x8a\x01p"), (TEXT, b"abc")]


def test_a_pong_that_nobody_asked_for_is_ignored() -> None:
    """An unsolicited pong is a heartbeat (RFC 6455, 5.5.3): no answer, no end, and the next message arrives."""
    events, inbound = feed(frame(0xA, b"beat") + frame(BINARY, b"after"))
    assert (events, inbound.ending) == ([(BINARY, b"after")], None)


def test_a_character_may_be_cut_between_fragments() -> None:
    """UTF-8 is judged by message, not by fragment."""
    events, _ = feed(frame(TEXT, b"\xc3", fin=False), frame(0x0, b"\xa9"))
    assert events == [(TEXT, "é".encode())]


def test_hopeless_text_fails_at_the_fragment() -> None:
    """Text that cannot become UTF-8 any more is refused before the message is complete."""
    _, inbound = feed(frame(TEXT, b"a\xff", fin=False))
    assert inbound.ending is not None
    assert inbound.ending.code == 1007


def test_a_close_between_fragments_is_a_proper_close() -> None:
    """RFC 6455 section 5.4: control frames may come in the middle of a message, the close frame among them."""
    _, inbound = feed(frame(TEXT, b"a", fin=False) + frame(0x8, Close(1000, "").serialize()))
    assert inbound.ending == (close_frame(1000), 1000, "")


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        pytest.param(raw(0x82, 0x01, b"x"), 1002, id="not masked"),
        pytest.param(raw(0xC2, 0x80), 1002, id="rsv1"),
        pytest.param(raw(0xA1, 0x80), 1002, id="rsv2"),
        pytest.param(raw(0x92, 0x80), 1002, id="rsv3"),
        pytest.param(raw(0x83, 0x80), 1002, id="opcode 3"),
        pytest.param(raw(0x8B, 0x80), 1002, id="opcode 11"),
        pytest.param(raw(0x09, 0x80), 1002, id="fragmented ping"),
        pytest.param(raw(0x08, 0x80), 1002, id="fragmented close"),
        pytest.param(raw(0x89, 0xFE), 1002, id="long ping"),
        pytest.param(raw(0x88, 0xFE), 1002, id="long close"),
        pytest.param(raw(0x80, 0x80), 1002, id="continues nothing"),
        pytest.param(frame(TEXT, b"a", fin=False) + raw(0x82, 0x80), 1002, id="message within a message"),
        pytest.param(raw(0x82, 0xFE, b"\x00\x7d"), 1002, id="16-bit length of 125"),
        pytest.param(raw(0x82, 0xFF, (0xFFFF).to_bytes(8, "big")), 1002, id="64-bit length of 65535"),
        pytest.param(raw(0x82, 0xFF, b"\xff" * 8), 1002, id="negative length"),
        pytest.param(raw(0x82, 0xFF, (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big")), 1009, id="too big"),
        pytest.param(
            frame(BINARY, bytes(MAX_MESSAGE_BYTES), fin=False) + raw(0x80, 0x81), 1009, id="too big by fragments"
        ),
        pytest.param(frame(TEXT, b"\xff"), 1007, id="text is not utf-8"),
        pytest.param(frame(TEXT, b"\xc3"), 1007, id="text ends within a character"),
        pytest.param(frame(TEXT, b"\xc3", fin=False) + frame(0x0, b""), 1007, id="fragments end within a character"),
        pytest.param(frame(0x8, b"\x03"), 1002, id="close of one byte"),
        pytest.param(frame(0x8, (1005).to_bytes(2, "big")), 1002, id="close with 1005"),
        pytest.param(frame(0x8, (2999).to_bytes(2, "big")), 1002, id="close with 2999"),
        pytest.param(frame(0x8, b"\x03\xe8\xff"), 1007, id="close reason is not utf-8"),
    ],
)
def test_a_defect_ends_the_stream_with_its_code(stream: bytes, code: int) -> None:
    """Every broken rule has its close code, is found at the header, and nothing after it is heard."""
    events, inbound = feed(frame(BINARY, b"before") + stream, frame(BINARY, b"after"))
    assert inbound.ending is not None
    assert inbound.ending.code == code
    assert inbound.ending.defect
    assert inbound.ending.frame == close_frame(code, inbound.ending.defect)
    assert events == [(BINARY, b"before")]


@pytest.mark.parametrize("code", [1000, 1001, 1012, 3000, 4999])
def test_a_proper_close_is_answered_with_its_code(code: int) -> None:
    """The answer has the peer's code, and no words of the peer's."""
    _, inbound = feed(frame(0x8, Close(code, "bye").serialize()))
    assert inbound.ending == (close_frame(code), code, "")


def test_a_close_without_code_is_answered_without_code() -> None:
    """An empty close frame means 1005, which must not travel."""
    _, inbound = feed(frame(0x8))
    assert inbound.ending == (b"\x88\x00", 1005, "")


def test_a_long_reason_is_cut_between_characters() -> None:
    """A close frame never exceeds 125 bytes nor breaks its UTF-8."""
    sent = close_frame(4000, "é" * 100)
    assert len(sent) == 2 + 2 + 122
    assert sent[4:].decode() == "é" * 61


def test_a_frame_byte_by_byte_arrives_once() -> None:
    """However a frame is cut, it arrives when its last byte does."""
    stream = frame(BINARY, bytes(300))
    inbound = Inbound()
    results = [inbound.feed(stream[at : at + 1]) for at in range(len(stream))]
    assert results == [[]] * (len(stream) - 1) + [[(BINARY, bytes(300))]]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Frames as a client makes them, some against the rules of sequence, size or content."""
    opcodes = st.sampled_from([0x0, 0x1, 0x2, 0x8, 0x9, 0xA])
    payloads = st.one_of(st.binary(max_size=140), st.text(max_size=40).map(str.encode))
    return b"".join(
        frame(draw(opcodes), draw(payloads), fin=draw(st.booleans())) for _ in range(draw(st.integers(1, 8)))
    )


def judge(stream: bytes) -> tuple[list[tuple[int, bytes]], int | None]:
    """Return messages and close code as websockets sees them (text is checked by its caller there, and here)."""
    oracle = Protocol(Side.SERVER, max_size=MAX_MESSAGE_BYTES)
    oracle.receive_data(stream)
    messages: list[tuple[int, bytes]] = []
    opcode, parts = 0, b""
    for event in oracle.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY):
            opcode, parts = int(event.opcode), bytes(event.data)
        elif event.opcode is Opcode.CONT:
            parts += bytes(event.data)
        else:
            continue
        if event.fin:
            messages.append((opcode, parts))
    return messages, oracle.close_sent.code if oracle.close_sent else None


@given(streams(), st.lists(st.integers(1, 200), max_size=20))
def test_it_agrees_with_websockets(stream: bytes, cuts: list[int]) -> None:
    """Whatever the frames and the cuts, messages and close code are those of websockets' parser.

    Two differences are meant: text is checked here, and a close between fragments is a proper one.
    """
    inbound, events, at = Inbound(), list[Event](), 0
    for cut in [*cuts, len(stream)]:
        events += inbound.feed(stream[at : at + cut])
        at += cut
    messages = [event for event in events if event[0] != PONG]
    expected, code = judge(stream)
    if inbound.ending is not None and inbound.ending.code == 1007:
        assert messages == expected[: len(messages)]
        return
    assert messages == expected
    ours = inbound.ending.code if inbound.ending else None
    assert ours == code or (code == 1002 and inbound.ending is not None and not inbound.ending.defect)


@given(st.lists(st.binary(max_size=64), max_size=10))
def test_any_bytes_are_messages_or_an_ending(chunks: list[bytes]) -> None:
    """No input raises, and the answer to a broken rule is always a frame that can be sent."""
    _, inbound = feed(*chunks)
    if inbound.ending is not None:
        assert inbound.ending.frame[0] == 0x88
        assert len(inbound.ending.frame) == 2 + inbound.ending.frame[1]
