"""Settings: frozen, one docstring per field, from defaults, a TOML file, `SENDALL_*` and flags.

Each later source wins over the earlier ones, field by field. The field docstrings are the help
texts of the flags and the reference in docs/operations.md; `description` of a type says what a
value must look like. Imports nothing of sendall but the errors.

    sendall.toml                 environment                   flag
    [server] port                SENDALL_PORT                  --port
    [server.limits] member_rate  SENDALL_LIMITS_MEMBER_RATE    --limits-member-rate
"""

from __future__ import annotations

import ast
import difflib
import ipaddress
import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from sendall.errors import UsageError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 12345
DEFAULT_ROOM = "lobby"

Text = Annotated[str, Meta(min_length=1, description="a text")]
Port = Annotated[int, Meta(ge=0, le=65535, description="a whole number from 0 to 65535")]
Count = Annotated[int, Meta(ge=1, description="a whole number above 0")]
Span = Annotated[float, Meta(gt=0, description="a number above 0")]
Rate = Annotated[float, Meta(ge=0, description="a number, 0 or more")]
Sync = Annotated[Literal["commit", "os"], Meta(description="commit or os")]
File = Annotated[Path | None, Meta(description="a path")]
Names = Annotated[tuple[Text, ...], Meta(description="names with commas between them")]
Networks = Annotated[tuple[Text, ...], Meta(description="networks such as 10.0.0.0/8 with commas between them")]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one server lets anybody take. 0 means no limit where a rate says so."""

    auth_s: Span = 10.0
    """Seconds from connecting to a proven identity."""
    ping_s: Span = 20.0
    """Seconds of silence after which each side pings."""
    dead_s: Span = 45.0
    """Seconds of silence after which a connection is given up."""
    stall_s: Span = 60.0
    """Seconds without progress after which a reader that lags is closed with 4008."""
    connections_per_address: Count = 1000
    """Connections of one address (IPv6: of one /64); loopback and trusted proxies have no such limit."""
    handshakes_per_s: Rate = 200.0
    """TLS and WebSocket handshakes begun in a second; the rest waits in the backlog."""
    inflight: Count = 1024
    """Unconfirmed entries a client may have under way per connection and room."""
    member_rate: Rate = 200.0
    """Messages a second of one member, over all its connections."""
    member_burst: Count = 2000
    """Messages of one member at once."""
    room_rate: Rate = 5000.0
    """Messages a second of one room."""
    address_rate: Rate = 1000.0
    """Messages a second of one address; loopback and trusted proxies have no such limit."""
    signal_rate: Rate = 20.0
    """Signals and cards a second of one connection; the rest is dropped without a word."""
    request_rate: Rate = 20.0
    """Requests (sub, make, read, unsub, want) a second of one connection, in bursts of 100."""
    rooms: Count = 1000
    """Rooms of one server."""
    rooms_per_connection: Count = 256
    """Rooms one connection may be in."""
    room_creations_per_hour: Rate = 60.0
    """Rooms one identity may make in an hour, in bursts of 30."""
    room_members: Count = 1000
    """Members of a PRIVATE room, with those who wait for an admin; further joins are answered `full`."""
    control_rate: Rate = 2.0
    """Control entries a second of one connection to PRIVATE rooms, in bursts of 20."""
    join_rate: Rate = 1.0
    """Joins a second of one PRIVATE room, in bursts of 100."""
    rekeys_per_hour: Rate = 1.0
    """Times an hour that a member of a PRIVATE room may replace its RSA key."""
    grant_rate: Rate = 200.0
    """Grants a second of one connection to PRIVATE rooms, in bursts of 2,000; the rest is dropped without a word."""
    sessions_per_sender: Count = 4096
    """Sessions of one sender that a room remembers within one epoch."""
    sessions_per_room: Count = 65536
    """Sessions that a room remembers within one epoch; then the steward makes a new epoch, or an admin has to."""
    presence_ids: Count = 256
    """Up to how many present members a room says who came and went."""
    tape_bytes: Count = 8 * 1024 * 1024
    """Recent entries of one room kept in memory."""
    pending_bytes: Count = 1024 * 1024
    """Bytes of one room's entries that may wait for the disk before its writers do."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `sendall serve` can be told."""

    host: Text = DEFAULT_HOST
    """Address to listen on; 0.0.0.0 or :: for all. Beyond loopback everything is TLS."""
    port: Port = DEFAULT_PORT
    """TCP port; 0 takes a free one."""
    data: File = None
    """Data folder; by default the user's data folder for sendall, `server` in it."""
    sync: Sync = "commit"
    """commit: on disk before anybody sees it. os: the disk is told once a second; a power cut may lose that second."""
    token_file: File = None
    """File with the access token every client must prove to hold; without one, whoever reaches the port may join."""
    cert: File = None
    """TLS certificate chain (PEM) instead of the self-made one."""
    key: File = None
    """Private key (PEM) of `cert`."""
    names: Names = ()
    """Further host names under which this server is reached (Host allow-list, self-made certificate)."""
    allow_origin: Names = ()
    """Web origins beside this server's own that may open connections."""
    trust_proxy: Networks = ()
    """Networks (CIDR) of proxies that are given plain HTTP and believed in X-Forwarded-For."""
    retention_days: Span = 30.0
    """Days a message is kept; control entries are kept for ever."""
    retention_mib: Span = 256.0
    """MiB of messages kept per room."""
    retention_count: Count = 1_000_000
    """Messages kept per room."""
    data_gib: Span = 10.0
    """GiB of the data folder at which posting answers `full`; 80 % of what the disk leaves the folder in any case."""
    limits: Limits = Limits()
    """See `Limits`; the [server.limits] table of the TOML file."""

    @property
    def kept_days(self) -> int:
        """`retention_days` in whole days, rounded up: what clients are told, who show it as the most there can be."""
        return max(1, math.ceil(self.retention_days))


class Setting(NamedTuple):
    """One thing that can be set, under its three names."""

    path: tuple[str, ...]
    """`("port",)` or `("limits", "member_rate")`."""
    kind: Any
    """The annotated type, as `msgspec.convert` takes it; types have no common type of their own."""
    default: object
    help: str
    """The field's docstring."""

    @property
    def name(self) -> str:
        """The key in `flags` of `load_server_settings`."""
        return "_".join(self.path)

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "SENDALL_" + self.name.upper()

    @property
    def table(self) -> str:
        """The table of the TOML file it stands in."""
        return ".".join(("server", *self.path[:-1]))

    @property
    def expected(self) -> str:
        """What a value must look like."""
        return next(meta.description or "" for meta in get_args(self.kind) if isinstance(meta, Meta))


@cache
def server_settings() -> tuple[Setting, ...]:
    """Return every field of `ServerSettings` and `Limits`, in the order of their definition."""
    return tuple(_settings_of(ServerSettings))


def load_server_settings(flags: Mapping[str, object], env: Mapping[str, str], file: Path | None) -> ServerSettings:
    """Return the settings of these sources: defaults, then `file`, then `env`, then `flags`.

    Args:
        flags: by `Setting.name`; a text is read as on a command line, None means not given.
        env: `SENDALL_*`; others and empty ones are passed over.
        file: TOML with a table [server]; None means there is none. Paths in it that are not
            absolute start at its folder, those elsewhere at the working folder.

    Raises:
        UsageError: a value is wrong, in whichever source, or a name in the file is unknown.
    """
    given: dict[tuple[str, ...], object] = {}
    for setting, raw, where in (*_from_file(file), *_from_env(env), *_from_flags(flags)):
        given[setting.path] = _value(setting, raw, where)
    if (("cert",) in given) != (("key",) in given):
        raise UsageError("a certificate needs its private key, and a key its certificate", hint="give cert and key")
    limits = Limits(**{path[1]: value for path, value in given.items() if len(path) > 1})  # type: ignore[arg-type]
    # Both ignores: _value has converted each value to the type of its very field.
    return ServerSettings(limits=limits, **{path[0]: value for path, value in given.items() if len(path) == 1})  # type: ignore[arg-type]


def _settings_of(struct: type[msgspec.Struct], *above: str) -> Iterator[Setting]:
    texts = _docstrings(struct.__name__)
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _settings_of(field.type, *above, field.name)
        else:
            yield Setting((*above, field.name), field.type, field.default, texts[field.name])


def _docstrings(struct: str) -> dict[str, str]:
    """Read the texts under the fields, which Python itself drops, from this module's source."""
    tree = ast.parse(Path(__file__).read_text("utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == struct)
    return {
        field.target.id: text.value.value
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


Given = tuple[Setting, object, str]
"""A setting, its raw value, and where that stands, for the error."""


def _from_env(env: Mapping[str, str]) -> Iterator[Given]:
    # An unknown SENDALL_* is no error: Kubernetes sets SENDALL_SERVICE_HOST and its kin beside a service of that name.
    for setting in server_settings():
        if raw := env.get(setting.variable):
            yield setting, raw, setting.variable


def _from_flags(flags: Mapping[str, object]) -> Iterator[Given]:
    for setting in server_settings():
        if (raw := flags.get(setting.name)) is not None:
            yield setting, raw, setting.flag


def _from_file(file: Path | None) -> Iterator[Given]:
    if file is None:
        return
    try:
        text = file.read_text("utf-8")
        root = tomllib.loads(text)
    except OSError as error:
        raise UsageError(
            f"cannot read {file}: {error.strerror}", hint="correct --config, or leave it away for the defaults"
        ) from error
    except ValueError as error:  # TOML or UTF-8
        raise UsageError(
            f"{file} is no TOML: {error}", hint="correct the line, or start from docs/operations.md"
        ) from error
    known = {(*setting.table.split("."), setting.path[-1]): setting for setting in server_settings()}
    for path, raw in _leaves(root):
        where = f"{file}, line {_line_of(path, text)}"
        if (setting := known.get(path)) is None:
            raise _unknown(path, where, [".".join(each) for each in known])
        if isinstance(setting.default, Path | None) and isinstance(raw, str) and raw:
            raw = str(file.parent / Path(raw).expanduser())
        yield setting, raw, f"{where}, {setting.path[-1]}"


def _leaves(table: Mapping[str, object], *above: str) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, *above, key)
        else:
            yield (*above, key), value


def _line_of(path: tuple[str, ...], text: str) -> int:
    """Return the line where a key stands; good enough for tables written one key a line."""
    key = re.compile(rf"\s*(?:[\w.\"]+\.)?\"?{re.escape(path[-1])}\"?\s*=")
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]*?)\s*\]", line):
            table = header[1]
        if key.match(line) and ".".join(path).startswith(table):
            return number
    return 1


def _unknown(path: tuple[str, ...], where: str, known: list[str]) -> UsageError:
    near = difflib.get_close_matches(".".join(path), known, n=1)
    remedy = f"did you mean {near[0]}?" if near else "tables are [server] and [server.limits]"
    return UsageError(f"{where}: {'.'.join(path)} is no setting", hint=remedy)


def _value(setting: Setting, raw: object, where: str) -> object:
    """Return `raw` as the field's type. Texts are read as people write them on a command line."""
    given = raw
    if isinstance(raw, str) and isinstance(setting.default, tuple):
        given = [part.strip() for part in raw.split(",") if part.strip()]
    try:
        value: object = msgspec.convert(given, setting.kind, strict=not isinstance(raw, str), dec_hook=_path)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("not finite")
        if setting.kind is Networks and isinstance(value, tuple):
            for network in value:
                ipaddress.ip_network(network)
    except (msgspec.ValidationError, ValueError) as error:
        shown = raw if isinstance(raw, str) else msgspec.json.encode(raw, enc_hook=str).decode()
        default = "" if setting.default in (None, ()) else f" (default {setting.default})"
        remedy = f"correct {where}{default}"
        raise UsageError(f"{where}: expected {setting.expected}, not {shown!r}", hint=remedy) from error
    return value


def _path(kind: type, given: object) -> object:
    """Make a path, the one type here that msgspec does not know."""
    if kind is not Path or not isinstance(given, str | Path) or not str(given):
        raise ValueError("no path")
    return Path(given).expanduser()
