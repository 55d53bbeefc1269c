"""The conversation: handshake, rooms and pings, against the real relay without sockets."""

from __future__ import annotations

import os

import pytest

from sendall.client import events as ev
from sendall.client.beginning import Beginning
from sendall.client.handshake import Credentials, LeafNotOwn, Line
from sendall.client.room import RoomFollower
from sendall.client.session import DEAD_AFTER_S, HANDSHAKE_S, Action, ClientSession, SendBinary, SendText
from sendall.config import Limits
from sendall.crypto.identity import NO_LEAF, Identity, server_proof
from sendall.errors import Code, ConnectError, Malformed, Refused, SecurityAlarm
from sendall.protocol import frames as f
from sendall.protocol.entry import Role
from tests.client.worlds import Party
from tests.conftest import RsaPool
from tests.server.members import ListWire, RelayWorld, payloads

LEAF = b"l" * 32


def greet(
    world: RelayWorld,
    rsa_pool: RsaPool,
    *,
    pin: bytes | None = None,
    token: bytes | None = None,
    line: Line | None = None,
) -> ClientSession:
    """Carry one handshake to its end."""
    wire = ListWire()
    connection = world.relay.open(wire)
    session = ClientSession(
        Credentials(Identity.generate(), rsa_pool[0], pin, token), line or Line(NO_LEAF, True, os.urandom(32)), [], 0.0
    )
    for _ in range(3):
        written, wire.written = wire.written, []
        for _, payload in payloads(written):
            for action in session.text(payload, 0.0):
                connection.text(action.data, world.now)
    return session


@pytest.fixture
def world() -> RelayWorld:
    return RelayWorld()


def test_both_sides_prove_themselves(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """After hello, auth and welcome the session is open and knows the server."""
    session = greet(world, rsa_pool)
    assert session.is_open
    assert session.server_pk == world.identity.pk


def test_another_server_than_the_pinned_one_is_an_alarm(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Nothing is proved to a server that is not the pinned one."""
    with pytest.raises(SecurityAlarm) as caught:
        greet(world, rsa_pool, pin=b"p" * 32)
    assert caught.value.kind == "identity"


def test_a_wrong_token_is_refused_with_what_to_do(rsa_pool: RsaPool) -> None:
    """Without the token, or with another, the refusal names the option."""
    world = RelayWorld(token=b"t" * 16)
    assert greet(world, rsa_pool, token=b"t" * 16).is_open
    for token in (None, b"u" * 16):
        with pytest.raises(Refused) as caught:
            greet(world, rsa_pool, token=token)
        assert caught.value.code is Code.BAD_TOKEN
        assert "--token-file" in caught.value.hint


def test_a_server_that_names_no_certificate_needs_a_vouched_line(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Under TLS whose certificate the server does not sign, only WebPKI will do."""
    with pytest.raises(LeafNotOwn):
        greet(world, rsa_pool, line=Line(LEAF, False, bytes(32)))
    assert greet(world, rsa_pool, line=Line(NO_LEAF, True, bytes(32))).is_open


class Scripted:
    """A server that answers `auth` as the test wants."""

    def __init__(self, rsa_pool: RsaPool, line: Line) -> None:
        self.identity = Identity.generate()
        self.me = Identity.generate()
        self.line = line
        self.session = ClientSession(Credentials(self.me, rsa_pool[0], None), line, [], 0.0)

    def hello(self, v: int = 1) -> list[Action]:
        limits = f.Limits(entry=65_720, inflight=1024, ping_s=20, days=30)
        hello = f.Hello(v=v, server=f.B64(self.identity.pk), ns=f.B64(b"s" * 32), limits=limits)
        return self.session.text(f.encode(hello), 0.0)

    def welcome(self, leaf: bytes, *, by: Identity | None = None) -> list[Action]:
        sig = (by or self.identity).sign(server_proof(self.line.nonce, b"s" * 32, self.me.pk, leaf))
        return self.session.text(f.encode(f.Welcome(leaf=f.B64(leaf), sig=f.B64(sig))), 0.0)


def test_another_certificate_than_the_signed_one_is_an_alarm(rsa_pool: RsaPool) -> None:
    """Whoever terminates TLS in between is found out, also where WebPKI vouches for them."""
    for vouched in (True, False):
        server = Scripted(rsa_pool, Line(LEAF, vouched, bytes(32)))
        server.hello()
        with pytest.raises(SecurityAlarm) as caught:
            server.welcome(b"o" * 32)
        assert caught.value.kind == "certificate"


def test_the_signed_certificate_is_enough(rsa_pool: RsaPool) -> None:
    """The hash that the server signed is what was seen: no authority is asked."""
    server = Scripted(rsa_pool, Line(LEAF, False, bytes(32)))
    server.hello()
    server.welcome(LEAF)
    assert server.session.is_open


def test_a_server_that_cannot_prove_its_identity_is_an_alarm(rsa_pool: RsaPool) -> None:
    """A signature by another key opens nothing: the session is not open at any moment, so nothing is pinned."""
    server = Scripted(rsa_pool, Line(NO_LEAF, True, bytes(32)))
    server.hello()
    with pytest.raises(SecurityAlarm):
        server.welcome(NO_LEAF, by=Identity.generate())
    assert not server.session.is_open


@pytest.mark.parametrize(("v", "whose"), [(0, "the server is too old"), (2, "this client is too old")])
def test_another_version_says_who_is_too_old(rsa_pool: RsaPool, v: int, whose: str) -> None:
    """Also a hello that this version could not read otherwise names the side to upgrade."""
    server = Scripted(rsa_pool, Line(NO_LEAF, True, bytes(32)))
    with pytest.raises(ConnectError, match=whose) as caught:
        server.hello(v)
    assert "upgrade" in caught.value.hint
    server = Scripted(rsa_pool, Line(NO_LEAF, True, bytes(32)))
    with pytest.raises(ConnectError, match=whose):
        server.session.text(b'{"t":"hello","v":%d,"post_quantum":true}' % v, 0.0)


def test_what_is_not_its_turn_is_malformed(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Frames before the proofs, rubbish, and unknown frames end the connection."""
    server = Scripted(rsa_pool, Line(NO_LEAF, True, bytes(32)))
    for data in (b"", b"{}", b'{"t":"pong"}', b'{"t":"hello"}', b"\xff"):
        with pytest.raises(Malformed):
            server.session.text(data, 0.0)
    with pytest.raises(Malformed):
        server.session.binary(f.shown_frame(1, bytes(200)), 0.0)
    opened = greet(world, rsa_pool)
    for payload in (b"", b"\x09", b"\x02\x00"):
        with pytest.raises(Malformed):
            opened.binary(payload, 0.0)


def test_silence_is_broken_by_pings_and_ends_in_the_end(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """After 20 s of silence it pings; after 45 s it gives up; any word begins the time anew."""
    session = greet(world, rsa_pool)
    ping = SendText(f.encode(f.Ping()))
    assert session.tick(19.0) == []
    assert session.tick(20.0) == [ping]
    assert session.tick(39.0) == []
    assert session.tick(40.0) == [ping]
    session.text(f.encode(f.Pong()), 44.0)
    assert session.tick(63.0) == []
    with pytest.raises(ConnectError, match="silent"):
        session.tick(44.0 + DEAD_AFTER_S)


def test_who_does_not_listen_cannot_hear_but_still_pings(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """While a slow consumer leaves the socket unread, silence ends nothing and the server hears of us."""
    session = greet(world, rsa_pool)
    pings = [at for at in range(200) if session.tick(float(at), is_listening=False)]
    assert pings == list(range(20, 200, 20))
    with pytest.raises(ConnectError):
        session.tick(199.0 + DEAD_AFTER_S)


def test_a_ping_is_answered(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """The server's ping gets its pong."""
    assert greet(world, rsa_pool).text(f.encode(f.Ping()), 0.0) == [SendText(f.encode(f.Pong()))]


def test_a_server_that_never_speaks_is_given_up(rsa_pool: RsaPool) -> None:
    """Both proofs must be there within 10 s."""
    server = Scripted(rsa_pool, Line(NO_LEAF, True, bytes(32)))
    assert server.session.tick(HANDSHAKE_S - 1) == []
    with pytest.raises(ConnectError, match="within"):
        server.session.tick(HANDSHAKE_S)


# -- rooms -----------------------------------------------------------------------------------------


def test_two_people_hear_each_other_once_and_in_order(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """What each writes both read in one order, with receipts that say the same seqs."""
    ada, bob = Party(world, rsa_pool[0]), Party(world, rsa_pool[1], nick="bob")
    for party in (ada, bob):
        party.connect()
    ada.write("a0", "a1")
    bob.write("b0")
    for party in (ada, bob, ada):
        party.pump()
    assert ada.texts == bob.texts
    assert sorted(ada.texts) == ["a0", "a1", "b0"]
    assert [s.outcome.seq for s in ada.settled if isinstance(s.outcome, ev.Receipt)] == [
        e.seq for e in ada.told if isinstance(e, ev.Message) and e.mine
    ]
    assert ada.store.rows() == []


def test_many_messages_travel_in_few(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """A turn's messages are one commit of the store and as few WebSocket messages as fit."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    ada.write(*["x" * 300] * 500)
    before = ada.store.commits
    actions = [a for a in ada.session.flush(world.now) if isinstance(a, SendBinary)]
    assert ada.store.commits == before + 1
    sizes = [len(a.data) for a in actions]
    assert max(sizes) <= f.MAX_BATCH
    assert len(sizes) <= sum(sizes) // (f.MAX_BATCH - 2000) + 1


@pytest.mark.parametrize("lose", [False, True])
def test_a_cut_loses_and_repeats_nothing(world: RelayWorld, rsa_pool: RsaPool, lose: bool) -> None:
    """Whether the echo arrived or was lost with the connection, every message is there once."""
    ada, bob = Party(world, rsa_pool[0]), Party(world, rsa_pool[1])
    for party in (ada, bob):
        party.connect()
    for i in range(10):
        ada.write(f"m{i}")
        ada.send()
        world.run()
        ada.cut(lose=lose)
        ada.connect()
    bob.pump()
    assert bob.texts == ada.texts == [f"m{i}" for i in range(10)]
    assert not ada.outbox.has_open


def test_a_crashed_program_is_finished_by_the_next(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """What was sent and never confirmed is found in the log, what was not sent goes out, nothing twice."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    ada.write("arrived")
    ada.send()
    world.run()
    ada.write("sealed", "unsealed")
    ada.session.flush(world.now)
    ada.store.update([(3, None, False)])
    ada.connection.closed()
    again = Party(world, rsa_pool[0], identity=ada.identity, store=ada.store, beginning=Beginning(tail=0))
    again.connect()
    again.pump()
    reader = Party(world, rsa_pool[1])
    reader.connect()
    assert reader.texts == ["arrived", "sealed", "unsealed"]
    assert again.store.rows() == []


def test_a_slow_server_is_obeyed_until_everything_is_there(rsa_pool: RsaPool) -> None:
    """Far more than the budget at once: all of it arrives, in order, with the client told of the pace."""
    world = RelayWorld(limits=Limits(member_rate=50, member_burst=20))
    ada = Party(world, rsa_pool[0])
    ada.connect()
    ada.write(*map(str, range(200)))
    for _ in range(100):
        ada.pump()
        world.pass_time(0.5)
    assert ada.texts == [str(i) for i in range(200)]
    assert not ada.outbox.has_open
    assert ada.of(ev.SlowDown)
    assert not ada.of(ev.GivenUp)


def test_a_ban_gives_up_and_says_so(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """After a ban the room is not entered any more: `banned` is the answer to the next sub."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    world.relay.set_role("lobby", ada.identity.pk, Role.BANNED)
    world.run()
    ada.cut()
    ada.connect()
    [joined] = [j for j in ada.session.joined if j.error is not None]
    assert isinstance(joined.error, Refused)
    assert joined.error.code is Code.BANNED


def test_who_may_only_read_is_told_that_a_message_was_given_up(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """`forbidden` ends the message, not the client, which reads on."""
    ada, bob = Party(world, rsa_pool[0]), Party(world, rsa_pool[1])
    for party in (ada, bob):
        party.connect()
    world.relay.set_role("lobby", ada.identity.pk, Role.READER)
    ada.pump()
    ada.write("no")
    ada.pump()
    assert [type(s.outcome) for s in ada.settled] == [Refused]
    bob.write("yes")
    bob.pump()
    ada.pump()
    assert ada.texts == ["yes"]


def test_an_unknown_room_names_the_nearest(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Without `create` a room that is not there is refused, with the names that are like it."""
    Party(world, rsa_pool[0]).connect()
    ada = Party(world, rsa_pool[0], room="loby")
    ada.room._create = False
    ada.connect()
    [joined] = ada.session.joined
    assert isinstance(joined.error, Refused)
    assert joined.error.code is Code.UNKNOWN_ROOM
    assert "lobby" in joined.error.hint


def test_several_rooms_share_a_connection(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Rooms on one connection do not hear each other; leaving one leaves the others."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    other = Party(world, rsa_pool[0], identity=ada.identity, room="ops", nick="ada")
    ada.session.join(other.room)
    ada.pump()
    ada.write("here")
    other.write("there")
    ada.pump()
    other._collect()
    assert (ada.texts, other.texts) == (["here"], ["there"])
    ada.session.leave(other.room)
    other.write("nowhere")
    ada.write("still here")
    ada.pump()
    other._collect()
    assert ada.texts == ["here", "still here"]
    assert other.texts == ["there"]


def test_an_alarm_in_one_room_leaves_the_others(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """A room that is not what it was is dropped from the connection, which goes on."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    other = Party(world, rsa_pool[0], identity=ada.identity, room="ops")
    other.room = RoomFollower(
        "ops",
        server_pk=world.identity.pk,
        identity=ada.identity,
        rsa=rsa_pool[0],
        outbox=other.outbox,
        nick="ada",
        beginning=Beginning(),
        room_id=b"p" * 32,
    )
    ada.session.join(other.room)
    ada.pump()
    assert isinstance(ada.session.joined[-1].error, SecurityAlarm)
    ada.write("on")
    ada.pump()
    assert ada.texts == ["on"]


def test_an_epoch_in_passing_is_not_noticed_by_anybody(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Messages before, amid and after a new epoch arrive once and in order."""
    ada, bob = Party(world, rsa_pool[0]), Party(world, rsa_pool[1])
    for party in (ada, bob):
        party.connect()
    for i in range(4):
        ada.write(f"m{i}")
        ada.send()
        if i % 2:
            world.relay.set_role("lobby", bytes([i]) * 32, Role.BANNED)  # which makes a new epoch
        ada.write(f"n{i}")
        ada.pump()
        bob.pump()
    assert bob.texts == ada.texts == [f"{c}{i}" for i in range(4) for c in "mn"]


# -- paging back -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "limit"), [(100, 20), (603, 50), (300, 1), (10, 200), (2, 5)])
def test_a_page_is_the_log_itself(world: RelayWorld, rsa_pool: RsaPool, before: int, limit: int) -> None:
    """A late reader's pages hold exactly the messages of those seqs."""
    ada = Party(world, rsa_pool[0])
    world.relay._members._rate = 0
    ada.connect()
    ada.write(*map(str, range(600)))
    ada.pump()
    bob = Party(world, rsa_pool[1], beginning=Beginning(tail=10))
    bob.connect()
    assert bob.texts == [str(i) for i in range(590, 600)]
    seen: dict[int, str] = {}
    at = before
    while at > max(1, before - limit) and bob.session.ask_page(bob.room, at, limit):
        bob.pump()
        page = bob.room.pages.pop()
        seen.update({m.seq: m.text for m in page.told if isinstance(m, ev.Message)})
        at = page.first
    wanted = [seq for seq in range(max(3, before - limit), before)]
    assert [seen[seq] for seq in wanted] == [str(seq - 3) for seq in wanted]


def test_a_page_that_was_altered_is_an_alarm(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """What does not chain up to what this client knows is not shown."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    ada.write(*map(str, range(50)))
    ada.pump()
    bob = Party(world, rsa_pool[1], beginning=Beginning(tail=5))
    bob.connect()
    assert bob.session.ask_page(bob.room, 20, 5)
    bob.send()
    world.run()
    assert bob.wire is not None
    written = b"".join(bob.wire.written)
    bob.wire.written = [written[:-10] + bytes([written[-10] ^ 1]) + written[-9:]]
    bob.read()
    assert bob.room.pages == []
    assert [e.alarm.kind for e in bob.told if isinstance(e, ev.Alarm)] == ["history"]


def test_a_page_that_nobody_asked_for_is_malformed(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """A server cannot push history."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    page = f.Page(q=9, rid=ada.room.rid or 0, from_=1, to=2, h=f.B64(bytes(32)))
    with pytest.raises(Malformed):
        ada.session.text(f.encode(page), world.now)


# -- what a server may not say, and what a client gets over ------------------------------------------


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b'{"t":"hello","v":2,"new":true}', b'{"t":"present","rid":-1,"count":0}']
)
def test_rubbish_amid_a_conversation_is_malformed(world: RelayWorld, rsa_pool: RsaPool, data: bytes) -> None:
    """Once both sides proved themselves nobody is sent to upgrade anything: the server is at fault."""
    with pytest.raises(Malformed):
        greet(world, rsa_pool).text(data, 0.0)


def test_a_proof_that_is_not_accepted_under_tls_ends_in_the_alarm(rsa_pool: RsaPool) -> None:
    """`bad_auth` behind a certificate that somebody may have put in between is not tried again as it is."""
    server = Scripted(rsa_pool, Line(LEAF, True, bytes(32)))
    server.hello()
    with pytest.raises(SecurityAlarm) as caught:
        server.session.text(f.encode(f.ErrorFrame(code=Code.BAD_AUTH, text="no")), 0.0)
    assert caught.value.kind == "certificate"


def subok(party: Party, q: int, rid: int) -> f.SubOk:
    state = party.room.log.state
    return f.SubOk(q=q, rid=rid, room=f.B64(state.room_id), first=1, last=state.seq, from_=state.seq, h=f.B64(state.h))


def test_a_room_that_nobody_asked_for_is_malformed(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """A server cannot put a client into a room, nor answer one request twice."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    for q in (1, 99):
        with pytest.raises(Malformed):
            ada.session.text(f.encode(subok(ada, q, 99)), world.now)


def test_two_rooms_cannot_share_a_number(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """A `rid` that is taken is malformed: entries of one room would be read as another's."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    ada.session.join(Party(world, rsa_pool[0], identity=ada.identity, room="ops").room)
    ada.session.flush(world.now)
    with pytest.raises(Malformed):
        ada.session.text(f.encode(subok(ada, 2, ada.room.rid or 0)), world.now)


def test_a_room_that_is_joined_before_the_proofs_waits_for_them(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """Nothing is asked of a server that has not proved itself; then the room is entered."""
    ada = Party(world, rsa_pool[0])
    ada.connect(pump=False)
    other = Party(world, rsa_pool[0], identity=ada.identity, room="ops")
    ada.session.join(other.room)
    assert ada.session.flush(world.now) == []
    ada.pump()
    assert [(joined.room, joined.error) for joined in ada.session.joined] == [(ada.room, None), (other.room, None)]


def test_a_room_that_was_left_before_the_answer_is_left_there_too(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """The server is told, nothing is heard of the room any more, and leaving twice is leaving."""
    ada, bob = Party(world, rsa_pool[0]), Party(world, rsa_pool[1])
    for party in (ada, bob):
        party.connect()
    other = Party(world, rsa_pool[0], identity=ada.identity, room="ops")
    ada.session.join(other.room)
    ada.send()
    ada.session.leave(other.room)
    ada.session.leave(other.room)
    ada.pump()
    assert [joined.room for joined in ada.session.joined] == [ada.room]
    assert [room.state.name for room, _ in ada.connection.rooms.values()] == ["lobby"]
    bob.write("here")
    bob.pump()
    ada.pump()
    assert ada.texts == ["here"]


def test_a_room_that_was_left_and_joined_again_before_the_answer_is_followed(
    world: RelayWorld, rsa_pool: RsaPool
) -> None:
    """The answer to the first request does not make the client leave what the second one entered."""
    ada, bob = Party(world, rsa_pool[0]), Party(world, rsa_pool[1])
    ada.connect(pump=False)
    bob.connect()
    while not ada.session.is_open:
        ada.read()
        world.run()
    ada.send()
    ada.session.leave(ada.room)
    again = Party(world, rsa_pool[0], identity=ada.identity)
    ada.session.join(again.room)
    ada.pump()
    assert [(joined.room, joined.error) for joined in ada.session.joined] == [(again.room, None)]
    bob.write("hello")
    bob.pump()
    ada.pump()
    again._collect()
    assert again.texts == ["hello"]


def test_a_room_that_was_lost_to_an_alarm_is_not_entered_again(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """The next connection goes without it, and the other rooms go on."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    ada.cut()
    ada.room.heard_alarm(SecurityAlarm("history", "it is not what it was"))
    ada.connect()
    assert ada.session.is_open
    assert ada.session.joined == []
    assert ada.connection.rooms == {}


def test_a_request_that_came_too_fast_is_made_again_a_second_later(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """`slow_down` in answer to `sub` is nobody's failure; a room left meanwhile is not asked for any more."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    rooms = [Party(world, rsa_pool[0], identity=ada.identity, room=name).room for name in ("ops", "left")]
    for q, room in enumerate(rooms, 2):
        ada.session.join(room)
        ada.session.flush(world.now)
        ada.session.text(f.encode(f.ErrorFrame(q=q, code=Code.SLOW_DOWN, text="")), world.now)
    ada.session.leave(rooms[1])
    assert ada.session.tick(world.now + 0.9) == []
    again = [SendText(f.encode(rooms[0].sub(4)))]
    assert ada.session.tick(world.now + 1.0) == again
    assert ada.session.tick(world.now + 2.0) == []
    assert [joined.room for joined in ada.session.joined] == [ada.room]


def test_a_room_that_went_back_is_asked_for_again_from_there(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """A `cut` answers with the head that the restart kept: the client subscribes once more, after it."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    ada.write("m0", "m1")
    ada.pump()
    ada.cut()
    ada.connect(pump=False)
    while not ada.session.is_open:
        ada.read()
        world.run()
    asked = subok(ada, 1, 1)
    kept = ada.room.log.h_at(2)
    assert kept is not None
    cut = f.SubOk(q=1, rid=1, room=asked.room, first=1, last=3, from_=2, h=f.B64(kept), cut=2)
    [again] = ada.session.text(f.encode(cut), world.now)
    sub = f.decode_from_client(again.data)
    assert sub == f.Sub(q=2, name="lobby", after=2, h=f.B64(kept))
    assert ada.session.joined == []


def test_a_page_that_the_server_keeps_no_more_is_answered(world: RelayWorld, rsa_pool: RsaPool) -> None:
    """`error` in answer to `read` reaches the room that asked, and an error without a request reaches none."""
    ada = Party(world, rsa_pool[0])
    ada.connect()
    assert ada.session.ask_page(ada.room, 3, 5)
    ada.session.text(f.encode(f.ErrorFrame(code=Code.STALE, text="")), world.now)
    assert ada.room.pages == []
    ada.session.text(f.encode(f.ErrorFrame(q=2, code=Code.STALE, text="")), world.now)
    [page] = ada.room.pages
    assert page.refused is not None
    assert page.refused.code is Code.STALE
