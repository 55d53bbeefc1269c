"""One program in one room: the room and outbox of production, and the diary of what they tell.

Also what its person does there: writing, deciding about what is held, reading older messages.
"""

from __future__ import annotations

import random

from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.client.room import RoomFollower
from sendall.crypto.primitives import RsaKey
from sendall.errors import Code, Refused
from sendall.protocol.frames import SubOk
from tests.client.plaintexts import write_message
from tests.faults.evidence import Got, Invoke, Lost, Ok, payload_sha
from tests.simulation.evidence import Diary, Fate, Said, Skip
from tests.simulation.lanes import Lanes
from tests.simulation.surroundings import Person, Surroundings


class Membership:
    """A program's part in one room."""

    def __init__(
        self,
        program: str,
        room: str,
        person: Person,
        rsa: RsaKey,
        beginning: Beginning,
        world: Surroundings,
        rng: random.Random,
    ) -> None:
        self.program = program
        self.room = room
        self.person = person
        self.page_before: int | None = None
        """While a page is asked for: the seq before which it is to end."""
        self._world = world
        self._beginning = beginning
        self._began = 0  # nothing up to here was read
        lanes = person.lanes.setdefault(room, Lanes())
        self._lane = lanes.begin(self._now_ms(), lambda: rng.random() < world.kill_chance)
        self.outbox = world.make_outbox(self._lane, person.identity, lambda: rng.randbytes(16))
        self.diary = Diary(f"{program} in {room}", [item.id for item in self.outbox.open])
        for item in self.outbox.held:
            person.said[room, item.id].was_held = True
        self.follower = RoomFollower(
            room,
            server_pk=world.server_pk,
            identity=person.identity,
            rsa=rsa,
            outbox=self.outbox,
            nick=person.name,
            beginning=beginning,
            room_id=person.pins.get(room),
            seen=person.seen.get(room),
        )

    def _now_ms(self) -> int:
        return int(self._world.loop.now * 1000)

    def leave(self) -> None:
        """The program leaves the room, or ends orderly."""
        seen = self.follower.seen
        if seen is not None:
            self.person.seen[self.room] = seen
        self.end()

    def end(self) -> None:
        """The program is there no more; what is open is for the next one."""
        for item, outcome in self.outbox.take_settled():
            # A refusal that it did not come to tell counts as told: it is nobody's loss. A receipt does not.
            if isinstance(outcome, Refused):
                self.person.said[self.room, item.id].fate = Fate.GIVEN_UP
        self._lane.end()

    # -- what the person does ---------------------------------------------------------------------

    def say(self, number: int, size: int) -> None:
        """Write the program's message of this number. Raises Killed."""
        lanes = self.person.lanes[self.room]
        text = f"{self.program}:{number}:".ljust(size, ".")
        said = Said(self.program, self.room, number, text, lanes.last_id + 1)
        self.diary.events.append(Invoke(number, said.sha, self.person.identity.pk.hex(), self.outbox.session.hex()))
        try:
            self.outbox.write(write_message(text, self.person.name), self._now_ms())
        finally:
            if lanes.last_id == said.id:
                self.person.said[self.room, said.id] = said

    def decide(self, *, send: bool) -> None:
        """Send or discard what is held. What is in doubt is never sent: it could appear twice. Raises Killed."""
        held = self.outbox.held
        if send and not any(item.doubt for item in held):
            self.outbox.send_held()
        else:
            for item in held:
                self.person.said[self.room, item.id].fate = Fate.DISCARDED
            self.outbox.discard_held()

    # -- what it is told ----------------------------------------------------------------------------

    def is_cut_off(self, ok: SubOk) -> bool:
        """Whether the server lost what was before this reader's beginning: it cannot know what to go back to."""
        return ok.cut is not None and ok.cut < self._began

    def is_placed(self, ok: SubOk) -> None:
        """Write down what of the log will not be shown; called before the follower takes the answer."""
        if ok.cut is not None:
            return
        after, upto = self.follower.log.state.seq, ok.from_
        if upto > after:
            self._began = upto
        if not after:
            begin = self._beginning
            if begin.tail is not None:
                upto = max(upto, ok.last - begin.tail)
            elif begin.since_seq is not None:
                upto = max(upto, begin.since_seq - 1)
        if upto > after:
            self.diary.events.append(Skip(after, upto))

    def collect(self) -> None:
        """Write down what the room and the outbox have to tell."""
        follower = self.follower
        if follower.is_founded:
            self.person.pins[self.room] = follower.room_id
        for event in follower.take_events():
            self._told(event)
        for item, outcome in self.outbox.take_settled():
            self._settled(self.person.said[self.room, item.id], outcome)
        for page in follower.pages:
            before, self.page_before = self.page_before, None
            assert before is not None, "a page comes when one was asked for"
            if page.refused is None:
                told = [m.seq for m in page.told if isinstance(m, ev.Message) and m.seq < before]
                self.diary.pages.append((page.first, before, told))
        follower.pages.clear()

    def _told(self, event: ev.Event) -> None:
        events = self.diary.events
        match event:
            case ev.Message(seq=seq, text=text):
                events.append(Got(seq, payload_sha(text), self._h_at(seq)))
            case ev.ServerLost(count=count):
                self._note(f"hears that {count} entries were lost")
                events.append(Lost(count))
            case ev.Unreadable(seq=seq) if self._world.is_pruned(self.room, seq):
                # Its key went with the last message of its epoch, before this program was granted it.
                events.append(Skip(seq - 1, seq))
            case ev.Unreadable() | ev.Alarm():
                self._world.problem(f"{self.program} in {self.room} was told {event}")
            case _:
                pass

    def _settled(self, said: Said, outcome: ev.Receipt | Refused | ev.NotKnown) -> None:
        match outcome:
            case ev.Receipt(seq=seq):
                said.fate = Fate.CONFIRMED
                if seq:
                    number = said.number if said.program == self.program else None
                    self.diary.events.append(Ok(number, seq, said.sha, self._h_at(seq)))
            case Refused(code=code):
                if code is Code.MALFORMED:
                    self._world.problem(f"{self.program}'s message was refused as malformed")
                self._note(f"gives up {said.name}: {code}")
                said.fate = Fate.GIVEN_UP
            case ev.NotKnown():
                self._note(f"does not know about {said.name}")
                said.was_held = said.was_in_doubt = True

    def _h_at(self, seq: int) -> str | None:
        h = self.follower.log.h_at(seq)
        return None if h is None else h.hex()

    def _note(self, what: str) -> None:
        self._world.loop.note(self.program, what)
