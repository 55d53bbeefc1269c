"""Under which names this server answers: the Host and Origin allow-lists. Pure.

Host defeats DNS rebinding (a page of evil.example whose name suddenly points to this machine),
Origin defeats a foreign page that opens our WebSocket (docs/threat-model.md, "Browser"). Ports are
not compared in Host, because proxies and port forwarding change them. Knows nothing of sockets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from sendall.errors import UsageError

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_SCHEMES_TLS = ("https",)
_SCHEMES_PLAIN = ("http", "https")  # a proxy may speak TLS for us


class HostPolicy(NamedTuple):
    """Names, addresses and web origins that are ours, beside `localhost` and the address a client connected to."""

    names: frozenset[str] = frozenset()
    """DNS names in lower case; `*.example.org` stands for exactly one more label."""
    addresses: frozenset[str] = frozenset()
    """IP literals in their shortest form."""
    origins: frozenset[str] = frozenset()
    """Web origins (`https://chat.example.org`) that may open connections beside our own."""

    @classmethod
    def of(cls, hosts: Iterable[str], origins: Iterable[str] = ()) -> Self:
        """Build a policy from names and IP literals mixed (settings, the certificate's names).

        Raises:
            UsageError: one of them can be no name.
        """
        named = [host_name(host) for host in hosts]
        literals = frozenset(filter(None, map(ip_literal, named)))
        return cls(frozenset(named) - literals, literals, frozenset(origin.lower() for origin in origins))

    def allows_host(self, hosts: Sequence[str], local_address: str) -> bool:
        """Whether a request with these Host headers is meant for us; none, or several, is a no.

        `local_address` is the one the client connected to, so that a server on 0.0.0.0 answers to each of its own.
        """
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is None:
            return False
        host = match[1].strip("[]").lower().rstrip(".")
        literal = ip_literal(host)
        if literal:
            return literal in self.addresses or literal == ip_literal(local_address)
        return host == "localhost" or host in self.names or f"*.{host.partition('.')[2]}" in self.names

    def allows_origin(self, origins: Sequence[str], host: str, *, tls: bool) -> bool:
        """Whether these Origin headers may open a WebSocket: none (no browser), our own page's, or a listed one.

        `host` is the request's Host header, checked before. With TLS a page that came over plain HTTP is foreign.
        """
        if not origins:
            return True
        origin = origins[0].lower()
        if len(origins) > 1:
            return False
        if origin in self.origins:
            return True
        scheme, _, authority = origin.partition("://")
        if scheme not in (_SCHEMES_TLS if tls else _SCHEMES_PLAIN):
            return False
        return _same_authority(scheme, authority, host.lower())


def host_name(host: str) -> str:
    """Return a host as it stands in a Host header: names in lower case ASCII, IP literals in their shortest form.

    Raises:
        UsageError: it can be neither.
    """
    try:
        return ip_literal(host) or host.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        raise UsageError(
            f"{host!r} is no host name", hint="give a name or an IP address, as in --name chat.example.org"
        ) from None


def ip_literal(text: str) -> str:
    """Return an IP literal in its shortest form, IPv4-mapped ones as IPv4; nothing if `text` is a name."""
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _same_authority(scheme: str, authority: str, host: str) -> bool:
    """Whether an Origin and a Host name the same server; a browser leaves out the default port."""
    default = ":443" if scheme == "https" else ":80"
    return authority.removesuffix(default) == host.removesuffix(default)
