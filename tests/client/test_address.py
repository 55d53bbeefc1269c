"""Addresses and links."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.address import Address, is_loopback, make_link, parse_address
from sendall.errors import UsageError
from sendall.protocol.base64url import to_base64
from sendall.protocol.roles import is_room_name

KEY = bytes(range(32))


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


def test_a_link_to_a_private_room_says_that_it_needs_a_newer_version() -> None:
    """The link of a room kind to come is told apart from a damaged one."""
    with pytest.raises(UsageError, match="private room"):
        parse_address(f"https://host/#{to_base64(bytes(80))}")


@given(st.text(min_size=1, max_size=40).filter(is_room_name), st.sampled_from(["127.0.0.1", "::1", "a.example"]))
def test_a_link_leads_to_the_room_it_was_made_for(room: str, host: str) -> None:
    """Whatever the room is called, its link parses to its server, key and name."""
    address = parse_address(make_link(host, 12345, KEY, room))
    assert address == Address(host, 12345, KEY, room)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    """No input ends in another exception."""
    with contextlib.suppress(UsageError):
        parse_address(text)


def test_only_this_machine_is_loopback() -> None:
    """Names that merely look local get TLS."""
    assert not any(map(is_loopback, ["localhost.example", "128.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "127.0.0.1.x"]))
