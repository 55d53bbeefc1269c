"""Commands about the program: help, search, export, looks, the end."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sendall.errors import UsageError
from sendall.tui.commands.desk import Desk
from sendall.tui.commands.registry import Command, Registry
from sendall.tui.export import export
from sendall.tui.open_room import OpenRoom


async def _search(desk: Desk, words: str) -> None:
    desk.open_search(words)


async def _export(desk: Desk, name: str) -> None:
    room = desk.room
    path, count = _exported(room, name)
    desk.answer(f"{count} messages are in {path}, which only your user can read")


def _exported(room: OpenRoom, name: str) -> tuple[Path, int]:
    path = Path(name or f"{_file_name(room.name)}.txt").expanduser().absolute()
    try:
        return path, export(room.timeline, path)
    except FileExistsError:
        raise UsageError(f"{path} is there already", hint="name another file: /export FILE") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="/export FILE") from error


async def _archive(desk: Desk, word: str) -> None:
    profile = desk.hall.profile
    if word not in ("", "on", "off"):
        raise UsageError(f"/archive takes on or off, not {word!r}", hint="/archive alone says which it is")
    if word == "on" and not profile.keeps_archive:
        profile.keeps_archive = True
        profile.save()
        desk.answer("from the next start on, what is read is kept on this device, sealed, for /search")
    elif word == "off" and profile.keeps_archive:
        profile.keeps_archive = False
        profile.save()
        await desk.hall.shelf.erase()
        desk.answer(
            "nothing is kept for searching any more, and what was kept is deleted; /search finds what is loaded"
        )
    else:
        state = "on: what is read is kept on this device, sealed" if profile.keeps_archive else "off"
        desk.answer(f"the archive is {state}")


def _on_off(_desk: Desk) -> Iterable[str]:
    return ("on", "off")


async def _theme(desk: Desk, name: str) -> None:
    desk.answer(f"theme: {desk.set_theme(name)}")


async def _quit(desk: Desk, _: str) -> None:
    desk.leave()


def _file_name(room: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in room).lstrip(".") or "room"


def add_to(registry: Registry) -> None:
    """Add these commands; `help` tells of all that are in the table by then."""

    async def _help(desk: Desk, name: str) -> None:
        if not name:
            desk.open_help()
            return
        command = registry.find(name.removeprefix("/"))
        desk.answer(f"{command.line}: {command.summary}")

    def _names(_desk: Desk) -> Iterable[str]:
        return registry.names()

    def _themes(desk: Desk) -> Iterable[str]:
        return desk.themes()

    registry.add(Command("help", "[COMMAND]", "keys and commands, or what one of them does", _help, _names))
    registry.add(Command("search", "[WORDS]", "find what was said, as far as this device has it", _search))
    registry.add(Command("archive", "[on|off]", "keep what is read for searching, or delete it", _archive, _on_off))
    registry.add(Command("export", "[FILE]", "write what is loaded of this room into a text file", _export))
    registry.add(Command("theme", "[NAME]", "dark, light, or another theme", _theme, _themes))
    registry.add(Command("quit", "", "leave; so do `exit` and Ctrl+D", _quit), "exit", "bye", "q")
