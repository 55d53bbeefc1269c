"""The verdict over a world: the history checker's rules for each room, and what only a simulation can see.

The checker judges what everybody was shown and promised against the log. Beyond it: nothing that was
written is lost without a word, all states are the server's, one key per epoch, no number sealed
twice, nothing of a banned member's opens later. What a power cut took back, and nothing else, is
taken out of the histories first.
"""

from __future__ import annotations

from collections.abc import Iterator

from sendall.protocol.bodies import RoleChange, parse_body
from sendall.protocol.entry import Role, parse
from sendall.protocol.room import RoomState
from tests.faults.checker import check
from tests.faults.evidence import Event, Got, History, Invoke, Lost, Ok, Subscribe
from tests.simulation.archive import Archive, messages
from tests.simulation.client import Program
from tests.simulation.evidence import Diary, Fate, Skip
from tests.simulation.surroundings import Person
from tests.simulation.world import World


def judge(world: World) -> list[str]:
    """Return everything that was wrong with a world that has come to rest."""
    relay = world.server.relay
    assert relay is not None, "a healed world has a server"
    found = [f"{number} was sealed twice" for number in world.audit.reused]
    for name in world.room_names:
        room = relay.rooms.named(name)
        if room is None:
            found.append(f"nobody ever made the room {name}")
            continue
        archive = world.archives.rooms[room.state.room_id]
        court = _Court(world, name, archive, room.state)
        found += court.findings()
    return found


class _Court:
    """One room of a world before the judge."""

    def __init__(self, world: World, room: str, archive: Archive, state: RoomState) -> None:
        self.world = world
        self.room = room
        self.archive = archive
        self.state = state
        self.messages = [(seq, world.audit.payload(entry.raw), entry) for seq, entry in messages(archive)]
        self.place = {sha: seq for seq, sha, _ in self.messages}
        self.lost = {(record.seq, world.audit.payload(record.entry)) for record in archive.lost}
        self.lost_shas = {sha for _, sha in self.lost}
        self.held_shas = {s.sha for p in world.people for s in p.said.values() if s.was_held and s.room == room}
        self.problems: list[str] = []

    def findings(self) -> list[str]:
        log = self.world.audit.final_log(self.archive)
        verdict = check(log, list(self._histories()))
        found = [f"{self.room}: {v.rule.name}: {v.sentence}" for v in verdict.violations]
        steps = (
            self._states,
            self._messages_of_all,
            self._adopted,
            self._losses,
            self._keys,
            self._banned,
            self._pages,
        )
        for step in steps:
            self.problems += step()
        return found + [f"{self.room}: {sentence}" for sentence in self.problems]

    @property
    def programs(self) -> list[Program]:
        return self.world.programs

    @property
    def present(self) -> list[Program]:
        """Programs that are in the room at the end."""
        return [program for program in self.world.running if self.room in program.present]

    # -- histories for the checker -------------------------------------------------------------------

    def _histories(self) -> Iterator[History]:
        for program in self.programs:
            diary = program.memberships[self.room].diary
            events = self._readable(diary)
            late = [event for event in events if isinstance(event, Invoke) and event.sha in self.held_shas]
            yield History(diary.name, [event for event in events if event not in late])
            # What was held has no place in its author's order: each is a history of its own.
            for event in late:
                yield History(f"{diary.name}, held {event.id}", [event])

    def _readable(self, diary: Diary) -> list[Event]:
        """Return a diary as the checker reads it: without what a power cut took back, skips as subscriptions."""
        events: list[Event] = [Subscribe(0, messages_only=True)]
        skips: list[Skip] = []
        cursor = 0
        for event in self._without_lost(diary):
            match event:
                case Skip():
                    skips.append(event)
                    continue
                case Got(seq=seq):
                    for skip in [skip for skip in skips if skip.upto < seq]:
                        skips.remove(skip)
                        cursor = self._skip(diary, skip, cursor, events)
                    cursor = max(cursor, seq)
                case Ok(sha=sha) if sha in self.held_shas:
                    event = Ok(None, event.seq, sha, event.h)
                case _:
                    pass
            events.append(event)
        return events

    def _skip(self, diary: Diary, skip: Skip, cursor: int, events: list[Event]) -> int:
        missed = [seq for seq, _, _ in self.messages if cursor < seq <= skip.after]
        if missed:
            self.problems.append(f"{diary.name} was not shown {missed} before it skipped to {skip.upto}")
        upto = max(cursor, skip.upto)
        events.append(Subscribe(upto, messages_only=True))
        return upto

    def _without_lost(self, diary: Diary) -> list[Event | Skip]:
        kept: list[Event | Skip] = []
        for event in diary.events:
            if isinstance(event, Lost):
                self._take_back(kept)
            elif not (isinstance(event, Ok) and (event.seq, event.sha) in self.lost):
                kept.append(event)
        self._take_back(kept)  # whose program ended, or is banned, hears of the last loss no more
        return kept

    def _take_back(self, kept: list[Event | Skip]) -> None:
        while got := next((event for event in reversed(kept) if isinstance(event, Got)), None):
            if (got.seq, got.sha) not in self.lost:
                break
            kept.remove(got)

    # -- beyond the checker --------------------------------------------------------------------------

    def _states(self) -> Iterator[str]:
        server = self.state
        for program in self.present:
            log = program.present[self.room].follower.log
            if log.head != (server.seq, server.h):
                yield f"{program.name} ends at seq {log.head[0]} (or another h), the server at {server.seq}"
            for field in ("epoch", "commit", "auth", "floor"):
                if getattr(log.state, field) != getattr(server, field):
                    yield f"{program.name} ends with another {field} than the server"
            if vars(log.state.roles) != vars(server.roles):
                yield f"{program.name} ends with other roles than the server"
            last = max((seq for seq, _, _ in self.messages), default=0)
            shown = [event for event in program.memberships[self.room].diary.events if isinstance(event, Got | Skip)]
            reached = max((e.seq if isinstance(e, Got) else e.upto for e in shown), default=0)
            if reached < last:
                yield f"{program.name} was shown messages up to {reached} of {last}"

    def _messages_of_all(self) -> Iterator[str]:
        for person in self.world.people:
            may_post = self.state.may_post(person.identity.pk)
            rows = person.lanes[self.room].rows if self.room in person.lanes else {}
            held = {
                item.id
                for program in self.world.running
                if program.person is person and self.room in program.present
                for item in program.present[self.room].outbox.held
            }
            for (room, id_), said in person.said.items():
                if room != self.room:
                    continue
                what = said.name
                is_there = said.sha in self.place
                if id_ in rows:
                    if id_ not in held and may_post:
                        yield f"{what} is open for ever ({'it is' if is_there else 'not'} in the log)"
                elif is_there or said.fate in (Fate.GIVEN_UP, Fate.DISCARDED):
                    continue
                elif said.sha not in self.lost_shas:
                    yield f"{what} is lost without a word ({said.fate.value})"

    def _adopted(self) -> Iterator[str]:
        """What a program took over comes before what is its own."""
        for program in self.programs:
            said = program.person.said
            ids = program.memberships[self.room].diary.adopted
            adopted = [said[self.room, id_] for id_ in ids]
            places = [self.place[s.sha] for s in adopted if s.sha in self.place and not s.was_held]
            own = [
                self.place[s.sha]
                for s in said.values()
                if s.room == self.room and s.program == program.name and s.sha in self.place and not s.was_held
            ]
            if places and own and max(places) > min(own):
                yield f"{program.name} sent its own before what it had taken over"

    def _losses(self) -> Iterator[str]:
        """Nobody is told of a loss, or left in doubt, without a cause."""
        if self.archive.lost:
            return
        for program in self.programs:
            if any(isinstance(event, Lost) for event in program.memberships[self.room].diary.events):
                yield f"{program.name} was told of a loss, and nothing was lost"
        if self.world.server.store.open(self.archive.room_id).extent.first > 1:
            return
        for person in self.world.people:
            for said in person.said.values():
                if said.room == self.room and said.was_in_doubt:
                    yield f"{said.name} was in doubt, and nothing was pruned"

    def _keys(self) -> Iterator[str]:
        for e in range(1, self.state.epoch + 1):
            keys = {program.memberships[self.room].follower.keys.key(e) for program in self.programs} - {None}
            if len(keys) > 1:
                yield f"epoch {e} has {len(keys)} keys"

    def _banned(self) -> Iterator[str]:
        for person in self.world.people:
            since = self._banned_since(person)
            if since is None:
                continue
            for program in self.programs:
                if program.person is person:
                    keys = program.memberships[self.room].follower.keys
                    later = [e for e in range(since + 1, self.state.epoch + 1) if keys.key(e) is not None]
                    if later:
                        yield f"{program.name} is banned since epoch {since} and has the keys of epochs {later}"

    def _banned_since(self, person: Person) -> int | None:
        """Return the epoch in which a person was banned for good.

        None also if a pardon was lost with the server before it was durable: keys were granted meanwhile.
        """
        since, pardons = None, 0
        for record in self.archive.records:
            entry = parse(record.entry)
            body = parse_body(entry) if entry.is_control else None
            if isinstance(body, RoleChange) and body.id_pk == person.identity.pk:
                if body.role is not Role.BANNED:
                    since, pardons = None, pardons + 1
                elif since is None:
                    since = entry.epoch
        return since if pardons == self.world.pardons[self.room, person.name] else None

    def _pages(self) -> Iterator[str]:
        if self.archive.lost:
            return
        for program in self.programs:
            for first, before, told in program.memberships[self.room].diary.pages:
                expected = [seq for seq, _, _ in self.messages if first <= seq < before]
                if told != expected:
                    yield f"{program.name} paged {told} of {expected}"
