"""Frames: the JSON requests and replies, the binary frames, and their WebSocket framing.

JSON frames are strict (unknown names and fields are refused), with binary values in base64url
without padding. Binary messages are one or more frames, at most 64 KiB together, or one frame. Pure.
Source: docs/protocol.md, "Frames" and "Requests".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from sendall.errors import Code, Malformed
from sendall.protocol.base64url import B64 as B64
from sendall.protocol.base64url import from_base64, to_base64
from sendall.protocol.entry import MAX_ENTRY, MAX_SEQ, MIN_ENTRY, EntryType
from sendall.protocol.runs import go_on

MAX_JSON = 16 * 1024
"""Bytes of a JSON frame that a client may send."""
MAX_BATCH = 65_535
"""Payload bytes of a WebSocket message of several frames: the most that has a 4-byte header."""
MAX_MESSAGE = 128 * 1024
"""Bytes of any WebSocket message."""
MAX_GRANT = 384 + 1024 * 36 + 16


class _Frame(msgspec.Struct, tag_field="t", forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """Base of the JSON frames; `t` is the frame's name."""


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the server tells of its limits."""

    entry: int
    """Bytes of an entry."""
    inflight: int
    """Unconfirmed entries per connection and room."""
    ping_s: int
    """Seconds of silence after which each side pings."""
    days: int
    """Whole days a message is kept, at least 1."""


class Hello(_Frame, tag="hello", frozen=True):
    v: int
    server: B64
    ns: B64
    limits: Limits


class Auth(_Frame, tag="auth", frozen=True):
    id: B64
    nc: B64
    n: B64
    leaf: B64
    sig: B64
    proof: B64 | None = None


class Welcome(_Frame, tag="welcome", frozen=True):
    leaf: B64
    sig: B64


class Sub(_Frame, tag="sub", frozen=True):
    """Exactly one of `name`, `room` and `invite` is given."""

    q: int
    after: int
    name: str | None = None
    room: B64 | None = None
    invite: B64 | None = None
    h: B64 | None = None
    tail: int | None = None
    since_ms: int | None = None
    start: int | None = None
    create: bool = False


class SubOk(_Frame, tag="subok", frozen=True):
    q: int
    rid: int
    room: B64
    first: int
    last: int
    # Renamed because `from` is a keyword.
    from_: int = msgspec.field(name="from")
    h: B64
    cut: int | None = None


class Read(_Frame, tag="read", frozen=True):
    q: int
    rid: int
    from_: int = msgspec.field(name="from")
    to: int


class Page(_Frame, tag="page", frozen=True):
    q: int
    rid: int
    from_: int = msgspec.field(name="from")
    to: int
    h: B64


class Unsub(_Frame, tag="unsub", frozen=True):
    rid: int


class Have(_Frame, tag="have", frozen=True):
    rid: int
    e: int


class Make(_Frame, tag="make", frozen=True):
    """A new PRIVATE room; answered as a `sub` from its beginning."""

    q: int
    genesis: B64


class Want(_Frame, tag="want", frozen=True):
    """From a client: it lacks the current key. From the server, with `id`: that member lacks it."""

    rid: int
    id: B64 | None = None


class Present(_Frame, tag="present", frozen=True):
    rid: int
    count: int
    came: list[B64] = []
    went: list[B64] = []


class Ping(_Frame, tag="ping", frozen=True):
    pass


class Pong(_Frame, tag="pong", frozen=True):
    pass


class RefusedFrame(_Frame, tag="refused", frozen=True):
    rid: int
    session: B64
    type: int
    n: int
    code: Code
    retry_ms: int | None = None


class ErrorFrame(_Frame, tag="error", frozen=True):
    code: Code
    text: str
    q: int | None = None


FromClient = Auth | Sub | Make | Read | Unsub | Have | Want | Ping | Pong
FromServer = Hello | Welcome | SubOk | Page | Present | Want | RefusedFrame | ErrorFrame | Ping | Pong

_FIXED = {  # bytes of the binary fields, by frame and field
    Hello: (("server", 32), ("ns", 32)),
    Auth: (("id", 32), ("nc", 32), ("n", 384), ("leaf", 32), ("sig", 64), ("proof", 32)),
    Welcome: (("leaf", 32), ("sig", 64)),
    Sub: (("h", 32), ("room", 32), ("invite", 32)),
    SubOk: (("room", 32), ("h", 32)),
    Page: (("h", 32),),
    Want: (("id", 32),),
    RefusedFrame: (("session", 16),),
}
_NUMBERS = {
    Sub: ("q", "after", "tail", "since_ms", "start"),
    Make: ("q",),
    SubOk: ("q", "rid", "first", "last", "from_", "cut"),
    Read: ("q", "rid", "from_", "to"),
    Page: ("q", "rid", "from_", "to"),
    Unsub: ("rid",),
    Have: ("rid", "e"),
    Want: ("rid",),
    Present: ("rid", "count"),
    RefusedFrame: ("rid", "type", "n", "retry_ms"),
}


# `Any`: the signatures that msgspec gives its hooks.
def _encode_hook(value: Any) -> Any:
    if isinstance(value, B64):
        return to_base64(value)
    raise NotImplementedError(type(value))


def _decode_hook(_: type, value: Any) -> Any:
    return from_base64(value)  # B64 is the only type here that msgspec does not know


_encoder = msgspec.json.Encoder(enc_hook=_encode_hook)
_from_client: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient, dec_hook=_decode_hook)
_from_server: msgspec.json.Decoder[FromServer] = msgspec.json.Decoder(FromServer, dec_hook=_decode_hook)


def encode(frame: FromClient | FromServer) -> bytes:
    """Return the frame as UTF-8 JSON."""
    return _encoder.encode(frame)


def decode_from_client(data: bytes) -> FromClient:
    """Raises Malformed: too long, no JSON, an unknown name or field, a wrong type or size."""
    if len(data) > MAX_JSON:
        raise Malformed(f"a request of {len(data):,} bytes exceeds the limit of {MAX_JSON:,}")
    try:
        frame = _from_client.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"a request that is none: {_harmless(error)}") from error
    _check_sizes(frame)
    if isinstance(frame, Sub) and sum(x is not None for x in (frame.name, frame.room, frame.invite)) != 1:
        raise Malformed("a sub that does not name exactly one room")
    if isinstance(frame, Want) and frame.id is not None:
        raise Malformed("a want that names somebody, from a client")
    return frame


def decode_from_server(data: bytes) -> FromServer:
    """Raises Malformed, as `decode_from_client`."""
    try:
        frame = _from_server.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"a reply that is none: {_harmless(error)}") from error
    _check_sizes(frame)
    if isinstance(frame, Want) and frame.id is None:
        raise Malformed("a want that names nobody, from the server")
    return frame


def _harmless(error: Exception) -> str:
    # It quotes names of the peer's choice, and goes to logs and terminals.
    return str(error).encode("unicode_escape").decode()[:200]


def _check_sizes(frame: FromClient | FromServer) -> None:
    for field, size in _FIXED.get(type(frame), ()):
        value = getattr(frame, field)
        if value is not None and len(value) != size:
            raise Malformed(f"{field} has {len(value)} bytes instead of {size}")
    for field in _NUMBERS.get(type(frame), ()):
        value = getattr(frame, field)
        if value is not None and not 0 <= value < MAX_SEQ:
            raise Malformed(f"{field} = {value} is out of range")
    if isinstance(frame, Present) and any(len(i) != 32 for i in (*frame.came, *frame.went)):
        raise Malformed("an id that has not 32 bytes")


# -- binary frames ----------------------------------------------------------------------------

POST, LOGGED, SHOWN, GRANT, CARD = 0x01, 0x02, 0x03, 0x04, 0x05
"""First byte of a binary frame: an entry for the log or those present; a logged entry; a signal or
card; a grant; a card to keep."""

_UP = struct.Struct(">BII")
LOGGED_HEADER = struct.Struct(">BIQQI")
"""LOGGED, rid, seq, time_ms, and the length of the entry that follows."""
_GRANT = struct.Struct(">BI32sI")
_MESSAGE = EntryType.MESSAGE  # bound once, as in protocol.room


class Post(msgspec.Struct, frozen=True, gc=False):
    """01 or 05, client to server: an entry for the log, a signal, or a card."""

    kind: int
    rid: int
    entry: bytes
    run: Sequence[bytes] = ()
    """The messages right behind it that go on with this one (`protocol.runs`)."""


class Logged(NamedTuple):
    """02, server to client."""

    rid: int
    seq: int
    time_ms: int
    entry: bytes


class Shown(NamedTuple):
    """03, server to client: a signal or card, not logged."""

    rid: int
    entry: bytes


class GrantFrame(NamedTuple):
    """04, both ways: a grant for `recipient`, a member or an invite."""

    rid: int
    recipient: bytes
    grant: bytes


def post_frame(rid: int, entry: bytes, *, card: bool = False) -> bytes:
    return _UP.pack(CARD if card else POST, rid, len(entry)) + entry


def logged_frame(rid: int, seq: int, time_ms: int, entry: bytes) -> bytes:
    return LOGGED_HEADER.pack(LOGGED, rid, seq, time_ms, len(entry)) + entry


def shown_frame(rid: int, entry: bytes) -> bytes:
    return _UP.pack(SHOWN, rid, len(entry)) + entry


def grant_frame(rid: int, recipient: bytes, grant: bytes) -> bytes:
    return _GRANT.pack(GRANT, rid, recipient, len(grant)) + grant


def client_frames(message: bytes) -> Iterator[Post | GrantFrame]:
    """Yield the frames of a client's binary message.

    Raises:
        Malformed: an unknown frame, a wrong length, or several frames over 65,535 bytes.
    """
    at, size = 0, len(message)
    if not size:
        raise Malformed("an empty binary message")
    while at < size:
        kind = message[at]
        if kind not in (POST, CARD, GRANT):
            raise Malformed(f"frame {kind:#04x} is not for the server")
        head = _GRANT if kind == GRANT else _UP
        if at + head.size > size:
            raise Malformed("a frame that ends in its header")
        start = at + head.size
        if kind == GRANT:
            _, rid, recipient, length = _GRANT.unpack_from(message, at)
            is_sound = 0 < length <= MAX_GRANT
        else:
            _, rid, length = _UP.unpack_from(message, at)
            is_sound = length >= MIN_ENTRY
        end = start + length
        if end > size or not is_sound:
            raise Malformed(f"a frame says {length:,} bytes")
        if size > MAX_BATCH and (at or end != size):
            raise Malformed(f"several frames in a message of {size:,} bytes; the limit is {MAX_BATCH:,}")
        if kind == GRANT:
            yield GrantFrame(rid, recipient, message[start:end])
        elif kind == POST and end < size and message[start + 1] == _MESSAGE:
            run = go_on(message, at, end)
            yield Post(kind, rid, message[start:end], run)
            end += sum(map(len, run)) + len(run) * _UP.size
        else:
            yield Post(kind, rid, message[start:end])
        at = end


def server_frames(message: bytes) -> Iterator[Logged | Shown | GrantFrame]:
    """Yield the frames of a server's binary message. Raises Malformed."""
    at, size = 0, len(message)
    if not size:
        raise Malformed("an empty binary message")
    while at < size:
        kind = message[at]
        try:
            if kind == LOGGED:
                _, rid, seq, time_ms, length = LOGGED_HEADER.unpack_from(message, at)
                start, limit = at + LOGGED_HEADER.size, MAX_ENTRY
            elif kind == SHOWN:
                _, rid, length = _UP.unpack_from(message, at)
                start, limit = at + _UP.size, MAX_ENTRY
            elif kind == GRANT:
                _, rid, recipient, length = _GRANT.unpack_from(message, at)
                start, limit = at + _GRANT.size, MAX_GRANT
            else:
                raise Malformed(f"frame {kind:#04x} is unknown")
        except struct.error as error:
            raise Malformed("a frame that ends in its header") from error
        end = start + length
        if end > size or length > limit:
            raise Malformed(f"a frame says {length:,} bytes")
        body = message[start:end]
        if kind == LOGGED:
            if not (0 < seq < MAX_SEQ and time_ms < MAX_SEQ):
                raise Malformed("a seq or time that is out of range")
            yield Logged(rid, seq, time_ms, body)
        elif kind == SHOWN:
            yield Shown(rid, body)
        else:
            yield GrantFrame(rid, recipient, body)
        at = end
