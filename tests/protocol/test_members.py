from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.crypto.identity import Identity
from sendall.crypto.primitives import hkdf, sha256, spki_of
from sendall.protocol.bodies import Genesis
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role, entry_hash, parse
from sendall.protocol.members import MAX_USES_HASHED, OpenInvite
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.tools.private_scribe import PrivateScribe
from tests.tools.scribe import FIRST_TIME_MS
from tests.tools.states import agreed, read_late


@pytest.fixture
def scribe() -> PrivateScribe:
    """A room of ada's alone, with epoch 1."""
    scribe = PrivateScribe("members tests")
    scribe.found()
    return scribe


def ok(scribe: PrivateScribe, *entries: Callable[[], bytes]) -> None:
    for make in entries:
        assert scribe.log(make()) is Verdict.OK


# -- what is right ----------------------------------------------------------------------------


def test_a_new_room_is_its_makers(scribe: PrivateScribe) -> None:
    """Genesis makes its sender the first admin, without a key; rekey gives him one."""
    fresh = PrivateScribe("members tests")
    fresh.log(fresh.genesis)
    maker = fresh.membership.members[fresh.ada.pk]
    assert (maker.role, maker.modulus, maker.spki_hash, maker.via) == (Role.ADMIN, b"", ZERO_32, ZERO_32)
    assert fresh.state.auth == entry_hash(fresh.genesis)
    modulus = scribe.modulus(scribe.ada.pk.hex())
    assert scribe.membership.members[scribe.ada.pk].modulus == modulus
    assert scribe.membership.members[scribe.ada.pk].spki_hash == sha256(spki_of(modulus))
    assert (scribe.state.epoch, scribe.state.name, scribe.state.history) == (1, "", 1)


def test_who_holds_the_link_joins(scribe: PrivateScribe) -> None:
    """With the default role, his key, and the invite he came by; a single use ends it."""
    ok(scribe, lambda: scribe.invite("one"), lambda: scribe.join(scribe.bob, "one"))
    bob = scribe.membership.members[scribe.bob.pk]
    assert (bob.role, bob.via) == (Role.MEMBER, scribe.link("one").invite_pk)
    assert bob.modulus == scribe.modulus(scribe.bob.pk.hex())
    assert scribe.membership.invites == {}
    assert scribe.say("hello", scribe.bob) is Verdict.OK


def test_an_invite_is_open_until_its_last_use(scribe: PrivateScribe) -> None:
    """Uses are counted; with no limit it stays open."""
    ok(scribe, lambda: scribe.invite("two", uses=2), lambda: scribe.invite("many", uses=0))
    two, many = scribe.link("two").invite_pk, scribe.link("many").invite_pk
    ok(scribe, lambda: scribe.join(scribe.bob, "two"), lambda: scribe.join(scribe.cyd, "many"))
    assert {pk: invite.uses for pk, invite in scribe.membership.invites.items()} == {two: 1, many: 1}
    ok(scribe, lambda: scribe.join(scribe.dan, "two"), lambda: scribe.join(scribe.eve, "many"))
    assert {pk: invite.uses for pk, invite in scribe.membership.invites.items()} == {many: 2}
    assert scribe.log(scribe.join(scribe.fay, "two")) is Verdict.DENIED


def test_who_waits_is_a_member_once_an_admin_says_so(scribe: PrivateScribe) -> None:
    """Until then he is pending: no message, no part in members_hash; with the role of the time of his join."""
    before = scribe.membership.members_hash()
    ok(scribe, lambda: scribe.invite("knock", approve=True), lambda: scribe.join(scribe.bob, "knock"))
    assert scribe.bob.pk in scribe.membership.pending
    assert scribe.bob.pk not in scribe.membership.members
    assert scribe.membership.members_hash() == before
    assert scribe.log(scribe.message(who=scribe.bob)) is Verdict.DENIED
    assert scribe.log(scribe.rekey(scribe.bob)) is Verdict.DENIED
    ok(scribe, lambda: scribe.role(ZERO_32, Role.READER), lambda: scribe.admit(scribe.bob.pk))
    assert scribe.membership.pending == {}
    assert scribe.membership.members[scribe.bob.pk].role is Role.MEMBER
    assert scribe.membership.members_hash() != before


def test_a_removal_is_one_with_a_new_key_and_ends_every_invite(scribe: PrivateScribe) -> None:
    """Nobody comes back by a link that was known before; who waits can be removed too."""
    ok(scribe, lambda: scribe.invite("knock", uses=0, approve=True), lambda: scribe.join(scribe.eve, "knock"))
    ok(scribe, lambda: scribe.invite("many", uses=0), lambda: scribe.join(scribe.bob, "many"))
    ok(scribe, lambda: scribe.epoch(removed=[scribe.bob, scribe.eve]))
    assert scribe.state.epoch == 2
    assert (set(scribe.membership.members), scribe.membership.pending) == ({scribe.ada.pk}, {})
    assert scribe.membership.invites == {}
    assert scribe.log(scribe.join(scribe.bob, "many")) is Verdict.DENIED
    assert scribe.log(scribe.invite("many")) is Verdict.DENIED
    ok(scribe, lambda: scribe.invite("again"), lambda: scribe.join(scribe.bob, "again"))


def test_a_rotation_ends_no_invite(scribe: PrivateScribe) -> None:
    """An epoch entry that removes nobody leaves links and members as they are."""
    ok(scribe, lambda: scribe.invite("one"), lambda: scribe.epoch(), lambda: scribe.join(scribe.bob, "one"))


def test_who_leaves_may_come_back_by_another_link(scribe: PrivateScribe) -> None:
    """He posts no more, though the epoch is the one whose key he has."""
    scribe.let_in(scribe.bob)
    ok(scribe, lambda: scribe.leave(scribe.bob))
    assert scribe.log(scribe.message(who=scribe.bob)) is Verdict.DENIED
    scribe.let_in(scribe.bob)
    assert scribe.say("back", scribe.bob) is Verdict.OK


def test_admins_come_and_go_but_one_remains(scribe: PrivateScribe) -> None:
    """By role, by leaving and by removal: never the last."""
    last = scribe.ada.pk
    for entry in (scribe.leave(), scribe.role(last, Role.MEMBER), scribe.epoch(removed=[scribe.ada])):
        assert scribe.log(entry) is Verdict.DENIED
    scribe.keys.pop(2)
    scribe.let_in(scribe.bob, role=Role.ADMIN)
    ok(scribe, lambda: scribe.role(last, Role.READER))
    assert scribe.log(scribe.invite("mine")) is Verdict.DENIED
    ok(scribe, lambda: scribe.role(last, Role.ADMIN, who=scribe.bob), lambda: scribe.leave(scribe.bob))
    scribe.let_in(scribe.bob, role=Role.ADMIN)
    ok(scribe, lambda: scribe.epoch(removed=[scribe.bob]))
    assert set(scribe.membership.members) == {last}


def test_nobody_makes_the_key_of_a_room_he_removes_himself_from(scribe: PrivateScribe) -> None:
    """He would be out and hold the next key, and nobody else would: to go there is `leave`."""
    scribe.let_in(scribe.bob, role=Role.ADMIN)
    assert scribe.log(scribe.epoch(removed=[scribe.bob], who=scribe.bob)) is Verdict.DENIED
    assert scribe.log(scribe.epoch(removed=[scribe.ada, scribe.bob], who=scribe.bob)) is Verdict.DENIED
    ok(scribe, lambda: scribe.leave(scribe.bob))


@pytest.mark.parametrize(("role", "may"), [(Role.MEMBER, True), (Role.ADMIN, True), (Role.READER, False)])
def test_a_role_says_who_may_post(scribe: PrivateScribe, role: Role, may: bool) -> None:
    """Readers may not; who is no member may not either."""
    scribe.let_in(scribe.bob, role=role)
    assert scribe.state.may_post(scribe.bob.pk) is may
    assert scribe.membership.is_admin(scribe.bob.pk) is (role is Role.ADMIN)
    assert (scribe.log(scribe.message(who=scribe.bob)) is Verdict.OK) is may
    assert not scribe.state.may_post(scribe.cyd.pk)
    assert not scribe.membership.is_admin(scribe.cyd.pk)
    assert not scribe.membership.is_last_admin(scribe.bob.pk)


def test_the_default_is_of_members_to_come(scribe: PrivateScribe) -> None:
    """Those who are in keep theirs."""
    scribe.let_in(scribe.bob)
    ok(scribe, lambda: scribe.role(ZERO_32, Role.READER))
    scribe.let_in(scribe.cyd)
    roles = {id_pk: member.role for id_pk, member in scribe.membership.members.items()}
    assert (roles[scribe.bob.pk], roles[scribe.cyd.pk]) == (Role.MEMBER, Role.READER)
    ok(scribe, lambda: scribe.role(ZERO_32, Role.MEMBER))
    for role in (Role.ADMIN, Role.BANNED):
        assert scribe.log(scribe.role(ZERO_32, role)) is Verdict.DENIED


@pytest.mark.parametrize(
    ("approve", "has_door", "expected"), [(False, True, True), (False, False, False), (True, True, False)]
)
def test_an_invite_has_a_door_unless_it_says_otherwise(
    scribe: PrivateScribe, approve: bool, has_door: bool, expected: bool
) -> None:
    """Keys are left there only if nobody has to let the newcomer in."""
    ok(scribe, lambda: scribe.invite("one", approve=approve, has_door=has_door))
    (invite,) = scribe.membership.invites.values()
    assert invite.has_door is expected
    assert invite.entry_hash == entry_hash(scribe.lines[-1].entry)


# -- expiry -----------------------------------------------------------------------------------

EXPIRES = FIRST_TIME_MS + 60_000


@pytest.mark.parametrize(("time_ms", "verdict"), [(EXPIRES, Verdict.OK), (EXPIRES + 1, Verdict.DENIED)])
def test_an_invite_is_good_until_the_millisecond_it_names(
    scribe: PrivateScribe, time_ms: int, verdict: Verdict
) -> None:
    """The time is that of the join entry."""
    ok(scribe, lambda: scribe.invite("brief", expires_ms=EXPIRES))
    join = parse(scribe.join(scribe.bob, "brief"))
    assert scribe.state.judge(join, time_ms=time_ms) is verdict
    assert scribe.log(join.raw, time_ms=time_ms) is verdict
    (invite,) = scribe.membership.invites.values() or [OpenInvite(ZERO_32, ZERO_32, 1, 0, False, 0)]
    assert invite.is_expired(time_ms) is (verdict is Verdict.DENIED)


def test_an_invite_without_expiry_never_expires(scribe: PrivateScribe) -> None:
    """0 means never."""
    ok(scribe, lambda: scribe.invite("for ever"))
    assert scribe.log(scribe.join(scribe.bob, "for ever"), time_ms=2**53 - 1) is Verdict.OK


def test_who_does_not_say_the_time_means_that_of_the_room(scribe: PrivateScribe) -> None:
    """An expired invite is not open again because a caller left the time out."""
    ok(scribe, lambda: scribe.invite("brief", expires_ms=EXPIRES))
    scribe.log(scribe.message(), time_ms=EXPIRES + 1)
    assert scribe.state.judge(parse(scribe.join(scribe.bob, "brief"))) is Verdict.DENIED


def test_the_time_of_messages_lets_nobody_in_or_out(scribe: PrivateScribe) -> None:
    """A server that lets time descend cannot part those who read the messages from those who did not."""
    ok(scribe, lambda: scribe.invite("brief", expires_ms=EXPIRES))
    scribe.log(scribe.message(), time_ms=EXPIRES + 1)
    scribe.log(scribe.join(scribe.bob, "brief"), time_ms=EXPIRES)
    for from_ in range(1, scribe.state.seq + 1):
        assert agreed(read_late(scribe, from_)) == agreed(scribe.state)


# -- races between honest people --------------------------------------------------------------


def test_the_loser_of_a_race_is_told_so(scribe: PrivateScribe) -> None:
    """Two admins on one state: the second entry is a conflict; if the first made an epoch, it is stale."""
    scribe.let_in(scribe.bob, role=Role.ADMIN)
    of_bob = [scribe.invite("b", who=scribe.bob), scribe.epoch(label=" of bob", who=scribe.bob)]
    ok(scribe, lambda: scribe.invite("a"))
    assert [scribe.log(entry) for entry in of_bob] == [Verdict.CONFLICT, Verdict.CONFLICT]
    of_bob = [scribe.invite("b", who=scribe.bob), scribe.epoch(label=" of bob", who=scribe.bob)]
    ok(scribe, lambda: scribe.epoch())
    assert [scribe.log(entry) for entry in of_bob] == [Verdict.STALE, Verdict.STALE]


def test_a_kick_made_before_a_join_is_made_again(scribe: PrivateScribe) -> None:
    """members_hash names who remains, so nobody slips in while a kick is on its way."""
    scribe.let_in(scribe.bob)
    ok(scribe, lambda: scribe.invite("one"))
    kick = scribe.epoch(removed=[scribe.bob])
    ok(scribe, lambda: scribe.join(scribe.cyd, "one"))
    assert scribe.log(kick) is Verdict.CONFLICT
    ok(scribe, lambda: scribe.epoch(removed=[scribe.bob]))
    assert set(scribe.membership.members) == {scribe.ada.pk, scribe.cyd.pk}


@pytest.mark.parametrize("change", ["join", "use", "leave", "rekey"])
def test_what_was_hidden_shows_at_the_next_epoch(scribe: PrivateScribe, change: str) -> None:
    """Who was not told of a join, a use of an invite, a leave or a key finds members_hash wrong."""
    scribe.let_in(scribe.bob)
    ok(scribe, lambda: scribe.invite("many", uses=0))
    deprived = unpack(pack(scribe.state))
    if change == "join":
        ok(scribe, lambda: scribe.join(scribe.cyd, "many"))
    elif change == "use":
        ok(scribe, lambda: scribe.join(scribe.cyd, "many"), lambda: scribe.leave(scribe.cyd))
    elif change == "leave":
        ok(scribe, lambda: scribe.leave(scribe.bob))
    else:
        ok(scribe, lambda: scribe.rekey(scribe.bob, label=" new"))
    ok(scribe, lambda: scribe.epoch())
    line = scribe.lines[-1]
    assert deprived.apply_early_control(line.seq, line.time_ms, line.entry) is Verdict.CONFLICT


# -- members_hash -----------------------------------------------------------------------------


def test_members_hash_is_that_of_the_specification(scribe: PrivateScribe) -> None:
    """Written here by hand: members by id with role and H(SPKI), then open invites with their uses."""
    scribe.let_in(scribe.bob, role=Role.READER)
    ok(scribe, lambda: scribe.invite("many", uses=0), lambda: scribe.join(scribe.cyd, "many"))
    ok(scribe, lambda: scribe.invite("knock", approve=True, uses=2), lambda: scribe.join(scribe.dan, "knock"))
    roles = {scribe.ada.pk: 1, scribe.bob.pk: 2, scribe.cyd.pk: 0}

    def record(id_pk: bytes) -> bytes:
        return id_pk + bytes([roles[id_pk]]) + sha256(spki_of(scribe.modulus(id_pk.hex())))

    invites = sorted(scribe.link(label).invite_pk + b"\0\1" for label in ("many", "knock"))
    assert scribe.membership.members_hash() == sha256(b"".join([record(i) for i in sorted(roles)] + invites))
    left = b"".join(record(i) for i in sorted(roles) if i != scribe.bob.pk)
    assert scribe.membership.members_hash([scribe.bob.pk]) == sha256(left)


def test_more_uses_than_two_bytes_hold_are_hashed_as_that_many(scribe: PrivateScribe) -> None:
    """An invite without a limit never makes the hash fail."""
    ok(scribe, lambda: scribe.invite("many", uses=0))
    pk = scribe.link("many").invite_pk
    hashes = set()
    for uses in (MAX_USES_HASHED - 1, MAX_USES_HASHED, MAX_USES_HASHED + 1):
        scribe.membership.invites[pk] = scribe.membership.invites[pk]._replace(uses=uses)
        hashes.add(scribe.membership.members_hash())
    assert len(hashes) == 2


# -- genesis ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "by_server"),
    [(Kind.OPEN, "lobby", True), (Kind.OPEN, "", False), (Kind.PRIVATE, "x", False), (Kind.PRIVATE, "", True)],
    ids=["an open room", "an open room of a member", "a private room with a name", "a private room of the server"],
)
def test_what_is_no_genesis_of_a_private_room(kind: Kind, name: str, by_server: bool) -> None:
    """Another kind cannot be passed off as PRIVATE, the server makes none, and it is told no name."""
    scribe = PrivateScribe("members tests")
    raw = scribe.genesis_with(Genesis(kind, 1, bytes(16), name), who=scribe.server if by_server else None)
    state = RoomState(sha256(b"sendall-v1 room\0" + raw), scribe.server.pk, Kind.PRIVATE)
    assert state.apply(1, 1, raw) is Verdict.BAD
    assert state.membership.members == {}


def test_a_private_room_is_no_open_one() -> None:
    """A reader who believes that it is OPEN takes nothing of it."""
    scribe = PrivateScribe("members tests")
    state = RoomState(scribe.room_id, scribe.server.pk, Kind.OPEN)
    assert state.apply(1, 1, scribe.genesis) is Verdict.BAD


def test_the_server_is_a_member_of_no_private_room(scribe: PrivateScribe) -> None:
    """Not even with a link: its identity joins nowhere, posts nothing, and has no other right than restart."""
    ok(scribe, lambda: scribe.invite("one"))
    assert scribe.log(scribe.join(scribe.server, "one")) is Verdict.BAD
    assert scribe.log(scribe.message(who=scribe.server)) is Verdict.DENIED
    assert scribe.log(scribe.epoch(who=scribe.server)) is Verdict.DENIED
    assert scribe.log(scribe.epoch(removed=[scribe.server])) is Verdict.CONFLICT
    assert scribe.log(scribe.restart()) is Verdict.OK


# -- one key, one name ------------------------------------------------------------------------


def test_an_invite_and_a_person_never_have_one_key(scribe: PrivateScribe) -> None:
    """Grants are kept by the key they are for: a joiner named like the invite could put his in its place."""
    ok(scribe, lambda: scribe.invite("many", uses=0), lambda: scribe.invite("other", uses=0))
    ok(scribe, lambda: scribe.invite("knock", approve=True), lambda: scribe.join(scribe.dan, "knock"))
    for label in ("many", "other", "knock"):
        twin = Identity(hkdf(scribe.secret(label), salt=b"", info=b"sendall-v1 invite"))
        assert twin.pk == scribe.link(label).invite_pk
        scribe.sessions[twin.pk] = bytes(16)
        assert scribe.log(scribe.join(twin, "many")) is Verdict.DENIED
    for person in (scribe.ada, scribe.dan):
        assert scribe.log(scribe.invite("new", invite_pk=person.pk)) is Verdict.DENIED
    assert scribe.log(scribe.invite("new", invite_pk=scribe.bob.pk)) is Verdict.OK


def test_rubbish_among_early_control_entries_only_has_its_place(scribe: PrivateScribe) -> None:
    """Bytes that are no entry are BAD to a late reader too, and harm nothing."""
    late = RoomState(scribe.room_id, scribe.server.pk, Kind.PRIVATE)
    late.apply_early_control(1, 1, scribe.genesis)
    before = agreed(late)
    assert late.apply_early_control(7, 2, b"rubbish") is Verdict.BAD
    assert (agreed(late), late.now) == ({**before, "seq": 7}, 2)


# -- numbers ----------------------------------------------------------------------------------


def test_numbers_of_control_entries_begin_again_after_epoch_and_restart() -> None:
    """An old entry of a member is stale after either, and a replay before it."""
    scribe = PrivateScribe("numbers")
    scribe.found()
    scribe.let_in(scribe.bob)
    rekey = scribe.rekey(scribe.bob, label=" 1")
    ok(scribe, lambda: rekey)
    assert scribe.log(rekey) is Verdict.REPLAY
    ok(scribe, lambda: scribe.restart())
    assert scribe.log(rekey) is Verdict.STALE
    ok(scribe, lambda: scribe.rekey(scribe.bob, label=" 2", n=0), lambda: scribe.epoch())
    assert scribe.log(scribe.control(EntryType.LEAVE, b"", scribe.bob, n=1)) is Verdict.GAP
