"""What a typed line means: text for the room, one of the few commands of every room, or one of PRIVATE rooms. Pure."""

from __future__ import annotations

import enum

from sendall.commands import grammar

_EVERYWHERE = [
    ("exit", "leave (also Ctrl-D)"),
    ("/help", "this list"),
    ("/send-held", "send what was written long ago and never confirmed"),
    ("/discard-held", "drop it"),
    ("//text", "send a line that begins with /"),
]


class Command(enum.Enum):
    """What a line can ask for in every room."""

    EXIT = "exit"
    HELP = "/help"
    SEND_HELD = "/send-held"
    DISCARD_HELD = "/discard-held"
    NOTHING = ""


def meaning(line: str) -> Command | grammar.Command | str:
    """Return the command a typed line is, or the text it says.

    Raises:
        UsageError: it begins with a slash and is no command, or not as it is written.
    """
    bare = line.strip()
    if not bare.startswith("/"):
        return Command.EXIT if bare == "exit" else line if bare else Command.NOTHING
    if bare.startswith("//"):
        return bare[1:]
    for command in Command:
        if command.value == bare:
            return command
    name = bare.split()[0].removeprefix("/")
    if name.lower() not in grammar.SPELLINGS:
        everywhere = (command.value.removeprefix("/") for command in Command if command.value)
        raise grammar.no_command(name, [*everywhere, *grammar.SPELLINGS])
    return grammar.parse(bare)


def help_lines(*, is_private: bool) -> list[str]:
    """Return what can be typed, one command a line."""
    rows = [*_EVERYWHERE, *(grammar.help_rows() if is_private else [])]
    width = min(28, max(len(typed) for typed, _ in rows))
    lines = [f"{typed:<{width}}  {summary}" for typed, summary in rows]
    return lines if is_private else [*lines, "in private rooms there is more: /invite, /kick, /members, ..."]
