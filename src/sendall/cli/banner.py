"""What a server says when it is up: how others come in, what is kept, who can read it, how to stop.

Pure: `invocation` alone looks at how this program was started, so that every line can be typed as
it stands.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from sendall.client.address import is_loopback, make_link
from sendall.config import DEFAULT_HOST, DEFAULT_PORT, DEFAULT_ROOM, ServerSettings
from sendall.tui.ways_in import WaysIn

_WILDCARDS = ("0.0.0.0", "::", "")


class Invocation(NamedTuple):
    """The commands as they can be typed where this server was started."""

    join: str
    send: str | None
    """None where only server.py and client.py can be started."""


class Facts(NamedTuple):
    """What there is to say of a server that is up."""

    settings: ServerSettings
    address: tuple[str, int]
    server_pk: bytes
    words: str
    data: Path
    token_file: Path | None
    has_token: bool
    stop: str
    """How to end it, in words."""


def invocation() -> Invocation:
    """Return how to start the client: as this program was started."""
    program = Path(sys.argv[0])
    if program.name == "server.py":
        return Invocation("python3 client.py", None)
    if shutil.which("sendall") or program.name != "sendall":
        return Invocation("sendall join", "sendall send")
    path = os.path.relpath(program)  # .venv/bin/sendall, after `make run`
    return Invocation(f"{path} join", f"{path} send")


def reachable_host(host: str) -> str:
    """Return a host under which others reach a server that listens on `host`."""
    if host not in _WILDCARDS:
        return host
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing: the kernel only chooses a source address.
            probe.connect(("2001:db8::1" if host == "::" else "192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def banner(facts: Facts, commands: Invocation) -> str:
    """Return the banner, without a line end."""
    host, port = facts.address
    outside = reachable_host(host)
    shown = f"[{outside}]" if ":" in outside else outside
    address = f"{shown}:{port}"
    token = _token_flag(facts)
    rows = [
        ("join", _join_line(commands, outside, port, facts) + token),
        ("pipe", _pipe_line(commands, outside, port, address) + token),
        ("words", facts.words),
        ("", "(every client shows the same eight: then nobody is in between)"),
        *zip(("stored", "", ""), _stored(facts), strict=True),
        *zip(("readers", ""), _readers(facts), strict=True),
        ("stop", facts.stop),
    ]
    if is_loopback(host):
        rows.insert(1, ("", "(only from this machine; --host 0.0.0.0 lets others in)"))
    head = f"sendall is up: {address}"
    return "\n".join([head, *(f"  {name:<8} {text}" for name, text in rows)])


def ways_in(facts: Facts, commands: Invocation) -> WaysIn:
    """Return the same for the card of the full-screen application."""
    host, port = facts.address
    outside = reachable_host(host)
    is_here = is_loopback(host)
    return WaysIn(
        join=_join_line(commands, outside, port, facts) + _token_flag(facts),
        link=None if is_here else make_link(outside, port, facts.server_pk, DEFAULT_ROOM),
        only_here="only from this machine; --host 0.0.0.0 lets others in" if is_here else "",
        words=facts.words,
        readers=" ".join(_readers(facts)),
        stored=" ".join(_stored(facts)),
    )


def _token_flag(facts: Facts) -> str:
    if facts.token_file:
        return f" --token-file {shlex.quote(str(facts.token_file))}"
    return " --token-file FILE" if facts.has_token else ""


def _join_line(commands: Invocation, host: str, port: int, facts: Facts) -> str:
    if not is_loopback(host):
        return f"{commands.join} {make_link(host, port, facts.server_pk, DEFAULT_ROOM)!r}"
    return commands.join + _flags(commands, host, port)


def _flags(commands: Invocation, host: str, port: int) -> str:
    """Return what must follow the join command to reach a loopback server; nothing at the defaults."""
    if host == DEFAULT_HOST:
        return "" if port == DEFAULT_PORT else f" --port {port}"
    return f" --host {host}" + ("" if port == DEFAULT_PORT else f" --port {port}")


def _pipe_line(commands: Invocation, host: str, port: int, address: str) -> str:
    if commands.send is None:
        return f"echo hi | {commands.join}{_flags(commands, host, port)}"
    return f"echo hi | {commands.send} {address} --room {DEFAULT_ROOM}"


def _stored(facts: Facts) -> tuple[str, str, str]:
    settings = facts.settings
    when = "on disk before anybody sees them" if settings.sync == "commit" else "a power cut may lose the last second"
    return (
        f"messages for {settings.retention_days:g} days, {when};",
        f"at most {settings.retention_mib:g} MiB or {settings.retention_count:,} a room, in",
        str(facts.data),
    )


def _readers(facts: Facts) -> tuple[str, str]:
    if facts.has_token:
        return "who holds the token, and this server itself;", "nobody in between"
    return "whoever reaches this port, and this server itself; nobody in between", "(--token new asks for a token)"
