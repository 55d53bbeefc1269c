"""What somebody wants changed, one control entry at a time, whatever others do at the same moment."""

from __future__ import annotations

import pytest

from sendall.client import acts as a
from sendall.client.acts import Acts, Wanted
from sendall.crypto.sealing import commitment
from sendall.errors import Code, Refused, SendallError, UsageError
from sendall.protocol import bodies as b
from sendall.protocol.bodies import parse_body
from sendall.protocol.entry import ZERO_32, EntryType, Role, parse
from sendall.protocol.frames import B64, RefusedFrame
from sendall.protocol.verdict import Verdict
from tests.tools.private_scribe import PrivateScribe

SESSION = b"a session of ada"
LINK = b"k" * 32


class Desk:
    """One member's acts on a scribe's room."""

    def __init__(self, scribe: PrivateScribe, name: str = "ada") -> None:
        self.scribe = scribe
        self.me = scribe.people[name]
        self.keys: list[tuple[int, bytes]] = []
        self.acts = Acts(self.me, self._keep_key)
        self.now = 0.0

    def _keep_key(self, e: int) -> bytes:
        key = bytes([len(self.keys)]) * 32
        self.keys.append((e, key))
        return key

    def flush(self) -> bytes | None:
        state = self.scribe.state
        return self.acts.flush(state, (state.seq, state.h), SESSION, self.now)

    def make(self) -> bytes:
        raw = self.flush()
        assert raw is not None
        return raw

    def body(self) -> b.Body:
        return parse_body(parse(self.make()))

    def log(self, raw: bytes) -> Wanted | None:
        """The log takes an entry, and the client reads it."""
        assert self.scribe.log(raw) is Verdict.OK
        own = self.acts.came_back(raw, self.scribe.state.seq)
        self.acts.control_changed(self.scribe.state)
        return own

    def refuse(self, raw: bytes, code: Code, retry_ms: int | None = None, session: bytes = SESSION) -> None:
        entry = parse(raw)
        frame = RefusedFrame(rid=1, session=B64(session), type=entry.type, n=entry.n, code=code, retry_ms=retry_ms)
        self.acts.refused(frame, self.now)

    def outcome(self, wanted: Wanted) -> SendallError | None:
        [(settled, error)] = self.acts.take_settled()
        assert settled is wanted
        return error

    def do(self, act: a.Act) -> Wanted:
        wanted = self.acts.want(act)
        self.log(self.make())
        assert self.outcome(wanted) is None
        return wanted


@pytest.fixture
def scribe() -> PrivateScribe:
    scribe = PrivateScribe("acts")
    scribe.found()
    scribe.let_in(scribe.bob, scribe.cyd)
    return scribe


@pytest.fixture
def desk(scribe: PrivateScribe) -> Desk:
    return Desk(scribe)


def invite_of(scribe: PrivateScribe, label: str = "new", **kw: int) -> a.MakeInvite:
    link = scribe.link(label)
    return a.MakeInvite(link.invite_pk, link.door_pk, kw.get("uses", 1), kw.get("expires_ms", 0), kw.get("flags", 0))


# -- every act ------------------------------------------------------------------------------------


def test_a_rotation_makes_the_next_epoch_with_a_kept_key(desk: Desk) -> None:
    """The key is handed over before the entry that commits to it exists."""
    wanted = desk.acts.want(a.Rotate(1))
    body = desk.body()
    [(e, key)] = desk.keys
    assert isinstance(body, b.Epoch)
    assert (body.e, e, body.removed) == (2, 2, ())
    assert body.commit == commitment(key, desk.scribe.room_id, 2)
    desk.log(wanted.raw)
    assert desk.outcome(wanted) is None
    assert wanted.seq == desk.scribe.state.seq


def test_a_rotation_is_needless_once_its_epoch_is_over(desk: Desk) -> None:
    """Somebody else made a new key first: that is what was wanted."""
    wanted = desk.acts.want(a.Rotate(1))
    desk.scribe.log(desk.scribe.epoch())
    assert desk.flush() is None
    assert desk.outcome(wanted) is None
    assert wanted.seq == 0
    assert desk.keys == []


def test_removing_names_those_who_are_there_ascending(desk: Desk) -> None:
    """Who is gone already is left out; nobody left makes it needless."""
    scribe = desk.scribe
    desk.do(a.Remove((scribe.cyd.pk, scribe.bob.pk, scribe.eve.pk)))
    assert set(scribe.membership.members) == {scribe.ada.pk}
    wanted = desk.acts.want(a.Remove((scribe.cyd.pk,)))
    assert desk.flush() is None
    assert desk.outcome(wanted) is None


def test_who_waits_can_be_removed_too(desk: Desk) -> None:
    """To decline a newcomer is to remove somebody pending."""
    scribe = desk.scribe
    scribe.log(scribe.invite("asks", approve=True))
    scribe.log(scribe.join(scribe.dan, "asks"))
    desk.do(a.Remove((scribe.dan.pk,)))
    assert scribe.membership.pending == {}


def test_nobody_removes_himself(desk: Desk) -> None:
    """The state machine would deny it: to go is to leave."""
    desk.scribe.log(desk.scribe.role(desk.scribe.bob.pk, Role.ADMIN))
    wanted = desk.acts.want(a.Remove((desk.scribe.ada.pk, desk.scribe.cyd.pk)))
    assert desk.flush() is None
    assert isinstance(desk.outcome(wanted), UsageError)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.READER])
def test_a_role_is_given_once(desk: Desk, role: Role) -> None:
    """A member's or, for 32 zero bytes, that of members to come (which is never admin)."""
    bob = desk.scribe.bob.pk
    desk.do(a.SetRole(bob, role))
    assert desk.scribe.membership.members[bob].role is role
    wanted = desk.acts.want(a.SetRole(bob, role))
    assert desk.flush() is None
    assert desk.outcome(wanted) is None


def test_the_default_role_is_given_once(desk: Desk) -> None:
    """Whoever joins from then on is a reader."""
    desk.do(a.SetRole(ZERO_32, Role.READER))
    assert desk.scribe.membership.default is Role.READER
    wanted = desk.acts.want(a.SetRole(ZERO_32, Role.READER))
    assert desk.flush() is None
    assert desk.outcome(wanted) is None


def test_an_admission_is_given_once(desk: Desk) -> None:
    """Who is a member already needs none."""
    scribe = desk.scribe
    scribe.log(scribe.invite("asks", approve=True))
    scribe.log(scribe.join(scribe.dan, "asks"))
    desk.do(a.Admit(scribe.dan.pk))
    assert scribe.dan.pk in scribe.membership.members
    wanted = desk.acts.want(a.Admit(scribe.dan.pk))
    assert desk.flush() is None
    assert desk.outcome(wanted) is None


def test_an_invite_is_made_and_ended_once(desk: Desk) -> None:
    """Both are needless the second time."""
    invite = invite_of(desk.scribe, uses=3, expires_ms=5, flags=1)
    for act in (invite, a.EndInvite(invite.invite_pk)):
        desk.do(act)
        wanted = desk.acts.want(act)
        assert desk.flush() is None
        assert desk.outcome(wanted) is None
    assert desk.scribe.membership.invites == {}
    assert invite.invite_pk in desk.scribe.membership.used


def test_a_newcomer_joins_once(scribe: PrivateScribe) -> None:
    """With the invite's signature over both its keys; who is in, or waits, need not."""
    scribe.log(scribe.invite("dan", uses=2))
    desk = Desk(scribe, "dan")
    link = scribe.link("dan")
    join = a.Join(scribe.modulus("dan"), link.invite_pk, link.sign_join)
    desk.do(join)
    assert scribe.dan.pk in scribe.membership.members
    wanted = desk.acts.want(join)
    assert desk.flush() is None
    assert desk.outcome(wanted) is None


def test_a_member_gives_a_new_rsa_key_once(desk: Desk) -> None:
    """Nothing is to be done where it is known, or where one is no member."""
    desk.do(a.Rekey(desk.scribe.modulus("new")))
    for other in (desk, Desk(desk.scribe, "fay")):
        wanted = other.acts.want(a.Rekey(desk.scribe.modulus("new")))
        assert other.flush() is None
        assert other.outcome(wanted) is None


def test_a_member_leaves_once(scribe: PrivateScribe) -> None:
    """Who is no member need not."""
    desk = Desk(scribe, "bob")
    desk.do(a.Leave())
    assert scribe.bob.pk not in scribe.membership.members
    wanted = desk.acts.want(a.Leave())
    assert desk.flush() is None
    assert desk.outcome(wanted) is None


@pytest.mark.parametrize(
    "act", [a.Leave(), a.SetRole(b"?" * 32, Role.READER)], ids=["the last admin leaves", "a role for nobody"]
)
def test_what_cannot_be_is_said_at_once(desk: Desk, act: a.Act) -> None:
    """With the reason and what to do; nothing is sent."""
    wanted = desk.acts.want(act)
    assert desk.flush() is None
    error = desk.outcome(wanted)
    assert isinstance(error, UsageError)
    assert error.hint


def test_the_last_admin_stays_admin(desk: Desk) -> None:
    """There is always one who can make a key."""
    wanted = desk.acts.want(a.SetRole(desk.scribe.ada.pk, Role.MEMBER))
    assert desk.flush() is None
    assert isinstance(desk.outcome(wanted), UsageError)


def test_who_is_alone_forgets_the_room_instead_of_leaving(desk: Desk) -> None:
    """A room without members cannot be."""
    desk.do(a.Remove((desk.scribe.bob.pk, desk.scribe.cyd.pk)))
    wanted = desk.acts.want(a.Leave())
    assert desk.flush() is None
    error = desk.outcome(wanted)
    assert isinstance(error, UsageError)
    assert "forget" in error.hint


def test_only_admins_act_for_the_room(scribe: PrivateScribe) -> None:
    """A member is told so, and nothing is sent."""
    desk = Desk(scribe, "bob")
    for act in (a.Rotate(1), a.Remove((scribe.cyd.pk,)), a.Admit(LINK), a.EndInvite(LINK)):
        wanted = desk.acts.want(act)
        assert desk.flush() is None
        assert isinstance(desk.outcome(wanted), UsageError)


# -- one at a time, and again ---------------------------------------------------------------------


def test_one_entry_is_under_way_at_a_time(desk: Desk) -> None:
    """The next is made once the first came back, on the state that it made."""
    first, second = desk.acts.want(invite_of(desk.scribe)), desk.acts.want(invite_of(desk.scribe, "second"))
    raw = desk.make()
    assert not desk.acts.is_idle
    assert desk.flush() is None
    assert desk.log(raw) is first
    assert desk.log(desk.make()) is second
    assert desk.acts.is_idle


def test_an_entry_that_lost_its_race_is_made_again_at_once(desk: Desk) -> None:
    """Another admin's entry came first: the same is made on the new state, without waiting for the refusal."""
    scribe = desk.scribe
    scribe.log(scribe.role(scribe.bob.pk, Role.ADMIN))
    wanted = desk.acts.want(a.Remove((scribe.cyd.pk,)))
    lost = desk.make()
    assert desk.log(scribe.invite("bob's", who=scribe.bob)) is None
    again = desk.make()
    assert again != lost
    assert desk.log(again) is wanted
    assert (wanted.raw, wanted.seq) == (again, scribe.state.seq)


def test_others_joins_leave_a_rekey_alone(desk: Desk) -> None:
    """It depends on the epoch only."""
    scribe = desk.scribe
    desk.acts.want(a.Rekey(scribe.modulus("new")))
    raw = desk.make()
    desk.log(scribe.invite("x"))
    assert not desk.acts.is_idle
    desk.log(scribe.epoch())
    assert desk.acts.is_idle
    assert desk.make() != raw


def test_a_restart_voids_what_is_under_way(desk: Desk) -> None:
    """It names an older head, so no server takes it any more."""
    wanted = desk.acts.want(a.Rekey(desk.scribe.modulus("new")))
    desk.make()
    desk.log(desk.scribe.restart())
    assert desk.log(desk.make()) is wanted


def test_what_came_back_after_the_connection_ended_is_done(desk: Desk) -> None:
    """The log decides, also about an entry whose connection is gone: the act is known to be this client's."""
    wanted = desk.acts.want(a.Rotate(1))
    raw = desk.make()
    desk.acts.disconnected()
    assert desk.acts.is_idle
    assert desk.log(raw) is wanted
    assert desk.flush() is None


def test_the_entry_that_did_it_is_the_one_that_came_back(desk: Desk) -> None:
    """A link names the hash of its invite entry: of an earlier one, if the log took that."""
    scribe = desk.scribe
    wanted = desk.acts.want(invite_of(scribe))
    first = desk.make()
    desk.acts.disconnected()
    state = scribe.state
    second = desk.acts.flush(state, (state.seq - 1, scribe.lines[-2].h), SESSION, desk.now)
    assert second != first
    desk.log(first)
    assert desk.outcome(wanted) is None
    assert wanted.raw == first


def test_an_entry_of_another_program_is_no_act_of_this_one(desk: Desk) -> None:
    """Two programs of one identity each see the other's."""
    wanted = desk.acts.want(a.Rotate(1))
    assert desk.log(desk.scribe.invite("by another program")) is None
    assert desk.acts.wants(a.Rotate)
    assert desk.acts.open == (wanted,)


# -- refusals are hints ---------------------------------------------------------------------------


def test_a_refusal_of_something_else_changes_nothing(desk: Desk) -> None:
    """Another session's, a message's, or of nothing that is under way."""
    desk.acts.want(a.Rotate(1))
    raw = desk.make()
    desk.refuse(raw, Code.CONFLICT, session=b"another session.")
    assert not desk.acts.is_idle
    desk.refuse(raw, Code.CONFLICT)
    desk.refuse(raw, Code.CONFLICT)
    assert desk.acts.take_settled() == []


def test_what_is_refused_is_made_again_after_a_while(desk: Desk) -> None:
    """Or at once when a control entry tells why."""
    wanted = desk.acts.want(invite_of(desk.scribe))
    desk.refuse(desk.make(), Code.CONFLICT)
    assert desk.flush() is None
    desk.now += a.RETRY_S
    desk.refuse(desk.make(), Code.CONFLICT)
    desk.log(desk.scribe.invite("somebody else's"))
    assert desk.log(desk.make()) is wanted


def test_what_the_server_wants_slower_waits_whatever_happens(desk: Desk) -> None:
    """Up to a minute; a new connection begins anew."""
    desk.acts.want(invite_of(desk.scribe))
    desk.refuse(desk.make(), Code.SLOW_DOWN, retry_ms=3_600_000)
    desk.log(desk.scribe.invite("somebody else's"))
    desk.now += a.MAX_RETRY_S - 0.1
    assert desk.flush() is None
    desk.now += 0.2
    desk.refuse(desk.make(), Code.FULL, retry_ms=1000)
    desk.acts.disconnected()
    desk.make()


def test_a_removal_is_not_held_up_by_what_waits(desk: Desk) -> None:
    """A rekey that may come in an hour, and an older wish, stand behind it."""
    scribe = desk.scribe
    desk.acts.want(a.Rekey(scribe.modulus("new")))
    desk.refuse(desk.make(), Code.SLOW_DOWN, retry_ms=3_600_000)
    desk.acts.want(invite_of(scribe))
    kick = desk.acts.want(a.Remove((scribe.bob.pk,)))
    assert desk.log(desk.make()) is kick


def test_nothing_is_sealed_while_somebody_is_to_be_removed(desk: Desk) -> None:
    """From the wish on until the log has it or it is given up, whatever the server answers meanwhile."""
    scribe = desk.scribe
    desk.acts.want(a.Remove((scribe.bob.pk,)))
    assert desk.acts.is_changing_keys
    raw = desk.make()
    desk.refuse(raw, Code.CONFLICT)
    assert desk.acts.is_changing_keys
    desk.acts.disconnected()
    assert desk.acts.is_changing_keys
    desk.log(desk.make())
    assert not desk.acts.is_changing_keys


def test_a_rotation_stops_sealing_only_while_it_is_under_way(desk: Desk) -> None:
    """A server that refuses it for ever does not make the room silent."""
    desk.acts.want(a.Rotate(1))
    assert not desk.acts.is_changing_keys
    raw = desk.make()
    assert desk.acts.is_changing_keys
    desk.refuse(raw, Code.FULL)
    assert not desk.acts.is_changing_keys


def test_a_removal_cannot_be_starved_by_joining(desk: Desk) -> None:
    """Each join changes what a removal says of who is left; after two lost races the link is revoked first."""
    scribe = desk.scribe
    scribe.log(scribe.invite("storm", uses=0))
    scribe.log(scribe.invite("quiet", uses=0))
    kick = desk.acts.want(a.Remove((scribe.bob.pk,)))
    crowd = iter((scribe.dan, scribe.eve, scribe.fay))
    for _ in range(a.CONFLICTS_BEFORE_REVOKING):
        raw = desk.make()
        assert scribe.log(scribe.join(next(crowd), "storm")) is Verdict.OK
        assert scribe.log(raw) is Verdict.CONFLICT
        desk.refuse(raw, Code.CONFLICT)
        desk.acts.control_changed(scribe.state)
    revoke = desk.make()
    assert parse_body(parse(revoke)) == b.Revoke(scribe.state.auth, scribe.link("storm").invite_pk)
    assert scribe.log(scribe.join(next(crowd), "storm")) is Verdict.OK
    assert desk.log(revoke) is None
    assert parse(desk.make()).type == EntryType.REVOKE
    desk.acts.disconnected()
    desk.log(desk.make())
    assert desk.log(desk.make()) is kick
    assert desk.outcome(kick) is None


def test_a_needless_removal_revokes_nothing(desk: Desk) -> None:
    """Somebody else removed them meanwhile."""
    scribe = desk.scribe
    scribe.log(scribe.role(scribe.cyd.pk, Role.ADMIN))
    kick = desk.acts.want(a.Remove((scribe.bob.pk,)))
    for _ in range(a.CONFLICTS_BEFORE_REVOKING):
        desk.refuse(desk.make(), Code.CONFLICT)
        desk.now += 1
    scribe.log(scribe.epoch(removed=[scribe.bob], who=scribe.cyd))
    scribe.log(scribe.invite("later"))
    desk.acts.control_changed(scribe.state)
    assert desk.flush() is None
    assert desk.outcome(kick) is None


@pytest.mark.parametrize("code", [Code.MALFORMED, Code.TOO_BIG])
def test_some_refusals_are_for_good(desk: Desk, code: Code) -> None:
    """The same entry would be refused again: that is told."""
    wanted = desk.acts.want(a.Rotate(1))
    desk.refuse(desk.make(), code)
    error = desk.outcome(wanted)
    assert isinstance(error, Refused)
    assert error.code is code


@pytest.mark.parametrize(("code", "tries"), [(Code.FORBIDDEN, a.FORBIDDEN_TRIES), (Code.CONFLICT, a.MAX_TRIES)])
def test_a_server_that_never_takes_it_is_believed_in_the_end(desk: Desk, code: Code, tries: int) -> None:
    """Its state may be ahead of this client's at first."""
    wanted = desk.acts.want(a.Rotate(1))
    for _ in range(tries):
        assert desk.acts.take_settled() == []
        desk.refuse(desk.make(), code)
        desk.now += 1
    assert isinstance(desk.outcome(wanted), Refused)
    assert desk.flush() is None


def test_who_wanted_to_leave_and_is_not_known_any_more_has_left(desk: Desk) -> None:
    """The entry's way back was cut; the server's word is enough for what was wanted anyway."""
    bob = Desk(desk.scribe, "bob")
    assert not bob.acts.has_left()
    wanted = bob.acts.want(a.Leave())
    bob.make()
    bob.acts.disconnected()
    assert bob.acts.has_left()
    assert bob.outcome(wanted) is None
