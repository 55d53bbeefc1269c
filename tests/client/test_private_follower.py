"""One PRIVATE room against a server, or a member, that means no good."""

from __future__ import annotations

from contextlib import suppress

import pytest

from sendall.client import acts as a
from sendall.client import duties
from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.crypto.primitives import RsaKey
from sendall.crypto.sealing import Sealer
from sendall.errors import Code, Refused, SecurityAlarm
from sendall.protocol import frames as f
from sendall.protocol.bodies import Rekey, Revoke
from sendall.protocol.entry import Entry, EntryType, Role, parse
from sendall.protocol.verdict import Verdict
from tests.client.private_scribed import PrivateScribed, copy_of, with_bob
from tests.client.private_worlds import MemorySafe
from tests.client.worlds import MemoryOutboxStore
from tests.conftest import RsaPool
from tests.tools.private_scribe import PrivateScribe

FROM_THE_END = Beginning(tail=50)
ALL = Beginning()


@pytest.fixture
def rsa(rsa_pool: RsaPool) -> RsaKey:
    return rsa_pool[0]


@pytest.fixture
def scribe(rsa: RsaKey) -> PrivateScribe:
    return with_bob(rsa)


@pytest.fixture
def bob(scribe: PrivateScribe, rsa: RsaKey) -> PrivateScribed:
    bob = PrivateScribed(scribe, rsa)
    bob.follow()
    bob.frames()
    bob.room.requests.clear()
    return bob


def admin(scribe: PrivateScribe, rsa: RsaKey) -> PrivateScribed:
    """Return bob, who is an admin, at the head."""
    scribe.log(scribe.role(scribe.bob.pk, Role.ADMIN))
    bob = PrivateScribed(scribe, rsa)
    bob.follow()
    bob.frames()
    return bob


def saved(bob: PrivateScribed) -> bytes:
    kept = bob.room.place_in_log.save()
    assert kept is not None
    return kept[1]


def later(bob: PrivateScribed, beginning: Beginning = FROM_THE_END) -> PrivateScribed:
    """Return a later program of the same device, which goes on from what this one saved."""
    return PrivateScribed(bob.scribe, bob.rsa, saved=saved(bob), store=bob.store, safe=bob.safe, beginning=beginning)


def numbers(entries: list[Entry]) -> set[tuple[int, bytes, int]]:
    return {(entry.epoch, entry.session, entry.n) for entry in entries}


# -- no going back --------------------------------------------------------------------------------


def test_a_later_program_that_reads_all_again_must_meet_the_removals_it_knew(bob: PrivateScribed) -> None:
    """A server cannot undo a kick by telling less than an earlier program saw."""
    bob.scribe.let_in(bob.scribe.eve)
    bob.read(bob.scribe.lines[5:])
    bob.news(bob.scribe.epoch(removed=[bob.scribe.eve]))
    again = later(bob, beginning=ALL)
    again.scribe = copy_of(bob.scribe, len(bob.scribe.lines) - 1)
    again.know()
    again.subok()
    with pytest.raises(SecurityAlarm):
        again.read()
    assert again.alarms == ["history"]
    again.write("to eve, too")
    assert again.messages() == []


def test_nor_by_saying_early_that_the_early_part_is_out(bob: PrivateScribed) -> None:
    """`present` ends the control entries of a late reader, but not before those are met that were known."""
    bob.scribe.let_in(bob.scribe.eve)
    bob.read(bob.scribe.lines[5:])
    bob.news(bob.scribe.epoch(removed=[bob.scribe.eve]))
    again = later(bob, beginning=Beginning(since_ms=1))
    again.know()
    again.subok(from_=len(bob.scribe.lines))
    again.read(bob.controls()[:-1])
    with pytest.raises(SecurityAlarm):
        again.present()
    assert again.alarms == ["history"]


def test_nor_by_ending_the_connection_in_between(bob: PrivateScribed, scribe: PrivateScribe) -> None:
    """What was shown before a reconnection must be shown after it, also where the place is taken back to before it."""
    bob.scribe.let_in(scribe.eve)
    bob.read(scribe.lines[5:])
    bob.cut()
    place = len(scribe.lines)
    scribe.log(scribe.epoch(removed=[scribe.eve]))
    scribe.say("after the kick")
    bob.subok(from_=len(scribe.lines))
    bob.read(scribe.lines[place : place + 1])
    bob.cut()
    bob.scribe = copy_of(scribe, place)
    with pytest.raises(SecurityAlarm):
        bob.subok(from_=place)
    assert bob.alarms == ["history"]


def test_going_back_an_epoch_never_seals_under_a_number_again(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """Whatever epochs a server shows and takes back: no number of a session is used twice under one key."""
    bob = PrivateScribed(scribe, rsa)
    bob.follow()
    place = len(scribe.lines)
    bob.write("one")
    sent = bob.messages()
    ahead = copy_of(scribe, place)
    ahead.log(ahead.epoch())
    bob.cut()
    bob.scribe = ahead
    bob.subok(from_=len(ahead.lines))
    bob.know()
    bob.read(ahead.lines[place:])
    bob.present()
    bob.write("two")
    sent += bob.messages()
    bob.cut()
    bob.scribe = scribe
    with suppress(SecurityAlarm):
        bob.subok(from_=place)
    bob.write("three")
    sent += bob.messages()
    assert len(numbers(sent)) == len(sent)


def test_a_restart_that_lost_messages_is_told_and_gone_on_from(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """Also by a later program, which was not there: it was left the chain values of the end."""
    for number in range(3):
        scribe.say(f"message {number}")
    bob = PrivateScribed(scribe, rsa)
    bob.follow()
    again = later(bob)
    cut = len(scribe.lines) - 2
    again.scribe = copy_of(scribe, cut)
    again.scribe.log(again.scribe.restart())
    again.scribe.sessions[scribe.ada.pk] = b"ada's next sess."
    again.scribe.say("after")
    again.know()
    assert again.subok(from_=cut, cut=cut) is False
    assert again.subok(from_=cut)
    again.read(again.scribe.lines[cut:])
    assert [event.count for event in again.told if isinstance(event, ev.ServerLost)] == [2]
    assert again.texts == ["after"]
    assert again.alarms == []


def test_a_restart_that_lost_a_control_entry_is_an_alarm(bob: PrivateScribed) -> None:
    """It could undo a removal, whoever made it happen."""
    bob.news(bob.scribe.invite("another"))
    cut = len(bob.scribe.lines) - 1
    bob.cut()
    bob.scribe = copy_of(bob.scribe, cut)
    bob.scribe.log(bob.scribe.restart())
    with pytest.raises(SecurityAlarm):
        bob.subok(from_=cut, cut=cut)
    assert bob.alarms == ["history"]


def test_nothing_is_saved_while_a_place_is_in_doubt(bob: PrivateScribed) -> None:
    """Not before the head was reached, and not where the early part may not have ended."""
    fresh = PrivateScribed(bob.scribe, bob.rsa)
    assert fresh.room.place_in_log.save() is None
    fresh.subok(from_=len(bob.scribe.lines))
    fresh.read(bob.controls())
    fresh.present()
    assert fresh.room.place_in_log.save() is None
    fresh.news(bob.scribe.message())
    assert fresh.room.place_in_log.save() is not None


def test_the_saved_end_of_the_chain_stops_at_the_last_control_entry(bob: PrivateScribed) -> None:
    """No restart may go back beyond it, so nothing older is needed."""
    for _ in range(3):
        bob.news(bob.scribe.message())
    again = later(bob)
    log = again.room.log
    at = len(bob.scribe.lines)
    assert [log.h_at(at - back) == bob.scribe.lines[at - back - 1].h for back in range(4)] == [True] * 4
    assert log.h_at(at - 4) is None


def test_a_late_reader_leaves_no_chain_values_it_never_had(bob: PrivateScribed) -> None:
    """Who came in behind the last control entry saves what it passed since."""
    for _ in range(3):
        bob.scribe.say("x")
    late = PrivateScribed(bob.scribe, bob.rsa)
    late.subok(from_=len(bob.scribe.lines))
    late.read(bob.controls())
    late.news(bob.scribe.message())
    again = later(late)
    at = len(bob.scribe.lines)
    assert again.room.log.h_at(at - 1) == bob.scribe.lines[-2].h
    assert again.room.log.h_at(at - 2) is None


def test_nor_by_telling_something_else_in_its_place(bob: PrivateScribed) -> None:
    """Another control entry stands where the kick was: the alarm comes with it, not at the end."""
    bob.scribe.let_in(bob.scribe.eve)
    bob.read(bob.scribe.lines[5:])
    place = len(bob.scribe.lines)
    bob.news(bob.scribe.epoch(removed=[bob.scribe.eve]))
    again = later(bob, beginning=ALL)
    again.scribe = copy_of(bob.scribe, place)
    again.scribe.log(again.scribe.epoch())
    again.subok(last=place + 5)
    with pytest.raises(SecurityAlarm):
        again.read()
    assert again.alarms == ["history"]


def test_what_must_be_met_again_stays_so_over_reconnections(bob: PrivateScribed) -> None:
    """A connection that ends before it was met changes nothing."""
    bob.news(bob.scribe.epoch())
    again = later(bob, beginning=Beginning(since_ms=1))
    for _ in range(2):
        again.subok(from_=len(bob.scribe.lines))
        again.read(bob.controls()[:2])
        again.cut()
    again.subok(from_=len(bob.scribe.lines))
    again.know()
    again.read(bob.controls())
    again.present()
    assert again.alarms == []
    assert again.room.is_ready


def test_a_signature_that_was_verified_ahead_is_not_verified_again(bob: PrivateScribed) -> None:
    """Once: the very same bytes are believed for the place they were verified for."""
    forged = bytearray(bob.scribe.invite("x"))
    forged[-1] ^= 1
    raw = bytes(forged)
    bob.room.log.verified.add(raw)
    bob.room.logged(len(bob.scribe.lines) + 1, 0, raw)
    assert parse(raw).body[32:64] in bob.room.membership.invites
    assert bob.room.log.verified == set()


# -- what others may do ---------------------------------------------------------------------------


def test_an_admins_entry_on_one_that_was_not_shown_is_an_alarm(bob: PrivateScribed) -> None:
    """The server hid a change of the room: the head and `prev_auth` name what this client never saw."""
    hidden = copy_of(bob.scribe, len(bob.scribe.lines))
    hidden.log(hidden.invite("hidden"))
    body = Revoke(hidden.state.auth, hidden.link("hidden").invite_pk).pack()
    hidden.state.h = hidden.lines[2].h
    shown = hidden.control(EntryType.REVOKE, body, head_seq=3)
    with pytest.raises(SecurityAlarm):
        bob.room.logged(len(bob.scribe.lines) + 1, 0, shown)
    bob.collect()
    assert bob.alarms == ["lineage"]


def test_an_entry_of_an_epoch_that_never_began_here_is_an_alarm(bob: PrivateScribed) -> None:
    """A member is ahead: the server hid an epoch."""
    ahead = copy_of(bob.scribe, len(bob.scribe.lines))
    ahead.log(ahead.epoch())
    with pytest.raises(SecurityAlarm):
        bob.room.logged(len(bob.scribe.lines) + 1, 0, ahead.message(head=(3, ahead.lines[2].h)))
    bob.collect()
    assert bob.alarms == ["lineage"]


def test_an_entry_on_one_that_was_left_out_is_a_fork(bob: PrivateScribed) -> None:
    """A server that drops an entry, a kick say, moves up what follows, which was signed on what is missing."""
    hidden = copy_of(bob.scribe, len(bob.scribe.lines))
    hidden.log(hidden.invite("hidden"))
    bob.room.logged(len(bob.scribe.lines) + 1, 0, hidden.message())
    bob.collect()
    assert bob.alarms == ["fork"]
    assert bob.room.evidence is not None
    bob.room.logged(len(bob.scribe.lines) + 2, 0, hidden.message(head=(90, b"?" * 32)))
    bob.collect()
    assert bob.alarms == ["fork"]


def test_a_late_reader_is_alarmed_by_what_was_left_out_too(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """Control entries from before its beginning name heads before themselves."""
    bob = PrivateScribed(scribe, rsa)
    bob.subok(from_=len(scribe.lines))
    bob.read(scribe.lines[:3])
    bob.room.logged(4, 0, scribe.lines[4].entry)
    forged = bytearray(scribe.lines[4].entry)
    forged[-1] ^= 1
    bob.room.logged(5, 0, bytes(forged))
    bob.collect()
    assert bob.alarms == ["fork"]


def test_a_forged_entry_on_a_head_to_come_is_no_alarm(bob: PrivateScribed) -> None:
    """Nobody signed it: the server could raise the alarm in anybody's name."""
    forged = bytearray(bob.scribe.message(head=(90, b"?" * 32)))
    forged[-1] ^= 1
    bob.room.logged(len(bob.scribe.lines) + 1, 0, bytes(forged))
    bob.collect()
    assert bob.alarms == []


@pytest.mark.parametrize("hidden", ["join", "leave", "rekey"])
def test_hidden_members_are_an_alarm_at_the_next_epoch_entry(bob: PrivateScribed, hidden: str) -> None:
    """Not only with the first message of the new epoch: until then one would seal for who was removed."""
    scribe = bob.scribe
    scribe.let_in(scribe.eve)
    scribe.log(scribe.invite("dan"))
    bob.read(scribe.lines[5:])
    told = copy_of(scribe, len(scribe.lines))
    entry = {
        "join": lambda: told.join(told.dan, "dan"),
        "leave": lambda: told.leave(told.eve),
        "rekey": lambda: told.rekey(told.eve, label="new"),
    }[hidden]()
    at = (told.state.seq, told.state.h)
    assert told.log(entry) is Verdict.OK
    told.state.seq, told.state.h = at
    kick = told.epoch(removed=[told.eve] if hidden == "join" else [])
    with pytest.raises(SecurityAlarm):
        bob.room.logged(at[0] + 1, 0, kick)
    bob.collect()
    assert bob.alarms == ["lineage"]


def test_an_epoch_entry_that_lost_to_a_join_is_no_alarm(bob: PrivateScribed) -> None:
    """Its author had not seen the join: nothing was hidden."""
    scribe = bob.scribe
    bob.news(scribe.invite("dan"))
    loser = scribe.epoch()
    bob.news(scribe.join(scribe.dan, "dan"))
    assert scribe.log(loser) is Verdict.CONFLICT
    bob.read(scribe.lines[-1:])
    assert bob.alarms == []


def test_the_loser_of_a_race_is_no_alarm(bob: PrivateScribed) -> None:
    """An entry on a state that was valid once tells of no hidden one; nor does one of who is no member, or a lie."""
    scribe = bob.scribe
    loser, body_less = scribe.revoke("bob"), scribe.control(EntryType.REVOKE, b"short")
    bob.news(scribe.invite("winner"))
    stranger = scribe.message(who=scribe.eve, epoch=9)
    forged = bytearray(scribe.message(n=7, epoch=9))
    forged[-1] ^= 1
    member = scribe.rekey(scribe.bob, n=5)
    for raw in (loser, body_less, stranger, bytes(forged), member):
        assert scribe.log(raw) is not Verdict.OK
        bob.read(scribe.lines[-1:])
    assert bob.alarms == []


def test_the_room_must_begin_as_a_private_one(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """A log whose first entry is not the genesis of this room is another room."""
    bob = PrivateScribed(scribe, rsa)
    bob.subok()
    with pytest.raises(SecurityAlarm):
        bob.room.logged(1, 0, scribe.lines[1].entry)
    bob.collect()
    assert bob.alarms == ["room"]


def test_signals_of_who_is_no_member_are_dropped(bob: PrivateScribed) -> None:
    """Who left holds the key until the next epoch; a server might pass on what they say."""
    scribe = bob.scribe
    scribe.sessions[scribe.eve.pk] = b"eve's session..."
    for who, is_heard in ((scribe.eve, False), (scribe.ada, True)):
        bob.room.shown(scribe.message(b'{"t":"card","name":"mallory"}', who, n=0, type_=EntryType.SIGNAL))
        assert (bob.room.people.nicks.get(who.pk) == "mallory") is is_heard


def test_a_page_shows_no_message_of_who_was_no_member_there(bob: PrivateScribed) -> None:
    """Who has the epoch's key and once was a member is not shown from where they were not."""
    scribe = bob.scribe
    scribe.let_in(scribe.eve)
    scribe.log(scribe.message(who=scribe.eve), "inside")
    scribe.log(scribe.leave(scribe.eve))
    scribe.log(scribe.message(who=scribe.eve), "outside")
    late = PrivateScribed(scribe, bob.rsa)
    late.know()
    late.subok(from_=len(scribe.lines))
    late.read(late.controls())
    late.present()
    read = late.room.log.history.ask(5, 7, len(scribe.lines) + 1, 50, None)
    assert read is not None
    h = scribe.lines[read.from_ - 2].h if read.from_ > 1 else scribe.room_id
    late.room.paged(f.Page(q=5, rid=7, from_=read.from_, to=read.to, h=f.B64(h)))
    late.read(scribe.lines[read.from_ - 1 :])
    [page] = late.room.pages
    assert [told.seq for told in page.told if isinstance(told, ev.Message)] == [len(scribe.lines) - 2]


# -- keys -----------------------------------------------------------------------------------------


def test_a_key_that_does_not_fit_its_epoch_is_never_used(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """Whoever granted it; the right one is asked for, and taken when it comes."""
    bob = PrivateScribed(scribe, rsa)
    bob.subok()
    bob.read()
    bob.grant({1: b"?" * 32})
    bob.write("hello")
    assert bob.messages() == []
    bob.tick()
    assert bob.asked(f.Want)
    bob.grant()
    [message] = bob.messages()
    assert message.epoch == 1
    assert bob.asked(f.Have) == [f.Have(rid=7, e=1)]


def test_a_flood_of_grants_for_far_epochs_keeps_no_key_out(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """A member who fills the place for keys to come delays the right one at most until it is asked for."""
    bob = PrivateScribed(scribe, rsa)
    bob.subok()
    bob.read()
    bob.grant({e: b"?" * 32 for e in range(5, 5 + 1024)})
    bob.grant()
    assert bob.room.is_ready
    scribe.log(scribe.epoch())
    bob.grant()
    bob.read(scribe.lines[-1:])
    bob.tick()
    assert bob.asked(f.Want)
    bob.grant()
    assert bob.room.is_ready


def test_the_key_is_on_the_disk_before_anybody_is_told(bob: PrivateScribed) -> None:
    """`have` makes the server drop the grants."""
    bob.news(bob.scribe.epoch())
    bob.grant()
    assert bob.safe.keys(bob.scribe.room_id)[2] == [bob.scribe.keys[2]]
    assert bob.asked(f.Have) == [f.Have(rid=7, e=2)]


def test_a_grant_of_keys_that_are_held_is_answered_once_per_connection(bob: PrivateScribed) -> None:
    """An earlier program kept the key and ended before it could say so: the server would send it for ever."""
    again = later(bob)
    again.subok(from_=len(bob.scribe.lines))
    for _ in range(2):
        again.grant()
    assert again.asked(f.Have) == [f.Have(rid=7, e=1)]
    again.cut()
    again.subok(from_=len(bob.scribe.lines))
    again.grant()
    assert again.asked(f.Have) == [f.Have(rid=7, e=1)]


def test_nothing_is_asked_before_the_room_is_subscribed_to(bob: PrivateScribed) -> None:
    """A grant on its way while the connection ends answers nothing."""
    bob.cut()
    bob.grant()
    assert bob.asked(f.Have) == []


def test_the_key_of_an_earlier_try_is_found(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """The log took the first of many entries for one epoch: its key is still on the disk."""
    bob = admin(scribe, rsa)
    bob.room.acts.want(a.Rotate(1))
    [first] = bob.entries()
    for _ in range(8):
        bob.refuse(first.raw, Code.CONFLICT)
        bob.now += 1
        bob.entries()
    bob.news(first.raw)
    assert bob.room.is_ready
    assert f.Have(rid=7, e=2) in bob.asked(f.Have)


def test_an_epoch_of_ones_own_gives_its_key_to_all_whatever_ended_in_between(
    scribe: PrivateScribe, rsa: RsaKey
) -> None:
    """The connection, or the whole program: whoever reads its own epoch entry owes the key."""
    scribe.let_in(scribe.cyd)
    bob = admin(scribe, rsa)
    bob.room.acts.want(a.Rotate(1))
    [entry] = bob.entries()
    later_bob = later(bob)
    assert scribe.log(entry.raw) is Verdict.OK
    bob.cut()
    for who in (bob, later_bob):
        who.subok(from_=len(scribe.lines) - 1)
        who.read(scribe.lines[-1:])
        assert {kind for kind, _ in who.frames()} >= {4}
        assert not who.room.custody.is_owing


def test_what_one_owed_is_settled_by_anothers_epoch(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """Who makes the next gives it to everybody."""
    bob = admin(scribe, rsa)
    bob.room.wanted(f.Want(rid=7, id=f.B64(scribe.ada.pk)), 0.0)
    assert bob.room.custody.is_owing
    bob.news(scribe.epoch())
    assert not bob.room.custody.is_owing


def test_a_want_of_a_stranger_or_of_nobody_is_no_ones_concern(bob: PrivateScribed) -> None:
    """The server may name whom it likes: keys go to members of this client's own state."""
    for who in (f.B64(bob.scribe.eve.pk), None):
        bob.room.wanted(f.Want(rid=7, id=who), 0.0)
    assert not bob.room.custody.is_owing


def test_after_a_fork_alarm_nothing_is_sent_and_nobody_is_busy(bob: PrivateScribed) -> None:
    """What is owed stays owed: no turn of the loop is spent on it."""
    bob.room.wanted(f.Want(rid=7, id=f.B64(bob.scribe.ada.pk)), 0.0)
    assert bob.room.has_more
    bob.news(bob.scribe.message(head=(2, b"another history is known......!!")))
    assert bob.alarms == ["fork"]
    assert not bob.room.has_more
    assert bob.frames() == []
    bob.tick()


# -- removing -------------------------------------------------------------------------------------


def test_nothing_goes_out_under_the_old_key_until_a_removal_is_done(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """Neither while it is under way, nor between two tries, nor what was sealed and is to be sent again."""
    scribe.let_in(scribe.eve)
    bob = admin(scribe, rsa)
    bob.write("before")
    assert len(bob.messages()) == 1
    bob.room.acts.want(a.Remove((scribe.eve.pk,)))
    bob.write("after")
    [kick] = bob.entries()
    bob.refuse(kick.raw, Code.SLOW_DOWN, retry_ms=5000)
    assert bob.entries() == []
    bob.cut()
    bob.subok(from_=len(scribe.lines))
    [kick] = bob.entries()
    assert kick.type == EntryType.EPOCH
    bob.news(kick.raw)
    assert [message.epoch for message in bob.messages()] == [2, 2]


def test_who_is_removed_sends_nothing_more(bob: PrivateScribed) -> None:
    """The room is over, and says by whom; the log has shown it."""
    bob.write("too late")
    bob.news(bob.scribe.epoch(removed=[bob.scribe.bob]))
    assert bob.frames() == []
    assert bob.room.is_out
    assert not bob.room.is_ready


def test_the_servers_word_alone_makes_no_end(bob: PrivateScribed) -> None:
    """`not_member` is told, and nothing that is kept is forgotten: a server may be wrong."""
    bob.cut()
    bob.room.could_not_join(Refused(Code.FULL, "full"))
    assert not bob.room.is_gone
    bob.room.could_not_join(Refused(Code.NOT_MEMBER, "no"))
    assert bob.room.is_gone
    assert not bob.room.is_out


def test_who_left_and_is_not_known_any_more_has_left(bob: PrivateScribed) -> None:
    """The way back of the own `leave` was cut off."""
    leave = bob.room.acts.want(a.Leave())
    assert len(bob.entries()) == 1
    bob.cut()
    bob.room.could_not_join(Refused(Code.NOT_MEMBER, "no"))
    assert bob.room.acts.take_settled() == [(leave, None)]
    assert str(bob.room.why_gone) == "you left 'ops'"


# -- duties ---------------------------------------------------------------------------------------


def rotates(bob: PrivateScribed) -> bool:
    """Whether it makes a new epoch now; whatever the answer, nothing is under way afterwards."""
    bob.tick()
    made = [entry for entry in bob.entries() if entry.type == EntryType.EPOCH]
    if made:
        bob.news(made[0].raw)
    return bool(made)


def test_a_later_program_knows_how_old_the_key_is(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """Programs that run for an hour a day rotate daily, too."""
    bob = admin(scribe, rsa)
    assert not rotates(bob)
    again = later(bob)
    again.subok(from_=len(scribe.lines))
    again.wall += duties.EPOCH_MS
    assert rotates(again)
    assert not rotates(again)


def test_a_server_whose_clock_stands_still_makes_nobody_rotate_for_ever(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """The age of an epoch that began before one's eyes is by one's own clock."""
    bob = admin(scribe, rsa)
    bob.wall += 40 * duties.EPOCH_MS
    assert rotates(bob)
    for _ in range(3):
        assert not rotates(bob)
    bob.wall += duties.EPOCH_MS
    assert rotates(bob)


def test_a_server_whose_clock_is_ahead_does_not_keep_a_key_for_ever(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """A time that is yet to come counts as now."""
    scribe.log(scribe.role(scribe.bob.pk, Role.ADMIN))
    scribe.log(scribe.epoch(), time_ms=2**52)
    bob = PrivateScribed(scribe, rsa)
    bob.follow()
    bob.frames()
    assert not rotates(bob)
    bob.wall += duties.EPOCH_MS
    assert rotates(bob)


def test_what_is_due_is_wanted_once(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """However long it takes."""
    bob = admin(scribe, rsa)
    bob.wall += 40 * duties.EPOCH_MS
    for _ in range(3):
        bob.tick()
    assert len(list(bob.room.acts.open)) == 1


def test_who_left_before_a_program_ended_is_rotated_out_by_the_next(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """The first admin who is there makes the new key, also if it knew of the leaving before it came."""
    scribe.let_in(scribe.eve)
    bob = admin(scribe, rsa)
    bob.news(scribe.leave(scribe.eve))
    again = later(bob)
    again.subok(from_=len(scribe.lines))
    assert rotates(again)
    assert not rotates(again)


def test_an_rsa_key_that_is_used_is_replaced_weekly_and_the_old_one_goes(
    scribe: PrivateScribe, rsa_pool: RsaPool
) -> None:
    """Also in a program that runs for months; until a grant was opened with it, it is not replaced."""
    rsa, new = rsa_pool[0], rsa_pool[1]
    bob = PrivateScribed(scribe, rsa)
    bob.safe.keep_wrap_key(scribe.room_id, rsa, 0)
    bob.follow()
    bob.wall += duties.WRAP_MS
    bob.tick()
    assert not bob.room.duties.needs_wrap
    bob.grant()
    bob.tick()
    assert bob.room.duties.needs_wrap
    bob.room.renew_wrap(new)
    assert not bob.room.duties.needs_wrap
    [rekey] = bob.entries()
    assert [kept.modulus for kept in bob.safe.wraps[scribe.room_id]] == [rsa.modulus, new.modulus]
    bob.news(rekey.raw)
    bob.tick(duties.OLD_KEYS_S)
    bob.tick(duties.OLD_KEYS_S)
    assert [kept.modulus for kept in bob.safe.wraps[scribe.room_id]] == [new.modulus]
    bob.grant(rsa=new)
    assert not bob.room.duties.needs_wrap


def test_a_rekey_that_a_program_did_not_live_to_send_is_sent_by_the_next(
    scribe: PrivateScribe, rsa_pool: RsaPool
) -> None:
    """The new key is on the disk; members still grant to the old one until they are told."""
    bob = PrivateScribed(scribe, rsa_pool[0])
    bob.follow()
    bob.frames()
    bob.room.ring.wraps.append(rsa_pool[1])
    bob.tick()
    [rekey] = bob.entries()
    assert rekey.type == EntryType.REKEY
    assert rekey.body == rsa_pool[1].modulus


def test_two_programs_of_one_identity_do_not_rekey_against_each_other(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """The one finds the key that the other made where both keep theirs."""
    safe = MemorySafe()
    safe.keep_wrap_key(scribe.room_id, rsa_pool[0], 0)
    bob = PrivateScribed(scribe, rsa_pool[0], safe=safe)
    bob.follow()
    safe.keep_wrap_key(scribe.room_id, rsa_pool[1], 1)
    bob.news(scribe.control(EntryType.REKEY, Rekey(rsa_pool[1].modulus).pack(), scribe.bob))
    bob.tick()
    assert not bob.room.duties.needs_wrap
    bob.news(scribe.epoch())
    bob.grant(rsa=rsa_pool[1])
    assert bob.room.is_ready


def test_a_device_without_the_granted_rsa_key_makes_a_new_one(scribe: PrivateScribe, rsa_pool: RsaPool) -> None:
    """Its folder was lost, say: what is granted to the old key nobody can open."""
    bob = PrivateScribed(scribe, rsa_pool[1])
    bob.follow()
    bob.tick()
    assert bob.room.duties.needs_wrap


def test_a_change_of_role_is_told_once(bob: PrivateScribed) -> None:
    """In words of PRIVATE rooms."""
    bob.told.clear()
    bob.news(bob.scribe.role(bob.scribe.bob.pk, Role.READER))
    assert bob.sentences == [f"{bob.room.nick_of(bob.scribe.ada.pk)} decided: you are a reader now"]


def test_messages_of_an_old_epoch_whose_key_never_comes_do_not_stop_the_rest(bob: PrivateScribed) -> None:
    """They are told as unreadable some seconds after the current key came."""
    scribe = bob.scribe
    scribe.log(scribe.epoch())
    scribe.say("never readable")
    scribe.log(scribe.epoch())
    scribe.say("readable")
    bob.read(scribe.lines[-4:])
    bob.know(3)
    bob.tick()
    assert bob.texts == []
    bob.tick(duties.OLD_KEYS_S)
    assert bob.texts == ["readable"]
    assert len([event for event in bob.told if isinstance(event, ev.Unreadable)]) == 1


def test_a_program_that_begins_at_the_end_is_shown_what_was_said_before_once_it_has_keys(
    scribe: PrivateScribe, rsa: RsaKey
) -> None:
    """What would be unreadable now is read when the key has come."""
    for number in range(3):
        scribe.say(f"{number}")
    first = PrivateScribed(scribe, rsa)
    first.subok()
    first.read()
    assert first.room.take_backfill() is None
    again = PrivateScribed(scribe, rsa, saved=saved(first))
    again.subok(from_=len(scribe.lines))
    assert again.room.take_backfill() is None
    again.grant()
    backfill = again.room.take_backfill()
    assert backfill == (1, len(scribe.lines), 0)
    assert again.room.take_backfill() is None
    nothing = PrivateScribed(scribe, rsa, saved=saved(first), beginning=Beginning(tail=0))
    nothing.subok(from_=len(scribe.lines))
    nothing.grant()
    assert nothing.room.take_backfill() is None


def test_a_sealed_message_of_a_program_that_crashed_is_looked_for(scribe: PrivateScribe, rsa: RsaKey) -> None:
    """The log is read from where it was sealed, and it appears once."""
    bob = PrivateScribed(scribe, rsa)
    bob.follow()
    bob.write("once")
    [message] = bob.messages()
    place = len(scribe.lines)
    assert scribe.log(message.raw) is Verdict.OK
    scribe.say("after it")
    other = PrivateScribed(scribe, rsa)
    other.follow()
    again = PrivateScribed(scribe, rsa, saved=saved(other), store=MemoryOutboxStore(), safe=bob.safe)
    assert again.room.sub(1).after == len(scribe.lines)  # type: ignore[union-attr]  # a sub
    again = PrivateScribed(scribe, rsa, saved=saved(other), store=bob.store, safe=bob.safe)
    sub = again.sub()
    assert isinstance(sub, f.Sub)
    assert (sub.after, sub.start) == (0, place)
    again.know()
    again.subok(from_=place)
    again.read(scribe.lines[:place][:1] + [line for line in again.controls(place)][1:] + scribe.lines[place:])
    assert again.messages() == []
    assert [settled.outcome.seq for settled in again.outbox.take_settled()] == [place + 1]  # type: ignore[union-attr]
    assert again.alarms == []


def test_who_reads_an_impostor_of_the_room_is_alarmed_before_anything_is_sealed(
    scribe: PrivateScribe, rsa: RsaKey
) -> None:
    """Keys that were proved in one history do not count in another."""
    bob = PrivateScribed(scribe, rsa)
    bob.follow()
    ring = bob.room.ring
    assert ring.key(1) is not None
    assert not ring.committed(1, b"another commitment" + bytes(14))
    assert ring.key(1) is None
    assert ring.opener(1) is None


def test_a_sealer_of_another_epoch_is_no_concern_of_the_current(bob: PrivateScribed) -> None:
    """An entry that is sealed for a past epoch gets no verdict but stale, and is not shown."""
    scribe = bob.scribe
    old = Sealer(scribe.keys[1], scribe.room_id, 1, scribe.ada.pk, b"an old session..").seal(
        EntryType.MESSAGE, 0, b'{"t":"m","x":"old"}', head_seq=2, head_hash=scribe.lines[1].h, sign=scribe.ada.sign
    )
    bob.news(scribe.epoch())
    bob.know()
    assert scribe.log(old) is Verdict.STALE
    bob.read(scribe.lines[-1:])
    assert bob.texts == []
    assert parse(old).epoch == 1
