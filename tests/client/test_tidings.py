"""What people are told of control entries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sendall.client.events import tag_of
from sendall.client.tidings import tiding
from sendall.protocol.bodies import parse_body
from sendall.protocol.entry import ZERO_32, Role, parse
from sendall.protocol.verdict import Verdict
from tests.tools.private_scribe import PrivateScribe


@pytest.fixture
def scribe() -> PrivateScribe:
    scribe = PrivateScribe("tidings")
    scribe.found()
    scribe.let_in(scribe.bob)
    return scribe


CYD = tag_of(PrivateScribe("tidings").cyd.pk)
Make = Callable[[PrivateScribe], bytes]
CASES: dict[str, tuple[Make, str | None]] = {
    "join": (lambda s: s.join(s.cyd, "open"), "cyd joined by a link"),
    "wait": (
        lambda s: s.join(s.cyd, "asks"),
        f"cyd asked to join and waits: /admit {CYD}",
    ),
    "leave": (lambda s: s.leave(s.bob), "you left the room for good"),
    "kick": (
        lambda s: s.epoch(removed=[s.bob]),
        "ada removed you; the room has a new key, and all its links have ended",
    ),
    "rotate": (lambda s: s.epoch(), None),
    "rekey": (lambda s: s.rekey(s.bob), None),
    "default": (lambda s: s.role(ZERO_32, Role.READER), "ada decided: whoever joins from now on is a reader"),
    "my role": (lambda s: s.role(s.bob.pk, Role.ADMIN), "ada decided: you are an admin now"),
    "a role": (lambda s: s.role(s.dan.pk, Role.READER), "ada decided: dan is a reader now"),
    "invite": (lambda s: s.invite("new"), "ada made a link into the room"),
    "revoke": (lambda s: s.revoke("open"), "ada revoked a link into the room"),
    "admit": (lambda s: s.admit(s.eve.pk), "ada let eve in"),
    "restart": (lambda s: s.restart(), None),
}


@pytest.mark.parametrize("case", CASES)
def test_each_entry_has_its_sentence_or_none(scribe: PrivateScribe, case: str) -> None:
    """Told to bob, who is "you"."""
    scribe.log(scribe.invite("open"))
    scribe.log(scribe.invite("asks", uses=2, approve=True))
    scribe.log(scribe.join(scribe.eve, "asks"))
    scribe.let_in(scribe.dan)
    make, sentence = CASES[case]
    raw = make(scribe)
    assert scribe.log(raw) is Verdict.OK
    names = {who.pk: name for name, who in scribe.people.items()} | {scribe.server.pk: "the server"}
    entry = parse(raw)
    said = tiding(entry, parse_body(entry), scribe.membership, names.__getitem__, scribe.bob.pk)
    assert said == sentence
