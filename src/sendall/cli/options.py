"""The options that several commands share: a server's settings, and how a client finds its server.

The flags of a server are made from the fields of its settings, so that a new field is a flag, a
variable and a TOML key at once.
"""

from __future__ import annotations

import getpass
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import typer

from sendall.cli.tokens import NEW, fresh_token, token_from
from sendall.config import DEFAULT_ROOM, ServerSettings, Setting, load_server_settings, server_settings
from sendall.errors import UsageError

if TYPE_CHECKING:
    from sendall.client.address import Address
    from sendall.client.vault import KnownRoom
    from sendall.crypto.identity import Identity

T = TypeVar("T")

ServerToken = Annotated[
    str | None,
    typer.Option(
        "--token", metavar="new", help="`new` makes an access token, keeps it in the data folder and says where."
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file with a table [server]; also SENDALL_CONFIG."),
]
Where = Annotated[
    str,
    typer.Argument(
        metavar="ADDR|LINK|ROOM", help="127.0.0.1:12345, [::1]:12345, a link, or a private room this device knows."
    ),
]
Server = Annotated[str | None, typer.Argument(metavar="ADDR", help="The server; 127.0.0.1:12345 if not given.")]
PrivateRoom = Annotated[str, typer.Argument(metavar="ROOM|LINK", help="A private room this device knows, or a link.")]
Room = Annotated[str | None, typer.Option("--room", metavar="NAME", help="The room; `lobby` if nothing names one.")]
Nick = Annotated[
    str | None, typer.Option("--nick", metavar="NAME", help="Your name in the room; your login name if not given.")
]
ClientToken = Annotated[
    str | None, typer.Option("--token", metavar="TOKEN", help="The server's access token; better in a file.")
]
ClientTokenFile = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="File with the server's access token.")
]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FOLDER", help="Where your identity and what is not yet confirmed are kept."),
]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", help="How long without any confirmation until giving up.")
]


def takes_server_settings(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command a flag for each field of `ServerSettings`, in place of its `**flags`."""
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    made = [_parameter(setting) for setting in server_settings()]
    # Typer reads the signature, and nothing else, to know its options.
    command.__signature__ = signature.replace(parameters=[*made, *own])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (*made, *own)}
    return command


def _parameter(setting: Setting) -> inspect.Parameter:
    default = "" if setting.default in (None, ()) else f" [{setting.default}]"
    option = typer.Option(
        setting.flag,
        metavar=_metavar(setting),
        help=setting.help.replace("\n", " ") + default,
        hidden=len(setting.path) > 1,  # 20 limits would hide the rest; docs/operations.md lists them
    )
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(setting.name, kind, default=None, annotation=Annotated[str | None, option])


def _metavar(setting: Setting) -> str:
    if setting.default is None:
        return "PATH"
    if isinstance(setting.default, tuple):
        return "A,B"
    return "N" if isinstance(setting.default, int | float) else "commit|os" if setting.path == ("sync",) else "TEXT"


class ServerPlan(NamedTuple):
    """What a server is started with."""

    settings: ServerSettings
    token: bytes | None
    token_file: Path | None
    """Where the token was read; None if it came from elsewhere."""
    is_new_token: bool = False
    """The token was made for this start, and is to be kept in the data folder."""


def server_plan(flags: Mapping[str, object], config: Path | None, token: str | None) -> ServerPlan:
    """Return what file, environment and flags say of a server.

    The file is `config`, else SENDALL_CONFIG, else `sendall.toml` in the user's folder for sendall's settings, if it
    is there.

    Raises:
        UsageError: see `load_server_settings` and `token_from`.
    """
    import platformdirs

    usual = platformdirs.user_config_path("sendall", appauthor=False) / "sendall.toml"
    named = config or _path_in("SENDALL_CONFIG")
    settings = load_server_settings(flags, os.environ, named or (usual if usual.exists() else None))
    by_flag = settings.token_file if flags.get("token_file") else None
    if token == NEW and by_flag is None:
        return ServerPlan(settings, fresh_token(), None, is_new_token=True)
    is_from_file = by_flag or not (token or os.environ.get("SENDALL_TOKEN"))
    file = settings.token_file if is_from_file else None
    return ServerPlan(settings, token_from(token, by_flag, os.environ, settings.token_file), file)


class Call(NamedTuple):
    """Which server, which room, and as whom."""

    address: Address
    room: str
    nick: str
    token: bytes | None
    state: Path | None
    is_named: bool = True
    """Somebody said what to be called; else `nick` is the login name."""
    known: KnownRoom | None = None
    """The PRIVATE room that was called by its name."""
    identity: Identity | None = None
    """Who this device is, opened already; None: the client opens it."""

    @property
    def is_private(self) -> bool:
        return self.known is not None or self.address.is_private


def call_from(
    where: str | None,
    room: str | None,
    nick: str | None,
    token: str | None,
    token_file: Path | None,
    state: Path | None,
) -> Call:
    """Return what the options and the environment of a client say.

    Raises:
        UsageError: the address is none, a link and --room name two rooms, or the token cannot be used.
    """
    from sendall.client.address import Address, what_is  # its imports would make `sendall --help` slow

    state = state or usual_state()
    identity = own_identity(state)
    found = what_is(where, lambda name: _known_room(state, identity, name))
    known = None if isinstance(found, Address) else found
    address = found if isinstance(found, Address) else _address_of(found)
    if room and (known or address.is_private):
        raise UsageError("a private room is called by its name or its link alone", hint="leave --room away")
    if room and address.room and room != address.room:
        raise UsageError(f"the link leads to the room {address.room!r}, not to {room!r}", hint="leave --room away")
    return Call(
        address,
        room or address.room or ("room" if address.is_private else DEFAULT_ROOM),
        nick or usual_nick(),
        token_from(token, token_file, os.environ, _path_in("SENDALL_TOKEN_FILE")),
        state,
        is_named=bool(nick or os.environ.get("SENDALL_NICK")),
        known=known,
        identity=identity,
    )


def own_identity(state: Path | None) -> Identity:
    """Return who this device is; asks for the passphrase if the identity has one.

    Raises:
        UsageError: the folder or the identity in it cannot be used, or the passphrase is wrong.
    """
    from sendall.cli.passphrase import ask
    from sendall.client.keyring import Keyring

    return Keyring(state).identity(ask)


def _known_room(state: Path | None, identity: Identity, name: str) -> KnownRoom | None:
    from sendall.client.keyring import Keyring
    from sendall.client.vault import Vault

    vault = Vault(Keyring(state).folder, identity)
    try:
        return vault.find(name)
    finally:
        vault.close()


def _address_of(known: KnownRoom) -> Address:
    from sendall.client.address import parse_address

    return parse_address(known.address)._replace(server_pk=known.server_pk, room=known.name)


def usual_state() -> Path | None:
    """Return the client's folder that SENDALL_STATE names; None for the user's own."""
    return _path_in("SENDALL_STATE")


def usual_nick() -> str:
    """Return SENDALL_NICK, else the name this user is logged in under, else "?"."""
    try:
        return os.environ.get("SENDALL_NICK") or getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such uid in the user database, as in some containers
        return "?"


def _path_in(variable: str) -> Path | None:
    text = os.environ.get(variable)
    return Path(text).expanduser() if text else None
