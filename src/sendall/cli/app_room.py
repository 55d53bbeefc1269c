"""`sendall room` and `sendall id` with their options: what `app` has about private rooms and their members.

What a command does is in the module of its name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sendall.cli.options import (
    Call,
    ClientToken,
    ClientTokenFile,
    Nick,
    PrivateRoom,
    Server,
    State,
    Timeout,
    call_from,
    usual_state,
)
from sendall.errors import UsageError

if TYPE_CHECKING:
    from sendall.commands import grammar

Work = Callable[[], int]
Who = Annotated[list[str], typer.Argument(metavar="WHO...", help="A name, a tag (k7qd), or the beginning of an id.")]
Whom = Annotated[str, typer.Argument(metavar="WHO", help="A name, a tag (k7qd), or the beginning of an id.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]
Uses = Annotated[str, typer.Option("--uses", metavar="N", help="How many may join by the link; 0: no limit.")]
Lifetime = Annotated[str, typer.Option("--for", metavar="24h", help="How long it leads in: 90m, 24h, 7d, or `ever`.")]
Approve = Annotated[bool, typer.Option("--approve", help="Who follows it waits until an admin lets them in.")]
NAME = "room"
"""What a room is called if nobody says."""

room_app = typer.Typer(rich_markup_mode=None, help="Private rooms: make one, invite, remove, and see who is in.")
id_app = typer.Typer(rich_markup_mode=None, help="Who this device is.", invoke_without_command=True)


@room_app.command()
def new(
    where: Server = None,
    *,
    name: Annotated[str, typer.Option("--name", metavar="N", help="What it is called; the server is not told.")] = NAME,
    history: Annotated[
        Literal["all", "epoch"],
        typer.Option("--history", help="What newcomers can read: all that is kept, or from their joining on."),
    ] = "all",
    knock: Annotated[bool, typer.Option("--knock", help="Links let nobody in while no member is online.")] = False,
    uses: Uses = "1",
    lifetime: Lifetime = "24h",
    nick: Nick = None,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    timeout: Timeout = 30.0,
) -> Work:
    """Make a private room, and a link into it.

    The link goes to stdout, all else to stderr.
    """
    from sendall.cli.room import new

    call = call_from(where, None, nick, token, token_file, state)
    link = _invite(uses, lifetime, approve=False)
    return partial(new, call, name, link, history=history, knock=knock, timeout_s=timeout)


@room_app.command()
def invite(
    room: PrivateRoom,
    *,
    uses: Uses = "1",
    lifetime: Lifetime = "24h",
    approve: Approve = False,
    is_json: Json = False,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    timeout: Timeout = 30.0,
) -> Work:
    """Make a link into the room; an admin's.

    The link goes to stdout, all else to stderr.
    """
    call = call_from(room, None, None, token, token_file, state)
    return _asking(call, _invite(uses, lifetime, approve=approve), is_json=is_json, timeout_s=timeout)


@room_app.command()
def kick(
    room: PrivateRoom,
    who: Who,
    *,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    timeout: Timeout = 30.0,
) -> Work:
    """Remove members: the room gets a new key, and all its links end; an admin's."""
    from sendall.commands import grammar

    call = call_from(room, None, None, token, token_file, state)
    return _asking(call, grammar.Kick(tuple(who)), timeout_s=timeout)


@room_app.command()
def admit(
    room: PrivateRoom,
    who: Whom,
    *,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    timeout: Timeout = 30.0,
) -> Work:
    """Let somebody in who waits; an admin's."""
    from sendall.commands import grammar

    return _asking(call_from(room, None, None, token, token_file, state), grammar.Admit(who), timeout_s=timeout)


@room_app.command()
def role(
    room: PrivateRoom,
    who: Whom,
    given: Annotated[str, typer.Argument(metavar="admin|member|reader")],
    *,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    timeout: Timeout = 30.0,
) -> Work:
    """Give a member a role; an admin's.

    WHO `default` is whoever joins from now on: a room whose default is reader is for announcements.
    """
    from sendall.commands import grammar

    command = grammar.parse(f"/role {who} {given}")
    return _asking(call_from(room, None, None, token, token_file, state), command, timeout_s=timeout)


@room_app.command()
def members(
    room: PrivateRoom,
    *,
    is_json: Json = False,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    timeout: Timeout = 30.0,
) -> Work:
    """List all members, present or not, with eight words each to compare."""
    from sendall.commands import grammar

    call = call_from(room, None, None, token, token_file, state)
    return _asking(call, grammar.Members(), is_json=is_json, timeout_s=timeout)


def _add_bare(name: str, summary: str) -> None:
    """Add a command that takes nothing but the room."""

    @room_app.command(name, help=summary)
    def bare(
        room: PrivateRoom,
        *,
        token: ClientToken = None,
        token_file: ClientTokenFile = None,
        state: State = None,
        timeout: Timeout = 30.0,
    ) -> Work:
        from sendall.commands import grammar

        command = grammar.parse(f"/{name}")
        return _asking(call_from(room, None, None, token, token_file, state), command, timeout_s=timeout)


_add_bare("code", "Print the room's eight words: who compares them has verified everybody.")
_add_bare("leave", "Be a member no longer; to come back takes a new link.")
_add_bare("rotate", "Give the room a new key; an admin's.")
_add_bare("lock", "Revoke all open links; an admin's.")


@room_app.command("list")
def list_rooms(*, is_json: Json = False, state: State = None) -> Work:
    """List the private rooms that this device knows; asks no server."""
    from sendall.cli.room import rooms

    return partial(rooms, state or usual_state(), is_json=is_json)


@room_app.command()
def forget(
    name: Annotated[str, typer.Argument(metavar="ROOM", help="The room's name on this device.")],
    *,
    state: State = None,
) -> Work:
    """Overwrite all that this device keeps of a room; asks no server."""
    from sendall.cli.room import forget

    return partial(forget, state or usual_state(), name)


# -- who this device is ---------------------------------------------------------------------------


@id_app.callback()
def identity(context: typer.Context, *, state: State = None) -> Work | None:
    """Show this device's identity: tag, eight words, folder, passphrase."""
    from sendall.cli.identity import show

    return partial(show, state or usual_state()) if context.invoked_subcommand is None else None


@id_app.command()
def passphrase(
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Protect the identity no longer.")] = False,
    state: State = None,
) -> Work:
    """Set, change or remove the passphrase that protects the identity."""
    from sendall.cli.identity import change_passphrase

    return partial(change_passphrase, state or usual_state(), remove=remove)


@id_app.command("export")
def export_identity(*, state: State = None) -> Work:
    """Print the identity as one line, for another device."""
    from sendall.cli.identity import export

    return partial(export, state or usual_state())


@id_app.command("import")
def import_identity(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The exported line; stdin if not given.")] = None,
    *,
    state: State = None,
) -> Work:
    """Make an exported identity this device's."""
    from sendall.cli.identity import take

    return partial(take, state or usual_state(), file)


def _asking(call: Call, command: grammar.Command, *, is_json: bool = False, timeout_s: float) -> Work:
    from sendall.cli.room import ask

    return partial(ask, call, command, is_json=is_json, timeout_s=timeout_s)


def _invite(uses: str, lifetime: str, *, approve: bool) -> grammar.Invite:
    from sendall.commands import grammar

    try:
        return grammar.Invite(grammar.uses(uses), grammar.lifetime(lifetime), approve=approve)
    except UsageError as error:
        raise UsageError(str(error), hint="for example --uses 5 --for 7d") from None
