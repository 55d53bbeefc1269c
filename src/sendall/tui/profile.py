"""What a person set in the application, kept for the next start: name, theme, panes, whom they ignore.

One small JSON file in the client's folder (0600). A file that cannot be read or written is no reason
not to talk: the usual settings are taken, and the person is told once.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sendall.client.events import NO_NICK, safe_nick

FILE = "terminal.json"
MAX_BYTES = 65_536
_MAX_ROOMS = 64


class Profile:
    """The settings of one folder; a change is written at once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.trouble = ""
        """Why the file could not be read or written, in a sentence; empty if it could."""
        kept = self._read()
        self.nick: str | None = _text(kept.get("nick"))
        """The name that was chosen at the first start; None before it."""
        self.theme: str | None = _text(kept.get("theme"))
        self.is_quiet = kept.get("quiet") is True
        """Do not disturb: no bell, no notification."""
        self.keeps_archive = kept.get("archive") is not False
        """Whether what is read is kept on this device for searching."""
        self.ignored = {each for each in _texts(kept.get("ignored"))}
        """Whose messages are not shown: keys in base64url."""
        seen = kept.get("seen")
        self._seen = {key: n for key, n in seen.items() if type(n) is int} if isinstance(seen, dict) else {}
        rooms = kept.get("rooms")
        self._rooms = {key: list(_texts(each)) for key, each in rooms.items()} if isinstance(rooms, dict) else {}

    def rooms(self, server: str) -> list[str]:
        """Return the rooms that were open at `server`, in their order."""
        return self._rooms.get(server, [])[:_MAX_ROOMS]

    def note_rooms(self, server: str, names: list[str]) -> None:
        if self._rooms.get(server, []) != names:
            self._rooms[server] = names[:_MAX_ROOMS]
            self.save()

    def seen(self, server: str, room: str) -> int:
        """Return the highest seq of a room that was in sight; 0 if it was never open."""
        return self._seen.get(f"{server}/{room}", 0)

    def note_seen(self, server: str, room: str, seq: int) -> None:
        """Remember it, with the next `save`."""
        self._seen[f"{server}/{room}"] = seq

    def save(self) -> None:
        """Write the file anew; what goes wrong is in `trouble`."""
        content = {
            "nick": self.nick,
            "theme": self.theme,
            "quiet": self.is_quiet,
            "archive": self.keeps_archive,
            "ignored": sorted(self.ignored),
            "rooms": self._rooms,
            "seen": self._seen,
        }
        aside = self._path.with_name(f"{FILE}.{os.getpid()}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w") as file:
                json.dump(content, file, indent=1)
            aside.replace(self._path)
        except OSError as error:
            self.trouble = f"{self._path} cannot be written: {error.strerror}; settings hold until you leave"

    def _read(self) -> dict[str, Any]:  # Any: JSON that a person may have edited
        try:
            with open(self._path, "rb") as file:
                kept = json.loads(file.read(MAX_BYTES))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            self.trouble = f"{self._path} cannot be read; the usual settings are taken"
            return {}
        return kept if isinstance(kept, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and safe_nick(value) != NO_NICK else None


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
