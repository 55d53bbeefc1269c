"""Misdeeds of an evil server, each a `Tampering` with one connection. Source: docs/threat-model.md."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from sendall.crypto.grants import seal_grant
from sendall.crypto.identity import Identity, server_proof
from sendall.errors import Code
from sendall.protocol import bodies as b
from sendall.protocol import frames as f
from sendall.protocol.entry import Entry, EntryType, Role, header, parse, signed_context
from tests.attacks.evil_server import EvilServer, Heard, Tampering, Told

Line = tuple[int, bytes]
"""time_ms and entry."""


class Retelling(Tampering):
    """Tells the victim another log: entries are left out, added or changed, and the seqs fit."""

    def __init__(self, server: EvilServer) -> None:
        super().__init__(server)
        self._shift = 0
        self.is_done = False

    def told(self, frame: Told) -> Iterable[Told]:
        if not isinstance(frame, f.Logged) or not self.is_of_victim:
            return [frame]
        lines = self.lines((frame.time_ms, frame.entry), frame.rid)
        first = frame.seq + self._shift
        self._shift += len(lines) - 1
        return [f.Logged(frame.rid, first + i, time_ms, entry) for i, (time_ms, entry) in enumerate(lines)]

    def lines(self, line: Line, rid: int) -> list[Line]:
        """Return what is told in place of an entry, once."""
        if self.is_done or not self.is_due(parse(line[1])):
            return [line]
        self.is_done = True
        return self.instead(line, rid)

    def is_due(self, entry: Entry) -> bool:
        return entry.type == EntryType.MESSAGE

    def instead(self, line: Line, rid: int) -> list[Line]:
        raise NotImplementedError

    def signed(self, rid: int, type_: int, body: bytes, who: Identity | None = None, *, n: int = 0) -> bytes:
        """Return a control entry that would be right at this place, were its sender entitled to it."""
        who = who or self.server.identity
        room = next(room for room in self.server.relay.rooms if room.rid == rid)
        state = room.state
        head = header(
            type_,
            epoch=state.epoch,
            sender=who.pk,
            session=os.urandom(16),
            n=n,
            head_seq=state.seq - 1,
            head_hash=room.reading.h_at(state.seq - 1) or bytes(32),
        )
        return head + body + who.sign(signed_context(state.room_id, head + body))


class Drop(Retelling):
    def instead(self, line: Line, rid: int) -> list[Line]:
        return []


class Swap(Retelling):
    """Tells two entries in the other order."""

    def __init__(self, server: EvilServer) -> None:
        super().__init__(server)
        self._held: Line | None = None

    def lines(self, line: Line, rid: int) -> list[Line]:
        if self._held is not None:
            lines, self._held, self.is_done = [line, self._held], None, True
            return lines
        return super().lines(line, rid)

    def instead(self, line: Line, rid: int) -> list[Line]:
        self._held = line
        return []


class Invent(Retelling):
    """Adds a message in somebody's name."""

    def instead(self, line: Line, rid: int) -> list[Line]:
        invented = bytearray(line[1])
        invented[40:64] = bytes(24)
        return [line, (line[0], bytes(invented))]


class ReplayOld(Retelling):
    """Tells an entry once more."""

    def instead(self, line: Line, rid: int) -> list[Line]:
        return [line, line]


class ReplayElsewhere(Retelling):
    """Tells an entry of another room."""

    def instead(self, line: Line, rid: int) -> list[Line]:
        (other,) = [room for room in self.server.relay.rooms if room.rid != rid]
        record = other.log.read(other.state.seq - 1, 1 << 20)[0]
        return [line, (line[0], record.entry)]


class Alter(Retelling):
    """Changes a bit of a sealed message."""

    def instead(self, line: Line, rid: int) -> list[Line]:
        changed = bytearray(line[1])
        changed[110] ^= 1
        return [(line[0], bytes(changed))]


class ChangeTime(Retelling):
    def instead(self, line: Line, rid: int) -> list[Line]:
        return [(line[0] + 3_600_000, line[1])]


class RestartWithoutCause(Retelling):
    """Says that the newest entries were lost, to one reader only."""

    def instead(self, line: Line, rid: int) -> list[Line]:
        restart = bytearray(self.signed(rid, EntryType.RESTART, b""))
        return [(line[0], bytes(restart)), line]


class WithholdEpoch(Retelling):
    """Does not tell of a kick and the key that came with it."""

    def is_due(self, entry: Entry) -> bool:
        return entry.type == EntryType.EPOCH

    def instead(self, line: Line, rid: int) -> list[Line]:
        return []


class HideJoin(WithholdEpoch):
    """Does not tell of somebody who came."""

    def is_due(self, entry: Entry) -> bool:
        return entry.type == EntryType.JOIN


class SubstituteKey(Retelling):
    """Puts an RSA key of its own into somebody's join."""

    def is_due(self, entry: Entry) -> bool:
        return entry.type == EntryType.JOIN

    def instead(self, line: Line, rid: int) -> list[Line]:
        entry = line[1]
        return [(line[0], entry[:104] + b"\xff" * 384 + entry[104 + 384 :])]


class AddSilently(Retelling):
    """Lets somebody in who has no link."""

    def instead(self, line: Line, rid: int) -> list[Line]:
        room = next(room for room in self.server.relay.rooms if room.rid == rid)
        (invite_pk, *_) = room.state.membership.invites
        mallory = Identity.generate()
        body = b.Join(b"\xff" * 384, invite_pk, mallory.sign(b"no link"))
        return [(line[0], self.signed(rid, EntryType.JOIN, body.pack(), mallory)), line]


class MakeItselfAdmin(Retelling):
    def instead(self, line: Line, rid: int) -> list[Line]:
        room = next(room for room in self.server.relay.rooms if room.rid == rid)
        body = b.RoleChange(room.state.auth, self.server.identity.pk, Role.ADMIN)
        return [(line[0], self.signed(rid, EntryType.ROLE, body.pack())), line]


class Hide(Tampering):
    """Leaves control entries out of what a newcomer is told first."""

    def __init__(self, server: EvilServer, is_hidden: Callable[[Entry], bool]) -> None:
        super().__init__(server)
        self._is_hidden = is_hidden

    def told(self, frame: Told) -> Iterable[Told]:
        is_hidden = isinstance(frame, f.Logged) and self.is_of_victim and self._is_hidden(parse(frame.entry))
        return [] if is_hidden else [frame]


class StaleFork(Tampering):
    """Shows a newcomer the room as it was before the link was made, as if nothing had come since."""

    LAST = 3
    """Genesis, the maker's key, epoch 1."""

    def told(self, frame: Told) -> Iterable[Told]:
        if not self.is_of_victim:
            return [frame]
        if isinstance(frame, f.SubOk):
            return [_with(frame, last=self.LAST, from_=self.LAST)]
        return [] if isinstance(frame, f.Logged) and frame.seq > self.LAST else [frame]


def _with(ok: f.SubOk, **parts: object) -> f.SubOk:
    return f.SubOk(**({name: getattr(ok, name) for name in ok.__struct_fields__} | parts))


class AnswerOtherwise(Tampering):
    """Changes the answer to a subscription."""

    def __init__(self, server: EvilServer, change: Callable[[f.SubOk], dict[str, object]]) -> None:
        super().__init__(server)
        self._change = change

    def told(self, frame: Told) -> Iterable[Told]:
        if isinstance(frame, f.SubOk) and self.is_of_victim:
            return [_with(frame, **self._change(frame))]
        return [frame]


class AskOtherwise(Tampering):
    """Lets the victim into another room than it asked for."""

    def __init__(self, server: EvilServer, change: Callable[[f.Sub], f.Sub]) -> None:
        super().__init__(server)
        self._change = change

    def heard(self, frame: Heard) -> Iterable[Heard]:
        return [self._change(frame)] if isinstance(frame, f.Sub) and self.is_of_victim else [frame]


class DenyMembership(Tampering):
    """Says that a member is none."""

    def heard(self, frame: Heard) -> Iterable[Heard]:
        return [] if isinstance(frame, f.Sub) and self.is_of_victim and self._deny(frame) else [frame]

    def _deny(self, sub: f.Sub) -> bool:
        assert self.connection is not None, "it asked for a room"
        self.connection.say(f.ErrorFrame(q=sub.q, code=Code.NOT_MEMBER, text=""))
        return True


class FalseGrant(Tampering):
    """Gives a key of its own making in place of the room's, once."""

    def __init__(self, server: EvilServer) -> None:
        super().__init__(server)
        self._is_done = False

    def told(self, frame: Told) -> Iterable[Told]:
        if not isinstance(frame, f.GrantFrame) or not self.is_of_victim or self._is_done:
            return [frame]
        self._is_done = True
        room = next(room for room in self.server.relay.rooms if room.rid == frame.rid)
        member = room.state.membership.members[frame.recipient]
        key = {room.state.epoch: os.urandom(32)}
        grant = seal_grant(room.state.room_id, frame.recipient, member.modulus, key)
        return [frame._replace(grant=grant)]


class SwallowEpochs(Tampering):
    """Does not take the epoch entries of an admin, and says nothing."""

    def heard(self, frame: Heard) -> Iterable[Heard]:
        is_epoch = isinstance(frame, f.Post) and parse(frame.entry).type == EntryType.EPOCH
        return [] if is_epoch and self.is_of_victim else [frame]


class FalsePage(Tampering):
    """Answers with a page that does not end where the reader is."""

    def told(self, frame: Told) -> Iterable[Told]:
        if isinstance(frame, f.Page):
            return [f.Page(q=frame.q, rid=frame.rid, from_=frame.from_, to=frame.to, h=f.B64(bytes(32)))]
        return [frame]


class AlteredPage(Tampering):
    """Changes an entry of what is paged back to."""

    def __init__(self, server: EvilServer) -> None:
        super().__init__(server)
        self._is_paging = False

    def told(self, frame: Told) -> Iterable[Told]:
        if isinstance(frame, f.Page):
            self._is_paging = True
        elif isinstance(frame, f.Logged) and self._is_paging:
            self._is_paging = False
            return [frame._replace(entry=frame.entry[:-70] + bytes([frame.entry[-70] ^ 1]) + frame.entry[-69:])]
        return [frame]


class RefuseAndLog(Tampering):
    """Refuses a message, and logs it nevertheless."""

    def told(self, frame: Told) -> Iterable[Told]:
        if not isinstance(frame, f.Logged) or not self.is_of_victim:
            return [frame]
        entry = parse(frame.entry)
        if entry.type != EntryType.MESSAGE or self.connection is None or entry.sender != self.connection.id_pk:
            return [frame]
        refusal = f.RefusedFrame(
            rid=frame.rid, session=f.B64(entry.session), type=entry.type, n=entry.n, code=Code.FORBIDDEN
        )
        return [refusal, frame]


class OtherIdentity(Tampering):
    """Greets as another server."""

    def told(self, frame: Told) -> Iterable[Told]:
        if isinstance(frame, f.Hello):
            return [f.Hello(v=frame.v, server=f.B64(Identity.generate().pk), ns=frame.ns, limits=frame.limits)]
        return [frame]


class FalseProof(Tampering):
    """Cannot prove the identity that it claims."""

    def told(self, frame: Told) -> Iterable[Told]:
        if isinstance(frame, f.Welcome):
            return [f.Welcome(leaf=frame.leaf, sig=f.B64(bytes(64)))]
        return [frame]


class OtherLeaf(Tampering):
    """Is the right server, behind somebody else's certificate: proves it with the one of its own."""

    def __init__(self, server: EvilServer) -> None:
        super().__init__(server)
        self._ns = self._nc = self._id = b""

    def heard(self, frame: Heard) -> Iterable[Heard]:
        if isinstance(frame, f.Auth):
            self._nc, self._id = bytes(frame.nc), bytes(frame.id)
        return [frame]

    def told(self, frame: Told) -> Iterable[Told]:
        if isinstance(frame, f.Hello):
            self._ns = bytes(frame.ns)
        if isinstance(frame, f.Welcome):
            leaf = b"\1" * 32
            sig = self.server.identity.sign(server_proof(self._nc, self._ns, self._id, leaf))
            return [f.Welcome(leaf=f.B64(leaf), sig=f.B64(sig))]
        return [frame]
