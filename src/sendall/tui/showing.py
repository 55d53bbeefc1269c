"""What of the hall goes into which widget: facts in, facts out. Knows no Textual."""

from __future__ import annotations

from sendall.client.names import NO_NICK
from sendall.tui.commands.people import known_in
from sendall.tui.drawing.facts import PersonLine, RoomLine
from sendall.tui.drawing.ink import hue_of
from sendall.tui.hall import Hall
from sendall.tui.open_room import OpenRoom
from sendall.tui.standing import Outage, Standing

MAX_PEOPLE = 500
"""People that the pane lists."""
MAX_TYPISTS = 3


def standing_of(hall: Hall, room: OpenRoom, *, is_tls: bool) -> Standing:
    """Return what the status line tells."""
    return Standing(
        server=hall.server,
        lock="sealed + TLS" if is_tls else "sealed",
        kind=room.room.kind_line.partition(" ")[0],
        latency_ms=room.outgoing.latency_ms,
        unconfirmed=len(room.room.unconfirmed),
        held=len(room.room.held),
        lag=room.lag,
        is_away=bool(room.why_away),
        is_stopped=room.alarm is not None or room.why_ended is not None,
        is_quiet=hall.profile.is_quiet,
        slow_s=max(0, round(room.slow_until - room.clock.monotonic())),
    )


def sentences_of(hall: Hall, room: OpenRoom) -> tuple[tuple[str, ...], bool]:
    """Return what the banner says, and whether it is an alarm; the first sentence is the one that matters."""
    trouble = room.alarm or room.why_ended
    if trouble is not None:
        what = "ALARM" if room.alarm is not None else "CLOSED"
        first = f"{what}: {trouble}"
        hint = f"what to do: {trouble.hint}" if trouble.hint else "what to do: ask whoever runs the room"
        kept = "nothing is sent here any more; what was said can still be read, /export keeps it"
        return (first, hint, kept), True
    if room.why_away:
        retry_at = room.clock.monotonic() + hall.retry_in_s()
        outage = Outage(room.why_away, retry_at, len(room.room.unconfirmed))
        return (outage.sentence(room.clock.monotonic()),), False
    return (), False


def room_lines(hall: Hall) -> list[RoomLine]:
    """Return the list of rooms."""
    return [
        RoomLine(
            room.name,
            room.mark.unread,
            room.mark.mentions,
            is_current=room is hall.current,
            is_private=room.is_private,
            is_troubled=room.alarm is not None or room.why_ended is not None,
        )
        for room in hall.rooms
    ]


def elsewhere(hall: Hall) -> str:
    """Return what is unread in the rooms that are not shown, in a few words."""
    others = [room for room in hall.rooms if room is not hall.current and room.mark.unread]
    counts = [
        f"{room.name} {'@' if room.mark.mentions else ''}{room.mark.mentions or room.mark.unread}" for room in others
    ]
    return " · ".join(counts)


def person_lines(room: OpenRoom) -> list[PersonLine]:
    """Return the list of people: those present, then those who said something."""
    typing = set(room.typists.now(room.clock.monotonic()))
    people = [
        PersonLine(
            person.nick,
            person.tag,
            hue_of(person.id),
            role="",
            is_me=person.id == room.me,
            is_here=person.is_here and not room.why_away,
            is_typing=person.id in typing,
            is_ignored=person.id in room.ignored,
        )
        for person in known_in(room)
    ]
    people.sort(key=lambda each: (not each.is_here, each.name.casefold(), each.tag))
    return people[:MAX_PEOPLE]


def typing_sentence(room: OpenRoom) -> str:
    """Return who is writing, in a few words; empty if nobody is."""
    named = {person.id: person.nick for person in room.room.members}
    names = [
        named.get(each) or room.timeline.nick(each)
        for each in room.typists.now(room.clock.monotonic())
        if each not in room.ignored and each != room.me
    ]
    names = [name if name != NO_NICK else "somebody" for name in names]
    if not names:
        return ""
    if len(names) > MAX_TYPISTS:
        return f"{len(names)} people are writing …"
    return (
        f"{' and '.join(names) if len(names) < 3 else ', '.join(names)} {'is' if len(names) == 1 else 'are'} writing …"
    )


def above_composer(room: OpenRoom, below: int) -> str:
    """Return who is writing, and how much is below what is in sight."""
    more = f"↓ {below:,} below · Ctrl+End" if below else ""
    return "  ".join(each for each in (more, typing_sentence(room)) if each)


def top_line(room: OpenRoom) -> str:
    """Return what stands above the first row of the timeline."""
    if room.is_loading:
        return "older messages are on their way …"
    return "this is where the room begins, or what the server keeps of it" if room.has_all else ""
