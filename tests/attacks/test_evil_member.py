"""Whatever an evil member tries: nothing happens to the room, and every reader says why, alike."""

from __future__ import annotations

import os

import pytest

from sendall.crypto.grants import open_grant, seal_grant
from sendall.crypto.primitives import CannotOpen
from sendall.crypto.sealing import Opener, Sealer, commitment
from sendall.errors import Malformed
from sendall.protocol.chain import link
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import EntryType, parse
from sendall.protocol.room import RoomState
from sendall.protocol.verdict import Verdict
from tests.attacks.evil_member import CASES, PLAINTEXT, Case, Stage
from tests.conftest import RsaPool
from tests.tools.states import agreed, contents, read_late

STAGE = Stage()
STAGE.found()
PACKED = pack(STAGE.state)
TIME = STAGE.state.now + 1_000


def test_the_stage_is_as_the_cases_need_it() -> None:
    """Everybody is what he is said to be, so that a refusal has the reason that the case names."""
    s, m = STAGE, STAGE.membership
    assert {who for who in s.people if m.is_admin(s.people[who].pk)} == {"ada", "bob"}
    assert {who for who in s.people if s.state.may_post(s.people[who].pk)} == {"ada", "bob", "cyd", "eve", "ivy", "kim"}
    assert list(m.pending) == [s.fay.pk]
    assert s.dan.pk in m.members
    assert set(m.invites) == {s.link(label).invite_pk for label in ("knock", "brief", "open")}


@pytest.mark.parametrize("right", ["message", "leave", "rekey", "join", "kick", "invite", "role", "admit", "revoke"])
def test_what_is_right_is_not_refused_on_this_stage(right: str) -> None:
    """The control: the same entries by those who may, without the defect."""
    s = STAGE
    entry = {
        "message": lambda: s.message(who=s.eve),
        "leave": lambda: s.leave(s.eve),
        "rekey": lambda: s.rekey(s.eve, label=" new"),
        "join": lambda: s.join(s.joe, "open"),
        "kick": lambda: s.epoch(removed=[s.eve], who=s.bob),
        "invite": lambda: s.invite("new", who=s.bob),
        "role": lambda: s.role(s.eve.pk, s.membership.members[s.dan.pk].role, who=s.bob),
        "admit": lambda: s.admit(s.fay.pk, who=s.bob),
        "revoke": lambda: s.revoke("open", who=s.bob),
    }[right]()
    assert unpack(PACKED).apply(s.state.seq + 1, TIME, entry) is Verdict.OK


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.by}: {case.name}")
def test_nothing_comes_of_it(case: Case) -> None:
    """The documented verdict; the entry has its place in the chain, and nothing else changes."""
    entry, state = case.make(STAGE), unpack(PACKED)
    assert state.apply(STAGE.state.seq + 1, TIME, entry) is case.verdict
    expected = {
        **contents(STAGE.state),
        "seq": STAGE.state.seq + 1,
        "h": link(STAGE.state.h, STAGE.state.seq + 1, TIME, entry),
        "now": TIME,
    }
    assert contents(state) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.by}: {case.name}")
def test_every_reader_says_the_same(case: Case) -> None:
    """Who came late says what the others say, and so does the server before it accepts."""
    entry, late = case.make(STAGE), read_late(STAGE, STAGE.state.seq)
    assert late.apply(STAGE.state.seq + 1, TIME, entry) in (case.verdict, *_excused(case, entry))
    try:
        parsed = parse(entry)
    except Malformed:
        return
    assert unpack(PACKED).judge(parsed, time_ms=TIME) is case.verdict
    if parsed.type != EntryType.MESSAGE:
        assert agreed(late) == agreed(_after(entry))


def _excused(case: Case, entry: bytes) -> tuple[Verdict, ...]:
    # Of a session whose beginning was skipped a late reader cannot know the numbers.
    is_of_numbers = case.verdict in (Verdict.GAP, Verdict.REPLAY)
    return (Verdict.OK,) if is_of_numbers and entry[1] == EntryType.MESSAGE else ()


def _after(entry: bytes) -> RoomState:
    state = unpack(PACKED)
    state.apply(STAGE.state.seq + 1, TIME, entry)
    return state


# -- what an entry's verdict cannot tell: keys ------------------------------------------------


def test_another_s_ciphertext_signed_as_ones_own_does_not_open() -> None:
    """The sender is in the key and in the additional data."""
    s = STAGE
    stolen = parse(s.last_of(s.cyd))
    own = parse(s.message(PLAINTEXT, s.eve, session=stolen.session, n=stolen.n))
    forged = parse(s.signed_by(s.eve, own.raw[:104] + stolen.body))
    assert unpack(PACKED).apply(s.state.seq + 1, TIME, forged.raw) is Verdict.OK
    with pytest.raises(CannotOpen):
        Opener(s.keys[2], s.room_id).open(forged)


@pytest.mark.parametrize(
    ("at", "new"),
    [(4, bytes(3) + b"\1"), (40, b"s" * 16), (56, bytes(7) + b"\7"), (64, bytes(7) + b"\1"), (72, b"h" * 32)],
    ids=["epoch", "session", "n", "head_seq", "head_hash"],
)
def test_a_header_changed_after_sealing_does_not_open(at: int, new: bytes) -> None:
    """Whoever signs another header over a ciphertext of his own shows nobody anything."""
    s = STAGE
    forged = parse(s.changed(s.eve, s.message(PLAINTEXT, s.eve), at, new))
    with pytest.raises(CannotOpen):
        Opener(s.keys[2], s.room_id).open(forged)


def test_one_commitment_has_one_key() -> None:
    """A second key for some of the members fits no epoch entry, so no ciphertext has two meanings."""
    s, other = STAGE, os.urandom(32)
    assert commitment(other, s.room_id, 2) != s.state.commit
    assert commitment(s.keys[2], s.room_id, 2) == s.state.commit
    assert commitment(s.keys[2], s.room_id, 3) != s.state.commit
    assert commitment(s.keys[2], bytes(32), 2) != s.state.commit
    sealed = Sealer(other, s.room_id, 2, s.eve.pk, bytes(16)).seal(
        EntryType.MESSAGE, 0, PLAINTEXT, head_seq=s.state.seq, head_hash=s.state.h, sign=s.eve.sign
    )
    with pytest.raises(CannotOpen):
        Opener(s.keys[2], s.room_id).open(parse(sealed))


def test_a_grant_for_one_member_opens_for_no_other(rsa_pool: RsaPool) -> None:
    """Not for another identity with the same RSA key, nor in another room, nor with bits changed."""
    s, rsa = STAGE, rsa_pool[0]
    grant = seal_grant(s.room_id, s.cyd.pk, rsa.modulus, {2: s.keys[2]})
    assert open_grant(grant, s.room_id, s.cyd.pk, rsa) == {2: s.keys[2]}
    flipped = grant[:-1] + bytes([grant[-1] ^ 1])
    cases = [
        (grant, s.room_id, s.eve.pk),
        (grant, bytes(32), s.cyd.pk),
        (flipped, s.room_id, s.cyd.pk),
        (grant[:383], s.room_id, s.cyd.pk),
        (b"", s.room_id, s.cyd.pk),
    ]
    for sealed, room_id, recipient in cases:
        with pytest.raises(CannotOpen):
            open_grant(sealed, room_id, recipient, rsa)
