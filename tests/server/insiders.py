"""Members of PRIVATE rooms that speak to a relay by hand: every control entry, right or wrong on purpose.

What they say of the room's state they take from the relay's own, so that a test says only what is
wrong about an entry. Grants are any bytes here: the relay cannot open them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RsaKey
from sendall.crypto.sealing import EPOCH_KEY_SIZE, commitment
from sendall.protocol import frames as f
from sendall.protocol.bodies import (
    NEEDS_ADMIT,
    Admit,
    Epoch,
    Genesis,
    Invite,
    Join,
    Rekey,
    Revoke,
    RoleChange,
    join_context,
)
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role, entry_hash, header, parse, signed_context
from sendall.protocol.room import RoomState
from sendall.server.private_room import PrivateRoom
from tests.server.members import ListWire, Member, RelayWorld

DAY_MS = 24 * 3600 * 1000


class Link(NamedTuple):
    """What whoever has the link of an invite knows."""

    key: Identity
    hash: bytes

    @property
    def pk(self) -> bytes:
        return self.key.pk


def genesis_of(
    identity: Identity, *, kind: Kind = Kind.PRIVATE, name: str = "", sign_as: Identity | None = None
) -> bytes:
    """Return a genesis entry of a new room."""
    head = header(
        EntryType.GENESIS, epoch=0, sender=identity.pk, session=os.urandom(16), n=0, head_seq=0, head_hash=ZERO_32
    )
    unsigned = head + Genesis(kind, 1, os.urandom(16), name).pack()
    return unsigned + (sign_as or identity).sign(signed_context(ZERO_32, unsigned))


def insider(world: RelayWorld, rsa: RsaKey, *, identity: Identity | None = None, limit: int = 1 << 30) -> Insider:
    """Return a connected, proven client."""
    member = Insider(world, rsa, ListWire(limit=limit), identity or Identity.generate())
    member.prove()
    world.run()
    return member


class Insider(Member):
    """A client by hand that knows PRIVATE rooms."""

    @property
    def room(self) -> PrivateRoom:
        room = self.world.relay.rooms[self.room_id]
        assert isinstance(room, PrivateRoom)
        return room

    @property
    def state(self) -> RoomState:
        return self.room.state

    # -- rooms ----------------------------------------------------------------------------------

    def make(self, genesis: bytes | None = None) -> f.SubOk:
        """Make a room, with its rekey and epoch 1, and be in it."""
        ok = self.ask(f.Make(q=1, genesis=f.B64(genesis or genesis_of(self.identity))))
        self.act(self.rekey())
        self.act(self.epoch())
        return ok

    def enter_room(self, room_id: bytes, after: int = 0, h: bytes | None = None, **asked: int) -> f.SubOk:
        known = None if h is None else f.B64(h)
        return self.ask(f.Sub(q=1, room=f.B64(room_id), after=after, h=known, **asked))  # type: ignore[arg-type]  # numbers

    def watch(self, link: Link, after: int = 0) -> f.SubOk:
        return self.ask(f.Sub(q=1, invite=f.B64(link.hash), after=after))

    def ask(self, frame: f.Sub | f.Make) -> f.SubOk:
        """Ask for a room, and return the answer, which must not be an error."""
        before = len(self.said(f.SubOk))
        self.say(frame)
        self.world.run()
        oks = [ok for ok in self.said(f.SubOk) if isinstance(ok, f.SubOk)]
        assert len(oks) == before + 1, self.errors()
        self.rid, self.room_id = oks[-1].rid, bytes(oks[-1].room)
        self.catch_up()
        return oks[-1]

    def catch_up(self) -> None:
        """See the newest entry: what is sealed next names it."""
        self.head = (self.state.seq, self.state.h)

    def joined(self, link: Link) -> Insider:
        """Join by a link, and be in the room."""
        self.watch(link)
        self.act(self.join(link))
        self.enter_room(self.room_id, after=self.state.seq)
        return self

    def act(self, *entries: bytes) -> None:
        """Send control entries, which must be accepted, and wait for the disk."""
        before = len(self.refused()), len(self.errors())
        self.post(*entries)
        self.world.run()
        assert (len(self.refused()), len(self.errors())) == before, (self.refused(), self.errors())
        self.catch_up()

    def tried(self, *entries: bytes) -> list[str]:
        """Send entries; return the codes they are refused with."""
        before = len(self.refused())
        self.post(*entries)
        self.world.run()
        return [refused.code.value for refused in self.refused()[before:]]

    def write(self, *texts: str) -> None:
        self.catch_up()
        self.post(*(self.sealed(text) for text in texts))
        self.world.run()

    def give(self, recipient: bytes, sealed: bytes) -> None:
        self.connection.binary(f.grant_frame(self.rid, recipient, sealed), self.world.now)
        self.world.run()

    # -- what came ------------------------------------------------------------------------------

    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.logged()]

    def types(self) -> list[int]:
        return [parse(frame.entry).type for frame in self.logged()]

    def grants(self) -> list[tuple[bytes, bytes]]:
        frames = [frame for frame in self.frames() if isinstance(frame, f.GrantFrame)]
        return [(frame.recipient, frame.grant) for frame in frames]

    def wanted(self) -> list[bytes]:
        return [bytes(frame.id or b"") for frame in self.frames() if isinstance(frame, f.Want)]

    def presences(self) -> list[f.Present]:
        return [frame for frame in self.frames() if isinstance(frame, f.Present)]

    # -- entries --------------------------------------------------------------------------------

    def control(
        self,
        type_: int,
        body: bytes,
        *,
        n: int | None = None,
        epoch: int | None = None,
        head: tuple[int, bytes] | None = None,
    ) -> bytes:
        """Return a control entry, by default on the newest state."""
        state = self.state
        head_seq, head_hash = head or (state.seq, state.h)
        unsigned = (
            header(
                type_,
                epoch=state.epoch if epoch is None else epoch,
                sender=self.identity.pk,
                session=self.session,
                n=state.next_n(self.identity.pk, self.session, control=True) if n is None else n,
                head_seq=head_seq,
                head_hash=head_hash,
            )
            + body
        )
        return unsigned + self.identity.sign(signed_context(self.room_id, unsigned))

    def epoch(self, *removed: bytes) -> bytes:
        """Return a new epoch, which removes these; its key is kept."""
        e = self.state.epoch + 1
        key = self.keys[e] = os.urandom(EPOCH_KEY_SIZE)
        gone = tuple(sorted(removed))
        body = Epoch(
            self.state.auth, e, commitment(key, self.room_id, e), self.room.membership.members_hash(gone), gone
        )
        self.n = 0
        return self.control(EntryType.EPOCH, body.pack())

    def invite(self, *, uses: int = 1, expires_ms: int = 0, needs_admit: bool = False, door: bytes = b"d" * 32) -> Link:
        """Make an invite, and return what is in its link."""
        key = Identity.generate()
        entry = self.invite_entry(key, uses=uses, expires_ms=expires_ms, needs_admit=needs_admit, door=door)
        self.act(entry)
        return Link(key, entry_hash(entry))

    def invite_entry(
        self,
        key: Identity | None = None,
        *,
        uses: int = 1,
        expires_ms: int = 0,
        needs_admit: bool = False,
        door: bytes = b"d" * 32,
    ) -> bytes:
        pk = (key or Identity.generate()).pk
        body = Invite(self.state.auth, pk, door, uses, expires_ms, NEEDS_ADMIT if needs_admit else 0)
        return self.control(EntryType.INVITE, body.pack())

    def join(self, link: Link, *, modulus: bytes | None = None) -> bytes:
        modulus = modulus or self.modulus
        signature = link.key.sign(join_context(self.room_id, self.identity.pk, modulus))
        return self.control(EntryType.JOIN, Join(modulus, link.pk, signature).pack())

    def rekey(self) -> bytes:
        return self.control(EntryType.REKEY, Rekey(self.modulus).pack())

    def leaving(self) -> bytes:
        return self.control(EntryType.LEAVE, b"")

    def revoke(self, link: Link) -> bytes:
        return self.control(EntryType.REVOKE, Revoke(self.state.auth, link.pk).pack())

    def admit(self, id_pk: bytes) -> bytes:
        return self.control(EntryType.ADMIT, Admit(self.state.auth, id_pk).pack())

    def role(self, id_pk: bytes, role: Role) -> bytes:
        return self.control(EntryType.ROLE, RoleChange(self.state.auth, id_pk, role).pack())
