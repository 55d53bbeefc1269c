"""What this person said in one room and did not come back yet: drafts of the timeline, and what becomes of them.

Sits between the outbox of the client, which sends and keeps, and the timeline, which shows. Knows no
Textual. Runs in the client's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sendall.client.conversation.kinds import Delete, Edit, Reaction, Text, Topic
from sendall.client.conversation.rows import Draft, State
from sendall.client.conversation.timeline import Confirmed, Dropped, Failed, Timeline, Written
from sendall.client.events import GivenUp, Held, InDoubt, NotKnown, Pending
from sendall.client.joined import Room
from sendall.errors import SendallError
from sendall.tui.clock import Clock
from sendall.tui.sentences import given_up_sentence, held_sentence, in_doubt_sentence

Tell = Callable[[str, str], None]
"""Puts a line, in a style, into the timeline."""


class Outgoing:
    """The messages and changes on their way in one room.

    Args:
        changed: called after every change of the timeline.
    """

    def __init__(self, room: Room, timeline: Timeline, clock: Clock, tell: Tell, changed: Callable[[], None]) -> None:
        self.latency_ms: int | None = None
        """How long the last one took to be durable and back; None before the first."""
        self._room = room
        self._timeline = timeline
        self._clock = clock
        self._tell = tell
        self._changed = changed
        self._pendings: dict[int, Pending] = {}  # by the number of their draft
        self._last_number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        for pending in room.unconfirmed:
            self._await(pending)

    def say(self, text: str, *, reply_to: int | None = None, is_action: bool = False) -> None:
        """Put a message into the outbox and show it as a draft.

        Raises:
            ValueError: too long, or nothing that UTF-8 can hold.
            SendallError: the room cannot be used any more, or the outbox cannot be written.
        """
        self._await(self._room.post_nowait(text, reply_to=reply_to, is_action=is_action))

    def change(self, what: Edit | Delete | Reaction | Topic) -> None:
        """Put an edit, a deletion, a reaction or a topic into the outbox. Raises as `say`."""
        self._await(self._room.put_nowait(what))

    def again(self, draft: Draft) -> None:
        """Send a failed message again. Raises as `say`."""
        self.drop(draft)
        self.say(draft.text, reply_to=draft.re, is_action=draft.is_action)

    def drop(self, draft: Draft) -> None:
        """Show a failed message no more."""
        if draft.state is State.FAILED:
            self._pendings.pop(draft.number, None)
            self._timeline.apply(Dropped(draft.number))
            self._changed()

    # -- what is held -------------------------------------------------------------------------

    async def send_held(self) -> int:
        """Send what is held; return how many."""
        held = self._room.held
        await self._room.send_held()
        for pending in held:
            self._await(pending)
        return len(held)

    async def discard_held(self) -> int:
        """Forget what is held; return how many."""
        held = self._room.held
        await self._room.discard_held()
        self._changed()
        return len(held)

    def note(self, event: Held | GivenUp | InDoubt) -> None:
        """Take what the outbox tells."""
        match event:
            case Held(pendings):
                self._tell(held_sentence(pendings), "warning")
            case GivenUp(pending) if not isinstance(pending.what, Text):
                self._tell(given_up_sentence(event), "warning")
            case InDoubt():
                self._tell(in_doubt_sentence(event), "warning")
            case GivenUp():
                pass  # a message stays as a draft that says so

    # -- inside -------------------------------------------------------------------------------

    def _await(self, pending: Pending) -> None:
        number = self._last_number = self._last_number + 1
        self._pendings[number] = pending
        if isinstance(what := pending.what, Text):
            self._timeline.apply(Written(number, pending.written, what.text, what.re, what.is_action))
        task = asyncio.create_task(self._settle(number, pending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._changed()

    async def _settle(self, number: int, pending: Pending) -> None:
        began = self._clock.monotonic()
        try:
            receipt = await pending.receipt
        except NotKnown:
            self._timeline.apply(Dropped(number))  # it is among the held ones now
        except SendallError as error:
            self._timeline.apply(Failed(number, str(error)))
        else:
            self.latency_ms = round((self._clock.monotonic() - began) * 1000)
            self._timeline.apply(Confirmed(number, receipt.seq))
            self._pendings.pop(number, None)
        self._changed()

    async def close(self) -> None:
        """Wait for nothing any more. What is on its way stays in the outbox."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
