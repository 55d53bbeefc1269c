"""Lines for people: events and typed lines."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, date, datetime

import pytest

from sendall.cli.lines import line_of
from sendall.cli.typed import Command, help_lines, meaning
from sendall.client import events as ev
from sendall.client.conversation.kinds import Delete, Edit, Reaction, Spoken, Text, Topic
from sendall.commands import grammar
from sendall.errors import Code, SecurityAlarm, UsageError

NOON = datetime(2026, 11, 23, 12, 3, tzinfo=UTC).astimezone()
TODAY = NOON.date()
ADA = bytes(32)


def message(text: str) -> ev.Message:
    return ev.Message(1, NOON, "lobby", ADA, bytes(16), "ada", "k7qd", False, text)


def shown(event: ev.Event, today: date = TODAY) -> str:
    line = line_of(event, today)
    assert line is not None
    return line


def test_a_message_is_time_name_tag_and_text() -> None:
    """`12:03 ada·k7qd  hello`, in local time."""
    assert shown(message("hello")) == f"{NOON:%H:%M} ada·k7qd  hello"


def test_an_old_message_has_its_date() -> None:
    """What was not said today says when."""
    assert shown(message("hello"), date(2027, 1, 1)).startswith(f"{NOON:%Y-%m-%d %H:%M} ada")


def test_an_action_begins_with_a_star() -> None:
    """`* ada·k7qd waves`: what somebody does, not says."""
    action = ev.Message(1, NOON, "lobby", ADA, bytes(16), "ada", "k7qd", False, "waves", is_action=True)
    assert shown(action) == f"{NOON:%H:%M} * ada·k7qd waves"


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (Edit(7, "better \x1b[2J"), "-- ada·k7qd edited a message: better "),
        (Delete(7), "-- ada·k7qd took back a message"),
        (Reaction(7, "👍"), "-- ada·k7qd reacted with 👍"),
        (Reaction(7, "👍", is_off=True), "-- ada·k7qd took back 👍"),
        (Topic("plans"), "-- ada·k7qd set the topic: plans"),
        (Topic(""), "-- ada·k7qd took the topic away"),
    ],
)
def test_a_change_is_told_in_a_short_line(what: Edit | Delete | Reaction | Topic, sentence: str) -> None:
    """Without a screen that can go back, who changed what is said once, and safely."""
    assert shown(ev.Change(9, NOON, "lobby", ADA, bytes(16), "ada", "k7qd", False, what)) == sentence


@pytest.mark.parametrize("attack", ["\x1b[2Jgone", "a\x07\x08b", "\u202egnp", "x\r\ny", "\x9b31m", "\x1b]0;t\x07"])
def test_foreign_text_cannot_command_the_terminal(attack: str) -> None:
    """Whatever somebody sends becomes one line of printable text."""
    line = shown(message(attack))
    assert line.isprintable()
    assert shown(ev.Notice(1, attack)).isprintable()


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (ev.Came(ADA, "ada"), "ada·"),
        (ev.Went(ADA, "ada"), "went"),
        (ev.Lost("refused", 3.0), "connection lost: refused"),
        (ev.Back(), "connected again"),
        (ev.ServerLost(3, 7), "lost 3 entries"),
        (ev.Alarm(SecurityAlarm("fork", "two histories", hint="stop")), "ALARM: two histories"),
        (ev.Unreadable(7, "no key"), "message 7 cannot be read: no key"),
    ],
)
def test_what_happens_in_a_room_is_told_in_a_line(event: ev.Event, words: str) -> None:
    """Each event that concerns a reader has a line."""
    assert words in shown(event)


class Written:
    """A message of one's own that is under way."""

    def __init__(self, text: str) -> None:
        self.what: Spoken = Text(text)
        self.text = text
        self.written = NOON

    is_confirmed = False

    @property
    def receipt(self) -> Awaitable[ev.Receipt]:
        raise NotImplementedError


def test_what_is_held_is_told_with_the_two_ways_to_go_on() -> None:
    """How many lines, since when, how they begin, and both commands."""
    line = shown(ev.Held((Written("first \x1b[2Jthing"), Written("second"))))
    assert line == (
        f'-- 2 lines written {NOON:%Y-%m-%d %H:%M} and never confirmed, beginning "first thing": '
        "/send-held sends, /discard-held drops"
    )


def test_what_was_given_up_is_told_with_its_beginning() -> None:
    """A refused line names the reason; one of unknown fate names the commands; long ones are cut."""
    refused = shown(ev.GivenUp(Written("x" * 100), Code.TOO_BIG))
    assert refused == f'-- not accepted (too_big), though it may still appear: "{"x" * 39}…"'
    assert shown(ev.InDoubt(Written("hi"))).startswith('-- not known whether it arrived: "hi"')


def test_presence_and_pace_are_no_lines() -> None:
    """Counts and pacing belong to no line: they would drown the conversation."""
    assert line_of(ev.Presence(3), TODAY) is None
    assert line_of(ev.SlowDown(1.0), TODAY) is None


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("hello", "hello"),
        ("  indented", "  indented"),
        ("exit", Command.EXIT),
        (" exit ", Command.EXIT),
        ("exit now", "exit now"),
        ("", Command.NOTHING),
        ("   ", Command.NOTHING),
        ("/help", Command.HELP),
        ("/send-held", Command.SEND_HELD),
        ("/discard-held", Command.DISCARD_HELD),
        ("//etc/passwd", "/etc/passwd"),
        ("/kick bob", grammar.Kick(("bob",))),
        (" /members", grammar.Members()),
    ],
)
def test_a_typed_line_has_one_meaning(typed: str, means: Command | grammar.Command | str) -> None:
    """Only whole lines are commands, and a doubled slash sends one."""
    assert meaning(typed) == means


@pytest.mark.parametrize(
    ("typed", "sentence", "hint"),
    [
        ("/etc/passwd", "/etc/passwd is no command", "/help lists them, //etc/passwd sends it as text"),
        ("/", "/ is no command", "/help lists them, // sends it as text"),
        ("/send-hold", "/send-hold is no command", "did you mean /send-held? "),
        ("/mebers", "/mebers is no command", "did you mean /members? "),
        ("/role bob", "'bob' is no role", "/role WHO admin|member|reader: "),
    ],
)
def test_a_slash_without_a_command_is_told(typed: str, sentence: str, hint: str) -> None:
    """Nothing that begins with one slash is sent by mistake; the hint says what was meant, and how to send it."""
    with pytest.raises(UsageError) as caught:
        meaning(typed)
    assert str(caught.value).startswith(sentence)
    assert caught.value.hint.startswith(hint)


def test_the_help_tells_what_there_is_in_this_room() -> None:
    """In a private room all its commands; in an open one that there are more elsewhere."""
    private, everywhere = help_lines(is_private=True), help_lines(is_private=False)
    assert all(any(line.startswith(typed) for line in private) for typed, _ in grammar.help_rows())
    assert not any(line.startswith("/kick") for line in everywhere)
    assert everywhere[-1] == "in private rooms there is more: /invite, /kick, /members, ..."
