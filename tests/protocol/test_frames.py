from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.errors import Code, Malformed
from sendall.protocol import frames as f
from sendall.protocol.entry import MAX_SEQ

NUMBER = st.integers(0, MAX_SEQ - 1)


def b64(size: int) -> st.SearchStrategy[f.B64]:
    return st.binary(min_size=size, max_size=size).map(f.B64)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:  # Any: fields of every type
    return st.none() | strategy


def with_a_room(sub: f.Sub) -> st.SearchStrategy[f.Sub]:
    """Return the same sub for a room that is named in one of the three ways."""
    named = st.text(max_size=70).map(lambda name: {"name": name})
    known = st.sampled_from(["room", "invite"]).flatmap(lambda by: b64(32).map(lambda id_: {by: id_}))
    return (named | known).map(lambda room: msgspec.structs.replace(sub, **room))


PINGS = st.sampled_from([f.Ping(), f.Pong()])
FROM_CLIENT = st.one_of(
    PINGS,
    st.builds(f.Auth, id=b64(32), nc=b64(32), n=b64(384), leaf=b64(32), sig=b64(64), proof=maybe(b64(32))),
    st.builds(
        f.Sub,
        q=NUMBER,
        after=NUMBER,
        h=maybe(b64(32)),
        tail=maybe(NUMBER),
        since_ms=maybe(NUMBER),
        start=maybe(NUMBER),
        create=st.booleans(),
    ).flatmap(with_a_room),
    st.builds(f.Make, q=NUMBER, genesis=st.binary(max_size=300).map(f.B64)),
    st.builds(f.Read, q=NUMBER, rid=NUMBER, from_=NUMBER, to=NUMBER),
    st.builds(f.Unsub, rid=NUMBER),
    st.builds(f.Have, rid=NUMBER, e=NUMBER),
    st.builds(f.Want, rid=NUMBER),
)
FROM_SERVER = st.one_of(
    PINGS,
    st.builds(
        f.Hello, v=NUMBER, server=b64(32), ns=b64(32), limits=st.builds(f.Limits, NUMBER, NUMBER, NUMBER, NUMBER)
    ),
    st.builds(f.Welcome, leaf=b64(32), sig=b64(64)),
    st.builds(
        f.SubOk,
        q=NUMBER,
        rid=NUMBER,
        room=b64(32),
        first=NUMBER,
        last=NUMBER,
        from_=NUMBER,
        h=b64(32),
        cut=maybe(NUMBER),
    ),
    st.builds(f.Page, q=NUMBER, rid=NUMBER, from_=NUMBER, to=NUMBER, h=b64(32)),
    st.builds(f.Want, rid=NUMBER, id=b64(32)),
    st.builds(f.Present, rid=NUMBER, count=NUMBER, came=st.lists(b64(32)), went=st.lists(b64(32))),
    st.builds(
        f.RefusedFrame,
        rid=NUMBER,
        session=b64(16),
        type=NUMBER,
        n=NUMBER,
        code=st.sampled_from(Code),
        retry_ms=maybe(NUMBER),
    ),
    st.builds(f.ErrorFrame, code=st.sampled_from(Code), text=st.text(), q=maybe(NUMBER)),
)

SUB = f.Sub(q=1, name="lobby", after=0, h=f.B64(b"h" * 32), tail=1, since_ms=1, start=1)
SUBOK = f.SubOk(q=1, rid=1, room=f.B64(b"r" * 32), first=1, last=1, from_=1, h=f.B64(b"h" * 32), cut=1)
AUTH = f.Auth(
    id=f.B64(bytes(32)),
    nc=f.B64(bytes(32)),
    n=f.B64(bytes(384)),
    leaf=f.B64(bytes(32)),
    sig=f.B64(bytes(64)),
    proof=f.B64(bytes(32)),
)
REFUSED = f.RefusedFrame(rid=1, session=f.B64(bytes(16)), type=1, n=1, code=Code.SLOW_DOWN, retry_ms=1)
HELLO = f.Hello(v=1, server=f.B64(bytes(32)), ns=f.B64(bytes(32)), limits=f.Limits(1, 1, 1, 1))
WELCOME = f.Welcome(leaf=f.B64(bytes(32)), sig=f.B64(bytes(64)))
PAGE = f.Page(q=1, rid=1, from_=1, to=1, h=f.B64(bytes(32)))
READ = f.Read(q=1, rid=1, from_=1, to=1)
PRESENT = f.Present(rid=1, count=1, came=[f.B64(bytes(32))], went=[f.B64(bytes(32))])


def decode(side: str, data: bytes) -> object:
    return f.decode_from_client(data) if side == "client" else f.decode_from_server(data)


# -- JSON frames ------------------------------------------------------------------------------


@given(FROM_CLIENT)
def test_what_a_client_says_arrives_as_it_was_said(frame: f.FromClient) -> None:
    """Encoding and decoding are inverse, also for absent fields."""
    assert f.decode_from_client(f.encode(frame)) == frame


@given(FROM_SERVER)
def test_what_the_server_says_arrives_as_it_was_said(frame: f.FromServer) -> None:
    """The same the other way."""
    assert f.decode_from_server(f.encode(frame)) == frame


def test_the_names_of_frames_and_fields_are_those_of_the_specification() -> None:
    """`t` is the frame's name, `from` is written out, bytes are base64url, absent fields are not there."""
    assert json.loads(f.encode(f.Sub(q=1, name="lobby", after=0))) == {"t": "sub", "q": 1, "name": "lobby", "after": 0}
    assert json.loads(f.encode(PAGE)) == {"t": "page", "q": 1, "rid": 1, "from": 1, "to": 1, "h": "A" * 43}
    assert json.loads(f.encode(f.Want(rid=7))) == {"t": "want", "rid": 7}


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.sampled_from(["client", "server"]))
def test_any_bytes_are_a_json_frame_or_malformed(data: bytes, side: str) -> None:
    """Decoding raises nothing else."""
    with suppress(Malformed):
        decode(side, data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from(["auth", "sub", "read", "hello", "present", "refused", "welcome", "nothing"]),
    st.sampled_from(["client", "server"]),
)
def test_any_json_is_a_frame_or_malformed(value: object, name: str, side: str) -> None:
    """Also JSON of the right outer shape with anything inside."""
    fields = value if isinstance(value, dict) else {"q": value}
    with suppress(Malformed):
        decode(side, json.dumps({**fields, "t": name}).encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{}",
        '{"rid":1}',
        '{"t":"nothing"}',
        '{"t":"ping","more":1}',
        '{"t":"want"}',
        '{"t":"want","rid":"1"}',
        '{"t":"want","rid":1.0}',
        '{"t":"want","rid":true}',
        '{"t":"want","rid":-1}',
        '{"t":"want","rid":9007199254740992}',
        '{"t":"want","rid":1} ',
        '{"t":"want","rid":1}x',
        '\ufeff{"t":"ping"}',
        '{"t":"sub","q":1,"name":"\\ud800","after":0}',
        '{"t":"sub","q":1,"name":"x","after":0,"h":1}',
        '{"t":"sub","q":1,"name":"x","after":0,"h":"AAAA"}',
        '{"t":"sub","q":1,"name":"x","after":NaN}',
        "[" * 5000,
    ],
)
def test_a_request_with_one_defect_is_malformed(text: str) -> None:
    """Unknown names and fields, missing ones, wrong types, and what is no JSON."""
    if text == '{"t":"want","rid":1} ':
        assert f.decode_from_client(text.encode()) == f.Want(rid=1)  # white space around is JSON
        return
    with pytest.raises(Malformed):
        f.decode_from_client(text.encode())


def test_a_request_over_16_kib_is_malformed_before_it_is_read() -> None:
    """The limit is a limit of bytes, and the sentence names both numbers."""
    padding = b" " * (f.MAX_JSON - len(b'{"t":"ping"}'))
    assert f.decode_from_client(b'{"t":"ping"}' + padding) == f.Ping()
    with pytest.raises(Malformed, match="16,385 bytes exceeds the limit of 16,384"):
        f.decode_from_client(b'{"t":"ping"}' + padding + b" ")


@pytest.mark.parametrize("side", ["client", "server"])
def test_what_a_peer_wrote_cannot_steer_a_log_or_a_terminal(side: str) -> None:
    """The sentence of a refused frame quotes its names, escaped and cut."""
    evil = '{"t":"ping","\\n= forged line\\u001b[2J\\u202e' + "x" * 1000 + '":1}'
    with pytest.raises(Malformed) as caught:
        decode(side, evil.encode())
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("side", "frame", "field"),
    [
        *(("client", AUTH, field) for field in ("id", "nc", "n", "leaf", "sig", "proof")),
        ("client", SUB, "h"),
        ("client", f.Sub(q=1, after=0, room=f.B64(bytes(32))), "room"),
        ("client", f.Sub(q=1, after=0, invite=f.B64(bytes(32))), "invite"),
        ("server", f.Want(rid=1, id=f.B64(bytes(32))), "id"),
        ("server", HELLO, "server"),
        ("server", HELLO, "ns"),
        ("server", WELCOME, "leaf"),
        ("server", WELCOME, "sig"),
        ("server", SUBOK, "room"),
        ("server", SUBOK, "h"),
        ("server", PAGE, "h"),
        ("server", REFUSED, "session"),
    ],
)
def test_a_binary_field_of_a_wrong_size_is_malformed(side: str, frame: f.FromClient, field: str) -> None:
    """Every binary field has one size."""
    fields = json.loads(f.encode(frame))
    assert decode(side, json.dumps(fields).encode()) == frame
    for wrong in (fields[field] + "AAAA", ""):
        with pytest.raises(Malformed, match=f"{field} has"):
            decode(side, json.dumps(fields | {field: wrong}).encode())


@pytest.mark.parametrize(
    ("side", "frame", "field"),
    [
        *(("client", SUB, field) for field in ("q", "after", "tail", "since_ms", "start")),
        *(("client", READ, field) for field in ("q", "rid", "from", "to")),
        ("client", f.Make(q=1, genesis=f.B64(b"genesis")), "q"),
        ("client", f.Unsub(rid=1), "rid"),
        ("client", f.Want(rid=1), "rid"),
        ("client", f.Have(rid=1, e=1), "rid"),
        ("client", f.Have(rid=1, e=1), "e"),
        *(("server", SUBOK, field) for field in ("q", "rid", "first", "last", "from", "cut")),
        *(("server", PAGE, field) for field in ("q", "rid", "from", "to")),
        ("server", PRESENT, "rid"),
        ("server", PRESENT, "count"),
        *(("server", REFUSED, field) for field in ("rid", "type", "n", "retry_ms")),
    ],
)
def test_a_number_out_of_range_is_malformed(side: str, frame: f.FromClient, field: str) -> None:
    """Numbers are 0 to 2^53 - 1, which every JSON implementation holds exactly."""
    fields = json.loads(f.encode(frame))
    assert decode(side, json.dumps(fields | {field: MAX_SEQ - 1}).encode())
    for wrong in (-1, MAX_SEQ, 2**64):
        with pytest.raises(Malformed):
            decode(side, json.dumps(fields | {field: wrong}).encode())


@pytest.mark.parametrize("field", ["came", "went"])
def test_an_id_of_a_wrong_size_among_the_present_is_malformed(field: str) -> None:
    """Ids have 32 bytes, each of them."""
    with pytest.raises(Malformed, match="32 bytes"):
        f.decode_from_server(json.dumps({"t": "present", "rid": 1, "count": 1, field: ["AAAA"]}).encode())


@pytest.mark.parametrize("named", [(), ("name", "room"), ("room", "invite"), ("name", "room", "invite")])
def test_a_sub_names_one_room_in_one_way(named: tuple[str, ...]) -> None:
    """By name, by id or by invite: none of them, or two, is malformed."""
    ways = {"name": "lobby", "room": "A" * 43, "invite": "A" * 43}
    fields = {"t": "sub", "q": 1, "after": 0, **{way: ways[way] for way in named}}
    with pytest.raises(Malformed, match="exactly one room"):
        f.decode_from_client(json.dumps(fields).encode())


def test_a_want_names_somebody_on_its_way_down_only() -> None:
    """A client wants for itself; the server says who does."""
    with pytest.raises(Malformed, match="names somebody"):
        f.decode_from_client(f.encode(f.Want(rid=1, id=f.B64(bytes(32)))))
    with pytest.raises(Malformed, match="names nobody"):
        f.decode_from_server(f.encode(f.Want(rid=1)))


def test_frames_have_their_side() -> None:
    """A client's frame is no reply, and the reverse."""
    with pytest.raises(Malformed):
        f.decode_from_server(f.encode(SUB))
    with pytest.raises(Malformed):
        f.decode_from_client(f.encode(SUBOK))


def test_what_is_no_field_value_is_not_encoded() -> None:
    """A value of a foreign type is the program's mistake, not a frame."""
    with pytest.raises(NotImplementedError):
        f.encode(f.Welcome(leaf=object(), sig=f.B64(b"")))  # type: ignore[arg-type]  # the mistake itself
