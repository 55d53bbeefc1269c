"""The conversation of one connection, client side: handshake, rooms, pings.

Takes the payloads of WebSocket messages and the time, returns what is to be sent; whose turn it is
says `protocol.turns`. Keeps nothing beyond the connection: rooms outlive it. A broken promise of
the server is raised, and the caller ends the connection. Pure: the nonce and the certificate's hash
come from outside. Source: docs/protocol.md, "Connection".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, assert_never

from sendall.client.events import safe_text
from sendall.client.handshake import Credentials, Handshake, Line, check_version
from sendall.client.pacing import MAX_INFLIGHT
from sendall.client.room import RoomFollower
from sendall.client.verifying import Unverified
from sendall.errors import Code, ConnectError, Malformed, Refused, SecurityAlarm
from sendall.protocol import frames as f
from sendall.protocol.frames import MAX_BATCH
from sendall.protocol.turns import Side, State, after

DEAD_AFTER_S = 45.0
"""Seconds of silence after which a connection is given up."""
HANDSHAKE_S = 10.0
"""Seconds from connecting to both proofs."""
_DEFAULT_PING_S = 20.0
_WRONG = "check the port; something that is no sendall server may listen there"
_SUB_AGAIN_S = 1.0
"""Seconds until a `sub` that was refused for its pace is sent again."""


class SendText(NamedTuple):
    data: bytes


class SendBinary(NamedTuple):
    data: bytes


Action = SendText | SendBinary


class Joined(NamedTuple):
    """The answer to a `sub`: the room is followed, or `error` says why not."""

    room: RoomFollower
    error: Refused | SecurityAlarm | None


class ClientSession:
    """One connection's conversation; a new one begins with each connection."""

    def __init__(self, credentials: Credentials, line: Line, rooms: Iterable[RoomFollower], now: float) -> None:
        """`rooms` are subscribed as soon as the server proved itself. Their `disconnected` was called before."""
        self.state = State.GREETING
        self.server_pk = credentials.server_pk
        """Proved once `state` is OPEN."""
        self.joined: list[Joined] = []
        """Answers to `sub` since the caller last emptied it."""
        self._handshake = Handshake(credentials, line)
        self._rooms = list(rooms)
        self._by_rid: dict[int, RoomFollower] = {}
        self._asked: dict[int, RoomFollower] = {}  # q of a sub
        self._told: set[RoomFollower] = set()
        self._sub_later: list[tuple[float, RoomFollower]] = []
        self._said: list[Action] = []
        self._next_q = 0
        self._inflight = MAX_INFLIGHT
        self.kept_days = 0
        """Whole days for which the server says it keeps messages; 0 before it said anything."""
        self._ping_s = _DEFAULT_PING_S
        self._began_at = self._heard_at = self._pinged_at = now

    # -- what the transport tells ---------------------------------------------------------------

    def text(self, data: bytes, now: float) -> list[Action]:
        """Take a text message.

        Raises:
            Malformed: it breaks the protocol: end the connection with its close code.
            ConnectError: not our version, or `LeafNotOwn`.
            SecurityAlarm: the server, its certificate, a room or a history is not what it was.
            Refused: the server does not let this client in (`bad_auth`, `bad_token`).
        """
        self._heard_at = now
        try:
            frame = f.decode_from_server(data)
        except Malformed:
            if self.state is State.GREETING:
                check_version(data)
            raise
        following = after(self.state, Side.SERVER, type(frame))
        if isinstance(frame, f.Welcome):
            self._handshake.check(frame)  # first: a session that is open has a server that proved itself
        self.state = following
        match frame:
            case f.Hello():
                self._greet(frame)
            case f.Welcome():
                self._sub_all()
            case f.ErrorFrame():
                self._error(frame, now)
            case f.SubOk():
                self._subscribed(frame, now)
            case f.Page() | f.Present() | f.RefusedFrame() | f.Want():
                self._about_room(frame, now)
            case f.Ping():
                self._say(f.Pong())
            case f.Pong():
                pass
            case never:
                assert_never(never)
        self._subscribe_again()
        return self.flush(now)

    def _subscribe_again(self) -> None:
        for rid, room in list(self._by_rid.items()):
            if room.subscribes_again():
                del self._by_rid[rid]  # a second sub replaces the first
                self._sub(room)

    def binary(self, data: bytes, now: float) -> list[Action]:
        """Take a binary message. Raises as `text`."""
        self._heard_at = now
        by_rid = self._by_rid
        if self.state is not State.OPEN:
            raise Malformed(f"a binary message while {self.state.value}")
        try:
            for frame in f.server_frames(data):
                room = by_rid.get(frame.rid)
                if room is None:
                    continue  # of a room just left
                try:
                    match frame:
                        case f.Logged(_, seq, time_ms, entry):
                            room.logged(seq, time_ms, entry)
                        case f.Shown(_, entry):
                            room.shown(entry)
                        case f.GrantFrame(_, recipient, grant):
                            room.granted(recipient, grant)
                        case never:
                            assert_never(never)
                except SecurityAlarm:
                    self._drop(room)  # the room told it itself; the other rooms go on
        finally:
            for room in self._rooms:
                room.outbox.commit_settled()
        self._subscribe_again()
        return self.flush(now)

    def rooms_to_verify(self) -> dict[int, bytes]:
        """Return the rooms, by rid, whose control entries are worth verifying ahead."""
        return {rid: room.room_id for rid, room in self._by_rid.items() if room.is_reading_many}

    def verified(self, entries: Iterable[Unverified]) -> None:
        """The signatures of these hold."""
        for entry in entries:
            if entry.rid in self._by_rid:
                self._by_rid[entry.rid].log.verified.add(entry.raw)

    def tick(self, now: float, *, is_listening: bool = True) -> list[Action]:
        """About once a second: pings, and what rooms do by the clock.

        `is_listening` is False while the caller leaves the socket unread: then silence proves nothing.

        Raises:
            ConnectError: nothing was heard for 45 s.
        """
        quiet_since = max(self._heard_at, self._pinged_at) if is_listening else self._pinged_at
        if not is_listening:
            self._heard_at = now
        if now - self._heard_at >= DEAD_AFTER_S:
            raise ConnectError(f"the server was silent for {DEAD_AFTER_S:.0f} s", retry=True)
        if self.state is not State.OPEN:
            if now - self._began_at >= HANDSHAKE_S:
                raise ConnectError(f"no proof of a sendall server within {HANDSHAKE_S:.0f} s", hint=_WRONG, retry=True)
            return []
        for room in self._by_rid.values():
            room.tick(now)
        for room in [room for at, room in self._sub_later if at <= now and room in self._rooms]:
            self._sub(room)
        self._sub_later = [(at, room) for at, room in self._sub_later if at > now]
        if now - quiet_since >= self._ping_s:
            self._pinged_at = now
            self._say(f.Ping())
        return self.flush(now)

    def closed(self) -> None:
        """The connection ended: every room goes on from its cursor with the next one."""
        self.state = State.CLOSED
        for room in self._rooms:
            room.disconnected()

    # -- what the program wants -------------------------------------------------------------------

    def join(self, room: RoomFollower) -> None:
        """Follow a room from now on; `flush` sends the request, the answer will be in `joined`."""
        self._rooms.append(room)
        if self.state is State.OPEN:
            self._sub(room)

    @property
    def is_open(self) -> bool:
        """Whether both sides proved themselves."""
        return self.state is State.OPEN

    def leave(self, room: RoomFollower) -> None:
        """Follow a room no more."""
        if room in self._rooms:
            self._rooms.remove(room)
            self._drop(room)

    def ask_page(self, room: RoomFollower, before: int, limit: int) -> bool:
        """Ask for older entries; `flush` sends it, `room.pages` will have the answer. False: there are none now."""
        self._next_q += 1
        return self.state is State.OPEN and room.ask_page(self._next_q, before, limit)

    def flush(self, now: float) -> list[Action]:
        """Return what the rooms want sent now: many entries in one message, each on disk before."""
        frames: list[bytes] = []
        for room in self._by_rid.values():
            for request in room.requests:
                self._say(request)
            room.requests.clear()
            frames += room.flush(now)
        said, self._said = self._said, []
        return said + [SendBinary(message) for message in _batched(frames)]

    def resume_at(self, now: float) -> float | None:
        """Return the time at which `flush` has something to send again that waits for its pace; None: nothing does."""
        waiting = [room.outbox.pacing.resume_at for room in self._by_rid.values() if room.outbox.has_open]
        at_once = [now for room in self._by_rid.values() if room.has_more]
        return min([*at_once, *(at for at in waiting if at > now)], default=None)

    # -- handshake ----------------------------------------------------------------------------

    def _greet(self, hello: f.Hello) -> None:
        auth = self._handshake.answer(hello)
        self.server_pk = bytes(hello.server)
        self._inflight = hello.limits.inflight
        self.kept_days = hello.limits.days
        self._ping_s = float(min(max(hello.limits.ping_s, 1), DEAD_AFTER_S / 2))
        self._say(auth)
        self.state = after(self.state, Side.CLIENT, f.Auth)

    def _sub_all(self) -> None:
        for room in self._rooms:
            self._sub(room)

    # -- rooms --------------------------------------------------------------------------------

    def _sub(self, room: RoomFollower) -> None:
        if not room.is_alive:
            return
        self._next_q += 1
        self._asked[self._next_q] = room
        room.outbox.pacing.limit_to(self._inflight)
        self._say(room.sub(self._next_q))

    def _subscribed(self, ok: f.SubOk, now: float) -> None:
        room = self._asked.pop(ok.q, None)
        if room is None or ok.rid in self._by_rid:
            raise Malformed("a subok that was not asked for")
        if room not in self._rooms:  # left meanwhile
            if all(other.name != room.name for other in self._rooms):  # else it would leave what was joined again
                self._say(f.Unsub(rid=ok.rid))
            return
        try:
            is_followed = room.subscribed(ok, now)
        except SecurityAlarm as alarm:
            self._say(f.Unsub(rid=ok.rid))
            self._drop(room)
            self.joined.append(Joined(room, alarm))
            return
        if is_followed:
            self._by_rid[ok.rid] = room
            if room not in self._told:  # a newcomer asks twice, and comes once
                self._told.add(room)
                self.joined.append(Joined(room, None))
        else:
            self._sub(room)

    def _error(self, error: f.ErrorFrame, now: float) -> None:
        if error.code is Code.BAD_AUTH:
            raise self._handshake.declined(safe_text(error.text))
        refused = _refusal(error)
        if self.state is State.CLOSED or error.code is Code.BAD_TOKEN:
            raise refused
        room = None if error.q is None else self._asked.pop(error.q, None)
        if room is not None and error.code.repeats:
            self._sub_later.append((now + _SUB_AGAIN_S, room))
        elif room is not None and room in self._rooms:
            room.could_not_join(refused)
            self.joined.append(Joined(room, refused))
        elif error.q is not None:
            for other in self._by_rid.values():
                other.could_not_page(error.q, refused)

    def _about_room(self, frame: f.Page | f.Present | f.RefusedFrame | f.Want, now: float) -> None:
        room = self._by_rid.get(frame.rid)
        if room is None:
            return  # of a room just left
        try:
            match frame:
                case f.Page():
                    room.paged(frame)
                case f.Present():
                    room.present(frame, now)
                case f.RefusedFrame():
                    room.refused(frame, now)
                    room.outbox.commit_settled()
                case f.Want():
                    room.wanted(frame, now)
                case never:
                    assert_never(never)
        except SecurityAlarm:
            self._drop(room)  # the room told it itself; the other rooms go on

    def _drop(self, room: RoomFollower) -> None:
        rid = next((rid for rid, known in self._by_rid.items() if known is room), None)
        if rid is not None:
            del self._by_rid[rid]
            self._say(f.Unsub(rid=rid))
        room.disconnected()

    def _say(self, frame: f.FromClient) -> None:
        after(self.state, Side.CLIENT, type(frame))  # our own mistake, if it is not our turn
        self._said.append(SendText(f.encode(frame)))


def _batched(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Yield messages of as many frames as the protocol lets into one."""
    parts: list[bytes] = []
    size = 0
    for frame in frames:
        if parts and size + len(frame) > MAX_BATCH:
            yield b"".join(parts)
            parts, size = [], 0
        parts.append(frame)
        size += len(frame)
    if parts:
        yield b"".join(parts)


def _refusal(error: f.ErrorFrame) -> Refused:
    text = safe_text(error.text)
    match error.code:
        case Code.BAD_TOKEN:
            return Refused(
                error.code,
                "the access token is missing or wrong",
                hint="ask for it; pass it with `--token-file`",
            )
        case Code.UNKNOWN_ROOM:
            return Refused(error.code, "there is no such room on this server", hint=text)
        case Code.UNKNOWN_INVITE:
            return Refused(
                error.code,
                "this server knows no such link: it is damaged, or its room is gone",
                hint="ask for the link again, and copy all of it",
            )
        case _:
            return Refused(error.code, text)
