"""Who is at the other end, and how many of them: addresses, trust, places, the pace of accepting. Pure.

Addresses are strings in their shortest form (`hosts.ip_literal`). Time enters as an argument, in
seconds of a monotonic clock. Knows nothing of sockets; `listener` and `websocket` ask it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence

from sendall.errors import UsageError
from sendall.server.hosts import ip_literal
from sendall.server.wire import Peer

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_IPV6_SITE_BITS = 64


class Trust:
    """Which peers get plain HTTP and no limits per address: loopback, and the proxies that were named."""

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        """Take the proxies' networks in CIDR notation.

        Raises:
            UsageError: one of them is no network.
        """
        try:
            self._proxies: tuple[_Network, ...] = tuple(ipaddress.ip_network(proxy) for proxy in proxies)
        except ValueError as error:
            raise UsageError(
                f"--trust-proxy: {error}", hint="give an address or a network, as in --trust-proxy 10.0.0.0/8"
            ) from None

    def is_trusted(self, address: str) -> bool:
        """Whether plain HTTP from `address` is served rather than redirected."""
        return ipaddress.ip_address(address).is_loopback or self.is_proxy(address)

    def is_proxy(self, address: str) -> bool:
        """Whether X-Forwarded-For from `address` is believed; of loopback only if it was named, too."""
        return any(ipaddress.ip_address(address) in network for network in self._proxies)

    def behind(self, peer: Peer, forwarded_for: Sequence[str]) -> Peer:
        """Return who is behind a proxy, given the X-Forwarded-For headers in their order.

        That is the last address that is no proxy of ours: everything before it the client may have made up.
        Without one, or if a proxy wrote something else than an address, it is the proxy itself.
        """
        if not self.is_proxy(peer.address):
            return peer
        for hop in reversed(",".join(forwarded_for).split(",")):
            address = ip_literal(hop.strip())
            if not address:
                break
            if not self.is_proxy(address):
                return peer._replace(address=address, trusted=self.is_trusted(address))
        return peer


def site(address: str) -> str:
    """Return what limits per address count by: an IPv4 address, or the /64 of an IPv6 address."""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _IPV6_SITE_BITS), strict=False))


class Places:
    """How many connections there are, in all and of each site.

    Attributes:
        count: all connections.
        emptied: called whenever the last one has left.
    """

    def __init__(self, *, total: int, per_site: int) -> None:
        self._total = total
        self._per_site = per_site
        self._by_site: dict[str, int] = {}
        self.count = 0
        self.emptied: Callable[[], None] = lambda: None

    def refusal(self, peer: Peer) -> str:
        """Return why one more connection of `peer` is refused, or nothing."""
        if self.count >= self._total:
            return f"{self.count:,} connections of {self._total:,} allowed in all"
        return self._site_refusal(peer)

    def _site_refusal(self, peer: Peer) -> str:
        held = self._by_site.get(_key(peer), 0)
        if held >= self._per_site:
            return f"{held:,} connections of {self._per_site:,} allowed from {_key(peer)}"
        return ""

    def take(self, peer: Peer) -> Place:
        """Count one more connection, whatever `refusal` says."""
        self.count += 1
        self._add(_key(peer), 1)
        return Place(self, peer)

    def _add(self, key: str, change: int) -> None:
        if key:
            held = self._by_site.get(key, 0) + change
            if held:
                self._by_site[key] = held
            else:
                del self._by_site[key]

    def _move(self, before: Peer, after: Peer) -> str:
        refusal = self._site_refusal(after)
        if not refusal:
            self._add(_key(before), -1)
            self._add(_key(after), 1)
        return refusal

    def _leave(self, peer: Peer) -> None:
        self.count -= 1
        self._add(_key(peer), -1)
        if not self.count:
            self.emptied()


class Place:
    """One connection's place, given back by whoever holds the connection last.

    Attributes:
        peer: whose it is.
    """

    __slots__ = ("_places", "peer")

    def __init__(self, places: Places, peer: Peer) -> None:
        self._places: Places | None = places
        self.peer = peer

    def move(self, peer: Peer) -> str:
        """Count the connection as `peer`'s, who turned out to be behind it; return why not, or nothing."""
        refusal = self._places._move(self.peer, peer) if self._places else ""
        if not refusal:
            self.peer = peer
        return refusal

    def leave(self) -> None:
        """Give the place back; repeated calls do nothing."""
        places, self._places = self._places, None
        if places:
            places._leave(self.peer)


class Pace:
    """A token bucket: at most `rate` takings a second (0: without limit), `burst` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def wait(self, now: float) -> float:
        """Return in how many seconds the next taking is allowed; 0 if it is now."""
        if not self._rate:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (1 - self._tokens) / self._rate)

    def take(self) -> None:
        """Take one, which `wait` allowed."""
        self._tokens -= 1


def _key(peer: Peer) -> str:
    """Return what a connection counts under; nothing for those without a limit per address."""
    return "" if peer.trusted else site(peer.address)
