"""Trust, places and pace, with a clock of the test's own."""

from __future__ import annotations

import pytest

from sendall.errors import UsageError
from sendall.server.peers import Pace, Places, Trust, site
from sendall.server.wire import Peer

PROXIES = Trust(["10.0.0.0/8", "fd00::/8"])
PROXY = Peer("10.0.0.1", trusted=True, tls=False)


def stranger(address: str) -> Peer:
    return Peer(address, trusted=False, tls=True)


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("fd00::9", True),
        ("11.0.0.1", False),
        ("2001:db8::1", False),
    ],
)
def test_loopback_and_named_proxies_are_trusted(address: str, trusted: bool) -> None:
    """Only they get plain HTTP."""
    assert PROXIES.is_trusted(address) is trusted


def test_a_proxy_that_is_no_network_is_a_usage_error() -> None:
    """The message names the option."""
    with pytest.raises(UsageError, match="--trust-proxy"):
        Trust(["10.0.0.1/8"])


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], "10.0.0.1"),
        ([""], "10.0.0.1"),
        (["198.51.100.1"], "198.51.100.1"),
        (["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        (["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        (["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.1"),
        (["198.51.100.1, unknown"], "10.0.0.1"),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["::ffff:198.51.100.1"], "198.51.100.1"),
    ],
)
def test_behind_a_proxy_the_last_foreign_address_counts(headers: list[str], address: str) -> None:
    """What stands before it the client wrote itself."""
    assert PROXIES.behind(PROXY, headers) == PROXY._replace(address=address, trusted=address == "10.0.0.1")


def test_nobody_else_is_believed() -> None:
    """X-Forwarded-For of a peer that was not named a proxy, loopback included, changes nothing."""
    for peer in (stranger("11.0.0.1"), Peer("127.0.0.1", trusted=True, tls=False)):
        assert PROXIES.behind(peer, ["198.51.100.1"]) == peer


def test_a_site_is_an_address_or_a_64() -> None:
    """Whoever has a /64 of IPv6 has all its addresses."""
    assert site("203.0.113.7") == "203.0.113.7"
    assert site("2001:db8:0:1:2:3:4:5") == site("2001:db8:0:1::9") == "2001:db8:0:1::/64"


def test_places_are_limited_by_site_and_in_all() -> None:
    """A site that has its share gets no more until one leaves; trusted peers count in all only."""
    places = Places(total=4, per_site=2)
    held = [places.take(stranger("2001:db8::1")), places.take(stranger("2001:db8::2"))]
    assert "2 connections of 2" in places.refusal(stranger("2001:db8::3"))
    assert not places.refusal(stranger("203.0.113.7"))
    for _ in range(2):
        assert not places.refusal(PROXY)
        places.take(PROXY)
    assert "4 connections of 4" in places.refusal(PROXY)
    held[0].leave()
    assert not places.refusal(stranger("2001:db8::3"))


def test_a_place_is_left_once() -> None:
    """Leaving again gives nothing back, and the last one to leave is announced."""
    places = Places(total=9, per_site=9)
    emptied: list[int] = []
    places.emptied = lambda: emptied.append(places.count)
    first, second = places.take(PROXY), places.take(stranger("203.0.113.7"))
    first.leave()
    first.leave()
    assert places.count == 1
    assert not emptied
    second.leave()
    assert emptied == [0]


def test_a_place_moves_to_who_is_behind_the_proxy() -> None:
    """It then counts for that site, is refused if the site has its share, and is left there."""
    places = Places(total=9, per_site=1)
    client = stranger("203.0.113.7")
    first, second = places.take(PROXY), places.take(PROXY)
    assert not first.move(client)
    assert "203.0.113.7" in second.move(client)
    assert second.peer == PROXY
    first.leave()
    assert not second.move(client)


def test_the_pace_is_a_burst_and_then_a_rate() -> None:
    """With 200 a second and 20 at once, a second from the start lets 220 pass, and never more than 20 together."""
    pace = Pace(200, 20, now=0.0)
    passed = 0
    for ms in range(1001):
        while pace.wait(ms / 1000) < 1e-9:
            pace.take()
            passed += 1
    assert 219 <= passed <= 220
    assert pace.wait(1.0) == pytest.approx(0.005, abs=1e-6)
    assert pace.wait(100.0) == 0
    for _ in range(20):
        assert not pace.wait(100.0)
        pace.take()
    assert pace.wait(100.0) > 0


def test_rate_zero_is_no_limit() -> None:
    """As everywhere in the settings."""
    pace = Pace(0, 1, now=0.0)
    for _ in range(1000):
        assert pace.wait(0.0) == 0
        pace.take()
