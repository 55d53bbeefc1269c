"""The Host and Origin allow-lists, as tables."""

from __future__ import annotations

import pytest

from sendall.errors import UsageError
from sendall.server.hosts import HostPolicy, host_name, ip_literal

POLICY = HostPolicy.of(
    ["chat.example.org", "*.rooms.example.org", "Bücher.example", "203.0.113.7", "2001:db8::7"],
    ["https://page.example.org"],
)
LOCAL = "192.0.2.1"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:12345",
        "192.0.2.1",
        "192.0.2.1:12345",
        "203.0.113.7:12345",
        "[2001:db8::7]:12345",
        "[2001:0DB8:0::7]",
        "[::ffff:203.0.113.7]",
        "chat.example.org",
        "CHAT.example.org.:443",
        "a.rooms.example.org",
        "xn--bcher-kva.example",
    ],
)
def test_our_names_are_answered(host: str) -> None:
    """localhost, the address connected to, and whatever was configured, with any port."""
    assert POLICY.allows_host([host], LOCAL)


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["evil.example"],
        ["chat.example.org.evil.example"],
        ["rooms.example.org"],
        ["a.b.rooms.example.org"],
        ["192.0.2.2"],
        ["[2001:db8::8]"],
        ["127.0.0.1"],
        ["chat.example.org", "chat.example.org"],
        ["chat.example.org:x"],
        ["chat.example.org/evil"],
        ["user@chat.example.org"],
        ["chat.example.org evil.example"],
        ["3221225985"],
    ],
)
def test_other_names_are_not(hosts: list[str]) -> None:
    """A name that DNS was made to point here, a doubled header, or anything odd is not for us."""
    assert not POLICY.allows_host(hosts, LOCAL)


@pytest.mark.parametrize(
    ("origins", "host", "tls", "allowed"),
    [
        ([], "localhost:12345", False, True),
        (["http://localhost:12345"], "localhost:12345", False, True),
        (["https://localhost:12345"], "localhost:12345", False, True),
        (["https://chat.example.org:12345"], "chat.example.org:12345", True, True),
        (["https://Chat.example.org"], "chat.example.org", True, True),
        (["https://chat.example.org"], "chat.example.org:443", True, True),
        (["https://page.example.org"], "chat.example.org", True, True),
        (["http://chat.example.org:12345"], "chat.example.org:12345", True, False),
        (["http://localhost:8000"], "localhost:12345", False, False),
        (["https://evil.example"], "chat.example.org", True, False),
        (["https://chat.example.org.evil.example"], "chat.example.org", True, False),
        (["null"], "chat.example.org", True, False),
        ([""], "chat.example.org", True, False),
        (["file://"], "chat.example.org", False, False),
        (["https://chat.example.org", "https://chat.example.org"], "chat.example.org", True, False),
    ],
)
def test_only_our_own_page_may_open_a_websocket(origins: list[str], host: str, tls: bool, allowed: bool) -> None:
    """No Origin means no browser; otherwise it is the origin that Host names, or a listed one."""
    assert POLICY.allows_origin(origins, host, tls=tls) is allowed


@pytest.mark.parametrize(
    ("text", "literal"),
    [("::ffff:1.2.3.4", "1.2.3.4"), ("fe80::1%eth0", "fe80::1"), ("[::1]", "::1"), ("host", ""), ("1.2.3", "")],
)
def test_an_address_has_one_form(text: str, literal: str) -> None:
    """IPv4 in IPv6 clothes counts as IPv4, a zone is dropped, and a name is no address."""
    assert ip_literal(text) == literal


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_an_impossible_name_is_a_usage_error(host: str) -> None:
    """What cannot be a host name is refused when it is configured, not when it is asked for."""
    with pytest.raises(UsageError):
        host_name(host)
