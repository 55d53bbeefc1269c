"""What the tests of private rooms at the command line have in common: rooms made by the real command, and people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sendall.client.address import parse_address
from sendall.client.client import connect
from tests.cli.programs import Server, home_of, run

Home = dict[str, str]


def person(folder: Path, name: str) -> Home:
    """Return the home of somebody on a device of their own, who is called `name`."""
    return home_of(folder / name) | {"SENDALL_NICK": name}


def done(home: Home, *args: str, text: str | None = None) -> str:
    """Run a command that has to work; return its stdout."""
    ended = run(home, *args, text=text)
    assert ended.returncode == 0, (args, ended.stdout, ended.stderr)
    return ended.stdout


def refused(home: Home, *args: str, status: int) -> tuple[str, str]:
    """Run a command that has to fail with `status`; return its sentence and its hint, the last two lines of stderr."""
    ended = run(home, *args)
    assert ended.returncode == status, (args, ended.stdout, ended.stderr)
    sentence, hint = ended.stderr.splitlines()[-2:]
    assert sentence.startswith("error: ")
    assert hint.startswith("hint: ")
    return sentence.removeprefix("error: "), hint.removeprefix("hint: ")


def new_room(home: Home, server: Server, *args: str, name: str = "ops") -> str:
    """Make a room; return its first link."""
    return done(home, "room", "new", server.address, "--name", name, *args).strip()


def new_link(home: Home, *args: str, room: str = "ops") -> str:
    """Return another link into the room."""
    return done(home, "room", "invite", room, *args).strip()


def members(home: Home, room: str = "ops") -> dict[str, dict[str, Any]]:
    """Return the members by name, as `--json` tells; `Any`: JSON."""
    rows = [json.loads(line) for line in done(home, "room", "members", room, "--json").splitlines()]
    return {row["nick"]: row for row in rows}


async def link_for_a_moment(home: Home, link: str) -> str:
    """Make, as who is in the room already, a link that has expired by the time that it is there."""
    state = Path(home["XDG_DATA_HOME"]) / "sendall" / "client"
    async with connect(parse_address(link), state=state, nick=home["SENDALL_NICK"]) as me:
        room = await me.join_link(tail=0)
        return (await room.invite(lifetime_s=0.001)).link
