"""PRIVATE rooms end to end, without sockets: real followers against the real relay."""

from __future__ import annotations

import pytest

from sendall.client import acts as a
from sendall.client import duties
from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.client.conversation.kinds import Topic
from sendall.client.verifying import Unverified
from sendall.errors import Code, Refused, UsageError
from sendall.protocol import frames as f
from sendall.protocol.entry import ZERO_32, EntryType, Role
from tests.client.private_worlds import PrivateParty, by_link, pass_seconds, settle
from tests.conftest import RsaPool
from tests.server.members import RelayWorld

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def world() -> RelayWorld:
    return RelayWorld()


@pytest.fixture
def ada(world: RelayWorld, rsa_pool: RsaPool) -> PrivateParty:
    return PrivateParty.maker(world, rsa_pool[0])


def test_who_makes_a_room_is_its_admin_and_can_write(ada: PrivateParty) -> None:
    """Genesis, the admin's key and the first epoch are there after one exchange."""
    assert ada.roles == {ada.identity.pk: Role.ADMIN}
    assert ada.room.log.state.epoch == 1
    ada.write("hello")
    ada.pump()
    assert ada.texts == ["hello"]


def test_a_link_leads_in_while_nobody_is_online(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The invite grant at the door is enough: the newcomer reads and writes, and the admin sees the join later."""
    link = ada.invite()
    ada.cut()
    bob = ada.newcomer(rsa_pool[1], link)
    bob.write("here")
    bob.pump()
    assert bob.texts == ["here"]
    ada.connect()
    assert ada.texts == ["here"]
    assert ada.roles == {ada.identity.pk: Role.ADMIN, bob.identity.pk: Role.MEMBER}
    assert any("joined by a link" in notice.sentence for notice in ada.told if isinstance(notice, ev.Notice))


def test_who_is_kicked_reads_nothing_more(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The removing entry is the last that comes; the key of the new epoch never does."""
    bob = ada.newcomer(rsa_pool[1], ada.invite())
    ada.pump()
    ada.kick(bob)
    bob.pump()
    ada.write("without bob")
    ada.pump()
    bob.pump()
    assert bob.room.why_gone is not None
    assert bob.texts == []
    assert ada.texts == ["without bob"]
    assert bob.room.ring.held.keys() == {1}


def test_a_rotation_gives_everybody_the_new_key(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Members who are there, and those who are away and come back."""
    bob = ada.newcomer(rsa_pool[1], ada.invite())
    carol = ada.newcomer(rsa_pool[2], ada.invite(), nick="carol")
    carol.cut()
    ada.do(a.Rotate(1))
    bob.pump()
    ada.pump()
    ada.write("two")
    ada.pump()
    bob.pump()
    carol.connect()
    assert bob.texts == ["two"]
    assert carol.texts == ["two"]


def bob_in(ada: PrivateParty, rsa_pool: RsaPool, nick: str = "bob", number: int = 1) -> PrivateParty:
    """Return somebody who joined by a link, everybody at the head."""
    party = ada.newcomer(rsa_pool[number], ada.invite(), nick=nick)
    settle(ada, party)
    return party


def sentences(party: PrivateParty) -> list[str]:
    return [event.sentence for event in party.told if isinstance(event, ev.Notice)]


def refusals(party: PrivateParty) -> list[Code]:
    return [settled.outcome.code for settled in party.settled if isinstance(settled.outcome, Refused)]


# -- roles ----------------------------------------------------------------------------------------


def test_readers_read_and_cannot_post(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Until they are members again."""
    bob = bob_in(ada, rsa_pool)
    ada.do(a.SetRole(bob.identity.pk, Role.READER))
    ada.write("for bob")
    settle(ada, bob)
    bob.write("not allowed")
    settle(ada, bob)
    assert bob.texts == ["for bob"]
    assert refusals(bob) == [Code.FORBIDDEN]
    ada.do(a.SetRole(bob.identity.pk, Role.MEMBER))
    settle(ada, bob)
    bob.write("again")
    settle(ada, bob)
    assert ada.texts == ["for bob", "again"]


def test_the_default_role_is_that_of_newcomers(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Who is in already keeps theirs."""
    bob = bob_in(ada, rsa_pool)
    ada.do(a.SetRole(ZERO_32, Role.READER))
    carol = bob_in(ada, rsa_pool, "carol", 2)
    settle(bob)
    assert bob.roles[carol.identity.pk] is Role.READER
    assert bob.roles[bob.identity.pk] is Role.MEMBER


def test_a_second_admin_can_do_everything_and_a_member_nothing(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Who is not allowed to is told before anything is sent."""
    bob, carol = bob_in(ada, rsa_pool), bob_in(ada, rsa_pool, "carol", 2)
    with pytest.raises(UsageError, match="only an admin"):
        bob.kick(carol)
    ada.do(a.SetRole(bob.identity.pk, Role.ADMIN))
    settle(ada, bob, carol)
    bob.kick(carol)
    settle(ada, bob, carol)
    assert carol.room.is_out
    bob.write("by the new admin")
    settle(ada, bob)
    assert ada.texts == ["by the new admin"]


def test_two_admins_at_once_both_get_what_they_want(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The loser of the race makes its entry again: both are gone, with one key for who is left."""
    bob, carol, dan = (bob_in(ada, rsa_pool, nick, n) for n, nick in ((1, "bob"), (2, "carol"), (3, "dan")))
    ada.do(a.SetRole(bob.identity.pk, Role.ADMIN))
    settle(ada, bob, carol, dan)
    ada.room.acts.want(a.Remove((carol.identity.pk,)))
    bob.room.acts.want(a.Remove((dan.identity.pk,)))
    ada.send()
    bob.send()
    pass_seconds(2, ada, bob)
    assert [error for _, error in ada.acts_settled[-1:] + bob.acts_settled[-1:]] == [None, None]
    assert set(ada.roles) == set(bob.roles) == {ada.identity.pk, bob.identity.pk}
    assert ada.room.log.state.epoch == bob.room.log.state.epoch == 3
    bob.write("who is left")
    settle(ada, bob)
    assert ada.texts == ["who is left"]


# -- removing -------------------------------------------------------------------------------------


def test_what_the_kicked_types_meanwhile_goes_nowhere(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The kick and the message cross on the wire; the server takes the kick first."""
    bob, carol = bob_in(ada, rsa_pool), bob_in(ada, rsa_pool, "carol", 2)
    bob.write("hel")
    ada.room.acts.want(a.Remove((bob.identity.pk,)))
    ada.send()
    bob.send()
    settle(ada, bob, carol)
    assert bob.room.is_out
    assert carol.texts == ada.texts == []
    assert bob.outbox.has_open
    [gone] = [event for event in bob.told if isinstance(event, ev.Removed)]
    assert "removed you" in str(gone.why)
    assert any("removed bob" in sentence for sentence in sentences(carol))


def test_a_kick_ends_all_links(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Nobody comes back by one known before."""
    bob = bob_in(ada, rsa_pool)
    link = ada.invite(uses=0)
    settle(ada, bob)
    ada.kick(bob)
    settle(ada, bob)
    again = ada.newcomer(rsa_pool[2], link, identity=bob.identity)
    assert again.room.why_gone is not None
    assert "ended when somebody was removed" in str(again.room.why_gone)


def test_who_was_kicked_comes_back_by_a_new_link_only(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """And then has a life like everybody."""
    bob = bob_in(ada, rsa_pool)
    ada.kick(bob)
    settle(ada, bob)
    bob.cut()
    again = ada.newcomer(rsa_pool[2], ada.invite(), identity=bob.identity)
    again.write("back")
    settle(ada, again)
    assert ada.texts == ["back"]
    later = again.again(is_saved=False)
    later.connect()
    assert later.room.is_settled
    assert later.texts == ["back"]


def test_who_was_removed_while_away_is_told_by_the_server_and_forgets_nothing(
    ada: PrivateParty, rsa_pool: RsaPool
) -> None:
    """Its word is not the log's."""
    bob = bob_in(ada, rsa_pool)
    bob.cut()
    ada.kick(bob)
    bob.connect()
    assert bob.room.why_gone is not None
    assert bob.room.why_gone.code is Code.NOT_MEMBER
    assert not bob.room.is_out


def test_who_leaves_is_rotated_out(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The first admin there makes a new key, whether it saw the leaving or comes later."""
    bob, carol = bob_in(ada, rsa_pool), bob_in(ada, rsa_pool, "carol", 2)
    bob.do(a.Leave())
    assert bob.room.is_out
    settle(ada, bob, carol)
    pass_seconds(1, ada, carol)
    assert carol.room.log.state.epoch == 2
    assert carol.room.is_ready
    later = ada.again()
    ada.cut()
    carol.do(a.Leave())
    later.connect()
    pass_seconds(1, later)
    assert later.room.log.state.epoch == 3


def test_a_removal_of_a_thousand_hands_out_its_key_in_slices(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Everybody has the new key in the end, also who is away; until then the client is busy."""
    bob, carol = bob_in(ada, rsa_pool), bob_in(ada, rsa_pool, "carol", 2)
    carol.cut()
    ada.kick(bob)
    assert not ada.room.has_more
    carol.connect()
    assert carol.room.ring.held.keys() == {1, 2}


# -- coming in ------------------------------------------------------------------------------------


def test_who_must_be_admitted_waits_without_keys(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """And is in at once when an admin says so, with all there is to read."""
    ada.write("before")
    ada.pump()
    bob = ada.newcomer(rsa_pool[1], ada.invite(needs_admit=True))
    settle(ada, bob)
    assert bob.room.is_pending
    assert bob.room.is_settled
    assert bob.room.ring.held == {}
    ada.write("while bob waits")
    settle(ada, bob)
    assert bob.texts == []
    ada.do(a.Admit(bob.identity.pk))
    settle(ada, bob)
    pass_seconds(1, ada, bob)
    assert bob.room.is_ready
    bob.write("thanks")
    settle(ada, bob)
    assert ada.texts[-1] == "thanks"
    assert any("asked to join and waits" in sentence for sentence in sentences(ada))


def test_who_is_admitted_while_away_comes_in(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The connection of who waits may end as often as it likes."""
    bob = ada.newcomer(rsa_pool[1], ada.invite(needs_admit=True))
    settle(ada, bob)
    bob.cut()
    bob.connect()
    assert bob.room.is_pending
    bob.cut()
    ada.do(a.Admit(bob.identity.pk))
    ada.write("hello bob")
    settle(ada)
    bob.connect()
    settle(ada, bob)
    pass_seconds(1, ada, bob)
    assert bob.room.is_ready
    bob.write("here")
    settle(ada, bob)
    assert ada.texts[-1] == "here"


def test_who_waits_can_be_declined(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """And is told."""
    bob = ada.newcomer(rsa_pool[1], ada.invite(needs_admit=True))
    settle(ada, bob)
    ada.kick(bob)
    settle(ada, bob)
    assert bob.room.is_out
    assert bob.room.ring.held == {}


def test_a_room_with_knock_lets_nobody_in_while_nobody_is_there(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Its links open nothing: the newcomer joins, and has the key as soon as any member is online."""
    ada = PrivateParty.maker(world, rsa_pool[0], knock=True)
    assert not ada.room.has_doors
    link = ada.invite(has_door=ada.room.has_doors)
    ada.cut()
    bob = ada.newcomer(rsa_pool[1], link)
    pass_seconds(1, bob)
    assert bob.room.is_settled
    assert not bob.room.is_ready
    ada.connect()
    pass_seconds(6, ada, bob)
    assert bob.room.is_ready


@pytest.mark.parametrize("end", ["used up", "revoked", "expired"])
def test_a_link_that_leads_nowhere_says_why(ada: PrivateParty, rsa_pool: RsaPool, end: str) -> None:
    """In a sentence, to who follows it; nothing is joined."""
    world = ada.world
    link = ada.invite(expires_ms=world.wall + 1000 if end == "expired" else 0)
    if end == "used up":
        ada.newcomer(rsa_pool[2], link, nick="first")
    elif end == "revoked":
        [invite_pk] = ada.room.membership.invites
        ada.do(a.EndInvite(invite_pk))
    else:
        world.wall += 2000
    bob = ada.newcomer(rsa_pool[1], link)
    assert bob.room.why_gone is not None
    assert bob.room.why_gone.code is Code.UNKNOWN_INVITE
    sentence = {"used up": "as often as it may be", "revoked": "revoked", "expired": "has expired"}[end]
    assert sentence in str(bob.room.why_gone)
    assert bob.identity.pk not in ada.roles


def test_two_newcomers_race_for_one_use(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """One is in; the other is told that the link is used up, and waits no longer."""
    link = ada.invite()
    bob, carol = ada.newcomer(rsa_pool[1], link), None
    bob.cut()
    ada.kick(bob)
    link = ada.invite()
    bob = ada.newcomer(rsa_pool[1], link)
    carol = ada.newcomer(rsa_pool[2], link, nick="carol")
    pass_seconds(2, ada, bob, carol)
    assert bob.room.is_settled
    assert carol.room.why_gone is not None


def test_two_newcomers_whose_joins_cross(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Both saw an open link, and sent their joins in the same turn."""
    link = ada.invite()
    bob = PrivateParty(ada.world, rsa_pool[1], origin=by_link(rsa_pool[1], link), nick="bob")
    carol = PrivateParty(ada.world, rsa_pool[2], origin=by_link(rsa_pool[2], link), nick="carol")
    for party in (bob, carol):
        party.connect(pump=False)
    for _ in range(12):
        ada.world.run()
        for party in (bob, carol):
            party.read()
        for party in (bob, carol):
            party.send()
    pass_seconds(4, ada, bob, carol)
    assert [bob.room.is_ready, carol.room.is_ready].count(True) == 1
    loser = carol if bob.room.is_ready else bob
    assert loser.room.why_gone is not None
    assert len(ada.roles) == 2


@pytest.mark.parametrize("lose", [False, True])
def test_a_newcomer_whose_connection_ends_anywhere_is_in_once(ada: PrivateParty, rsa_pool: RsaPool, lose: bool) -> None:
    """After any number of turns; it joins once, and can write."""
    for turns in range(1, 9):
        link = ada.invite()
        bob = PrivateParty(ada.world, rsa_pool[1], origin=by_link(rsa_pool[1], link), nick="bob")
        bob.connect(pump=False)
        for _ in range(turns):
            ada.world.run()
            bob.read()
            bob.send()
        bob.cut(lose=lose)
        bob.connect()
        pass_seconds(1, ada, bob)
        assert bob.room.is_ready, turns
        bob.write(f"after {turns}")
        settle(ada, bob)
        assert ada.texts[-1] == f"after {turns}"
        bob.cut()
    assert len(ada.roles) == 9


def test_a_link_that_no_room_knows_is_refused(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """In words: the server has no such invite."""
    bob = ada.newcomer(rsa_pool[1], (b"?" * 32, b"s" * 16))
    [joined] = bob.session.joined
    assert isinstance(joined.error, Refused)
    assert joined.error.code is Code.UNKNOWN_INVITE
    assert joined.error.hint


def test_signatures_of_a_room_that_is_read_can_be_verified_ahead(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """By the numbers and ids of the rooms that are not at the head; of others nothing is noted."""
    link = ada.invite()
    bob = PrivateParty(ada.world, rsa_pool[1], origin=by_link(rsa_pool[1], link), nick="bob")
    bob.connect(pump=False)
    while not bob.session.rooms_to_verify():
        ada.world.run()
        bob.read()
        bob.send()
    [(rid, room_id)] = bob.session.rooms_to_verify().items()
    assert room_id == ada.room.room_id
    bob.session.verified([Unverified(rid, room_id, b"raw"), Unverified(rid + 1, room_id, b"other")])
    assert bob.room.log.verified == {b"raw"}
    bob.pump()
    bob.pump()
    assert bob.room.is_settled
    assert bob.session.rooms_to_verify() == {}


# -- history --------------------------------------------------------------------------------------


def test_a_newcomer_reads_all_where_history_is_for_newcomers(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """The door brings the keys of all epochs; what was said is shown as pages before the rest."""
    ada.write("one")
    ada.pump()
    ada.do(a.Rotate(1))
    ada.write("two")
    ada.pump()
    link = ada.invite()
    ada.cut()
    bob = ada.newcomer(rsa_pool[1], link)
    assert bob.room.ring.held.keys() == {1, 2}
    backfill = bob.room.take_backfill()
    assert backfill is not None
    assert page(bob, backfill.first, backfill.last) == ["one", "two"]


def test_a_newcomer_reads_nothing_from_before_its_epoch_else(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Whoever left grants at the door, and whenever: not even the bytes of an older key come."""
    ada = PrivateParty.maker(world, rsa_pool[0], history=0)
    bob = bob_in(ada, rsa_pool)
    ada.do(a.SetRole(bob.identity.pk, Role.ADMIN))
    ada.write("old")
    settle(ada, bob)
    link = ada.invite()
    settle(ada, bob)
    bob.do(a.Rotate(1))
    settle(ada, bob)
    ada.write("new")
    settle(ada, bob)
    carol = ada.newcomer(rsa_pool[2], link, nick="carol")
    settle(ada, bob, carol)
    pass_seconds(6, ada, bob, carol)
    assert carol.room.ring.held.keys() == {2}
    backfill = carol.room.take_backfill()
    assert backfill is not None
    assert page(carol, backfill.first, backfill.last) == ["new"]


def test_who_was_away_gets_all_since_they_joined(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Also where newcomers get nothing from before."""
    ada = PrivateParty.maker(world, rsa_pool[0], history=0)
    ada.do(a.Rotate(1))
    bob = bob_in(ada, rsa_pool)
    bob.cut()
    for epoch in (2, 3):
        ada.write(f"in {epoch}")
        ada.pump()
        ada.do(a.Rotate(epoch))
    bob.connect()
    assert bob.room.ring.held.keys() == {2, 3, 4}
    assert bob.texts == ["in 2", "in 3"]


def page(party: PrivateParty, first: int, last: int) -> list[str]:
    """Return the texts of a page, as its reader is shown them."""
    assert party.session.ask_page(party.room, last + 1, last - first + 1)
    party.pump()
    [read] = party.room.pages
    party.room.pages.clear()
    assert not [told for told in read.told if isinstance(told, ev.Unreadable) and told.seq >= first]
    return [told.text for told in read.told if isinstance(told, ev.Message) and told.seq >= first]


def test_a_late_reader_begins_at_the_end(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """A program without a saved state that shows the last entries only reads the control entries of the rest."""
    bob = bob_in(ada, rsa_pool)
    ada.write(*(str(number) for number in range(70)))
    settle(ada, bob)
    bob.cut()
    later = bob.again(is_saved=False)
    later.connect()
    settle(ada, later)
    assert later.texts[0] == "20"
    assert later.texts[-1] == "69"
    assert later.room.is_ready
    later.write("here")
    settle(ada, later)
    assert ada.texts[-1] == "here"


def test_a_later_program_goes_on_where_the_last_one_stopped(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """With what came meanwhile, epochs and members included, and nothing twice."""
    bob = bob_in(ada, rsa_pool)
    ada.write("seen")
    settle(ada, bob)
    later = bob.again()
    bob.cut()
    ada.do(a.Rotate(1))
    ada.write("missed")
    ada.pump()
    later.connect()
    settle(ada, later)
    assert later.texts == ["missed"]
    assert later.room.ring.held.keys() == {1, 2}
    assert later.room.alarm is None


def test_a_later_program_that_wants_all_reads_all(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Its saved state only says what must be met again."""
    bob = bob_in(ada, rsa_pool)
    ada.write("one", "two")
    settle(ada, bob)
    later = bob.again(beginning=Beginning())
    bob.cut()
    later.connect()
    settle(ada, later)
    assert later.texts == ["one", "two"]
    assert later.room.alarm is None
    assert later.room.place_in_log.save() is not None


def test_what_was_sealed_before_a_crash_arrives_once(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Whether it had arrived or not, and whether the epoch passed meanwhile."""
    for arrives in (True, False):
        for rotates in (True, False):
            bob = bob_in(ada, rsa_pool)
            bob.write("once")
            if arrives:
                bob.send()
            else:
                bob.room.flush(ada.world.now)
            bob.cut(lose=True)
            settle(ada)
            if rotates:
                ada.do(a.Rotate(ada.room.log.state.epoch))
            later = bob.again()
            later.connect()
            settle(ada, later)
            assert ada.texts.count("once") == 1
            ada.told.clear()
            later.cut()


# -- rotation, keys, time -------------------------------------------------------------------------


def test_an_admin_gives_the_room_a_new_key_daily(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """And after so many entries; once, whoever of the admins does it."""
    bob = bob_in(ada, rsa_pool)
    ada.do(a.SetRole(bob.identity.pk, Role.ADMIN))
    settle(ada, bob)
    ada.world.wall += DAY_MS
    pass_seconds(3, ada, bob)
    assert ada.room.log.state.epoch == bob.room.log.state.epoch == 2
    ada.room.duties._epoch_at = (ada.room.log.state.seq - duties.EPOCH_ENTRIES, ada.world.wall)
    pass_seconds(3, ada, bob)
    assert bob.room.log.state.epoch == 3


def test_a_member_replaces_its_rsa_key_and_reads_on(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Weekly if it was used, monthly in large rooms; the next epoch's key comes to the new one."""
    bob = bob_in(ada, rsa_pool)
    ada.do(a.Rotate(1))
    settle(ada, bob)
    ada.world.wall += duties.WRAP_MS
    pass_seconds(1, bob)
    assert bob.room.duties.needs_wrap
    bob.room.renew_wrap(rsa_pool[2])
    settle(ada, bob)
    assert ada.room.membership.members[bob.identity.pk].modulus == rsa_pool[2].modulus
    pass_seconds(22, ada, bob)
    assert len(bob.room.ring.wraps) == 1
    ada.do(a.Rotate(ada.room.log.state.epoch))
    settle(ada, bob)
    assert bob.room.is_ready


@pytest.mark.parametrize(
    ("days", "members", "is_due"), [(7, 100, True), (7, 101, False), (29, 101, False), (30, 101, True)]
)
def test_rsa_keys_are_replaced_weekly_up_to_a_hundred_members_and_then_monthly(
    ada: PrivateParty, rsa_pool: RsaPool, days: int, members: int, is_due: bool
) -> None:
    """A large room is not told of new keys all the time."""
    bob = bob_in(ada, rsa_pool)
    ada.do(a.Rotate(1))
    settle(ada, bob)
    members_of_room = bob.room.membership.members
    one = members_of_room[bob.identity.pk]
    members_of_room.update({bytes([n]) * 32: one for n in range(1, members - 1)})
    assert len(members_of_room) == members
    ada.world.wall += days * 24 * 3600 * 1000
    pass_seconds(1, bob)
    assert bob.room.duties.needs_wrap is is_due


def test_an_admin_whom_nobody_gives_the_key_makes_a_new_one(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Its maker vanished before it gave it to anybody: after 30 s the room goes on."""
    bob, carol = bob_in(ada, rsa_pool), bob_in(ada, rsa_pool, "carol", 2)
    ada.do(a.SetRole(bob.identity.pk, Role.ADMIN))
    settle(ada, bob, carol)
    ada.room.acts.want(a.Rotate(1))
    ada.send()
    ada.world.run()
    ada.connection.closed()
    ada.wire = None
    settle(bob, carol)
    assert bob.room.log.state.epoch == 2
    assert not bob.room.is_ready
    pass_seconds(28, bob, carol)
    assert bob.room.log.state.epoch == 2
    pass_seconds(4, bob, carol)
    assert bob.room.log.state.epoch == 3
    assert carol.room.is_ready
    carol.write("on it goes")
    settle(bob, carol)
    assert bob.texts == ["on it goes"]


def test_a_member_who_lacks_the_key_asks_and_is_given_it(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """By any member who is there: the maker of the epoch is gone."""
    bob, carol = bob_in(ada, rsa_pool), bob_in(ada, rsa_pool, "carol", 2)
    ada.do(a.Rotate(1))
    settle(ada, bob)
    ada.cut()
    carol.room.ring.forget_after(1)
    carol.safe.kept.clear()
    carol.pump()
    pass_seconds(8, bob, carol)
    assert carol.room.ring.key(2) is not None


def test_the_room_says_its_name_once_in_every_epoch(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """By the admin who made it; newcomers learn it, and the server does not."""
    bob = bob_in(ada, rsa_pool)
    pass_seconds(3, ada, bob)
    ada.do(a.Rotate(1))
    pass_seconds(3, ada, bob)

    def topics(party: PrivateParty) -> list[str]:
        changes = [event for event in party.told if isinstance(event, ev.Change) and isinstance(event.what, Topic)]
        return [change.what.text for change in changes if isinstance(change.what, Topic)]

    assert topics(ada) == ["ops", "ops"]
    assert topics(bob) == ["ops", "ops"]
    assert b"ops" not in b"".join(
        record.entry for record in ada.world.relay.rooms[ada.room.room_id].log.read(0, 1 << 20)
    )


def test_two_programs_of_one_identity_are_both_in(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Each sees what the other says, and both get the next key, and neither rekeys against the other."""
    bob = bob_in(ada, rsa_pool)
    twin = bob.again(store=True)
    twin.connect()
    bob.write("by one")
    twin.write("by two")
    settle(ada, bob, twin)
    assert sorted(ada.texts) == ["by one", "by two"]
    assert sorted(bob.texts) == sorted(twin.texts) == ["by one", "by two"]
    ada.do(a.Rotate(1))
    settle(ada, bob, twin)
    pass_seconds(12, ada, bob, twin)
    assert bob.room.is_ready
    assert twin.room.is_ready
    assert not bob.room.duties.needs_wrap
    assert not twin.room.duties.needs_wrap


# -- the server restarts ----------------------------------------------------------------------------


def test_a_room_outlives_its_server(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Members, keys at doors and grants of who is away are there after a restart."""
    bob = bob_in(ada, rsa_pool)
    link = ada.invite()
    settle(ada, bob)
    bob.cut()
    ada.do(a.Rotate(1))
    ada.cut()
    ada.world.restart()
    carol = ada.newcomer(rsa_pool[2], link, nick="carol")
    carol.write("nobody here")
    carol.pump()
    assert carol.texts == ["nobody here"]
    bob.connect()
    settle(bob, carol)
    assert bob.texts == ["nobody here"]
    assert bob.room.alarm is None


def test_acts_under_way_while_the_connection_ends_are_done_once(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """Whether the server had taken them or not: the log tells, and the rest is made again."""
    for turns in range(4):
        bob = bob_in(ada, rsa_pool)
        kick = ada.room.acts.want(a.Remove((bob.identity.pk,)))
        for _ in range(turns):
            ada.send()
            ada.world.run()
        ada.cut(lose=True)
        ada.connect()
        settle(ada, bob)
        pass_seconds(1, ada, bob)
        assert bob.room.is_out
        assert (kick, None) in ada.acts_settled
        assert ada.room.is_ready
        bob.cut()
    assert ada.room.log.state.epoch == 5


def test_entries_that_are_refused_say_nothing_about_others(ada: PrivateParty, rsa_pool: RsaPool) -> None:
    """A refusal of a message is the outbox's, one of a control entry the acts'."""
    bob = bob_in(ada, rsa_pool)
    raw = bob.room.acts.want(a.Leave())
    frame = f.RefusedFrame(
        rid=bob.room.rid or 0, session=f.B64(b"x" * 16), type=int(EntryType.MESSAGE), n=0, code=Code.FORBIDDEN
    )
    bob.room.refused(frame, 0.0)
    assert raw in bob.room.acts.open
