"""Following a room: honest logs whole and late, and every way a server is caught."""

from __future__ import annotations

import copy

import pytest

from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.crypto.identity import Identity
from sendall.errors import Code, Malformed, Refused, SecurityAlarm
from sendall.protocol import frames as f
from sendall.protocol.bodies import Genesis
from sendall.protocol.entry import EntryType, Kind, Role, parse
from sendall.protocol.verdict import Verdict
from tests.client.scribed import EVE, Scribed, lose
from tests.client.worlds import MemoryOutboxStore
from tests.conftest import RsaPool
from tests.tools.scribe import Scribe


@pytest.fixture
def scribe() -> Scribe:
    scribe = Scribe("client room")
    scribe.found()
    return scribe


@pytest.fixture
def reader(scribe: Scribe, rsa_pool: RsaPool) -> Scribed:
    return Scribed(scribe, rsa_pool[0])


def sent(reader: Scribed) -> list[f.Post]:
    """Flush, and return the posts and cards that go out."""
    frames = [frame for message in reader.room.flush(1.0) for frame in f.client_frames(message)]
    return [frame for frame in frames if isinstance(frame, f.Post)]


def own(reader: Scribed, *texts: str) -> list[bytes]:
    """Write and flush; return the entries."""
    for text in texts:
        reader.outbox.write(b'{"t":"m","x":"%s"}' % text.encode(), 0)
    return [post.entry for post in sent(reader) if post.kind == f.POST]


# -- reading ------------------------------------------------------------------------------------


def test_a_log_is_told_whole_and_in_order(scribe: Scribe, reader: Scribed) -> None:
    """Every message of two people is told once, with seq, name, tag and whose it is."""
    for i in range(5):
        scribe.say(f"a{i}")
        scribe.say(f"b{i}", scribe.bob)
    reader.begin()
    assert reader.texts == [f"{who}{i}" for i in range(5) for who in "ab"]
    messages = [e for e in reader.told if isinstance(e, ev.Message)]
    assert [m.seq for m in messages] == list(range(3, 13))
    assert {m.sender for m in messages} == {scribe.ada.pk, scribe.bob.pk}
    assert {m.nick for m in messages} == {"?"}
    assert not any(m.mine for m in messages)
    assert reader.room.log.is_caught_up


@pytest.mark.parametrize("grant_at", range(8))
def test_messages_wait_for_their_key_in_order(scribe: Scribe, reader: Scribed, grant_at: int) -> None:
    """Wherever the grant comes between the entries, everything is told once, in the log's order."""
    for i in range(3):
        scribe.say(f"m{i}")
    scribe.log(scribe.epoch())
    scribe.say("m3")
    reader.subok()
    reader.read(scribe.lines[:grant_at])
    reader.grant()
    reader.read(scribe.lines[grant_at:])
    assert reader.texts == ["m0", "m1", "m2", "m3"]
    assert not reader.kinds(ev.Unreadable)


def test_epochs_that_a_newer_grant_left_out_are_told_as_unreadable(scribe: Scribe, reader: Scribed) -> None:
    """What nobody granted is said, not dropped, and what follows is read."""
    scribe.say("old")
    scribe.log(scribe.epoch())
    scribe.say("new")
    reader.subok()
    reader.read()
    reader.grant({2: scribe.keys[2]})
    assert [type(e) for e in reader.told] == [ev.Unreadable, ev.Message]
    assert reader.texts == ["new"]


def test_a_reader_without_a_key_says_want(reader: Scribed) -> None:
    """Five seconds without the current key, it asks for it, and not more often."""
    reader.subok()
    reader.read()
    for now in (1.0, 4.9, 5.0, 6.0, 9.9, 10.0):
        reader.room.tick(now)
    assert reader.room.requests == [f.Want(rid=7), f.Want(rid=7)]
    reader.room.requests.clear()
    reader.grant()
    assert reader.room.requests == [f.Have(rid=7, e=1)]


@pytest.mark.parametrize(
    "plaintext",
    [b"\xff", b"[]", b'{"x":"no kind"}', b'{"t":1}', b'{"t":"m"}', b'{"t":"m","x":5}', b'{"t":"m","x":NaN}', b""],
)
def test_a_hostile_plaintext_is_unreadable_and_harms_nothing(scribe: Scribe, reader: Scribed, plaintext: bytes) -> None:
    """What opens and is no message is told as unreadable; the next message is read."""
    assert scribe.log(scribe.message(plaintext)) is Verdict.OK
    scribe.say("next")
    reader.begin()
    assert [type(e) for e in reader.told] == [ev.Unreadable, ev.Message]


def test_a_kind_of_another_version_is_told_as_such(scribe: Scribe, reader: Scribed) -> None:
    """An unknown kind is neither dropped nor shown as text."""
    scribe.log(scribe.message(b'{"t":"poll","x":"?"}'))
    reader.begin()
    [message] = reader.kinds(ev.Message)
    assert isinstance(message, ev.Message)
    assert (message.kind, message.text) == ("poll", ev.NEWER_CLIENT)


def test_a_message_that_does_not_open_is_unreadable(scribe: Scribe, reader: Scribed) -> None:
    """A signed entry sealed under another key is told, not dropped."""
    scribe.keys[1], right = b"x" * 32, scribe.keys[1]
    scribe.say("garbled")
    scribe.keys[1] = right
    reader.begin()
    assert [type(e) for e in reader.told] == [ev.Unreadable]


def test_an_entry_that_is_not_valid_keeps_its_place_and_is_said(scribe: Scribe, reader: Scribed) -> None:
    """A refused entry in the log enters the chain, is told as such, and what follows fits."""
    assert scribe.log(scribe.message(n=5)) is Verdict.GAP
    assert scribe.log(b"rubbish") is Verdict.BAD
    scribe.say("fine")
    reader.begin()
    assert [type(e) for e in reader.told] == [ev.Unreadable, ev.Unreadable, ev.Message]
    assert reader.room.log.state.h == scribe.state.h


def test_roles_are_told_as_sentences(scribe: Scribe, reader: Scribed) -> None:
    """Who may no longer write is said."""
    scribe.log(scribe.role(scribe.bob.pk, Role.BANNED))
    scribe.log(scribe.role(bytes(32), Role.READER))
    reader.begin()
    sentences = [e.sentence for e in reader.told if isinstance(e, ev.Notice)]
    assert "is banned" in sentences[0]
    assert ev.tag_of(scribe.bob.pk) in sentences[0]
    assert sentences[1] == "whoever has no role of their own may only read"


# -- catching servers -----------------------------------------------------------------------------


def test_an_entry_that_knows_another_history_is_a_fork(scribe: Scribe, reader: Scribed) -> None:
    """The alarm is told once, with evidence; reading goes on, nothing is sent any more."""
    for i in range(3):
        scribe.say(f"m{i}")
    scribe.log(scribe.message(head=(4, b"\1" * 32)))
    scribe.log(scribe.message(head=(3, b"\2" * 32)))
    scribe.say("after")
    reader.begin()
    assert reader.alarms == ["fork"]
    assert reader.texts[-1] == "after"
    assert own(reader, "mine") == []
    evidence = reader.room.evidence
    assert evidence is not None
    assert (evidence.seq, evidence.head_seq, evidence.known_h) == (6, 4, scribe.lines[3].h)
    assert parse(evidence.entry).head_hash == b"\1" * 32
    assert '"head_seq": 4' in evidence.text()


def test_a_wrong_head_of_an_invalid_entry_is_no_alarm(scribe: Scribe, reader: Scribed) -> None:
    """Only an entry that is OK is somebody's word: a forged signature raises nothing."""
    forged = bytearray(scribe.message(head=(1, b"\1" * 32)))
    forged[-1] ^= 1
    scribe.log(bytes(forged))
    reader.begin()
    assert reader.alarms == []


@pytest.mark.parametrize("change", ["drop", "swap", "repeat", "renumber"])
def test_a_log_out_of_order_is_malformed(scribe: Scribe, reader: Scribed, change: str) -> None:
    """A hole, a swap, a repetition or a wrong seq ends the connection."""
    for i in range(4):
        scribe.say(f"m{i}")
    lines = list(scribe.lines)
    if change == "drop":
        del lines[3]
    elif change == "swap":
        lines[3], lines[4] = lines[4], lines[3]
    elif change == "repeat":
        lines.insert(4, lines[3])
    else:
        lines[4] = lines[4]._replace(seq=9)
    reader.subok()
    with pytest.raises(Malformed):
        reader.read(lines)


def test_a_replaced_entry_is_found_out_by_the_next_message(scribe: Scribe, reader: Scribed) -> None:
    """A server that rewrites one message is caught by the next head of an honest member."""
    other = copy.deepcopy(scribe)
    scribe.say("said")
    other.say("never said")
    scribe.say("next", scribe.bob)
    reader.subok()
    reader.grant()
    reader.read([*scribe.lines[:2], other.lines[2], scribe.lines[3]])
    assert reader.alarms == ["fork"]


def test_another_room_under_a_pinned_name_is_an_alarm(scribe: Scribe, rsa_pool: RsaPool) -> None:
    """A name that was met is the same room for ever."""
    reader = Scribed(scribe, rsa_pool[0], room_id=b"p" * 32)
    with pytest.raises(SecurityAlarm, match="another room"):
        reader.subok()
    assert reader.alarms == ["room"]
    assert not reader.room.is_alive


def test_a_room_of_another_name_is_an_alarm(scribe: Scribe, rsa_pool: RsaPool) -> None:
    """The genesis entry must bear the name that was asked for."""
    reader = Scribed(scribe, rsa_pool[0], name="ops")
    with pytest.raises(SecurityAlarm):
        reader.begin()
    assert reader.alarms == ["room"]


@pytest.mark.parametrize("late", [False, True])
def test_a_room_that_does_not_begin_with_its_genesis_is_an_alarm(rsa_pool: RsaPool, late: bool) -> None:
    """Neither a room of another kind nor one of another server is taken for an open room of this one."""
    scribe = Scribe("private")
    scribe.genesis = scribe.genesis_with(Genesis(Kind.PRIVATE, 1, bytes(16), ""))
    scribe.found()
    scribe.say("x")
    reader = Scribed(scribe, rsa_pool[0])
    reader.subok(from_=2 if late else 0)
    with pytest.raises(SecurityAlarm):
        reader.read_late(2 if late else 0)
    assert reader.alarms == ["room"]


@pytest.mark.parametrize(("last", "h"), [(5, b"\1" * 32), (3, None)])
def test_a_history_that_changed_while_away_is_an_alarm(
    scribe: Scribe, reader: Scribed, last: int, h: bytes | None
) -> None:
    """Another h at the cursor, or a shorter log, without a restart entry that says why."""
    for i in range(3):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    with pytest.raises(SecurityAlarm):
        reader.subok(from_=min(5, last), last=last, h=h)
    assert reader.alarms == ["history"]
    assert not reader.room.is_alive


def test_a_room_that_the_server_knows_no_more_is_an_alarm(scribe: Scribe, reader: Scribed) -> None:
    """A server that lost a whole room which was followed does not pass for one where it never was."""
    reader.begin()
    reader.room.disconnected()
    reader.room.could_not_join(Refused(Code.UNKNOWN_ROOM))
    reader.collect()
    assert reader.alarms == ["history"]


def test_a_subok_that_contradicts_itself_is_malformed(scribe: Scribe, reader: Scribed) -> None:
    """`from` beyond `last` is nonsense."""
    with pytest.raises(Malformed):
        reader.subok(from_=2, last=1)


# -- coming late -------------------------------------------------------------------------------------


def long_log(scribe: Scribe) -> None:
    for i in range(4):
        scribe.say(f"m{i}")
    scribe.log(scribe.epoch())
    for i in range(4, 8):
        scribe.say(f"m{i}", scribe.bob)
    scribe.log(scribe.role(scribe.ada.pk, Role.READER))
    for i in range(8, 12):
        scribe.say(f"m{i}", scribe.bob)


@pytest.mark.parametrize("from_", range(2, 16))
def test_a_late_reader_reaches_the_same_state(scribe: Scribe, reader: Scribed, from_: int) -> None:
    """From wherever it begins, epoch, roles and chain are those of the whole log, and what follows is told."""
    long_log(scribe)
    reader.subok(from_=from_)
    reader.read_late(from_)
    reader.grant()
    scribe.say("live", scribe.bob)
    reader.read_rest()
    assert reader.texts[-1] == "live"
    expected = [line.plaintext for line in scribe.lines[from_:] if line.plaintext]
    assert [f'{{"t":"m","x":"{text}"}}'.encode() for text in reader.texts] == expected
    state = reader.room.log.state
    assert (state.seq, state.h, state.epoch, state.auth) == (
        scribe.state.seq,
        scribe.state.h,
        scribe.state.epoch,
        scribe.state.auth,
    )
    assert state.roles.given == scribe.state.roles.given
    assert reader.alarms == []


def test_a_late_reader_at_the_head_may_send_once_its_grant_came(scribe: Scribe, reader: Scribed) -> None:
    """Where nothing follows `from`, the grant tells that the control entries are complete."""
    long_log(scribe)
    reader.subok(from_=16)
    reader.read_late(16)
    assert own(reader, "early") == []
    reader.grant()
    [entry] = own(reader)
    assert parse(entry).head_hash == scribe.state.h
    assert scribe.log(entry) is Verdict.OK
    reader.read_rest()
    assert not reader.outbox.has_open
    assert reader.texts == ["early"]


def test_a_role_may_still_come_after_the_head_was_assumed(scribe: Scribe, reader: Scribed) -> None:
    """Control entries before `from` are taken even behind the grant."""
    scribe.log(scribe.role(scribe.ada.pk, Role.READER))
    reader.subok(from_=3)
    reader.read(scribe.lines[:2])
    reader.grant()
    reader.read(scribe.lines[2:3])
    assert reader.room.log.state.roles.given == {scribe.ada.pk: Role.READER}


def test_a_false_h_for_a_late_reader_is_a_fork_at_the_next_message(scribe: Scribe, reader: Scribed) -> None:
    """Nobody has to trust the h a late reader is given: the next honest head shows it."""
    long_log(scribe)
    reader.subok(from_=16, h=b"\1" * 32)
    reader.read_late(16)
    assert reader.alarms == []
    scribe.say("x", scribe.bob)
    reader.read_rest()
    assert reader.alarms == ["fork"]


def test_a_message_before_a_late_beginning_is_malformed(scribe: Scribe, reader: Scribed) -> None:
    """Before `from` come control entries, in their order, and nothing else."""
    long_log(scribe)
    reader.subok(from_=13)
    with pytest.raises(Malformed):
        reader.read(scribe.lines[:3])


def test_a_hidden_authority_entry_is_found_out(scribe: Scribe, reader: Scribed) -> None:
    """Without the second epoch entry nothing of that epoch is valid for a late reader."""
    long_log(scribe)
    reader.subok(from_=13)
    lines = [line for line in scribe.lines[:13] if line.entry[1] >= 0x10 and line.seq != 7]
    reader.read(lines + scribe.lines[13:])
    assert reader.texts == []
    assert reader.kinds(ev.Unreadable)


@pytest.mark.parametrize("from_", [9, 10])
def test_a_message_of_a_skipped_stretch_cannot_be_replayed(scribe: Scribe, reader: Scribed, from_: int) -> None:
    """Of a session known before the skip, a number it had already is a repetition, also as the first thing heard."""
    for i in range(4):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    for i in range(4, 8):
        scribe.say(f"m{i}")
    replayed = scribe.lines[3].entry
    reader.subok(from_=from_)
    reader.read(scribe.lines[from_:10])
    scribe.log(replayed)
    reader.read_rest()
    assert isinstance(reader.told[-1], ev.Unreadable)
    assert reader.texts == ["m0", "m1", "m2", "m3", "m7"][: 14 - from_]


def test_a_cut_amid_a_late_beginning_begins_it_again(scribe: Scribe, reader: Scribed) -> None:
    """A connection that ends among the early control entries leaves no half state behind."""
    long_log(scribe)
    reader.subok(from_=13)
    reader.read(scribe.lines[:2])
    reader.room.disconnected()
    assert reader.sub().after == 0
    reader.subok(from_=13)
    reader.read_late(13)
    reader.grant()
    assert reader.texts == ["m9", "m10", "m11"]
    assert reader.room.log.state.h == scribe.state.h


# -- restarts ------------------------------------------------------------------------------------------


def test_a_reader_goes_back_to_the_cut_and_says_how_much_was_lost(scribe: Scribe, reader: Scribed) -> None:
    """After an honest restart it goes on from the surviving head; what it wrote goes out in a new session."""
    for i in range(5):
        scribe.say(f"m{i}")
    reader.begin()
    [lost] = own(reader, "mine")
    reader.room.disconnected()
    reader.scribe = after = lose(scribe, 4)
    after.sessions[after.ada.pk] = b"ada's new sessio"
    after.say("anew")
    assert not reader.subok(from_=4, cut=4, last=6)
    sub = reader.sub()
    assert (sub.after, sub.h) == (4, scribe.lines[3].h)
    assert reader.subok(from_=4)
    reader.read_rest()
    assert reader.kinds(ev.ServerLost) == [ev.ServerLost(3, 4)]
    assert reader.alarms == []
    reader.grant()
    [again] = own(reader)
    assert parse(again).session != parse(lost).session
    assert after.log(again) is Verdict.OK


def test_what_names_a_message_that_was_lost_is_given_up(scribe: Scribe, reader: Scribed) -> None:
    """Sent again after the restart, an edit would name whatever stands there now; what names the rest goes out."""
    for i in range(5):
        scribe.say(f"m{i}")
    reader.begin()
    edits = [b'{"t":"edit","re":%d,"x":"e"}' % seq for seq in (4, 5)]
    sealed = [reader.outbox.write(edit, 0) for edit in edits]
    assert len(own(reader)) == 2
    waiting = [reader.outbox.write(edit, 0) for edit in edits]
    reader.room.disconnected()
    reader.scribe = lose(scribe, 4)
    reader.subok(from_=4, cut=4)
    reader.subok(from_=4)
    reader.read_rest()
    settled = reader.outbox.take_settled()
    assert [(item.id, type(outcome)) for item, outcome in settled] == [
        (sealed[1].id, Refused),
        (waiting[1].id, Refused),
    ]
    assert [item.id for item in reader.outbox.open] == [sealed[0].id, waiting[0].id]
    reader.outbox.commit_settled()
    assert [row.id for row in reader.outbox._store.rows()] == [sealed[0].id, waiting[0].id]


def test_what_an_earlier_program_wrote_about_a_lost_message_is_given_up(scribe: Scribe, rsa_pool: RsaPool) -> None:
    """Also what is held: the person has nothing to decide about it."""
    for i in range(5):
        scribe.say(f"m{i}")
    seen = len(scribe.lines), scribe.lines[-1].h
    store = MemoryOutboxStore()
    for re in (4, 5):
        store.put(b'{"t":"del","re":%d}' % re, 0)
    store.hold()
    restarted = lose(scribe, 4)
    reader = Scribed(restarted, rsa_pool[0], room_id=restarted.room_id, seen=seen, store=store)
    reader.begin()
    assert [item.plaintext for item, _ in reader.outbox.take_settled()] == [b'{"t":"del","re":5}']
    assert [item.plaintext for item in reader.outbox.held] == [b'{"t":"del","re":4}']


def test_what_an_earlier_program_saw_is_compared_once(scribe: Scribe, rsa_pool: RsaPool) -> None:
    """The same log is none of anybody's business, a shorter or another one an alarm, a restart entry explains it."""
    for i in range(5):
        scribe.say(f"m{i}")
    seq, h = len(scribe.lines), scribe.lines[-1].h
    restarted = lose(scribe, 4)
    cases = [
        (scribe, (seq, h), [], []),
        (scribe, (seq, b"x" * 32), ["history"], []),
        (scribe, (seq + 1, h), ["history"], []),
        (restarted, (seq, h), [], [ev.ServerLost(seq - 4, 4, was_before=True)]),
    ]
    for shown, seen, alarms, losses in cases:
        reader = Scribed(shown, rsa_pool[0], room_id=shown.room_id, seen=seen)
        reader.begin()
        assert reader.alarms == alarms, seen
        assert reader.kinds(ev.ServerLost) == losses
        assert (reader.room.seen is None) == bool(alarms)


def test_a_restart_may_take_back_an_epoch(scribe: Scribe, reader: Scribed) -> None:
    """The epoch that was lost is forgotten with its key; the next one of that number has its own."""
    scribe.say("a")
    scribe.log(scribe.epoch())
    scribe.say("b")
    reader.begin()
    reader.room.disconnected()
    reader.scribe = after = lose(scribe, 3)
    after._seed = "another"
    after.log(after.epoch())
    after.sessions[after.bob.pk] = b"bob's new sessio"
    after.say("c", after.bob)
    reader.subok(from_=3, cut=3)
    reader.subok(from_=3)
    reader.read_rest()
    reader.grant()
    assert reader.texts == ["a", "b", "c"]
    assert reader.room.log.state.h == after.state.h


def test_two_restarts_while_away_are_explained_by_the_older_one(scribe: Scribe, reader: Scribed) -> None:
    """If the newest restart does not fit what this client saw, it asks from there, and an older one may."""
    for i in range(8):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    once = lose(scribe, 4)
    once.sessions[once.ada.pk] = b"ada's new sessio"
    once.say("x")
    reader.scribe = twice = lose(once, 6)
    assert not reader.subok(from_=6, cut=6)
    assert not reader.subok(from_=4, cut=4)
    assert reader.subok(from_=4)
    reader.read_rest()
    assert reader.alarms == []
    assert reader.kinds(ev.ServerLost) == [ev.ServerLost(6, 4)]
    assert reader.room.log.state.h == twice.state.h


def test_a_cut_without_a_restart_entry_is_an_alarm(scribe: Scribe, reader: Scribed) -> None:
    """Going back is allowed by a signed restart entry alone, right behind the cut."""
    for i in range(5):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    reader.subok(from_=4, cut=4)
    reader.subok(from_=4)
    with pytest.raises(SecurityAlarm):
        reader.read(scribe.lines[4:])
    assert reader.alarms == ["history"]


@pytest.mark.parametrize("cut", [7, 8, 100])
def test_a_cut_that_does_not_go_back_is_an_alarm(scribe: Scribe, reader: Scribed, cut: int) -> None:
    """A restart that explains nothing is no excuse."""
    for i in range(5):
        scribe.say(f"m{i}")
    reader.begin()
    reader.room.disconnected()
    with pytest.raises(SecurityAlarm):
        reader.subok(from_=7, cut=cut)
    assert reader.alarms == ["history"]


def test_what_was_pruned_while_away_is_said(scribe: Scribe, reader: Scribed) -> None:
    """Who comes back behind retention is told which entries it will never see; a newcomer is not."""
    reader.begin()
    assert reader.kinds(ev.Notice) == []
    had = reader.room.log.head[0]
    reader.room.disconnected()
    for i in range(4):
        scribe.say(f"m{i}")
    reader.subok(from_=had + 3, first=had + 4)
    reader.read(scribe.lines[had + 3 :])
    [notice] = reader.kinds(ev.Notice)
    assert isinstance(notice, ev.Notice)
    assert notice.sentence == f"entries {had + 1} to {had + 3} were deleted before they were read here"


def test_a_cut_before_a_late_readers_beginning_is_an_alarm(scribe: Scribe, reader: Scribed) -> None:
    """What a late reader never saw it cannot go back to."""
    long_log(scribe)
    reader.subok(from_=10)
    reader.read_late(10)
    reader.room.disconnected()
    with pytest.raises(SecurityAlarm):
        reader.subok(from_=8, cut=8)
    assert reader.alarms == ["history"]


# -- sending -------------------------------------------------------------------------------------------


def test_nothing_is_sealed_before_the_head_and_the_key(scribe: Scribe, reader: Scribed) -> None:
    """A message waits until the log was read to its head and the current key is there."""
    scribe.say("x")
    reader.subok()
    reader.grant()
    reader.read(scribe.lines[:2])
    assert own(reader, "mine") == []
    reader.read(scribe.lines[2:])
    assert len(own(reader)) == 1


def test_nothing_is_sealed_under_an_epoch_that_is_known_to_be_over(scribe: Scribe, reader: Scribed) -> None:
    """A grant for the next epoch that overtook its entry makes this client wait for the entry."""
    reader.begin()
    scribe.log(scribe.epoch())
    reader.grant()
    assert own(reader, "mine") == []
    reader.read_rest()
    assert [parse(e).epoch for e in own(reader)] == [2]


def test_an_epoch_entry_makes_open_messages_go_out_again(scribe: Scribe, reader: Scribed) -> None:
    """What did not come back before the epoch entry is sealed under the new key."""
    reader.begin()
    [old] = own(reader, "mine")
    scribe.log(scribe.epoch())
    assert scribe.log(old) is Verdict.STALE
    reader.grant()
    reader.read_rest()
    [new] = own(reader)
    assert scribe.log(new) is Verdict.OK
    reader.read_rest()
    assert not reader.outbox.has_open
    assert reader.texts == ["mine"]


def test_mine_is_what_this_process_sent(scribe: Scribe, rsa_pool: RsaPool) -> None:
    """Another program of the same identity is not this one."""
    reader = Scribed(scribe, rsa_pool[0], identity=scribe.ada)
    reader.begin()
    scribe.say("by another program")
    reader.read_rest()
    [entry] = own(reader, "by this one")
    scribe.log(entry)
    reader.read_rest()
    assert [e.mine for e in reader.told if isinstance(e, ev.Message)] == [False, True]


def test_the_first_sub_asks_for_what_is_to_be_shown(scribe: Scribe, rsa_pool: RsaPool) -> None:
    """Tail, time and seq travel as they are; nothing asked for is everything."""

    def asked(beginning: Beginning) -> tuple[object, ...]:
        sub = Scribed(scribe, rsa_pool[0], beginning=beginning).sub()
        return sub.after, sub.tail, sub.since_ms, sub.start, sub.create

    assert asked(Beginning(tail=50)) == (0, 50, None, None, True)
    assert asked(Beginning(since_ms=7)) == (0, None, 7, None, True)
    assert asked(Beginning(since_seq=7)) == (0, None, None, 6, True)
    assert asked(Beginning()) == (0, None, None, None, True)


@pytest.mark.parametrize(
    ("beginning", "start", "shown"),
    [
        (Beginning(tail=1), 3, ["m2"]),
        (Beginning(since_seq=4), 3, ["m1", "m2"]),
        (Beginning(since_seq=2), 1, ["m0", "m1", "m2"]),
        (Beginning(), 0, ["m0", "m1", "m2"]),
        (Beginning(since_ms=1_700_000_005_000), 3, ["m2"]),
    ],
)
def test_a_sealed_outbox_has_precedence_over_what_is_shown(
    scribe: Scribe, rsa_pool: RsaPool, beginning: Beginning, start: int, shown: list[str]
) -> None:
    """The log is read from where the old entry was put on, and shown from where the person asked."""
    first = Scribed(scribe, rsa_pool[0])
    scribe.say("m0")
    first.begin()
    store = first.outbox._store
    [old] = own(first, "mine")
    for text in ("m1", "m2"):
        scribe.say(text)
    reader = Scribed(scribe, rsa_pool[0], beginning=beginning, store=store)  # type: ignore[arg-type]  # its own
    sub = reader.sub()
    assert (sub.start, sub.tail, sub.since_ms) == (start, None, None)
    reader.subok(from_=start)
    reader.read_late(start)
    reader.grant()
    assert reader.texts == shown
    assert own(reader) == [old]


# -- signals and people ----------------------------------------------------------------------------------


def test_a_card_names_who_came(scribe: Scribe, reader: Scribed) -> None:
    """The roster is no news; who comes later is told with the name of the card, or "?" after a while."""
    reader.begin()
    reader.room.present(f.Present(rid=7, count=2, came=[f.B64(EVE.pk), f.B64(scribe.bob.pk)]), 0.0)
    reader.room.present(f.Present(rid=7, count=3, came=[f.B64(scribe.ada.pk)]), 1.0)
    reader.room.present(f.Present(rid=7, count=4, came=[f.B64(b"x" * 32)]), 1.0)
    reader.collect()
    assert reader.kinds(ev.Came) == []
    reader.room.shown(scribe.message(b'{"t":"card","name":"ada\\u202e"}', type_=EntryType.SIGNAL, n=0))
    reader.room.tick(3.0)
    reader.collect()
    assert reader.kinds(ev.Came) == [ev.Came(scribe.ada.pk, "ada"), ev.Came(b"x" * 32, "?")]
    reader.room.present(f.Present(rid=7, count=3, went=[f.B64(scribe.ada.pk)]), 4.0)
    reader.collect()
    assert reader.kinds(ev.Went) == [ev.Went(scribe.ada.pk, "ada")]
    assert reader.room.people.count == 3


def test_the_refusal_of_a_signal_does_not_touch_the_message_of_its_number(scribe: Scribe, reader: Scribed) -> None:
    """Signals and messages are numbered apart: what became of a typing note says nothing of what was written."""
    reader.begin()
    [entry] = own(reader, "mine")
    sealed = parse(entry)

    def refuse(type_: EntryType) -> None:
        session = f.B64(sealed.session)
        frame = f.RefusedFrame(rid=7, session=session, type=type_, n=sealed.n, code=Code.FORBIDDEN)
        reader.room.refused(frame, 1.0)

    refuse(EntryType.SIGNAL)
    assert reader.outbox.has_open
    refuse(EntryType.MESSAGE)
    assert not reader.outbox.has_open


def test_signals_are_told_once_and_never_backwards(scribe: Scribe, reader: Scribed) -> None:
    """A repetition, an older number, a wrong signature or epoch is dropped without a word."""
    reader.begin()
    signals = [scribe.message(b'{"t":"poke","i":%d}' % n, type_=EntryType.SIGNAL, n=n) for n in range(4)]
    forged = bytearray(signals[3])
    forged[-1] ^= 1
    later = scribe.message(b'{"t":"poke","i":9}', type_=EntryType.SIGNAL, n=9, epoch=2)
    for raw in (signals[0], signals[2], signals[2], signals[1], bytes(forged), later, b"x", scribe.message()):
        reader.room.shown(raw)
    reader.collect()
    assert [e.content["i"] for e in reader.told if isinstance(e, ev.Signal)] == [0, 2]


def test_a_card_that_comes_before_the_key_is_kept(scribe: Scribe, reader: Scribed) -> None:
    """A newcomer is shown the cards before its grant is opened."""
    reader.subok()
    reader.read()
    reader.room.shown(scribe.message(b'{"t":"card","name":"ada"}', type_=EntryType.SIGNAL, n=0))
    reader.grant()
    assert reader.room.people.nicks == {scribe.ada.pk: "ada"}


def test_the_own_card_goes_out_once_per_connection_and_epoch(scribe: Scribe, reader: Scribed) -> None:
    """A card is sent when the key is there, and again after an epoch entry, under new numbers."""

    def cards() -> list[tuple[int, int]]:
        return [(parse(p.entry).epoch, parse(p.entry).n) for p in sent(reader) if p.kind == f.CARD]

    reader.begin()
    assert cards() == [(1, 0)]
    assert cards() == []
    scribe.log(scribe.epoch())
    reader.grant()
    reader.read_rest()
    assert cards() == [(2, 0)]
    reader.room.disconnected()
    reader.subok(from_=3)
    assert cards() == [(2, 1)]


def test_an_identity_is_never_the_servers() -> None:
    """The tests' reader is nobody of the scribe's."""
    assert Identity(b"e" * 32).pk == EVE.pk
