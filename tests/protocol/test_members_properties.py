from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendall.crypto.identity import Identity
from sendall.errors import Malformed
from sendall.protocol.chain import link
from sendall.protocol.checkpoint import pack, unpack
from sendall.protocol.entry import ZERO_32, Kind, Role
from sendall.protocol.verdict import Verdict
from tests.tools.private_scribe import PrivateScribe
from tests.tools.scribe import FIRST_TIME_MS
from tests.tools.states import agreed, contents, read_late, replayed

# -- any log ----------------------------------------------------------------------------------


class Chaos:
    """Writes a log in which everything happens, right and wrong, as `draw` wants it."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.scribe = PrivateScribe("chaos")
        self.scribe.found()
        self._draw = draw
        self._labels = ["zero"]
        self._stale: list[bytes] = []

    def someone(self) -> Identity:
        people: list[Identity] = list(self.scribe.people.values())
        return self._draw(st.sampled_from(people))  # type: ignore[no-any-return]  # what was drawn is one of them

    def step(self) -> None:
        """Log one entry: made now, made earlier on an older state, or rubbish."""
        make = self._draw(st.sampled_from([*self.MAKERS, "older", "rubbish"]))
        if make == "older":
            raw = self._draw(st.sampled_from([*self._stale, self.scribe.genesis]))
        elif make == "rubbish":
            raw = self.scribe.control(self._draw(st.integers(0, 255)), self._draw(st.binary(max_size=80)))
        else:
            raw = self.MAKERS[make](self, self.someone())
            self._stale.append(raw)
            if self._draw(st.integers(0, 5)) == 0:
                return
        earlier_ms = self._draw(st.sampled_from([0, 0, 0, 3_000]))
        self.scribe.log(raw, time_ms=FIRST_TIME_MS + 1_000 * self.scribe.state.seq - earlier_ms)

    def _invite(self, who: Identity) -> bytes:
        self._labels.append(f"{len(self._labels)}")
        uses, approve = self._draw(st.sampled_from([0, 1, 2])), self._draw(st.booleans())
        now = FIRST_TIME_MS + 1_000 * self.scribe.state.seq
        expires = self._draw(st.sampled_from([0, now, now + 2_000]))
        return self.scribe.invite(self._labels[-1], uses=uses, approve=approve, expires_ms=expires, who=who)

    def _join(self, who: Identity) -> bytes:
        return self.scribe.join(who, self._draw(st.sampled_from(self._labels[-3:])))

    def _epoch(self, who: Identity) -> bytes:
        removed = self._draw(st.lists(st.sampled_from(list(self.scribe.people.values())), max_size=2, unique=True))
        return self.scribe.epoch(removed=removed, who=who)

    def _role(self, who: Identity) -> bytes:
        of = self._draw(st.sampled_from([ZERO_32, *(p.pk for p in self.scribe.people.values())]))
        return self.scribe.role(of, self._draw(st.sampled_from(list(Role))), who=who)

    MAKERS: ClassVar[dict[str, Callable[[Chaos, Identity], bytes]]] = {
        "message": lambda self, who: self.scribe.message(who=who),
        "invite": _invite,
        "join": _join,
        "epoch": _epoch,
        "role": _role,
        "leave": lambda self, who: self.scribe.leave(who),
        "rekey": lambda self, who: self.scribe.rekey(who, label=str(self.scribe.state.seq)),
        "revoke": lambda self, who: self.scribe.revoke(self._draw(st.sampled_from(self._labels)), who=who),
        "admit": lambda self, who: self.scribe.admit(self.someone().pk, who=who),
        "restart": lambda self, _: self.scribe.restart(),
    }


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_whatever_happens_everybody_who_reads_the_log_agrees(data: st.DataObject) -> None:
    """Nobody crashes; who reads all, who comes late anywhere, and who begins from a checkpoint: one state."""
    chaos = Chaos(data.draw)
    for _ in range(data.draw(st.integers(0, 25))):
        chaos.step()
    scribe = chaos.scribe
    assert contents(replayed(scribe)) == contents(scribe.state)
    from_ = data.draw(st.integers(1, scribe.state.seq))
    assert agreed(read_late(scribe, from_)) == agreed(scribe.state)
    assert contents(unpack(pack(scribe.state))) == contents(scribe.state)
    membership = scribe.membership
    assert any(member.role is Role.ADMIN for member in membership.members.values())
    assert not membership.members.keys() & membership.pending.keys()
    assert membership.invites.keys() <= membership.used
    assert all(not i.max_uses or i.uses < i.max_uses for i in membership.invites.values())


# -- any bytes, any change --------------------------------------------------------------------

FULL = PrivateScribe("totality")
FULL.found()
FULL.let_in(FULL.bob)
FULL.log(FULL.invite("open", uses=0))
FULL.log(FULL.invite("knock", uses=0, approve=True))
FULL.log(FULL.join(FULL.cyd, "knock"))
RIGHT = [
    FULL.message(),
    FULL.join(FULL.dan, "open"),
    FULL.rekey(FULL.bob),
    FULL.leave(FULL.bob),
    FULL.invite("new"),
    FULL.revoke("open"),
    FULL.admit(FULL.cyd.pk),
    FULL.role(FULL.bob.pk, Role.ADMIN),
    FULL.epoch(removed=[FULL.bob]),
    FULL.restart(),
]


def test_what_is_changed_below_was_right() -> None:
    """Each of these entries is OK as it is."""
    for raw in RIGHT:
        assert unpack(pack(FULL.state)).apply(FULL.state.seq + 1, FULL.state.now, raw) is Verdict.OK


@given(
    st.binary(max_size=700)
    | st.builds(
        lambda type_, body, who: FULL.control(type_, body, who),
        st.integers(0x0F, 0x22),
        st.binary(max_size=150)
        | st.builds(lambda tail: FULL.state.auth + tail, st.binary(max_size=110))
        | st.builds(
            lambda a, b: FULL.state.auth + a.pk + b, st.sampled_from([FULL.bob, FULL.cyd]), st.binary(max_size=2)
        ),
        st.sampled_from([FULL.ada, FULL.bob, FULL.cyd, FULL.server]),
    )
)
@settings(deadline=None, max_examples=300)
def test_any_bytes_get_a_verdict(raw: bytes) -> None:
    """`apply` never raises; seq, chain and time advance, and nothing else unless it is OK."""
    state = unpack(pack(FULL.state))
    before = contents(unpack(pack(FULL.state)))
    verdict = state.apply(state.seq + 1, state.now + 5, raw)
    assert (state.seq, state.now) == (FULL.state.seq + 1, FULL.state.now + 5)
    assert state.h == link(FULL.state.h, state.seq, state.now, raw)
    if verdict is not Verdict.OK:
        after = contents(state)
        assert {k for k in after if after[k] != before[k]} == {"seq", "h", "now"}


@given(st.sampled_from(RIGHT), st.data())
@settings(deadline=None)
def test_a_changed_entry_is_never_ok(raw: bytes, data: st.DataObject) -> None:
    """Whatever bit is flipped, byte inserted or dropped: the signature covers all of it."""
    at = data.draw(st.integers(0, len(raw) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    flipped = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
    changed = data.draw(st.sampled_from([flipped, raw[:at] + b"\0" + raw[at:], raw[:at] + raw[at + 1 :], raw + b"\0"]))
    if changed == raw:
        return
    state = unpack(pack(FULL.state))
    assert state.apply(state.seq + 1, state.now, changed) is not Verdict.OK


def test_a_checkpoint_of_a_private_room_with_an_unknown_role_is_none() -> None:
    """Bytes of the right shape that are not ours are refused, not believed."""
    packed = msgspec.msgpack.decode(pack(FULL.state))
    assert packed["kind"] == Kind.PRIVATE
    (id_pk, member), *others = packed["members"]
    with pytest.raises(Malformed):
        unpack(msgspec.msgpack.encode({**packed, "members": [(id_pk, [9, *member[1:]]), *others]}))
