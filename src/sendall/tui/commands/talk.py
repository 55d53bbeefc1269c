"""Commands about talking and about people: names, actions, who is here, whom one does not want to hear."""

from __future__ import annotations

from collections.abc import Iterable

from sendall.errors import UsageError
from sendall.tui.commands.desk import Desk
from sendall.tui.commands.people import find, known_in, labels
from sendall.tui.commands.registry import Command, Registry


async def _nick(desk: Desk, name: str) -> None:
    desk.hall.rename(name)
    room = desk.room
    desk.answer(f"you are {desk.hall.client.nick}·{room.timeline.tag(room.me)} now")


async def _me(desk: Desk, what: str) -> None:
    try:
        desk.room.outgoing.say(what, is_action=True)
    except ValueError as error:
        raise UsageError(str(error), hint="shorten it") from error


async def _members(desk: Desk, _: str) -> None:
    room = desk.room
    lines = []
    for person in known_in(room):
        notes = ["you"] if person.id == room.me else []
        notes += ["here"] if person.is_here else ["not here now"]
        notes += ["ignored"] if person.id in room.ignored else []
        lines.append((person.label, ", ".join(notes)))
    desk.answer_table(f"people in {room.name}: {room.room.present} here", lines)


async def _ignore(desk: Desk, words: str) -> None:
    room = desk.room
    if not words:
        ignored = [each for each in known_in(room) if each.id in room.ignored]
        if not ignored and not room.ignored:
            desk.answer("you ignore nobody; /ignore NAME hides what somebody says, on this device")
        else:
            others = len(room.ignored) - len(ignored)
            names = [each.label for each in ignored] + ([f"{others} not known in this room"] if others else [])
            desk.answer(f"you ignore {', '.join(names)}; /ignore NAME once more ends it")
        return
    person = find(room, words)
    if person.id == room.me:
        raise UsageError("you cannot ignore yourself", hint="/ignore NAME")
    is_on = person.id not in room.ignored
    desk.hall.ignore(person.id, is_on=is_on)
    desk.answer(
        f"what {person.label} says is hidden on this device; /ignore {words} once more shows it"
        if is_on
        else f"what {person.label} says is shown again"
    )


async def _quiet(desk: Desk, _: str) -> None:
    profile = desk.hall.profile
    profile.is_quiet = not profile.is_quiet
    profile.save()
    desk.answer("do not disturb: no bell and no notification" if profile.is_quiet else "mentions ring again")


async def _send_held(desk: Desk, _: str) -> None:
    count = await desk.room.outgoing.send_held()
    desk.answer(f"{count} held, now on the way" if count else "nothing is held")


async def _discard_held(desk: Desk, _: str) -> None:
    count = await desk.room.outgoing.discard_held()
    desk.answer(f"{count} dropped" if count else "nothing is held")


def _people(desk: Desk) -> Iterable[str]:
    return labels(desk)


def add_to(registry: Registry) -> None:
    """Add these commands."""
    registry.add(Command("nick", "NAME", "go by another name", _nick))
    registry.add(Command("me", "TEXT", "say what you do: * ada waves", _me))
    registry.add(Command("members", "", "list who is here and who was", _members), "who", "names")
    registry.add(
        Command("ignore", "[NAME]", "hide what somebody says, on this device; again: show it", _ignore, _people)
    )
    registry.add(Command("quiet", "", "do not disturb, on and off", _quiet), "dnd")
    registry.add(Command("send-held", "", "send what was written long ago and never confirmed", _send_held))
    registry.add(Command("discard-held", "", "drop it", _discard_held))
