"""How much happened in a world: a clean verdict over nothing says nothing."""

from __future__ import annotations

from collections import Counter

from sendall.protocol.entry import EntryType, parse
from tests.faults.evidence import Got, Lost, Ok
from tests.simulation.evidence import Skip
from tests.simulation.world import World


def tally(world: World) -> Counter[str]:
    """Count what the evidence shows, by kind."""
    counts: Counter[str] = Counter(programs=len(world.programs), connections=len(world.links))
    for person in world.people:
        for said in person.said.values():
            counts[said.fate.value] += 1
            counts["held"] += said.was_held
    for program in world.programs:
        for member in program.memberships.values():
            diary = member.diary
            kinds = Counter(type(event) for event in diary.events)
            counts += Counter(shown=kinds[Got], receipts=kinds[Ok], skips=kinds[Skip], losses=kinds[Lost])
            counts += Counter({"adopted": len(diary.adopted), "pages": len(diary.pages)})
        counts["left by a ban"] += len(program.memberships) - len(program.present)
    for archive in world.archives.rooms.values():
        types = Counter(parse(record.entry).type for record in archive.records)
        counts += Counter(entries=archive.last, lost=len(archive.lost))
        counts += Counter(epochs=types[EntryType.EPOCH], restarts=types[EntryType.RESTART], roles=types[EntryType.ROLE])
        counts["pruned"] += world.server.store.open(archive.room_id).extent.first - 1
    return counts
