"""What a person's device knows for longer than one program runs: who it is, and whom it met.

One folder (0700): the identity (`identity_file`), and the pins: which server identity an address had,
which room a name was. Several programs use it at once. A pin that does not fit is an alarm, never
overwritten; `forget` is the person's own doing. Source: docs/protocol.md, "Rotation, joining, verification".
"""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from sendall.client.identity_file import AskPassphrase, IdentityFile, write_private
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
        self._identity = IdentityFile(self.folder / IDENTITY_FILE)
        with self._told():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    # -- the identity -------------------------------------------------------------------------

    def identity(self, passphrase: AskPassphrase | None = None) -> Identity:
        """Return who this user is on this device; made at first, by exactly one of several programs.

        `passphrase` asks the person, and is called only if the file is sealed; opening then takes 0.3 s.

        Raises:
            UsageError: the file is none, or cannot be read or made; the passphrase is wrong, or there is one and
                nobody to ask.
        """
        with self._told():
            return self._identity.load(passphrase)

    def has_passphrase(self) -> bool:
        """Return whether the identity's file is sealed. Raises UsageError: as `identity`."""
        with self._told():
            return self._identity.has_passphrase()

    def set_passphrase(self, new: str | None, old: AskPassphrase | None = None) -> None:
        """Seal the identity under a passphrase, another one, or (None) none; `old` asks for the present one.

        Raises:
            UsageError: as `identity`; also an empty passphrase.
        """
        with self._told():
            change = self._identity.with_passphrase(new, old)  # before the lock: a person may think for long
            with self._alone():
                self._identity.replace(change)

    def export_identity(self) -> str:
        """Return the identity as a line of text; sealed if it has a passphrase, else it is the person.

        Raises:
            UsageError: there is none.
        """
        with self._told():
            return self._identity.export()

    def import_identity(self, text: str) -> None:
        """Make this device's identity an exported one.

        Raises:
            UsageError: not a whole export, or this device has another identity already.
        """
        with self._told():
            self._identity.import_(text)

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
            write_private(path, text.encode())
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
        with self._told(), self._alone():
            pins = self._read()
            before = json.dumps(pins)
            yield pins
            if json.dumps(pins) != before:
                aside = self.folder / f"{PINS_FILE}.new"
                aside.unlink(missing_ok=True)
                write_private(aside, json.dumps(pins, indent=1).encode())
                aside.rename(self.folder / PINS_FILE)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with open(self.folder / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

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
