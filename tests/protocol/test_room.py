from __future__ import annotations

import pytest

from sendall.crypto.identity import Identity
from sendall.protocol.bodies import Epoch, Genesis, Invite, room_id_of
from sendall.protocol.chain import link
from sendall.protocol.entry import ZERO_32, EntryType, Kind, Role, entry_hash, parse
from sendall.protocol.roles import NO_MEMBERS_HASH, is_room_name
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.tools.private_scribe import PrivateScribe
from tests.tools.scribe import Scribe


@pytest.fixture
def scribe() -> Scribe:
    """A room with its genesis and epoch 1."""
    scribe = Scribe("room tests")
    scribe.found()
    return scribe


def contents(state: RoomState) -> dict[str, object]:
    parts = {"roles": vars(state.roles), "membership": vars(state.membership), "rights": None}
    return {**vars(state), **parts}


# -- what is right ----------------------------------------------------------------------------


def test_a_founded_room_has_its_name_and_its_first_epoch(scribe: Scribe) -> None:
    """Genesis and epoch entry make the state the specification writes down."""
    state, (genesis, epoch) = scribe.state, scribe.lines
    assert [line.verdict for line in scribe.lines] == [Verdict.OK, Verdict.OK]
    assert (state.name, state.history, state.epoch, state.seq) == ("lobby", 1, 1, 2)
    assert state.auth == entry_hash(epoch.entry)
    body = epoch.entry[104:-64]
    assert state.commit == body[36:68]
    assert state.h == link(link(scribe.room_id, 1, genesis.time_ms, genesis.entry), 2, epoch.time_ms, epoch.entry)


def test_messages_count_by_sender_and_session(scribe: Scribe) -> None:
    """Each session counts from 0 without gaps, whatever the others do."""
    other = scribe.pick("another session", 16)
    for entry in (
        scribe.message(),
        scribe.message(who=scribe.bob),
        scribe.message(session=other, n=0),
        scribe.message(n=1),
        scribe.message(who=scribe.server, session=other, n=0),
    ):
        assert scribe.log(entry) is Verdict.OK
    assert scribe.state.next_n(scribe.ada.pk, scribe.sessions[scribe.ada.pk], control=False) == 2
    assert scribe.state.next_n(scribe.ada.pk, other, control=False) == 1
    assert scribe.state.next_n(scribe.ada.pk, other, control=True) == 0


def test_control_entries_count_apart(scribe: Scribe) -> None:
    """A role entry of the steward's session does not use up a number of its messages."""
    assert scribe.log(scribe.role(scribe.bob.pk, Role.READER)) is Verdict.OK
    assert scribe.log(scribe.message(who=scribe.server, session=scribe.steward_session, n=0)) is Verdict.OK
    assert scribe.log(scribe.role(scribe.bob.pk, Role.MEMBER)) is Verdict.OK


def test_an_epoch_entry_starts_all_numbers_again(scribe: Scribe) -> None:
    """It is not counted itself, and the commitment is that of the new key."""
    scribe.say("one")
    assert scribe.log(scribe.role(scribe.bob.pk, Role.READER)) is Verdict.OK
    assert scribe.log(scribe.epoch()) is Verdict.OK
    assert (scribe.state.epoch, scribe.state.last, scribe.state.lastc) == (2, {}, {})
    assert scribe.state.roles.given == {scribe.bob.pk: Role.READER}
    assert scribe.say("two") is Verdict.OK


def test_a_restart_entry_voids_what_was_sealed_before_it(scribe: Scribe) -> None:
    """Numbers begin again, and a head before the restart is stale."""
    scribe.say("one")
    before = (scribe.state.seq, scribe.state.h)
    assert scribe.log(scribe.restart()) is Verdict.OK
    assert (scribe.state.floor, scribe.state.last, scribe.state.lastc) == (4, {}, {})
    assert scribe.log(scribe.message(head=before)) is Verdict.STALE
    assert scribe.say("two") is Verdict.OK


def test_time_never_descends_in_the_state(scribe: Scribe) -> None:
    """`now` is the highest time seen, for display and expiry."""
    state = scribe.state
    now = state.now
    state.apply(state.seq + 1, now - 1, b"")
    assert state.now == now
    state.apply(state.seq + 1, now + 1, b"")
    assert state.now == now + 1


@pytest.mark.parametrize(
    ("role", "verdict"),
    [
        (Role.MEMBER, Verdict.OK),
        (Role.ADMIN, Verdict.OK),
        (Role.READER, Verdict.DENIED),
        (Role.BANNED, Verdict.DENIED),
    ],
)
def test_a_role_says_who_may_post(scribe: Scribe, role: Role, verdict: Verdict) -> None:
    """Readers and banned ids may not; nobody else is touched."""
    assert scribe.log(scribe.role(scribe.ada.pk, role)) is Verdict.OK
    assert scribe.log(scribe.message()) is verdict
    assert scribe.log(scribe.message(who=scribe.bob)) is Verdict.OK
    assert scribe.state.is_banned(scribe.ada.pk) is (role is Role.BANNED)


@pytest.mark.parametrize("role", [Role.READER, Role.BANNED])
def test_the_default_role_is_everybody_s_but_of_those_with_their_own(scribe: Scribe, role: Role) -> None:
    """An id of 32 zero bytes means the default; the server may always post."""
    assert scribe.log(scribe.role(scribe.bob.pk, Role.MEMBER)) is Verdict.OK
    assert scribe.log(scribe.role(ZERO_32, role)) is Verdict.OK
    assert scribe.log(scribe.message()) is Verdict.DENIED
    assert scribe.log(scribe.message(who=scribe.bob)) is Verdict.OK
    session = scribe.pick("server session", 16)
    assert scribe.log(scribe.message(who=scribe.server, session=session)) is Verdict.OK


# -- verdicts ---------------------------------------------------------------------------------


def a_message_in_epoch_0() -> tuple[Scribe, bytes]:
    scribe = Scribe("room tests")
    scribe.log(scribe.genesis)
    return scribe, scribe.message(epoch=0)


def test_a_message_before_the_first_epoch_is_bad() -> None:
    """Epoch 0 has no key."""
    scribe, message = a_message_in_epoch_0()
    assert scribe.log(message) is Verdict.BAD


def test_a_message_without_a_sealed_body_is_bad(scribe: Scribe) -> None:
    """A sealed body has at least 80 bytes, even if the signature is right."""
    for size in (0, 79):
        assert scribe.log(scribe.control(EntryType.MESSAGE, bytes(size), scribe.ada, n=0)) is Verdict.BAD
    assert scribe.log(scribe.control(EntryType.MESSAGE, bytes(80), scribe.ada, n=0)) is Verdict.OK


def test_what_private_rooms_have_is_bad_in_open_ones(scribe: Scribe) -> None:
    """Invites, joins and the others, right in themselves: an OPEN room knows roles only."""
    private = PrivateScribe("room tests")
    auth, pk = scribe.state.auth, scribe.ada.pk
    bodies = {
        EntryType.INVITE: Invite(auth, pk, ZERO_32, 0, 0).pack(),
        EntryType.REVOKE: auth + pk,
        EntryType.ADMIT: auth + pk,
        EntryType.JOIN: private.modulus("of ada") + pk + bytes(64),
        EntryType.REKEY: private.modulus("of ada"),
        EntryType.LEAVE: b"",
    }
    for type_, body in bodies.items():
        assert scribe.log(scribe.control(type_, body)) is Verdict.BAD


@pytest.mark.parametrize("type_", [EntryType.SIGNAL, 0x00, 0x03, 0x11, 0x12, 0x14, 0x15, 0x16, 0x18, 0x21, 0xFF])
def test_types_that_have_no_place_in_the_log_are_bad(scribe: Scribe, type_: int) -> None:
    """Signals, entries of PRIVATE rooms, and what is unknown."""
    assert scribe.log(scribe.control(type_, bytes(80))) is Verdict.BAD


def test_a_head_that_is_not_before_the_entry_is_bad(scribe: Scribe) -> None:
    """Nobody has seen what comes later."""
    seq = scribe.state.seq + 1
    assert scribe.log(scribe.message(head=(seq, ZERO_32))) is Verdict.BAD


def test_a_second_genesis_is_bad(scribe: Scribe) -> None:
    """It stands at seq 1 and nowhere else, and nothing else stands there."""
    assert scribe.log(scribe.genesis) is Verdict.BAD
    fresh = Scribe("room tests")
    assert fresh.log(fresh.epoch()) is Verdict.BAD


@pytest.mark.parametrize("e", [0, 1, 3, 2**32 - 1])
def test_an_epoch_that_does_not_follow_is_bad(scribe: Scribe, e: int) -> None:
    """Epochs count by one."""
    assert scribe.log(scribe.epoch(e=e)) is Verdict.BAD


def test_an_epoch_that_removes_somebody_is_bad(scribe: Scribe) -> None:
    """An OPEN room has no members to remove: a ban is a role."""
    body = Epoch(scribe.state.auth, 2, ZERO_32, NO_MEMBERS_HASH, (scribe.ada.pk,))
    assert scribe.log(scribe.control(EntryType.EPOCH, body.pack())) is Verdict.BAD


def with_genesis(body: Genesis, *, n: int = 0, who: Identity | None = None) -> tuple[RoomState, bytes]:
    """Return the state of a room whose room_id is that of this genesis entry, and the entry."""
    scribe = Scribe("room tests")
    entry = scribe.genesis_with(body, n=n, who=who)
    return RoomState(room_id_of(entry), scribe.server.pk), entry


SALT = bytes(16)


@pytest.mark.parametrize(
    ("body", "n", "by_server"),
    [
        (Genesis(Kind.PRIVATE, 1, SALT, ""), 0, True),
        (Genesis(Kind.OPEN, 1, SALT, ""), 0, True),
        (Genesis(Kind.OPEN, 1, SALT, "a\nb"), 0, True),
        (Genesis(Kind.OPEN, 1, SALT, "lobby"), 1, True),
        (Genesis(Kind.OPEN, 1, SALT, "lobby"), 0, False),
    ],
    ids=["PRIVATE", "no name", "a name that is none", "n = 1", "not by the server"],
)
def test_a_genesis_with_one_defect_is_bad(body: Genesis, n: int, by_server: bool) -> None:
    """Kind, name, numbers and sender, though it hashes to the room_id."""
    who = None if by_server else Scribe("room tests").ada
    state, entry = with_genesis(body, n=n, who=who)
    assert state.apply(1, 1, entry) is Verdict.BAD
    assert state.auth == ZERO_32


def test_a_genesis_of_another_room_is_bad() -> None:
    """The room_id is its hash: kind, name and salt cannot be exchanged."""
    scribe = Scribe("room tests")
    _, other = with_genesis(Genesis(Kind.OPEN, 0, SALT, "lobby"))
    assert scribe.log(other) is Verdict.BAD


def test_a_genesis_with_a_wrong_signature_is_bad_sig() -> None:
    """Its room_id covers the signature too, so this is the server's own slip; still no room."""
    scribe = Scribe("room tests")
    entry = scribe.genesis[:-1] + bytes([scribe.genesis[-1] ^ 1])
    state = RoomState(room_id_of(entry), scribe.server.pk)
    assert state.apply(1, 1, entry) is Verdict.BAD_SIG


def test_a_broken_signature_is_bad_sig_and_changes_nothing(scribe: Scribe) -> None:
    """Of a message and of a control entry alike."""
    for entry in (scribe.message(), scribe.role(scribe.bob.pk, Role.BANNED)):
        before = contents(scribe.state)
        assert scribe.log(entry[:-1] + bytes([entry[-1] ^ 1])) is Verdict.BAD_SIG
        unmoved = {k: v for k, v in contents(scribe.state).items() if k not in ("seq", "h", "now")}
        assert unmoved == {k: before[k] for k in unmoved}


def test_a_signature_for_another_room_is_bad_sig(scribe: Scribe) -> None:
    """The room_id is part of what is signed."""
    entry = scribe.control(EntryType.RESTART, b"", room_id=bytes(32))
    assert scribe.log(entry) is Verdict.BAD_SIG


def test_another_epoch_than_the_current_one_is_stale(scribe: Scribe) -> None:
    """Earlier and later ones, messages and control entries."""
    for epoch in (2, 7):
        assert scribe.log(scribe.message(epoch=epoch)) is Verdict.STALE
    assert scribe.log(scribe.control(EntryType.RESTART, b"", epoch=0)) is Verdict.STALE


def test_a_number_that_was_used_is_a_replay(scribe: Scribe) -> None:
    """The same entry again, or another one with its number."""
    entry = scribe.message()
    assert scribe.log(entry) is Verdict.OK
    assert scribe.log(entry) is Verdict.REPLAY
    assert scribe.log(scribe.message(b"{}", n=0)) is Verdict.REPLAY


def test_a_number_ahead_is_a_gap(scribe: Scribe) -> None:
    """From the first one on, for messages and control entries."""
    assert scribe.log(scribe.message(n=1)) is Verdict.GAP
    assert scribe.log(scribe.control(EntryType.RESTART, b"", n=1)) is Verdict.GAP
    assert scribe.log(scribe.message()) is Verdict.OK
    assert scribe.log(scribe.message(n=2)) is Verdict.GAP


def test_control_entries_of_members_are_denied(scribe: Scribe) -> None:
    """Only the server is the authority of an OPEN room."""
    assert scribe.log(scribe.epoch(who=scribe.ada)) is Verdict.DENIED
    assert scribe.log(scribe.role(scribe.bob.pk, Role.BANNED, who=scribe.ada)) is Verdict.DENIED
    assert scribe.log(scribe.restart(who=scribe.ada)) is Verdict.DENIED


def test_a_restart_that_does_not_follow_its_head_is_denied(scribe: Scribe) -> None:
    """Its head is the entry right before it."""
    scribe.say("one")
    assert scribe.log(scribe.restart(head_seq=scribe.state.seq - 1)) is Verdict.DENIED
    assert scribe.state.floor == 0


def test_the_default_cannot_be_admin(scribe: Scribe) -> None:
    """Everybody being in charge is not a role."""
    assert scribe.log(scribe.role(ZERO_32, Role.ADMIN)) is Verdict.DENIED


def test_an_authority_entry_on_an_old_state_is_a_conflict(scribe: Scribe) -> None:
    """`prev_auth` is compare-and-set; a wrong members_hash is the same."""
    assert scribe.log(scribe.role(scribe.bob.pk, Role.READER, prev_auth=ZERO_32)) is Verdict.CONFLICT
    assert scribe.log(scribe.epoch(prev_auth=ZERO_32)) is Verdict.CONFLICT
    body = Epoch(scribe.state.auth, 2, ZERO_32, ZERO_32, ())
    assert scribe.log(scribe.control(EntryType.EPOCH, body.pack())) is Verdict.CONFLICT


def test_checks_are_made_in_the_order_written(scribe: Scribe) -> None:
    """An entry with all defects gets the first verdict; mending one at a time gives the next."""
    ada = scribe.ada
    body = Epoch(ZERO_32, 2, ZERO_32, ZERO_32, ())
    old = body._replace(e=1).pack()
    assert scribe.log(scribe.control(EntryType.EPOCH, body.pack(), ada, epoch=0, n=1)) is Verdict.BAD
    assert scribe.log(scribe.control(EntryType.EPOCH, old, ada, epoch=0, n=1, room_id=bytes(32))) is Verdict.BAD_SIG
    assert scribe.log(scribe.control(EntryType.EPOCH, old, ada, epoch=0, n=1)) is Verdict.STALE
    assert scribe.log(scribe.control(EntryType.EPOCH, body.pack(), ada, n=1)) is Verdict.GAP
    assert scribe.log(scribe.control(EntryType.EPOCH, body.pack(), ada, n=0)) is Verdict.DENIED
    assert scribe.log(scribe.control(EntryType.EPOCH, body.pack())) is Verdict.CONFLICT


def test_judging_changes_nothing_and_agrees_with_applying(scribe: Scribe) -> None:
    """The server asks first and writes then; both see the same."""
    for raw in (scribe.message(), scribe.message(n=5), scribe.restart(), scribe.epoch(prev_auth=ZERO_32)):
        before = contents(scribe.state)
        verdict = scribe.state.judge(parse(raw))
        assert contents(scribe.state) == before
        assert scribe.log(raw) is verdict


def test_the_server_judges_messages_without_their_signature(scribe: Scribe) -> None:
    """Its author is authenticated by the connection; a bad signature harms the author only."""
    raw = scribe.message()
    unsigned = parse(raw[:-64] + bytes(64))
    assert scribe.state.judge(unsigned) is Verdict.BAD_SIG
    assert scribe.state.judge(unsigned, check_signature=False) is Verdict.OK


def test_an_entry_can_be_judged_for_a_later_seq(scribe: Scribe) -> None:
    """Its head only has to be before that."""
    ahead = parse(scribe.message(head=(scribe.state.seq + 3, ZERO_32)))
    assert scribe.state.judge(ahead) is Verdict.BAD
    assert scribe.state.judge(ahead, seq=scribe.state.seq + 4) is Verdict.OK


def test_applying_what_was_judged_gives_the_same_state(scribe: Scribe) -> None:
    """The server's way and the client's way end in one state."""
    state = RoomState(scribe.room_id, scribe.server.pk)
    scribe.say("one")
    scribe.log(scribe.role(scribe.bob.pk, Role.READER))
    scribe.log(scribe.role(ZERO_32, Role.READER))
    scribe.log(scribe.restart())
    scribe.log(scribe.epoch())
    for line in scribe.lines:
        state.apply_judged(parse(line.entry), line.seq, line.time_ms, line.h)
    assert contents(state) == contents(scribe.state)


def test_entries_are_applied_in_order_or_not_at_all(scribe: Scribe) -> None:
    """A hole is a mistake of the caller."""
    with pytest.raises(AssertionError):
        scribe.state.apply(scribe.state.seq + 2, 0, b"")


# -- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "lobby", "x" * 64, "ä" * 32, "hello world", "日本", "🦊", "C++"])
def test_names_of_rooms(name: str) -> None:
    """1 to 64 bytes of NFC UTF-8."""
    assert is_room_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        "ä" * 33,
        "a\u0308",
        "a\nb",
        "a\x7f",
        "a\u200bb",
        "\u202ea",
        "\ufeff",
        "a\u2028b",
        "a\u2029b",
        "\ud800",
    ],
    ids=ascii,
)
def test_what_is_no_name_of_a_room(name: str) -> None:
    """Empty, too long, not NFC, with control, format, line or surrogate characters."""
    assert not is_room_name(name)
