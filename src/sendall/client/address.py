"""Addresses and links: what a person types to say which server, and which room of it.

`HOST`, `HOST:PORT`, `[IPv6]:PORT`, or a link `https://HOST:PORT/#<key>/<room name>`, whose key is the
server's identity (OPEN) or that, the hash of an invite and its secret (PRIVATE). A name alone is a room
this device knows. The host alone decides about TLS: plain to loopback, TLS elsewhere, and never one
after the other. Whoever has a PRIVATE link is in: no error repeats one. Pure.
Source: docs/protocol.md, "Links".
"""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Callable
from typing import NamedTuple, TypeVar
from urllib.parse import quote, unquote, urlsplit

from sendall.config import DEFAULT_HOST, DEFAULT_PORT
from sendall.errors import UsageError
from sendall.protocol.base64url import from_base64, to_base64
from sendall.protocol.roles import MAX_ROOM_NAME, is_room_name

_SCHEME_PORTS = {"https": 443, "http": 80}
_OPEN_CHARS = 43
"""base64url of server_pk 32."""
_PRIVATE_CHARS = 107
"""base64url of server_pk 32, H(invite entry) 32, secret 16."""
_KEY_CHARS = frozenset(string.ascii_letters + string.digits + "-_")
_COPY_WHOLE = "ask for the link again, and copy all of it"
_EXAMPLE = f"write an address as {DEFAULT_HOST}:{DEFAULT_PORT}, or paste a whole link"


class Address(NamedTuple):
    """Where a server is, and what a link pinned of it."""

    host: str
    port: int = DEFAULT_PORT
    server_pk: bytes | None = None
    """The server identity that a link names; None from a bare address."""
    room: str | None = None
    """The room that a link names; a suggestion if the link is PRIVATE."""
    invite: bytes | None = None
    """The hash of the invite entry that a PRIVATE link is for: it pins a point of the room's history."""
    secret: bytes | None = None
    """The 16 bytes that let whoever has them join."""

    @property
    def is_private(self) -> bool:
        """Whether this came from a PRIVATE link, which leads to one room and nowhere else."""
        return self.secret is not None

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

    def __repr__(self) -> str:
        # An Address gets into logs and tracebacks; its secret must not.
        link = " of a private link" if self.is_private else ""
        return f"<Address {self.authority}{link}>"


Known = TypeVar("Known")


def what_is(text: str | None, find: Callable[[str], Known | None]) -> Address | Known:
    """Return what a person means: an address, or the room that this device knows by that name.

    A link, `localhost`, and whatever has a `.` or `:` is an address; nothing at all is this machine's
    default server. `find` returns the room that is known by a name, None if none is.

    Raises:
        UsageError: neither, or a link that is damaged.
    """
    text = (text or "").strip()
    if not text or text.lower() == "localhost" or any(c in text for c in ".:"):
        return parse_address(text)
    known = find(text)
    if known is None:
        shown = repr(text) if len(text) <= MAX_ROOM_NAME else "this"  # a long one may be the end of a link
        raise UsageError(
            f"{shown} is neither an address nor a room that this device knows",
            hint=f"{_EXAMPLE}; once a private room was joined by its link, its name is enough",
        )
    return known


def callable_name(name: str) -> str:
    """Return the name under which a room can be called, so that `what_is` finds it: "v2.0" becomes "v2_0"."""
    called = name.translate(str.maketrans(".:", "__")).strip()
    while called.startswith("-"):
        called = called.lstrip("-").strip()
    return "localhost_" if called.lower() == "localhost" else called or "room"


def parse_address(text: str | None) -> Address:
    """Return the address that `text` means; None or "" is this machine's default server.

    Raises:
        UsageError: neither an address nor a link.
    """
    text = (text or "").strip()
    if not text:
        return Address(DEFAULT_HOST)
    if "://" in text:
        return _parse_link(text)
    if "#" in text:
        raise UsageError("this is a link without its beginning: links begin with https://", hint=_COPY_WHOLE)
    if any(c in text for c in "/?@ "):
        raise UsageError(f"{text!r} is no address", hint=_EXAMPLE)
    host, port = _split(text)
    return Address(host, DEFAULT_PORT if port is None else port)


def make_link(host: str, port: int, server_pk: bytes, room: str) -> str:
    """Return the OPEN LINK of a room; whoever follows it pins the server at the first contact."""
    return _link(Address(host, port), server_pk, room)


def make_private_link(
    host: str, port: int, server_pk: bytes, invite_hash: bytes, secret: bytes, name: str | None
) -> str:
    """Return the PRIVATE link of an invite; `name` is what the room may be called by whoever follows it."""
    return _link(Address(host, port), server_pk + invite_hash + secret, name)


def _link(address: Address, key: bytes, name: str | None) -> str:
    scheme = "https" if address.tls else "http"
    suggestion = f"/{quote(name, safe='')}" if name else ""
    return f"{scheme}://{address.authority}/#{to_base64(key)}{suggestion}"


def is_loopback(host: str) -> bool:
    """Return whether `host` can only be this machine: 127.0.0.0/8, ::1 or localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _parse_link(text: str) -> Address:
    shown = repr(text.partition("#")[0])  # what follows may be a secret
    try:
        parts = urlsplit(text)
    except ValueError:
        raise UsageError(f"{shown} is no link", hint=_EXAMPLE) from None
    if parts.path.lower().startswith("/%23"):
        raise UsageError("this link is damaged: a program on its way turned its # into %23", hint="put the # back")
    if parts.scheme not in _SCHEME_PORTS or parts.path not in ("", "/") or parts.query:
        raise UsageError(f"{shown} is no link to a sendall room", hint="links begin with https:// and have a #")
    host, port = _split(parts.netloc)
    key, _, name = parts.fragment.partition("/")
    address = Address(host, _SCHEME_PORTS[parts.scheme] if port is None else port)
    address = address._replace(room=_parse_name(name) if name else None)
    return _with_key(address, key) if key else address


def _with_key(address: Address, text: str) -> Address:
    key = _parse_key(text)
    if len(key) == 32:
        return address._replace(server_pk=key)
    return address._replace(server_pk=key[:32], invite=key[32:64], secret=key[64:])


def _parse_key(text: str) -> bytes:
    """Return 32 or 80 bytes. Raises UsageError, which never repeats more of `text` than one wrong character."""
    wrong = next((c for c in text if c not in _KEY_CHARS), None)
    if wrong is not None:
        raise UsageError(f"this link is damaged: {wrong!r} has no place in the key after its #", hint=_COPY_WHOLE)
    if len(text) not in (_OPEN_CHARS, _PRIVATE_CHARS):
        how = "cut off" if len(text) < _PRIVATE_CHARS else "damaged"
        raise UsageError(
            f"this link is {how}: the key after its # has {len(text)} characters, "
            f"not the {_OPEN_CHARS} of an open room or the {_PRIVATE_CHARS} of a private one",
            hint=_COPY_WHOLE,
        )
    try:
        return bytes(from_base64(text))
    except ValueError:
        raise UsageError("this link is damaged: the key after its # is not as it was made", hint=_COPY_WHOLE) from None


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
