"""Addresses and links: what a person types to say which server, and which room of it.

`HOST`, `HOST:PORT`, `[IPv6]:PORT`, or an OPEN LINK `https://HOST:PORT/#<server_pk>/<room name>`. The
host alone decides about TLS: plain to loopback, TLS elsewhere, and never one after the other. Pure.
Source: docs/protocol.md, "Rotation, joining, verification".
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from sendall.config import DEFAULT_HOST, DEFAULT_PORT
from sendall.errors import UsageError
from sendall.protocol.base64url import from_base64, to_base64
from sendall.protocol.roles import is_room_name

_SCHEME_PORTS = {"https": 443, "http": 80}
_PRIVATE_LINK_BYTES = 80
_COPY_WHOLE = "ask for the link again, and copy all of it"
_EXAMPLE = f"write an address as {DEFAULT_HOST}:{DEFAULT_PORT}, or paste a whole link"


class Address(NamedTuple):
    """Where a server is, and what a link pinned of it."""

    host: str
    port: int = DEFAULT_PORT
    server_pk: bytes | None = None
    """The server identity that a link names; None from a bare address."""
    room: str | None = None
    """The room that a link names."""

    @property
    def tls(self) -> bool:
        return not is_loopback(self.host)

    @property
    def authority(self) -> str:
        """`host:port`, canonical: the name under which the server's identity is pinned."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://{self.authority}/ws"

    def __str__(self) -> str:
        return self.authority


def parse_address(text: str | None) -> Address:
    """Return the address that `text` means; None or "" is this machine's default server.

    Raises:
        UsageError: neither an address nor a link of an OPEN room.
    """
    text = (text or "").strip()
    if not text:
        return Address(DEFAULT_HOST)
    if "://" in text:
        return _parse_link(text)
    if any(c in text for c in "/#?@ "):
        raise UsageError(f"{text!r} is no address", hint=_EXAMPLE)
    host, port = _split(text)
    return Address(host, DEFAULT_PORT if port is None else port)


def make_link(host: str, port: int, server_pk: bytes, room: str) -> str:
    """Return the OPEN LINK of a room; whoever follows it pins the server at the first contact."""
    address = Address(host, port)
    scheme = "https" if address.tls else "http"
    return f"{scheme}://{address.authority}/#{to_base64(server_pk)}/{quote(room, safe='')}"


def is_loopback(host: str) -> bool:
    """Return whether `host` can only be this machine: 127.0.0.0/8, ::1 or localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _parse_link(text: str) -> Address:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise UsageError(f"{text!r} is no link", hint=_EXAMPLE) from None
    if parts.scheme not in _SCHEME_PORTS or parts.path not in ("", "/") or parts.query:
        raise UsageError(f"{text!r} is no link to a sendall room", hint="links begin with https:// and have a #")
    host, port = _split(parts.netloc)
    key, _, name = parts.fragment.partition("/")
    address = Address(host, _SCHEME_PORTS[parts.scheme] if port is None else port)
    return address._replace(server_pk=_parse_key(key) if key else None, room=_parse_name(name) if name else None)


def _parse_key(text: str) -> bytes:
    try:
        key = bytes(from_base64(text))
    except ValueError:
        key = b""
    if len(key) == _PRIVATE_LINK_BYTES:
        raise UsageError("this link leads to a private room, which this version does not know", hint="upgrade sendall")
    if len(key) != 32:
        raise UsageError("this link is damaged: the part after # is no key", hint=_COPY_WHOLE)
    return key


def _parse_name(text: str) -> str:
    try:
        name = unquote(text, errors="strict")
    except UnicodeDecodeError:
        name = ""
    if not is_room_name(name):
        raise UsageError("this link is damaged: its room name is none", hint=_COPY_WHOLE)
    return name


def _split(text: str) -> tuple[str, int | None]:
    if text.count(":") > 1 and not text.startswith("["):
        host, port = text, None  # a bare IPv6 address
    elif text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise UsageError(f"{text!r} is no address", hint="write an IPv6 address with a port as [::1]:12345")
        port = rest[1:] if rest else None
    else:
        host, colon, rest = text.partition(":")
        port = rest if colon else None
    return _canonical_host(host, text), None if port is None else _parse_port(port)


def _canonical_host(host: str, text: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise UsageError(f"{text!r} is no address", hint=_EXAMPLE) from None
    is_plain = host and host.isprintable() and not any(c in "/@[]%\\ \"'<>" for c in host)
    if not is_plain:
        raise UsageError(f"{text!r} names no host", hint=_EXAMPLE)
    return host.lower()


def _parse_port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 0 < port < 65_536:
        raise UsageError(f"{text!r} is no port: a number from 1 to 65535 was expected", hint=_EXAMPLE)
    return port
