"""The evil member: everything he may try with an entry, by name, and what becomes of it.

One room with everybody in it who could be evil: a member, a reader, one who waits, one who left, one who
was kicked, an outsider with links, an admin. Each case makes one entry on the state of that room and
says which verdict it gets from every honest reader. Source: docs/threat-model.md, "Malicious member";
docs/protocol.md, "The one state machine".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sendall.crypto.identity import Identity
from sendall.crypto.primitives import RSA_BYTES, hkdf
from sendall.protocol.bodies import Epoch, Invite, Join, Revoke
from sendall.protocol.entry import MAX_ENTRY, MAX_SEQ, ZERO_32, EntryType, Role, signed_context
from sendall.protocol.verdict import Verdict
from tests.tools.private_scribe import PrivateScribe

SMALL_ORDER = b"\1" + bytes(31)
TOO_HIGH = bytes([0xED]) + bytes([0xFF]) * 30 + bytes([0x7F])
PLAINTEXT = b'{"t":"m","x":"evil"}'


class Stage(PrivateScribe):
    """A room with a past. ada and bob are admins, cyd and eve members, dan reads, fay waits."""

    def __init__(self, seed: str = "evil member") -> None:
        super().__init__(seed)
        for name in ("gus", "hal", "ivy", "joe", "kim"):
            who = self.people[name] = self.identity(name)
            self.sessions[who.pk] = self.pick(f"{name} session", 16)
        self.gus, self.hal, self.ivy, self.joe = (self.people[name] for name in ("gus", "hal", "ivy", "joe"))
        """gus was kicked, hal left, ivy was an admin, joe was never in; kim used up a link."""
        self.before_kick = self.before_restart = b""
        """Messages of eve's that nobody has seen: sealed before the kick, and before the restart."""

    def found(self) -> None:
        super().found()
        self.let_in(self.bob, self.ivy, role=Role.ADMIN)
        self.let_in(self.cyd, self.eve, self.gus, self.hal)
        self.let_in(self.dan, role=Role.READER)
        self.put(self.invite("ended", uses=0))
        self.say("epoch 1", self.eve)
        self.before_kick = self.message(PLAINTEXT, self.eve)
        self.put(self.epoch(removed=[self.gus]))
        self.put(self.role(self.ivy.pk, Role.MEMBER))
        self.put(self.leave(self.hal))
        self.before_restart = self.message(PLAINTEXT, self.eve)
        self.put(self.restart())
        self.put(self.invite("used"))
        self.put(self.join(self.people["kim"], "used"))
        self.put(self.invite("revoked", uses=0))
        self.put(self.revoke("revoked"))
        self.put(self.invite("knock", uses=0, approve=True))
        self.put(self.join(self.fay, "knock"))
        self.put(self.invite("brief", uses=0, expires_ms=self.state.now + 1))
        self.put(self.invite("open", uses=0))
        self.say("epoch 2", self.cyd)
        self.say("epoch 2", self.eve)

    def put(self, entry: bytes) -> None:
        """Log an entry that is right."""
        assert self.log(entry) is Verdict.OK

    def last_of(self, who: Identity) -> bytes:
        """Return the last entry of this person in the log."""
        return next(line.entry for line in reversed(self.lines) if line.entry[8:40] == who.pk)

    def first_of(self, who: Identity) -> bytes:
        return next(line.entry for line in self.lines if line.entry[8:40] == who.pk)

    def signed_by(self, who: Identity, unsigned: bytes, room_id: bytes | None = None) -> bytes:
        """Return the entry of these bytes, signed by `who`, whoever its sender is."""
        return unsigned + who.sign(signed_context(room_id or self.room_id, unsigned))

    def changed(self, who: Identity, entry: bytes, at: int, new: bytes) -> bytes:
        """Return the entry with other bytes at `at`, signed anew by `who`."""
        return self.signed_by(who, entry[:at] + new + entry[at + len(new) : -64])

    def twin(self, label: str) -> Identity:
        """Return the identity whose key is that link's invite key."""
        twin = Identity(hkdf(self.secret(label), salt=b"", info=b"sendall-v1 invite"))
        self.sessions[twin.pk] = bytes(16)
        return twin


class Case(NamedTuple):
    """One thing an evil member tries."""

    name: str
    by: str
    """Who sends it: a name of the stage."""
    make: Callable[[Stage], bytes]
    verdict: Verdict


BAD, BAD_SIG, STALE, REPLAY = Verdict.BAD, Verdict.BAD_SIG, Verdict.STALE, Verdict.REPLAY
GAP, DENIED, CONFLICT = Verdict.GAP, Verdict.DENIED, Verdict.CONFLICT


def _join_of_no_key(s: Stage, key: bytes) -> bytes:
    body = Join(s.modulus("eve"), s.link("open").invite_pk, bytes(64)).pack()
    return s.changed(s.eve, s.control(EntryType.JOIN, body, s.eve, session=bytes(16), n=0), 8, key)


def _stolen_join(s: Stage) -> bytes:
    signature = s.link("open").sign_join(s.room_id, s.cyd.pk, s.modulus("joe"))
    return s.join(s.joe, "open", modulus=s.modulus("joe"), signature=signature)


def _foreign_join(s: Stage) -> bytes:
    signature = s.link("open").sign_join(bytes(32), s.joe.pk, s.modulus("joe"))
    return s.join(s.joe, "open", modulus=s.modulus("joe"), signature=signature)


def _swapped_join(s: Stage) -> bytes:
    signature = s.link("open").sign_join(s.room_id, s.joe.pk, s.modulus("joe"))
    return s.join(s.joe, "open", modulus=s.modulus("other"), signature=signature)


def _epoch(s: Stage) -> Epoch:
    return Epoch(s.state.auth, s.state.epoch + 1, bytes(32), s.membership.members_hash(), ())


def _invite(s: Stage) -> Invite:
    link = s.link("new")
    return Invite(s.state.auth, link.invite_pk, link.door_pk, 1, 0)


def _of_bob(s: Stage, body: Epoch | Invite) -> bytes:
    return s.control(EntryType.EPOCH if isinstance(body, Epoch) else EntryType.INVITE, body.pack(), s.bob)


AS_SOMEBODY_ELSE = [
    Case("a message in another's name", "eve", lambda s: s.changed(s.eve, s.message(who=s.cyd), 0, b"\1"), BAD_SIG),
    Case("a kick in an admin's name", "eve", lambda s: s.changed(s.eve, s.epoch(removed=[s.cyd]), 0, b"\1"), BAD_SIG),
    Case(
        "another's ciphertext under another's name, made one's own number",
        "eve",
        lambda s: s.changed(s.eve, s.last_of(s.cyd), 56, b"\0" * 7 + b"\1"),
        BAD_SIG,
    ),
    Case("no signature", "eve", lambda s: s.message(who=s.eve)[:-64] + bytes(64), BAD_SIG),
    Case(
        "an entry signed for another room",
        "eve",
        lambda s: s.signed_by(s.eve, s.message(who=s.eve)[:-64], bytes(32)),
        BAD_SIG,
    ),
    Case(
        "an entry signed as a genesis is",
        "eve",
        lambda s: s.signed_by(s.eve, s.leave(s.eve)[:-64], ZERO_32),
        BAD_SIG,
    ),
    Case("a restart in the server's name", "eve", lambda s: s.changed(s.eve, s.restart(), 0, b"\1"), BAD_SIG),
]

REPLAYED = [
    Case("his last message again", "eve", lambda s: s.last_of(s.eve), REPLAY),
    Case("another's message again", "eve", lambda s: s.last_of(s.cyd), REPLAY),
    Case("a message of an epoch that is over", "eve", lambda s: s.before_kick, STALE),
    Case("a message sealed before the restart", "eve", lambda s: s.before_restart, STALE),
    Case("his own old join", "eve", lambda s: s.first_of(s.eve), STALE),
    Case("the leave of somebody who left", "eve", lambda s: s.last_of(s.hal), STALE),
    Case("a number used already", "eve", lambda s: s.message(who=s.eve, n=0), REPLAY),
    Case("a number ahead", "eve", lambda s: s.message(who=s.eve, n=2), GAP),
    Case("a control number ahead", "eve", lambda s: s.rekey(s.eve, n=1), GAP),
    Case("an epoch that has not begun", "eve", lambda s: s.message(who=s.eve, epoch=3, n=0), STALE),
]

MALFORMED = [
    Case("no bytes", "eve", lambda s: b"", BAD),
    Case("another version", "eve", lambda s: s.changed(s.eve, s.message(who=s.eve), 0, b"\2"), BAD),
    Case("a reserved bit", "eve", lambda s: s.changed(s.eve, s.message(who=s.eve), 2, b"\1\0"), BAD),
    Case("a number of 2^32", "eve", lambda s: s.changed(s.eve, s.message(who=s.eve), 56, bytes(3) + b"\1"), BAD),
    Case("a head of 2^53", "eve", lambda s: s.changed(s.eve, s.message(who=s.eve), 64, b"\0\x20" + bytes(6)), BAD),
    Case("a head that is not before it", "eve", lambda s: s.message(who=s.eve, head=(s.state.seq + 1, ZERO_32)), BAD),
    Case("a message without a tag", "eve", lambda s: s.control(EntryType.MESSAGE, bytes(79), s.eve, n=1), BAD),
    Case("more bytes than an entry has", "eve", lambda s: bytes([1, 1]) + bytes(MAX_ENTRY - 1), BAD),
    Case("a signal for the log", "eve", lambda s: s.message(who=s.eve, type_=EntryType.SIGNAL), BAD),
    Case("an unknown type", "eve", lambda s: s.control(0x19, bytes(64), s.eve), BAD),
    Case("a second genesis", "ada", lambda s: s.genesis, BAD),
    Case("a leave with a body", "eve", lambda s: s.control(EntryType.LEAVE, b"x", s.eve), BAD),
    Case("an even modulus", "eve", lambda s: s.control(EntryType.REKEY, b"\x80" + bytes(RSA_BYTES - 1), s.eve), BAD),
    Case("a short modulus", "eve", lambda s: s.control(EntryType.REKEY, bytes(RSA_BYTES - 1) + b"\1", s.eve), BAD),
    Case("a key as ASN.1", "eve", lambda s: s.control(EntryType.REKEY, b"\x30\x82\1\xa2" + bytes(418), s.eve), BAD),
]

WITHOUT_THE_RIGHT = [
    Case("a member kicks", "eve", lambda s: s.epoch(removed=[s.ada], who=s.eve), DENIED),
    Case("a member rotates", "eve", lambda s: s.epoch(who=s.eve), DENIED),
    Case("a member invites", "eve", lambda s: s.invite("new", who=s.eve), DENIED),
    Case("a member revokes", "eve", lambda s: s.revoke("open", who=s.eve), DENIED),
    Case("a member makes himself admin", "eve", lambda s: s.role(s.eve.pk, Role.ADMIN, who=s.eve), DENIED),
    Case("a member silences an admin", "eve", lambda s: s.role(s.ada.pk, Role.READER, who=s.eve), DENIED),
    Case("a member sets the default", "eve", lambda s: s.role(ZERO_32, Role.READER, who=s.eve), DENIED),
    Case("a member admits a friend", "eve", lambda s: s.admit(s.fay.pk, who=s.eve), DENIED),
    Case("a member restarts the log", "eve", lambda s: s.restart(who=s.eve), DENIED),
    Case("who was an admin kicks", "ivy", lambda s: s.epoch(removed=[s.ada], who=s.ivy), DENIED),
    Case("a reader posts", "dan", lambda s: s.message(who=s.dan), DENIED),
    Case("who waits posts", "fay", lambda s: s.message(who=s.fay), DENIED),
    Case("who waits admits himself", "fay", lambda s: s.admit(s.fay.pk, who=s.fay), DENIED),
    Case("who waits takes a new key", "fay", lambda s: s.rekey(s.fay), DENIED),
    Case("who waits leaves", "fay", lambda s: s.leave(s.fay), DENIED),
    Case("who waits comes in by another link", "fay", lambda s: s.join(s.fay, "open"), DENIED),
    Case("an outsider posts", "joe", lambda s: s.message(who=s.joe), DENIED),
    Case("an outsider takes a key", "joe", lambda s: s.rekey(s.joe), DENIED),
    Case("who left posts", "hal", lambda s: s.message(who=s.hal), DENIED),
    Case("who was kicked posts", "gus", lambda s: s.message(who=s.gus), DENIED),
    Case("who was kicked takes a new key", "gus", lambda s: s.rekey(s.gus), DENIED),
]

JOINS = [
    Case("a kicked member by a link known before", "gus", lambda s: s.join(s.gus, "ended"), DENIED),
    Case("by a link that is used up", "joe", lambda s: s.join(s.joe, "used"), DENIED),
    Case("by a link that was revoked", "joe", lambda s: s.join(s.joe, "revoked"), DENIED),
    Case("by a link that has expired", "joe", lambda s: s.join(s.joe, "brief"), DENIED),
    Case("by a link that nobody made", "joe", lambda s: s.join(s.joe, "mine"), DENIED),
    Case(
        "by an invite whose secret he does not have",
        "joe",
        lambda s: s.join(s.joe, "mine", invite_pk=s.link("open").invite_pk),
        DENIED,
    ),
    Case("with the signature of another joiner", "joe", _stolen_join, DENIED),
    Case("with a signature for another room", "joe", _foreign_join, DENIED),
    Case("with another wrap key than the one signed", "joe", _swapped_join, DENIED),
    Case("a member once more", "eve", lambda s: s.join(s.eve, "open"), DENIED),
    Case("an identity of small order", "joe", lambda s: _join_of_no_key(s, SMALL_ORDER), BAD),
    Case("an identity that is not canonical", "joe", lambda s: _join_of_no_key(s, TOO_HIGH), BAD),
    Case("with an even modulus", "joe", lambda s: s.join(s.joe, "open", modulus=b"\x80" + bytes(383)), BAD),
    Case("as the server", "server", lambda s: s.join(s.server, "open"), BAD),
    Case("in the name of the invite's own key", "joe", lambda s: s.join(s.twin("open"), "open"), DENIED),
    Case("in the name of an ended invite's key", "joe", lambda s: s.join(s.twin("revoked"), "open"), DENIED),
]

BY_AN_ADMIN = [
    Case("an epoch that skips one", "bob", lambda s: _of_bob(s, _epoch(s)._replace(e=4)), BAD),
    Case("an epoch that repeats one", "bob", lambda s: _of_bob(s, _epoch(s)._replace(e=2)), BAD),
    Case(
        "removed not ascending",
        "bob",
        lambda s: _of_bob(s, _epoch(s)._replace(removed=(b"\2" * 32, b"\1" * 32))),
        BAD,
    ),
    Case("removed twice", "bob", lambda s: _of_bob(s, _epoch(s)._replace(removed=(s.eve.pk, s.eve.pk))), BAD),
    Case("more removed than there are", "bob", lambda s: s.control(EntryType.EPOCH, bytes(101) + b"\1", s.bob), BAD),
    Case("removing who is not in", "bob", lambda s: s.epoch(removed=[s.joe], who=s.bob), CONFLICT),
    Case("removing who left", "bob", lambda s: s.epoch(removed=[s.hal], who=s.bob), CONFLICT),
    Case("removing an invite", "bob", lambda s: s.epoch(removed=[s.link("open").invite_pk], who=s.bob), CONFLICT),
    Case(
        "hiding a member",
        "bob",
        lambda s: s.epoch(who=s.bob, members_hash=s.membership.members_hash([s.cyd.pk])),
        CONFLICT,
    ),
    Case(
        "a removal that would leave the invites open",
        "bob",
        lambda s: s.epoch(removed=[s.eve], who=s.bob, members_hash=s.membership.members_hash()),
        CONFLICT,
    ),
    Case("an epoch on an old state", "bob", lambda s: s.epoch(who=s.bob, prev_auth=ZERO_32), CONFLICT),
    Case("an invite on an old state", "bob", lambda s: s.invite("new", who=s.bob, prev_auth=ZERO_32), CONFLICT),
    Case(
        "a role on an old state", "bob", lambda s: s.role(s.eve.pk, Role.ADMIN, prev_auth=ZERO_32, who=s.bob), CONFLICT
    ),
    Case("a revoke on an old state", "bob", lambda s: s.revoke("open", prev_auth=ZERO_32, who=s.bob), CONFLICT),
    Case("an admit on an old state", "bob", lambda s: s.admit(s.fay.pk, prev_auth=ZERO_32, who=s.bob), CONFLICT),
    Case("removing himself, with the key he made", "bob", lambda s: s.epoch(removed=[s.bob], who=s.bob), DENIED),
    Case("a room without admins", "bob", lambda s: s.epoch(removed=[s.ada, s.bob], who=s.bob), DENIED),
    Case("a ban, which OPEN rooms have", "bob", lambda s: s.role(s.eve.pk, Role.BANNED, who=s.bob), DENIED),
    Case("a fifth role", "bob", lambda s: s.control(EntryType.ROLE, s.state.auth + s.eve.pk + b"\4", s.bob), BAD),
    Case("a role for who is not in", "bob", lambda s: s.role(s.joe.pk, Role.ADMIN, who=s.bob), DENIED),
    Case("a role for who waits", "bob", lambda s: s.role(s.fay.pk, Role.ADMIN, who=s.bob), DENIED),
    Case("a role for the server", "bob", lambda s: s.role(s.server.pk, Role.ADMIN, who=s.bob), DENIED),
    Case("admin as the default", "bob", lambda s: s.role(ZERO_32, Role.ADMIN, who=s.bob), DENIED),
    Case("ban as the default", "bob", lambda s: s.role(ZERO_32, Role.BANNED, who=s.bob), DENIED),
    Case("a revoked invite again", "bob", lambda s: s.invite("revoked", who=s.bob), DENIED),
    Case("an open invite again, without its limits", "bob", lambda s: s.invite("knock", uses=0, who=s.bob), DENIED),
    Case("an invite ended by the kick again", "bob", lambda s: s.invite("ended", who=s.bob), DENIED),
    Case(
        "an invite with a member's key",
        "bob",
        lambda s: _of_bob(s, _invite(s)._replace(invite_pk=s.cyd.pk)),
        DENIED,
    ),
    Case("an invite of small order", "bob", lambda s: _of_bob(s, _invite(s)._replace(invite_pk=SMALL_ORDER)), BAD),
    Case(
        "an invite that is not canonical",
        "bob",
        lambda s: _of_bob(s, _invite(s)._replace(invite_pk=TOO_HIGH)),
        BAD,
    ),
    Case("an invite with an unknown flag", "bob", lambda s: _of_bob(s, _invite(s)._replace(flags=2)), BAD),
    Case("an invite that expires at 2^53", "bob", lambda s: _of_bob(s, _invite(s)._replace(expires_ms=MAX_SEQ)), BAD),
    Case("a revoke of what is not open", "bob", lambda s: s.revoke("used", who=s.bob), DENIED),
    Case("a revoke of what never was", "bob", lambda s: s.revoke("never", who=s.bob), DENIED),
    Case(
        "a revoke of a member",
        "bob",
        lambda s: s.control(EntryType.REVOKE, Revoke(s.state.auth, s.cyd.pk).pack(), s.bob),
        DENIED,
    ),
    Case("an admit of a member", "bob", lambda s: s.admit(s.cyd.pk, who=s.bob), DENIED),
    Case("an admit of who was kicked", "bob", lambda s: s.admit(s.gus.pk, who=s.bob), DENIED),
]

CASES = [*AS_SOMEBODY_ELSE, *REPLAYED, *MALFORMED, *WITHOUT_THE_RIGHT, *JOINS, *BY_AN_ADMIN]
