"""Who takes part in an interleaving: people with the client of production, and a server that reorders.

A person is `acts`, `custody`, `ring`, `chronicle` and the one state machine, as the client puts them
together; the server takes what was sent in any order and forgets no grant. Where what happens comes
from is `interleavings`'.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sendall.client.acts import Acts
from sendall.client.chronicle import unpack_room
from sendall.client.custody import Custody
from sendall.client.ring import Ring
from sendall.client.vault import WrapKey
from sendall.crypto.primitives import RSA_BYTES, RsaKey
from sendall.crypto.sealing import Sealer
from sendall.errors import Code
from sendall.protocol import bodies as b
from sendall.protocol.chain import link
from sendall.protocol.entry import ZERO_32, Entry, EntryType, parse
from sendall.protocol.frames import B64, RefusedFrame
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.attacks.modelled import ModelIdentity, ModelLink, ModelRsa

ADMINS, MEMBERS = 3, 5


class Record(NamedTuple):
    """An entry of the log."""

    seq: int
    time_ms: int
    entry: Entry
    h: bytes


class Safe:
    """Keeps one person's keys."""

    def __init__(self, kept: dict[int, list[bytes]]) -> None:
        self.kept = kept

    def keep_keys(self, room_id: bytes, keys: Iterable[tuple[int, bytes]]) -> None:
        for e, key in keys:
            self.kept.setdefault(e, []).append(key)

    def keys(self, room_id: bytes) -> dict[int, list[bytes]]:
        return {e: list(keys) for e, keys in self.kept.items()}

    def settle_key(self, room_id: bytes, e: int, key: bytes) -> None:
        self.kept[e] = [key]

    def wrap_keys(self, room_id: bytes) -> list[WrapKey]:
        return []

    def keep_wrap_key(self, room_id: bytes, rsa: RsaKey, made_ms: int) -> None: ...

    def wraps_of(self, room_id: bytes) -> list[RsaKey]:
        return []

    def mark_used(self, room_id: bytes, modulus: bytes) -> None: ...

    def drop_wrap_keys(self, room_id: bytes, *, keep: bytes) -> int:
        return 0


def modulus_of(label: str) -> bytes:
    return b"\xff" + label.encode().rjust(RSA_BYTES - 2, b"\0") + b"\1"


PEOPLE = [ModelIdentity(bytes([i + 1]) * 32) for i in range(ADMINS + MEMBERS)]
LINKS = [ModelLink(bytes([i]) * 16) for i in range(24)]
SERVER = ModelIdentity(b"s" * 32)


class Server:
    """Sequences what was sent, in any order; loses what it likes but what it logged."""

    def __init__(self, state: RoomState, log: list[Record], chance: random.Random) -> None:
        self.state = state
        self.log = log
        self.sent: list[tuple[Person, Entry]] = []
        self.grants: dict[bytes, list[bytes]] = defaultdict(list)
        """By recipient; nothing is ever deleted."""
        self._chance = chance

    def sequence(self) -> None:
        """Judge one of those that were sent, whichever; log it if it is OK."""
        if not self.sent:
            return
        person, entry = self.sent.pop(self._chance.randrange(len(self.sent)))
        verdict = self.state.judge(entry, time_ms=self.state.now + 10)
        if verdict is Verdict.OK:
            self.take(entry)
        elif self._chance.random() < 0.7:
            person.refused(entry, verdict)
        else:
            person.cut()  # the refusal is lost with its connection

    def take(self, entry: Entry) -> None:
        seq, time_ms = self.state.seq + 1, self.state.now + 10
        h = link(self.state.h, seq, time_ms, entry.raw)
        self.state.apply_judged(entry, seq, time_ms, h)
        self.log.append(Record(seq, time_ms, entry, h))


class Person:
    """Somebody with the client of production, as far as it decides about membership and keys."""

    def __init__(
        self, server: Server, chance: random.Random, index: int, saved: bytes, keys: dict[int, list[bytes]]
    ) -> None:
        self.server = server
        self._chance = chance
        self.me = PEOPLE[index]
        self.state, self.chronicle, _ = unpack_room(saved)
        self.session = bytes([index]) * 16
        self.ring = Ring(self.state.room_id, self.me.pk, [ModelRsa(modulus_of(f"{index}"))], Safe(keys), None)
        for _, e, commit in self.chronicle.epochs:
            self.ring.committed(e, commit)
        self.custody = Custody(self.me.pk)
        self.acts = Acts(self.me, self._new_key)
        self.is_gone = self.me.pk not in self.state.membership.members
        self.links: list[ModelLink] = []
        """Of which this person has the secret."""
        self._taken: dict[bytes, int] = defaultdict(int)

    @property
    def is_member(self) -> bool:
        return self.me.pk in self.state.membership.members

    @property
    def is_admin(self) -> bool:
        return self.state.membership.is_admin(self.me.pk)

    def _new_key(self, e: int) -> bytes:
        key = self._chance.randbytes(32)
        self.ring._safe.keep_keys(self.state.room_id, [(e, key)])
        self.ring.take_keys({e: key})
        return key

    # -- reading ----------------------------------------------------------------------------------

    def read(self, count: int) -> None:
        """Take the next entries of the log; what is in it is OK to everybody."""
        log = self.server.log
        for record in log[self.state.seq : self.state.seq + count]:
            self._take(record)

    def _take(self, record: Record) -> None:
        state, entry = self.state, record.entry
        verdict = state.judge(entry, time_ms=record.time_ms)
        assert verdict is Verdict.OK, f"{verdict} at {record.seq}, which the server found ok"
        if not entry.is_control:
            state.apply_judged(entry, record.seq, record.time_ms, record.h)
            return
        body = b.parse_body(entry)
        self.chronicle.take(record.seq, entry, body, state)
        state.apply_judged(entry, record.seq, record.time_ms, record.h)
        if isinstance(body, b.Epoch):
            self.ring.committed(body.e, body.commit)
            self.ring.look_in_safe(body.e)
        own = self.acts.came_back(entry.raw, record.seq) if entry.sender == self.me.pk else None
        self.acts.control_changed(state)
        if own is not None:
            self._see_to(body)
        self.is_gone = not (self.is_member or self.me.pk in state.membership.pending)

    def _see_to(self, body: b.Body) -> None:
        match body:
            case b.Epoch():
                assert self.ring.key(body.e), "who made an epoch holds its key"
                self.custody.owe_all(self.state)
            case b.Invite():
                self.custody.owe_door(body.invite_pk)
            case b.Admit():
                self.custody.owe_member(body.id_pk)
            case _:
                pass

    def refused(self, entry: Entry, verdict: Verdict) -> None:
        code = {Verdict.STALE: Code.STALE, Verdict.CONFLICT: Code.CONFLICT, Verdict.DENIED: Code.FORBIDDEN}
        frame = RefusedFrame(
            rid=1, session=B64(entry.session), type=entry.type, n=entry.n, code=code.get(verdict, Code.DUP), retry_ms=0
        )
        self.acts.refused(frame, 0.0)

    def cut(self) -> None:
        """The connection ends; what was sent may still arrive."""
        self.acts.disconnected()
        self.custody.disconnected()

    # -- sending ----------------------------------------------------------------------------------

    def send(self) -> None:
        """Send what is wanted and owed."""
        raw = self.acts.flush(self.state, (self.state.seq, self.state.h), self.session, 1.0)
        if raw is not None:
            self.server.sent.append((self, parse(raw)))
        if self.is_member:
            self.hand_out()

    def hand_out(self) -> None:
        for frame in self.custody.flush(1, self.state, self.ring.held, self.chronicle.first_epoch_of, self.state.now):
            self.server.grants[frame[5:37]].append(frame[41:])

    def say(self) -> None:
        """Send a message, if a client may seal one now."""
        key = self.ring.key(self.state.epoch)
        if key is None or self.acts.is_changing_keys or not self.state.may_post(self.me.pk):
            return
        n = self.state.next_n(self.me.pk, self.session, control=False)
        raw = Sealer(key, self.state.room_id, self.state.epoch, self.me.pk, self.session).seal(
            EntryType.MESSAGE, n, b"{}", head_seq=self.state.seq, head_hash=self.state.h, sign=self.me.sign
        )
        self.server.sent.append((self, parse(raw)))

    # -- keys -------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Take the grants that the server has for this person: his own, and those at his invite's door."""
        for recipient in self._recipients():
            waiting = self.server.grants.get(recipient, [])
            for grant in waiting[self._taken[recipient] :]:
                self.open(recipient, grant)
            self._taken[recipient] = len(waiting)

    def _recipients(self) -> list[bytes]:
        member = self.state.membership.members.get(self.me.pk)
        return [self.me.pk] if member is None or member.via == ZERO_32 else [self.me.pk, member.via]

    def open(self, recipient: bytes, grant: bytes) -> None:
        self.ring._invite = next((keys for keys in self.links if keys.invite_pk == recipient), None)
        self.ring.take_grant_for(recipient, grant)

    def grab(self) -> None:
        """Try every grant that ever was: with the own RSA key, and with every link this person has."""
        for recipient, grants in self.server.grants.items():
            for grant in grants:
                self.open(recipient, grant)
                self.ring.take_grant_for(self.me.pk, grant)
