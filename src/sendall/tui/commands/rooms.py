"""Commands about rooms: open, leave, list, what they are about, who comes in and how."""

from __future__ import annotations

from collections.abc import Iterable

from sendall.client.conversation.kinds import Topic
from sendall.errors import UsageError
from sendall.tui.commands.desk import Desk
from sendall.tui.commands.registry import Command, Registry

_OPEN_TO_ALL = "whoever reaches the server may join an OPEN room, and nobody in it has power over others"


async def _join(desk: Desk, name: str) -> None:
    desk.turn_to(await desk.hall.open(name.removeprefix("#")))


async def _leave(desk: Desk, name: str) -> None:
    room = desk.hall.find(name.removeprefix("#")) if name else desk.room
    if room is None:
        raise UsageError(f"the room {name!r} is not open here", hint="/rooms lists those that are")
    await desk.hall.close_room(room)
    desk.turn_to(desk.room)


async def _rooms(desk: Desk, _: str) -> None:
    lines = []
    for number, room in enumerate(desk.hall.rooms, 1):
        unread = f", {room.mark.unread} unread" if room.mark.unread else ""
        lines.append((f"Alt+{number}  {room.name}", f"{room.room.present} here{unread}  {room.timeline.topic}"))
    desk.answer_table("rooms that are open; /join NAME opens another one, and makes it if there is none", lines)


async def _topic(desk: Desk, text: str) -> None:
    if not text:
        topic = desk.room.timeline.topic
        desk.answer(f"topic: {topic}" if topic else "nobody said what this room is about: /topic TEXT does")
        return
    try:
        desk.room.outgoing.change(Topic("" if text == "-" else text))
    except ValueError as error:
        raise UsageError(str(error), hint="shorten it") from error


async def _invite(desk: Desk, _: str) -> None:
    desk.open_card()


async def _code(desk: Desk, _: str) -> None:
    ways = desk.ways_in()
    desk.answer(
        f"server: {ways.words}",
        "compare these eight words with those that the server or somebody else's sendall shows, over another way "
        "than this one: if they are the same, nobody is in between",
    )


async def _private(_desk: Desk, _rest: str) -> None:
    raise UsageError("this room's kind is not known to this version", hint="upgrade sendall")


def _open_rooms(desk: Desk) -> Iterable[str]:
    return [room.name for room in desk.hall.rooms]


def add_to(registry: Registry) -> None:
    """Add these commands."""
    registry.add(Command("join", "NAME", "open a room, and make it if there is none", _join, _open_rooms), "j")
    registry.add(Command("leave", "[NAME]", "leave a room; what is on its way stays kept", _leave, _open_rooms), "part")
    registry.add(Command("rooms", "", "list the rooms that are open", _rooms), "list")
    registry.add(Command("topic", "[TEXT]", "say what the room is about; - takes it away", _topic))
    registry.add(Command("invite", "", "show how others come in: command, link, QR code", _invite))
    registry.add(Command("code", "", "show the words to compare", _code))
    for name, does in (
        ("kick", "send somebody away"),
        ("ban", "keep somebody out"),
        ("mute", "let somebody only read"),
    ):
        registry.add(
            Command(
                name,
                "NAME",
                f"{does}; in PRIVATE rooms",
                _private,
                private_only=_OPEN_TO_ALL,
                private_hint="/ignore NAME hides what they say on this device",
            )
        )
