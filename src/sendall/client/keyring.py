"""What a person's device knows for longer than one program runs: who it is, and whom it met.

One folder (0700): the identity (0600), and the pins: which server identity an address had, which
room a name was. Several programs use it at once. A pin that does not fit is an alarm, never
overwritten; `forget` is the person's own doing. Source: docs/protocol.md, "Rotation, joining, verification".
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from sendall.crypto.identity import Identity
from sendall.errors import SecurityAlarm, UsageError
from sendall.protocol.base64url import from_base64, to_base64

IDENTITY_FILE = "identity.key"
PINS_FILE = "known.json"
_ELSEWHERE = "name another folder with `--state` or SENDALL_STATE, or give this one to your user"

Pins = dict[str, dict[str, str]]
"""`servers`: address → server_pk; `rooms`: server_pk "/" name → room_id; `seen`: the same → seq and h. In base64url."""


def client_folder() -> Path:
    """Return where this user's clients keep what they know."""
    return Path(platformdirs.user_data_dir("sendall", appauthor=False)) / "client"


class Keyring:
    """The identity and the pins of one folder; made if absent."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises UsageError: the folder cannot be made."""
        self.folder = folder or client_folder()
        with self._told():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def identity(self) -> Identity:
        """Return who this user is on this device; made at first, by exactly one of several programs.

        Raises:
            UsageError: the file is none, or cannot be read or made.
        """
        path = self.folder / IDENTITY_FILE
        with self._told():
            if not path.exists():
                self._make_identity(path)
            seed = path.read_bytes()
        if len(seed) != 32:
            raise UsageError(f"{path} is no identity: {len(seed)} bytes instead of 32", hint="restore or remove it")
        return Identity(seed)

    def _make_identity(self, path: Path) -> None:
        # Written aside and linked, which fails if another program was first: nobody ever sees half an identity.
        aside = path.with_name(f"{IDENTITY_FILE}.{secrets.token_hex(8)}")
        _write_private(aside, os.urandom(32))
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()

    # -- pins ---------------------------------------------------------------------------------

    def server_pk(self, address: str) -> bytes | None:
        """Return the server identity pinned for `host:port`; None before the first contact."""
        known = self._read().get("servers", {}).get(address)
        return None if known is None else bytes(from_base64(known))

    def pin_server(self, address: str, server_pk: bytes) -> None:
        """Raises SecurityAlarm: another identity is pinned there."""
        with self._changing() as pins:
            if pins.setdefault("servers", {}).setdefault(address, to_base64(server_pk)) != to_base64(server_pk):
                raise identity_changed(address)

    def room_id(self, server_pk: bytes, name: str) -> bytes | None:
        """Return the room that `name` was on this server; None if it was never met."""
        known = self._read().get("rooms", {}).get(f"{to_base64(server_pk)}/{name}")
        return None if known is None else bytes(from_base64(known))

    def pin_room(self, server_pk: bytes, name: str, room_id: bytes) -> None:
        """Raises SecurityAlarm: another room is pinned under this name."""
        with self._changing() as pins:
            key = f"{to_base64(server_pk)}/{name}"
            if pins.setdefault("rooms", {}).setdefault(key, to_base64(room_id)) != to_base64(room_id):
                raise SecurityAlarm("room", f"{name!r} is another room than it was on this server")

    def seen(self, server_pk: bytes, name: str) -> tuple[int, bytes] | None:
        """Return the last (seq, h) of the room that a program of this user noted."""
        known = self._read().get("seen", {}).get(f"{to_base64(server_pk)}/{name}")
        if known is None:
            return None
        packed = bytes(from_base64(known))
        return int.from_bytes(packed[:-32], "big"), packed[-32:]

    def note_seen(self, server_pk: bytes, name: str, seen: tuple[int, bytes]) -> None:
        """Note how far the room was followed: a server that offers less later must say why."""
        with self._changing() as pins:
            packed = seen[0].to_bytes(8, "big") + seen[1]
            pins.setdefault("seen", {})[f"{to_base64(server_pk)}/{name}"] = to_base64(packed)

    def forget(self, address: str) -> bool:
        """Drop what is pinned for `host:port`, its rooms too; return whether anything was."""
        with self._changing() as pins:
            server = pins.get("servers", {}).pop(address, None)
            if server is None:
                return False
            if server not in pins["servers"].values():
                for table in ("rooms", "seen"):
                    known = pins.get(table, {})
                    pins[table] = {key: value for key, value in known.items() if not key.startswith(f"{server}/")}
            return True

    def keep_evidence(self, text: str) -> Path:
        """Keep what raised an alarm in a file of its own; return its path."""
        with self._told():
            path = self.folder / f"evidence-{secrets.token_hex(8)}.json"
            _write_private(path, text.encode())
            return path

    # -- files --------------------------------------------------------------------------------

    def _read(self) -> Pins:
        path = self.folder / PINS_FILE
        with self._told():
            try:
                text = path.read_text()
            except FileNotFoundError:
                return {}
        try:
            pins = json.loads(text)
            for kind in pins.values():
                for value in kind.values():
                    from_base64(value)
        except (ValueError, AttributeError):
            raise UsageError(f"{path} is damaged", hint="restore it, or remove it and compare words") from None
        return dict(pins)

    @contextmanager
    def _changing(self) -> Iterator[Pins]:
        """Read, change and replace the pins while no other program does; nothing is written if the body raises."""
        with self._told(), open(self.folder / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            pins = self._read()
            before = json.dumps(pins)
            yield pins
            if json.dumps(pins) != before:
                aside = self.folder / f"{PINS_FILE}.new"
                aside.unlink(missing_ok=True)
                _write_private(aside, json.dumps(pins, indent=1).encode())
                aside.rename(self.folder / PINS_FILE)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be used: {error.strerror}", hint=_ELSEWHERE) from error


def identity_changed(address: str) -> SecurityAlarm:
    """Return the alarm for a server that is not the one that was pinned."""
    return SecurityAlarm(
        "identity",
        f"the server at {address} has another identity than before: it was set up anew, or somebody is in between",
        hint=f"ask whoever runs it and compare its eight words; only then: sendall forget {address}",
    )


def _write_private(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
