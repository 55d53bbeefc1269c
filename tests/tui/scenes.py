"""Scenes: states of the application that are worth a picture, for the snapshots and for the pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sendall.client.conversation.kinds import Edit, Reaction, Topic
from sendall.client.events import Alarm, Lost, Typing
from sendall.errors import SecurityAlarm
from tests.tui.stage import Staged, person

Scene = Callable[[Staged], Awaitable[None]]

CODE = """it was the retry loop:
```python
async def drain(self) -> None:
    while self._open:  # oldest first
        await next(iter(self._open.values()))
```
and **nothing** was lost"""


async def talk(staged: Staged) -> None:
    """Three people, a topic, code, an answer, reactions, a mention, an edit."""
    lobby = staged.lobby
    lobby.come("ada", "bob", "eve", "mallory")
    lobby.changes("bob", Topic("release 2.4, Thursday"), minute=1)
    asked = lobby.says("bob", "is the **relay** up again? the graph at https://graphs.example/relay is flat", minute=2)
    lobby.says("ada", "up since 11:58", minute=3, re=asked)
    cause = lobby.says("eve", CODE, minute=4)
    lobby.says("eve", "still to do:\n- write the test\n- tell @ada and @bob\n- merge", minute=4)
    lobby.says("mallory", "\x1b[31mred\x1b[0m? > no such luck, `\\x1b[2J` stays text", minute=6)
    lobby.says("bob", "waves", minute=7, me=True)
    lobby.changes("ada", Reaction(cause, "🎉"))
    lobby.changes("bob", Reaction(cause, "🎉"))
    lobby.changes("mallory", Reaction(cause, "👀"))
    last = lobby.says("ada", "I write teh test", minute=9)
    lobby.changes("ada", Edit(last, "I write the test"), minute=10)
    lobby.tell_all(Typing(person("bob"), "bob"))
    await staged.settle()


async def lost(staged: Staged) -> None:
    """The connection is lost; two lines wait."""
    await talk(staged)
    staged.stage.retry_at = staged.clock.monotonic() + 12
    staged.lobby.tell_all(Lost("the server restarts", 12.0))
    await staged.settle()
    await staged.enter("this waits")
    await staged.enter("and this too")


async def alarm(staged: Staged) -> None:
    """A fork alarm."""
    await talk(staged)
    error = SecurityAlarm(
        "fork",
        "the server shows different histories of this room to different members",
        hint="talk over another channel; the evidence is in the folder of this client",
    )
    staged.lobby.tell_all(Alarm(error))
    staged.lobby.inbox.close(error)
    await staged.settle()


async def completing(staged: Staged) -> None:
    """A command is begun; what it can be is offered."""
    await talk(staged)
    await staged.type("/")


async def card(staged: Staged) -> None:
    """The card with the ways in."""
    await talk(staged)
    await staged.enter("/invite")


async def help(staged: Staged) -> None:
    """The help."""
    await talk(staged)
    await staged.press("f1")


async def search(staged: Staged) -> None:
    """A search with two hits."""
    await talk(staged)
    await staged.press("ctrl+f")
    await staged.type("the")


async def picked(staged: Staged) -> None:
    """A message is chosen and answered."""
    await talk(staged)
    await staged.press("ctrl+up", "up", "up", "r")
    await staged.type("yes, and")


SCENES: dict[str, Scene] = {
    "talk": talk,
    "lost": lost,
    "alarm": alarm,
    "completing": completing,
    "card": card,
    "help": help,
    "search": search,
    "picked": picked,
}
MAIN = ("talk", "lost", "alarm", "card")
"""Scenes that are kept at all sizes; the others at the middle one."""
SIZES = ((60, 16), (100, 30), (160, 45))
STATES = [(scene, size) for scene in SCENES for size in SIZES if scene in MAIN or size == SIZES[1]]
