"""The scribe of PRIVATE rooms: members, links and every control entry, from fixed seeds.

Like `tests.tools.scribe`, which it extends: right entries by default, and wrong ones for whoever says
which fields lie. Its RSA moduli are no keys, only bytes that could be some: no grant can be opened here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sendall.crypto.identity import Identity
from sendall.crypto.invites import SECRET_BYTES, InviteKeys
from sendall.crypto.primitives import RSA_BYTES
from sendall.crypto.sealing import EPOCH_KEY_SIZE, commitment
from sendall.protocol.bodies import NEEDS_ADMIT, Admit, Epoch, Genesis, Invite, Join, Rekey, Revoke, RoleChange
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role
from sendall.protocol.members import Membership
from sendall.protocol.verdict import Verdict
from tests.tools.scribe import Scribe

NAMES = ("ada", "bob", "cyd", "dan", "eve", "fay")


class PrivateScribe(Scribe):
    """One PRIVATE room that ada made, its server, and people who may come to it."""

    kind = Kind.PRIVATE

    def __init__(self, seed: str) -> None:
        super().__init__(seed, "")
        self.cyd, self.dan, self.eve, self.fay = (self.identity(name) for name in NAMES[2:])
        self.people = dict(zip(NAMES, (self.ada, self.bob, self.cyd, self.dan, self.eve, self.fay), strict=True))
        for name, who in self.people.items():
            self.sessions[who.pk] = self.pick(f"{name} session", 16)
        self.sessions[self.server.pk] = self.steward_session

    @property
    def membership(self) -> Membership:
        return self.state.membership

    def link(self, label: str) -> InviteKeys:
        """Return the keys of the link of this label; every label is another link."""
        return InviteKeys(self.secret(label))

    def secret(self, label: str) -> bytes:
        return self.pick(f"link {label}", SECRET_BYTES)

    def modulus(self, label: str) -> bytes:
        """Return bytes that could be an RSA modulus."""
        modulus = bytearray(self.pick(f"modulus {label}", RSA_BYTES))
        modulus[0] |= 0x80
        modulus[-1] |= 1
        return bytes(modulus)

    # -- the log --------------------------------------------------------------------------------

    def found(self) -> None:
        """Log what a new room begins with: genesis, ada's key, epoch 1."""
        self.log(self.genesis, "genesis")
        self.log(self.rekey(), "ada's first key")
        self.log(self.epoch(), "epoch 1")

    def let_in(self, *people: Identity, role: Role = Role.MEMBER) -> None:
        """Log an invite and a join for each, and their role."""
        for who in people:
            label = f"for {who.pk.hex()[:8]} at {self.state.seq}"
            assert self.log(self.invite(label)) is Verdict.OK
            assert self.log(self.join(who, label)) is Verdict.OK
            if role is not Role.MEMBER:
                assert self.log(self.role(who.pk, role)) is Verdict.OK

    # -- entries: every field may lie -----------------------------------------------------------

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
        """Return a control entry of ada's (or of `who`), by default the one that is right now."""
        who = who or self.ada
        session = session or self.sessions[who.pk]
        return super().control(type_, body, who, session=session, n=n, epoch=epoch, head_seq=head_seq, room_id=room_id)

    def epoch(
        self,
        *,
        removed: Sequence[Identity | bytes] = (),
        e: int | None = None,
        prev_auth: bytes | None = None,
        members_hash: bytes | None = None,
        label: str = "",
        who: Identity | None = None,
    ) -> bytes:
        """Return an epoch entry that removes these; its key is kept in `keys`. `label`: another key than usual."""
        gone = sorted(one if isinstance(one, bytes) else one.pk for one in removed)
        return self.epoch_of(gone, e=e, prev_auth=prev_auth, members_hash=members_hash, label=label, who=who)

    def epoch_of(
        self,
        gone: Sequence[bytes],
        *,
        e: int | None = None,
        prev_auth: bytes | None = None,
        members_hash: bytes | None = None,
        label: str = "",
        who: Identity | None = None,
    ) -> bytes:
        """Return an epoch entry with these as removed, in this order."""
        e = self.state.epoch + 1 if e is None else e
        key = self.keys[e] = self.pick(f"epoch key {e}{label}", EPOCH_KEY_SIZE)
        body = Epoch(
            self.state.auth if prev_auth is None else prev_auth,
            e,
            commitment(key, self.room_id, e),
            self.membership.members_hash(gone) if members_hash is None else members_hash,
            tuple(gone),
        )
        return self.control(EntryType.EPOCH, body.pack(), who)

    def invite(
        self,
        label: str,
        *,
        uses: int = 1,
        expires_ms: int = 0,
        approve: bool = False,
        has_door: bool = True,
        invite_pk: bytes | None = None,
        door_pk: bytes | None = None,
        prev_auth: bytes | None = None,
        who: Identity | None = None,
    ) -> bytes:
        """Return the invite entry of the link of this label."""
        link = self.link(label)
        door = (link.door_pk if has_door else ZERO_32) if door_pk is None else door_pk
        body = Invite(
            self.state.auth if prev_auth is None else prev_auth,
            invite_pk or link.invite_pk,
            door,
            uses,
            expires_ms,
            NEEDS_ADMIT if approve else 0,
        )
        return self.control(EntryType.INVITE, body.pack(), who)

    def join(
        self,
        who: Identity,
        label: str,
        *,
        modulus: bytes | None = None,
        invite_pk: bytes | None = None,
        signature: bytes | None = None,
        session: bytes | None = None,
        n: int | None = None,
    ) -> bytes:
        """Return the join of `who` by the link of this label."""
        link = self.link(label)
        modulus = modulus or self.modulus(who.pk.hex())
        signature = signature or link.sign_join(self.room_id, who.pk, modulus)
        body = Join(modulus, invite_pk or link.invite_pk, signature)
        return self.control(EntryType.JOIN, body.pack(), who, session=session, n=n)

    def rekey(self, who: Identity | None = None, *, label: str = "", n: int | None = None) -> bytes:
        who = who or self.ada
        return self.control(EntryType.REKEY, Rekey(self.modulus(f"{who.pk.hex()}{label}")).pack(), who, n=n)

    def leave(self, who: Identity | None = None, *, n: int | None = None) -> bytes:
        return self.control(EntryType.LEAVE, b"", who, n=n)

    def revoke(self, label: str, *, prev_auth: bytes | None = None, who: Identity | None = None) -> bytes:
        body = Revoke(self.state.auth if prev_auth is None else prev_auth, self.link(label).invite_pk)
        return self.control(EntryType.REVOKE, body.pack(), who)

    def admit(self, id_pk: bytes, *, prev_auth: bytes | None = None, who: Identity | None = None) -> bytes:
        body = Admit(self.state.auth if prev_auth is None else prev_auth, id_pk)
        return self.control(EntryType.ADMIT, body.pack(), who)

    def role(self, id_pk: bytes, role: Role, *, prev_auth: bytes | None = None, who: Identity | None = None) -> bytes:
        body = RoleChange(self.state.auth if prev_auth is None else prev_auth, id_pk, role)
        return self.control(EntryType.ROLE, body.pack(), who)

    def restart(self, *, who: Identity | None = None, head_seq: int | None = None) -> bytes:
        return self.control(EntryType.RESTART, b"", who or self.server, head_seq=head_seq)

    def genesis_with(self, body: Genesis, *, n: int = 0, who: Identity | None = None) -> bytes:
        """Return a genesis entry with this body."""
        return super().genesis_with(body, n=n, who=who or self.ada)

    def _genesis(self) -> bytes:
        return self.genesis_with(Genesis(Kind.PRIVATE, 1, self.pick("salt", 16), ""))
