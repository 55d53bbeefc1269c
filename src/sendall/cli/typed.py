"""What a typed line means: text for the room, or one of the few commands. Pure."""

from __future__ import annotations

import enum

HELP = """\
exit            leave (also Ctrl-D)
/help           this list
/send-held      send what was written long ago and never confirmed
/discard-held   drop it
//text          send a line that begins with /"""


class Command(enum.Enum):
    """What a line can ask for."""

    EXIT = "exit"
    HELP = "/help"
    SEND_HELD = "/send-held"
    DISCARD_HELD = "/discard-held"
    NOTHING = ""
    UNKNOWN = "/"


def meaning(line: str) -> Command | str:
    """Return the command a typed line is, or the text it says."""
    bare = line.strip()
    if not bare.startswith("/"):
        return Command.EXIT if bare == "exit" else line if bare else Command.NOTHING
    if bare.startswith("//"):
        return bare[1:]
    return next((each for each in Command if each.value == bare and each is not Command.UNKNOWN), Command.UNKNOWN)
