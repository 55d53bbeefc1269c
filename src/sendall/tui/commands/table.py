"""The table of all commands. Another part of sendall adds its own with `add_to(registry)`."""

from __future__ import annotations

from sendall.tui.commands import private, program, rooms, talk
from sendall.tui.commands.registry import Registry


def all_commands() -> Registry:
    """Return the commands of this version, in the order of the help."""
    registry = Registry()
    for part in (program, rooms, talk, private):
        part.add_to(registry)
    return registry
