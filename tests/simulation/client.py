"""A client program: the shell around the session and the rooms of production, in virtual time.

Does what the real shell does: connects, reconnects with the real backoff, ticks, and carries frames.
What is told goes into the diaries of its memberships. Its person acts when the world says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sendall.client.backoff import Backoff
from sendall.client.beginning import Beginning
from sendall.client.handshake import Credentials, Line
from sendall.client.session import Action, ClientSession, Joined, SendText
from sendall.crypto.identity import NO_LEAF
from sendall.crypto.primitives import RsaKey
from sendall.errors import CloseCode, Code, ConnectError, Malformed, Refused, SecurityAlarm
from sendall.protocol import frames as f
from tests.simulation.lanes import Killed
from tests.simulation.membership import Membership
from tests.simulation.net import Link, Message
from tests.simulation.surroundings import Person, Surroundings


class Program:
    """One client program, from its start to its end."""

    def __init__(
        self, name: str, person: Person, rsa: RsaKey, rooms: list[str], beginning: Beginning, world: Surroundings
    ) -> None:
        self.name = name
        self.person = person
        self.is_running = True
        self.is_stalled = False
        """Whether its person reads nothing, so that the socket is left unread."""
        self.link: Link | None = None
        self._world = world
        self._loop = world.loop
        self._rng = world.loop.stream(name)
        self._credentials = Credentials(person.identity, rsa, world.server_pk)
        self._backoff = Backoff(self._rng.random)
        self._session: ClientSession | None = None
        self._asked: dict[int, str] = {}  # rooms by q, of this connection
        self._said = 0
        self._resume_at: float | None = None
        self.memberships = {room: Membership(name, room, person, rsa, beginning, world, self._rng) for room in rooms}
        """All rooms it ever was in."""
        self.present = dict(self.memberships)
        """Those it is in; it leaves a room that bans it."""
        self._loop.later(self._rng.random() * 0.2, self._connect)
        self._loop.later(self._rng.random(), self._tick)

    # -- what the person does ---------------------------------------------------------------------

    def say(self, room: str, size: int) -> None:
        """Write a message; it is sent when that is possible."""
        if room in self.present:
            self._said += 1
            self._act(partial(self.present[room].say, self._said, size))

    def decide(self, *, send: bool) -> None:
        """Send or discard what is held."""
        for membership in self.present.values():
            if self.is_running:
                self._act(partial(membership.decide, send=send))

    def page(self, room: str, limit: int) -> None:
        """Read older messages, if no other page is under way."""
        membership = self.present.get(room)
        if self._session is None or membership is None or membership.page_before is not None:
            return
        before = self._rng.randint(1, membership.follower.log.head[0] + 1)
        if self._session.ask_page(membership.follower, before, limit):
            membership.page_before = before
            self._wake()

    def stall(self) -> None:
        if self.link is not None:
            self.is_stalled = True
            self.link.stall()

    def unstall(self) -> None:
        self.is_stalled = False
        if self.link is not None:
            self.link.unstall()

    def exit(self) -> None:
        self._note("exits")
        if self.link is not None:
            self.link.leave()
        self._end(Membership.leave)

    def kill(self, how: str = "is killed") -> None:
        if self.is_running:
            self._note(how)
            if self.link is not None:
                self.link.abandon()
            self._end(Membership.end)

    def _end(self, how: Callable[[Membership], None]) -> None:
        self.is_running = False
        self.link = self._session = None
        for membership in self.present.values():
            how(membership)

    def _act(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Killed:
            self.kill("is killed in a commit")
        self._wake()

    # -- the connection -----------------------------------------------------------------------------

    def _connect(self) -> None:
        if not self.is_running or self._session is not None or not self.present:
            return
        line = Line(NO_LEAF, True, self._rng.randbytes(32))
        followers = [membership.follower for membership in self.present.values()]
        self._session = ClientSession(self._credentials, line, followers, self._loop.now)
        self.link = self._world.connect(self)
        if self.link is None:
            self._lost()

    def received(self, message: Message) -> None:
        session = self._session
        assert session is not None, "a link ends with its session"
        frame = None if message.is_binary else f.decode_from_server(message.data)
        if isinstance(frame, f.SubOk) and (membership := self.present.get(self._asked[frame.q])) is not None:
            if membership.is_cut_off(frame):
                self._note("joined too late to follow a restart, and is started again")
                self.exit()
                self._world.restart(self.person)
                return
            membership.is_placed(frame)
        take = session.binary if message.is_binary else session.text
        self._guarded(lambda: take(message.data, self._loop.now))

    def ended(self, code: int | None) -> None:
        if code in (CloseCode.TOO_BIG, CloseCode.MALFORMED):
            self._world.problem(f"the server closed {self.name} with {code}")
        self._lost()

    def _give_up(self) -> None:
        if self.link is not None:
            self.link.abandon()
        self._lost()

    def _lost(self) -> None:
        if self._session is None:
            return
        self._session.closed()
        self._collect()
        self._session = self.link = None
        self.is_stalled = False
        self._asked.clear()
        for membership in self.memberships.values():
            membership.page_before = None
        self._loop.later(self._backoff.next_delay(), self._connect)

    def _tick(self) -> None:
        session = self._session
        if session is not None:
            self._guarded(lambda: session.tick(self._loop.now, is_listening=not self.is_stalled))
        if self.is_running:
            self._loop.later(1.0, self._tick)

    def _wake(self) -> None:
        session = self._session
        if session is not None:
            self._guarded(lambda: session.flush(self._loop.now))

    def _guarded(self, step: Callable[[], list[Action]]) -> None:
        """Take a step of the session, and carry out what it says."""
        try:
            actions = step()
        except Killed:
            self.kill("is killed in a commit")
        except ConnectError:
            self._note("gives the connection up")
            self._give_up()
        except (Malformed, SecurityAlarm, Refused) as error:
            self._world.problem(f"{self.name} ended its connection: {error!r}")
            self._give_up()
        else:
            self._carry_out(actions)
            self._collect()
            self._plan_resume()

    def _carry_out(self, actions: list[Action]) -> None:
        assert self.link is not None, "a session has a link"
        for action in actions:
            self.link.send(action)
            if isinstance(action, SendText):
                frame = f.decode_from_client(action.data)
                if isinstance(frame, f.Sub):
                    assert frame.name is not None, "the programs of this world know OPEN rooms only"
                    self._asked[frame.q] = frame.name

    def _plan_resume(self) -> None:
        at = None if self._session is None else self._session.resume_at(self._loop.now)
        if at is not None and at != self._resume_at:
            self._resume_at = at
            self._loop.at(at, self._wake)

    # -- what it is told ------------------------------------------------------------------------------

    def _collect(self) -> None:
        session = self._session
        if session is not None:
            answers, session.joined = session.joined, []
            for answer in answers:
                self._joined(session, answer)
        for membership in self.present.values():
            membership.collect()

    def _joined(self, session: ClientSession, answer: Joined) -> None:
        name = answer.room.name
        match answer.error:
            case None:
                self._backoff.reset()
            case Refused(code=Code.BANNED):
                self._note(f"is not let into {name}")
                session.leave(answer.room)
                self.present.pop(name).leave()
            case error:
                self._world.problem(f"{self.name} could not join {name}: {error!r}")

    def _note(self, what: str) -> None:
        self._loop.note(self.name, what)
