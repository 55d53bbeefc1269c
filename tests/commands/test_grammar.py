"""How the commands of PRIVATE rooms are written, and what an error says of one that is written wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.commands import grammar as g
from sendall.errors import UsageError
from sendall.protocol.entry import Role

WELL_WRITTEN: list[tuple[str, g.Command]] = [
    ("/invite", g.Invite(1, 86_400.0)),
    ("/invite --uses 3", g.Invite(3, 86_400.0)),
    ("/invite --uses=0 --for=ever", g.Invite(0, None)),
    ("  /invite --approve --for 90m  ", g.Invite(1, 5400.0, approve=True)),
    ("/invite --for 7d --uses 65535 --approve", g.Invite(65_535, 604_800.0, approve=True)),
    ("/INVITE --for 30s", g.Invite(1, 30.0)),
    ("/kick bob", g.Kick(("bob",))),
    ("/kick Ada O'Brien, the 2nd", g.Kick(("Ada O'Brien, the 2nd",))),
    ("/kick bob·mxk3", g.Kick(("bob·mxk3",))),
    ("/admit  eve ", g.Admit("eve")),
    ("/role bob reader", g.SetRole("bob", Role.READER)),
    ("/role Ada O'Brien Admin", g.SetRole("Ada O'Brien", Role.ADMIN)),
    ("/role default reader", g.SetRole(None, Role.READER)),
    ("/role DEFAULT member", g.SetRole(None, Role.MEMBER)),
    ("/members", g.Members()),
    ("/code", g.Code()),
    ("/leave", g.Leave()),
    ("/rotate", g.Rotate()),
    ("/lock ", g.Lock()),
]
BADLY_WRITTEN = [
    ("/invite 3", "'3' is no option of /invite"),
    ("/invite --uses", "--uses needs a value"),
    ("/invite --for 24h --uses", "--uses needs a value"),
    ("/invite --uses many", "'many' is no number of uses"),
    ("/invite --uses -1", "'-1' is no number of uses"),
    ("/invite --uses 65536", "'65536' is no number of uses"),
    ("/invite --uses ٣", "is no number of uses"),
    ("/invite --for 24", "'24' is no lifetime of a link"),
    ("/invite --for 0h", "'0h' is no lifetime of a link"),
    ("/invite --for 4000d", "'4000d' is no lifetime of a link"),
    ("/invite --for forever", "'forever' is no lifetime of a link"),
    ("/kick", "it needs to know whom"),
    ("/admit  ", "it needs to know whom"),
    ("/role", "it needs a member and a role"),
    ("/role admin", "it needs a member and a role"),
    ("/role bob", "'bob' is no role"),
    ("/role bob king", "'king' is no role"),
    ("/members all", "/members takes nothing after it, and there is 'all'"),
    ("/lock now", "/lock takes nothing after it, and there is 'now'"),
]


@pytest.mark.parametrize(("line", "means"), WELL_WRITTEN)
def test_a_command_is_read_as_it_is_written(line: str, means: g.Command) -> None:
    """Names need no quotes, options take their value after a space or =, capitals do not matter."""
    assert g.parse(line) == means


@pytest.mark.parametrize(("line", "sentence"), BADLY_WRITTEN)
def test_what_is_written_wrongly_is_told_with_the_right_way(line: str, sentence: str) -> None:
    """The sentence names the very word that is wrong; the hint shows how the command goes and what it does."""
    with pytest.raises(UsageError) as caught:
        g.parse(line)
    assert sentence in str(caught.value)
    name = line.split()[0].removeprefix("/")
    assert caught.value.hint == f"{g.written(name)}: {g.SPELLINGS[name].summary}"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/kik bob", "did you mean /kick? /help lists them, //kik sends it as text"),
        ("/etc/passwd", "/help lists them, //etc/passwd sends it as text"),
        ("/", "/help lists them, // sends it as text"),
    ],
)
def test_no_command_is_told_with_the_nearest(line: str, hint: str) -> None:
    """A typing error finds the command that was meant; what is near nothing is told how to be sent."""
    with pytest.raises(UsageError) as caught:
        g.parse(line)
    assert str(caught.value) == f"{line.split()[0]} is no command"
    assert caught.value.hint == hint


@given(st.sampled_from(list(g.SPELLINGS)), st.text())
def test_any_line_is_a_command_or_an_error_with_a_hint(name: str, rest: str) -> None:
    """Whatever stands after a command's name, nothing else comes of it."""
    try:
        command = g.parse(f"/{name} {rest}")
    except UsageError as error:
        hint = error.hint
    else:
        hint = g.written(name)
        assert type(command).__name__.lower().removeprefix("set") == name
    assert hint.startswith(f"/{name}")


def test_the_help_has_every_command() -> None:
    """Each is there as it is typed, with what it does."""
    rows = dict(g.help_rows())
    assert list(rows) == [g.written(name) for name in g.SPELLINGS]
    assert all(rows.values())
    assert "/kick WHO" in rows
