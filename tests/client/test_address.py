"""Addresses and links."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.address import (
    Address,
    callable_name,
    is_loopback,
    make_link,
    make_private_link,
    parse_address,
    what_is,
)
from sendall.errors import UsageError
from sendall.protocol.base64url import to_base64
from sendall.protocol.roles import is_room_name

KEY = bytes(range(32))
INVITE = bytes(range(32, 64))
SECRET = bytes(range(64, 80))
SECRET_TEXT = to_base64(KEY + INVITE + SECRET)
PRIVATE_LINK = make_private_link("host", 12345, KEY, INVITE, SECRET, "ops")


@pytest.mark.parametrize(
    ("text", "host", "port", "tls"),
    [
        ("", "127.0.0.1", 12345, False),
        (None, "127.0.0.1", 12345, False),
        ("127.0.0.1:4", "127.0.0.1", 4, False),
        ("127.3.2.1", "127.3.2.1", 12345, False),
        ("LocalHost", "localhost", 12345, False),
        ("[::1]:1", "::1", 1, False),
        ("::1", "::1", 12345, False),
        ("[::1]", "::1", 12345, False),
        ("0:0:0:0:0:0:0:1", "::1", 12345, False),
        ("example.org", "example.org", 12345, True),
        ("10.0.0.1:80", "10.0.0.1", 80, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("https://example.org", "example.org", 443, True),
        ("https://example.org:12345/", "example.org", 12345, True),
        ("http://127.0.0.1:12345", "127.0.0.1", 12345, False),
    ],
)
def test_an_address_means_a_host_a_port_and_whether_tls(text: str | None, host: str, port: int, tls: bool) -> None:
    """Every way to write an address gives its host, its port, and TLS for all but this machine."""
    address = parse_address(text)
    assert (address.host, address.port, address.tls) == (host, port, tls)
    assert address.url.startswith("wss://" if tls else "ws://")
    assert parse_address(str(address)) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "host:",
        "host:0",
        "host:65536",
        "host:12a",
        "host:-1",
        "host:１２",
        ":12345",
        "a b",
        "user@host",
        "host/path",
        "[::1",
        "[::1]x",
        "1::2::3",
        "ftp://host",
        "https://host/path#x",
        "https://host/?q",
        "https://[::1",
        "https:///#abc",
        "https://host/#abc",
        "https://host/#" + "A" * 42 + "!",
        "https://host/#" + "A" * 43 + "/%ff",
        "https://host/#" + "A" * 43 + "/a%0ab",
    ],
)
def test_what_is_no_address_is_a_usage_error_with_a_hint(text: str) -> None:
    """A wrong address is never guessed at: one sentence says so, the hint what to write."""
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert caught.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "a.example"])
@pytest.mark.parametrize("name", ["ops", "Übersicht 🦊", "a/b#c?d%", "", None])
def test_a_private_link_pins_a_server_and_an_invite(host: str, name: str | None) -> None:
    """It parses to what it was made of; a name is only a suggestion and may be absent."""
    link = make_private_link(host, 12345, KEY, INVITE, SECRET, name)
    address = parse_address(link)
    assert address == Address(host, 12345, KEY, name or None, INVITE, SECRET)
    assert address.is_private
    assert not parse_address(make_link(host, 12345, KEY, "ops")).is_private


def test_a_private_link_is_that_of_the_specification() -> None:
    """`https`, the fragment of 80 bytes in base64url, and the name percent-encoded."""
    link = make_private_link("a.example", 12345, b"\1" * 32, b"\2" * 32, b"\3" * 16, "ä b")
    key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQECAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgMDAwMDAwMDAwMDAwMDAwM"
    assert link == f"https://a.example:12345/#{key}/%C3%A4%20b"


def test_an_address_shows_nothing_of_a_links_secret() -> None:
    """Neither as text nor in a traceback."""
    address = parse_address(PRIVATE_LINK)
    assert f"{address} {address!r}" == "host:12345 <Address host:12345 of a private link>"
    assert repr(Address("host")) == "<Address host:12345>"


BROKEN = {
    "cut in the secret": (PRIVATE_LINK[:-12], "cut off"),
    "cut in the server's identity": ("https://host/#" + SECRET_TEXT[:20], "cut off"),
    "a character too many": (f"https://host/#{SECRET_TEXT}A/ops", "has 108 characters"),
    "a full stop behind it": (f"https://host/#{SECRET_TEXT}.", r"'\.' has no place"),
    "bits that no key has": (f"https://host/#{SECRET_TEXT[:-1]}9", "not as it was made"),
    "an escaped #": (f"https://host/%23{SECRET_TEXT}/ops", "%23"),
    "no beginning": (f"host:12345/#{SECRET_TEXT}/ops", "begin with https://"),
    "a path": (f"https://host/x#{SECRET_TEXT}/ops", "no link"),
    "another scheme": (f"ftp://host/#{SECRET_TEXT}/ops", "no link"),
    "a broken host": (f"https://[::1/#{SECRET_TEXT}/ops", "no link"),
    "a name that is none": (f"https://host/#{SECRET_TEXT}/%0a", "room name"),
    "no host": (f"https:///#{SECRET_TEXT}/ops", "no host"),
    "no port": (f"https://host:x/#{SECRET_TEXT}/ops", "no port"),
}


@pytest.mark.parametrize(("link", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_link_says_how_it_is_broken_and_what_to_do(link: str, said: str) -> None:
    """One sentence and a hint for each; none repeats the secret, which would stay in a terminal's scrollback."""
    with pytest.raises(UsageError, match=said) as caught:
        parse_address(link)
    assert caught.value.hint
    assert SECRET_TEXT[-20:-1] not in caught.value.explain()


KNOWN = {"ops": 1, "my room": 2, "v2.0": 3, "localhost": 4}


@pytest.mark.parametrize(
    "text", [None, "", " ", "localhost", "LOCALHOST", "127.0.0.1", "a.example", "host:1", "::1", "v2.0", PRIVATE_LINK]
)
def test_a_link_localhost_and_what_has_a_dot_or_colon_is_an_address(text: str | None) -> None:
    """Also where a room is known by that name: what an address is depends on nothing."""
    assert what_is(text, KNOWN.get) == parse_address(text)


@pytest.mark.parametrize(("text", "room"), [("ops", 1), (" ops ", 1), ("my room", 2)])
def test_any_other_word_is_a_room_that_is_known(text: str, room: int) -> None:
    """Its name is enough after the first join."""
    assert what_is(text, KNOWN.get) == room


def test_what_is_neither_says_both() -> None:
    """The error names both meanings, and the hint how to write each; what may be a secret is not repeated."""
    with pytest.raises(UsageError, match="'opps' is neither an address nor a room") as caught:
        what_is("opps", KNOWN.get)
    assert "127.0.0.1:12345" in caught.value.hint
    assert "link" in caught.value.hint
    with pytest.raises(UsageError, match="this is neither"):
        what_is(SECRET_TEXT, KNOWN.get)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("ops", "ops"),
        ("v2.0", "v2_0"),
        ("a:b", "a_b"),
        ("", "room"),
        ("--x", "x"),
        ("localhost", "localhost_"),
        (" a ", "a"),
        ("\xa0a\u3000", "a"),
        ("- -a", "a"),
        ("-", "room"),
    ],
)
def test_every_room_can_be_called_by_some_name(name: str, called: str) -> None:
    """A name that would be an address, an option or nothing is changed until it is none."""
    assert callable_name(name) == called
    assert what_is(called, {called: 7}.get) == 7


@given(st.text(min_size=1, max_size=40).filter(is_room_name), st.sampled_from(["127.0.0.1", "::1", "a.example"]))
def test_a_link_leads_to_the_room_it_was_made_for(room: str, host: str) -> None:
    """Whatever the room is called, its link parses to its server, key and name."""
    address = parse_address(make_link(host, 12345, KEY, room))
    assert address == Address(host, 12345, KEY, room)


@given(st.text(min_size=1, max_size=40).filter(is_room_name))
def test_every_name_has_a_name_it_can_be_called_by(name: str) -> None:
    """Whatever others call their rooms."""
    called = callable_name(name)
    assert callable_name(called) == called
    assert what_is(called, {called: 7}.get) == 7


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    """No input ends in another exception."""
    with contextlib.suppress(UsageError):
        parse_address(text)


def test_only_this_machine_is_loopback() -> None:
    """Names that merely look local get TLS."""
    assert not any(map(is_loopback, ["localhost.example", "128.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "127.0.0.1.x"]))
