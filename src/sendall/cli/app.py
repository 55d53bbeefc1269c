"""The commands and their options. What a command does is in the module of its name.

A command here reads its options and returns the work, which `exits` runs: outside of typer, which has
its own idea of Ctrl-C and of broken pipes. The modules are imported when they are needed: `sendall
--help` needs none of them, and `send` needs no server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from sendall.cli.app_room import id_app, room_app
from sendall.cli.options import (
    ClientToken,
    ClientTokenFile,
    ConfigFile,
    Nick,
    Room,
    ServerToken,
    State,
    Timeout,
    Where,
    call_from,
    server_plan,
    takes_server_settings,
    usual_state,
)
from sendall.config import DEFAULT_HOST, DEFAULT_PORT
from sendall.errors import UsageError

EPILOG = (
    "Exit status: 0 done, and all that was sent is confirmed; 1 it did not work; 2 a wrong argument or setting; "
    "3 an identity or history is not what it was; 4 not confirmed."
)

Work = Callable[[], int]
"""What a command line asks for; returns the exit status."""

# Without rich: its import alone would double the time to `sendall --help`.
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Encrypted rooms where everyone hears everyone: one server, any number of clients.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(room_app, name="room")
app.add_typer(id_app, name="id")


@app.callback(invoke_without_command=True)
def sendall(
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False,
) -> None:
    if show_version:
        print(f"sendall {_version()}, protocol 1")
        raise typer.Exit


@app.command()
@takes_server_settings
def up(*, token: ServerToken = None, config: ConfigFile = None, **flags: object) -> Work:
    """Start a server, and join its room `lobby` in this terminal.

    If a server of this user answers there already, that one is joined.
    """
    from sendall.cli.up import up

    return partial(up, server_plan(flags, config, token))


@app.command()
@takes_server_settings
def serve(*, token: ServerToken = None, config: ConfigFile = None, **flags: object) -> Work:
    """Start a server.

    Each option is also a variable, such as SENDALL_PORT, and a key of the TOML file. The server's limits
    are options too, such as --limits-member-rate 100.
    """
    from sendall.cli.serve import serve

    return partial(serve, server_plan(flags, config, token))


@app.command()
def join(
    where: Annotated[
        str | None,
        typer.Argument(metavar="ADDR|LINK|ROOM", help=f"The server; {DEFAULT_HOST}:{DEFAULT_PORT} if not given."),
    ] = None,
    *,
    room: Room = None,
    nick: Nick = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="The server's host, instead of ADDR.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="N", help="The server's port, instead of ADDR.")] = None,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    is_plain: Annotated[bool, typer.Option("--plain", help="Line by line, without redrawing anything.")] = False,
    timeout: Timeout = 30.0,
) -> Work:
    """Join a room: read it and write to it, until `exit`.

    In a pipe: send every line, print what others say.
    """
    _begin_key()
    from sendall.cli.join import join

    if where and (host or port):
        raise UsageError("ADDR and --host or --port exclude each other", hint="give one of them")
    if host or port is not None:
        bare = host or DEFAULT_HOST
        where = f"{f'[{bare}]' if ':' in bare else bare}:{DEFAULT_PORT if port is None else port}"
    return partial(join, call_from(where, room, nick, token, token_file, state), is_plain=is_plain, timeout_s=timeout)


@app.command()
def send(
    where: Where,
    text: Annotated[str | None, typer.Argument(help="What to say; without it, each line of stdin.")] = None,
    *,
    room: Room = None,
    nick: Nick = None,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
    timeout: Timeout = 30.0,
) -> Work:
    """Send a text, or each line of stdin as it comes.

    Ends with 0 only when all of it is confirmed.
    """
    _begin_key()
    from sendall.cli.send import send

    return partial(send, call_from(where, room, nick, token, token_file, state), text, timeout_s=timeout)


@app.command()
def tail(
    where: Where,
    *,
    room: Room = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="SEQ|DURATION|all", help="Begin after a message, at an age (90s 15m 2h 7d), or at all."
        ),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", min=1, help="End after so many messages.")
    ] = None,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
) -> Work:
    """Print what is said in a room, and only that, to stdout.

    Without --since: from now on.
    """
    _begin_key()
    from sendall.cli.tail import tail

    return partial(tail, call_from(where, room, None, token, token_file, state), since, is_json=is_json, count=count)


@app.command()
def keep(
    where: Annotated[
        str | None, typer.Argument(metavar="ROOM|LINK", help="A private room this device knows, or a link.")
    ] = None,
    *,
    link_file: Annotated[
        Path | None,
        typer.Option("--link-file", metavar="FILE", help="File with the link, which `ps` then does not show."),
    ] = None,
    nick: Nick = None,
    token: ClientToken = None,
    token_file: ClientTokenFile = None,
    state: State = None,
) -> Work:
    """Stay in a private room without a screen, so that newcomers get their keys at any time.

    As this device's identity; as an admin it renews the room's key daily. Ends with SIGTERM or Ctrl-C.
    """
    _begin_key()
    from sendall.cli.keep import keep, link_in

    if (where is None) is (link_file is None):
        raise UsageError("one of ROOM, LINK and --link-file is needed", hint="sendall keep ROOM")
    where = link_in(link_file) if link_file else where
    return partial(keep, call_from(where, None, nick, token, token_file, state))


@app.command()
def forget(
    where: Annotated[str, typer.Argument(metavar="ADDR", help="The server's address, as it was joined.")],
    *,
    state: State = None,
) -> Work:
    """Forget the identity of a server.

    The next connection takes whatever identity it finds there. Private rooms: sendall room forget.
    """
    from sendall.cli.forget import forget
    from sendall.client.address import parse_address

    return partial(forget, parse_address(where), state or usual_state())


def _begin_key() -> None:
    """Start on this process's RSA key: it takes about as long as the imports of a client, and a core of its own."""
    from sendall.client.process import rsa_key

    threading.Thread(target=rsa_key, name="key", daemon=True).start()


def _version() -> str:
    try:
        return version("sendall")
    except PackageNotFoundError:  # started by server.py or client.py in a checkout
        return "of a checkout"
