"""Answers of the commands of PRIVATE rooms, as far as they need no room; with one: tests/cli/test_room*.py."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sendall.client.private_joined import Invitation, MemberInfo
from sendall.commands import doing
from sendall.errors import UsageError
from sendall.protocol.entry import Role

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (Invitation("L", NOON, 1, False), f"lets one person in, until {NOON.astimezone():%Y-%m-%d %H:%M};"),
        (Invitation("L", None, 0, False), "lets anybody in, until somebody is removed;"),
        (Invitation("L", None, 1_200, True), "lets 1,200 people ask to come in, until somebody is removed;"),
    ],
)
def test_a_link_is_told_with_its_use_and_its_end(made: Invitation, told: str) -> None:
    """How many, until when, and whether an admin decides."""
    lines = doing.told_of(made)
    assert lines[0] == told
    assert ("/admit WHO" in lines[1]) is made.needs_admit


def test_members_are_two_rows_each() -> None:
    """Name, tag, role and whether it is oneself; below, the words; who waits with the command that lets them in."""
    ada = MemberInfo(b"a" * 32, "ada", "k7qd", Role.ADMIN, "one two", is_pending=False, is_me=True)
    eve = MemberInfo(b"e" * 32, "eve\x1b[2J", "xxxx", Role.MEMBER, "six ten", is_pending=True, is_me=False)
    assert doing.member_rows([ada, eve]) == [
        "ada·k7qd  admin, you",
        "    one two",
        "eve·xxxx  waits to be let in: /admit xxxx",
        "    six ten",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/members shows who is there", "sendall room members 'my room' shows who is there"),
        (
            "make another admin first: /role WHO admin",
            "make another admin first: sendall room role 'my room' WHO admin",
        ),
        ("all links ended: /invite makes one", "all links ended: sendall room invite 'my room' makes one"),
        ("cannot read /tmp/members: /membership is kept", "cannot read /tmp/members: /membership is kept"),
    ],
)
def test_hints_for_a_shell_name_commands_of_a_shell(text: str, shown: str) -> None:
    """With the room's name where it has to stand, quoted; paths stay what they are."""
    assert doing.for_shell(text, "my room") == shown
    assert doing.error_for_shell(UsageError("no", hint=text), "my room").hint == shown
