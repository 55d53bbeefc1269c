"""The scribe: writes a room's log from fixed seeds, for tests, vectors and the pages of docs/.

Every byte follows from the seed, so what it writes today it writes for ever. It writes wrong entries
as well as right ones: whoever calls it says which fields lie. It keeps the room's state with the
project's own `RoomState`.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sendall.crypto.identity import Identity
from sendall.crypto.sealing import EPOCH_KEY_SIZE, Sealer, commitment
from sendall.protocol.bodies import Epoch, Genesis, RoleChange, room_id_of
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role, header, signed_context
from sendall.protocol.roles import NO_MEMBERS_HASH
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict

FIRST_TIME_MS = 1_700_000_000_000


class Line(NamedTuple):
    """One entry at its place in the log, with what `apply` made of it."""

    seq: int
    time_ms: int
    entry: bytes
    h: bytes
    verdict: Verdict
    note: str
    plaintext: bytes | None


class Scribe:
    """One OPEN room, its server, and two members."""

    kind = Kind.OPEN

    def __init__(self, seed: str, name: str = "lobby") -> None:
        self._seed = seed
        self.name = name
        self.server = self.identity("server")
        self.ada = self.identity("ada")
        self.bob = self.identity("bob")
        self.steward_session = self.pick("steward session", 16)
        self.sessions = {self.ada.pk: self.pick("ada session", 16), self.bob.pk: self.pick("bob session", 16)}
        self.keys: dict[int, bytes] = {}
        self.lines: list[Line] = []
        self.genesis = self._genesis()
        self.room_id = room_id_of(self.genesis)
        self.state = RoomState(self.room_id, self.server.pk, self.kind)

    def pick(self, label: str, size: int) -> bytes:
        """Return bytes that nobody could guess but who has read this line."""
        return hashlib.shake_256(f"sendall scribe {self._seed}: {label}".encode()).digest(size)

    def identity(self, name: str) -> Identity:
        return Identity(self.pick(f"{name} identity", 32))

    # -- the log --------------------------------------------------------------------------------

    def log(
        self, entry: bytes, note: str = "", plaintext: bytes | None = None, *, time_ms: int | None = None
    ) -> Verdict:
        """Put `entry` at the end of the log, whatever it is; return its verdict."""
        seq = self.state.seq + 1
        if time_ms is None:
            time_ms = FIRST_TIME_MS + 1_000 * seq
        verdict = self.state.apply(seq, time_ms, entry)
        self.lines.append(Line(seq, time_ms, entry, self.state.h, verdict, note or verdict.value, plaintext))
        return verdict

    def found(self) -> None:
        """Log the genesis entry and epoch 1."""
        self.log(self.genesis, "genesis")
        self.log(self.epoch(), "epoch 1")

    def say(self, text: str, who: Identity | None = None) -> Verdict:
        """Log a message that is right."""
        plaintext = f'{{"t":"m","x":"{text}"}}'.encode()
        return self.log(self.message(plaintext, who), f"message {text}", plaintext)

    # -- entries --------------------------------------------------------------------------------

    def message(
        self,
        plaintext: bytes = b'{"t":"m","x":"hello"}',
        who: Identity | None = None,
        *,
        session: bytes | None = None,
        n: int | None = None,
        epoch: int | None = None,
        head: tuple[int, bytes] | None = None,
        type_: EntryType = EntryType.MESSAGE,
    ) -> bytes:
        """Return a message of ada's (or of `who`), by default the one that is right now."""
        who = who or self.ada
        session = session or self.sessions[who.pk]
        epoch = self.state.epoch if epoch is None else epoch
        head_seq, head_hash = head or (self.state.seq, self.state.h)
        key = self.keys.get(epoch) or self.pick("no key", EPOCH_KEY_SIZE)
        return Sealer(key, self.room_id, epoch, who.pk, session).seal(
            type_,
            self.state.next_n(who.pk, session, control=False) if n is None else n,
            plaintext,
            head_seq=head_seq,
            head_hash=head_hash,
            sign=who.sign,
        )

    def control(
        self,
        type_: int,
        body: bytes,
        who: Identity | None = None,
        *,
        session: bytes | None = None,
        n: int | None = None,
        epoch: int | None = None,
        head_seq: int | None = None,
        room_id: bytes | None = None,
    ) -> bytes:
        """Return a control entry of the server's (or of `who`), by default the one that is right now."""
        who = who or self.server
        session = session or self.steward_session
        head = header(
            type_,
            epoch=self.state.epoch if epoch is None else epoch,
            sender=who.pk,
            session=session,
            n=self.state.next_n(who.pk, session, control=True) if n is None else n,
            head_seq=self.state.seq if head_seq is None else head_seq,
            head_hash=self.state.h,
        )
        context = self.room_id if room_id is None else room_id
        return head + body + who.sign(signed_context(context, head + body))

    def epoch(self, *, e: int | None = None, prev_auth: bytes | None = None, who: Identity | None = None) -> bytes:
        """Return an epoch entry; its key is kept in `keys`."""
        e = self.state.epoch + 1 if e is None else e
        key = self.keys[e] = self.pick(f"epoch key {e}", EPOCH_KEY_SIZE)
        commit = commitment(key, self.room_id, e)
        body = Epoch(self.state.auth if prev_auth is None else prev_auth, e, commit, NO_MEMBERS_HASH, ())
        return self.control(EntryType.EPOCH, body.pack(), who)

    def role(self, id_pk: bytes, role: Role, *, prev_auth: bytes | None = None, who: Identity | None = None) -> bytes:
        body = RoleChange(self.state.auth if prev_auth is None else prev_auth, id_pk, role)
        return self.control(EntryType.ROLE, body.pack(), who)

    def restart(self, *, who: Identity | None = None, head_seq: int | None = None) -> bytes:
        return self.control(EntryType.RESTART, b"", who, head_seq=head_seq)

    def _genesis(self) -> bytes:
        return self.genesis_with(Genesis(Kind.OPEN, 1, self.pick("salt", 16), self.name))

    def genesis_with(self, body: Genesis, *, n: int = 0, who: Identity | None = None) -> bytes:
        """Return a genesis entry with this body."""
        who = who or self.server
        head = header(
            EntryType.GENESIS,
            epoch=0,
            sender=who.pk,
            session=self.pick("genesis session", 16),
            n=n,
            head_seq=0,
            head_hash=ZERO_32,
        )
        unsigned = head + body.pack()
        return unsigned + who.sign(signed_context(ZERO_32, unsigned))
