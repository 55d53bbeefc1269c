"""The application, by its keys and its screen, on a stage: what comes is scripted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs
from textual import events

from sendall.client.conversation.kinds import Delete, Edit, Reaction, Topic
from sendall.client.events import Alarm, Back, Came, GivenUp, Lost, ServerLost, SlowDown, Typing, Went
from sendall.errors import Code, ConnectError, Refused, SecurityAlarm, SendallError
from sendall.tui.profile import Profile
from sendall.tui.widgets.composer import Composer
from tests.conftest import RsaPool
from tests.tui.stage import ME, Staged, message, person, staged


@pytest.fixture
async def app(tmp_path: Path, rsa_pool: RsaPool) -> AsyncIterator[Staged]:
    async with staged(tmp_path, rsa_pool[0]) as running:
        yield running


def typed(app: Staged) -> str:
    return app.app.query_one(Composer).text


async def test_what_is_said_is_on_the_screen_with_name_and_tag(app: Staged) -> None:
    """Also two people of one name are told apart."""
    app.lobby.says("bob", "hello **there**")
    app.lobby.tell_all(structs.replace(message(2, "eve", "I am another bob"), nick="bob"))
    await app.settle()
    screen = app.sees("hello there", "I am another bob", "# lobby", "OPEN")
    assert len(set(re.findall(r"bob·(\w{4})", screen))) == 2


async def test_enter_sends_and_the_draft_becomes_the_message(app: Staged) -> None:
    """While it is on its way it ends with an ellipsis and is counted; when it is back, neither."""
    await app.enter("hello")
    app.sees("hello …", "1 not confirmed")
    assert typed(app) == ""
    app.lobby.confirm()
    await app.settle()
    screen = app.sees("│ hello")
    assert "…" not in screen
    assert "not confirmed" not in screen


async def test_a_message_of_several_rows(app: Staged) -> None:
    """Ctrl+J and Alt+Enter begin a new row; Enter sends all of them."""
    await app.type("one\ntwo")
    await app.press("alt+enter")
    await app.type("three")
    assert typed(app) == "one\ntwo\nthree"
    await app.press("enter")
    app.sees("│ one", "│ two", "│ three …")


async def test_earlier_lines_come_back_with_the_arrow_keys(app: Staged) -> None:
    """Up goes back, down returns, at last to what was being written."""
    await app.enter("first")
    await app.enter("second")
    await app.type("dra")
    shown = []
    for key in ("up", "up", "up", "down", "down"):
        await app.press(key)
        shown.append(typed(app))
    assert shown == ["second", "first", "first", "second", "dra"]


async def test_emoji_by_name(app: Staged) -> None:
    """`:tad` offers, Tab takes it; a whole name is replaced as it is sent, but not in code."""
    await app.type("well done :tad")
    app.sees(":tada:")
    await app.press("tab", "tab")
    assert typed(app) == "well done 🎉"
    await app.press("ctrl+c")
    await app.enter("`:tada:` is :tada:")
    app.sees(":tada: is 🎉")


async def test_names_are_completed(app: Staged) -> None:
    """Tab completes who is here, with a colon at the beginning; @ offers by itself."""
    app.lobby.come("bob", "bertha")
    await app.settle()
    await app.type("bo")
    await app.press("tab", "tab")
    assert typed(app) == "bob: "
    await app.type("and @ber")
    app.sees("@bertha")
    await app.press("down", "enter")
    assert typed(app) == "bob: and @bertha "


async def test_commands_are_offered_with_what_they_are_for(app: Staged) -> None:
    """A slash shows them; the arrow keys choose, Enter takes; Escape puts them away."""
    await app.type("/")
    app.sees("/archive [on|off]", "keep what is read")
    await app.type("top")
    app.sees("/topic [TEXT]", "say what the room is about")
    await app.press("tab", "tab")
    assert typed(app) == "/topic "
    await app.press("ctrl+c")
    await app.type("/")
    await app.press("escape")
    assert "keep what is read" not in app.screen()


async def test_an_unknown_command_says_what_to_do(app: Staged) -> None:
    """The nearest one is named, and the line stays to be corrected."""
    await app.enter("/topci new")
    app.sees("/topci is no command", "did you mean /topic?")
    assert typed(app) == "/topci new"
    await app.press("escape")
    assert "is no command" not in app.screen()


async def test_two_slashes_send_a_text_with_one(app: Staged) -> None:
    """Paths can be said."""
    await app.enter("//etc/passwd")
    app.sees("│ /etc/passwd …")


async def test_open_rooms_say_what_they_do_not_have(app: Staged) -> None:
    """/kick, /ban and /mute are for PRIVATE rooms, and /ignore is what there is instead."""
    for command in ("kick", "ban", "mute"):
        await app.enter(f"/{command} bob")
        app.sees(f"/{command} is for PRIVATE rooms", "/ignore NAME hides what they say")
        await app.press("ctrl+c")


async def test_a_new_name_is_used_and_kept(app: Staged) -> None:
    """/nick changes it in all rooms and for the next start; a name of nothing is refused."""
    await app.enter("/nick Ada L.")
    app.sees("you are Ada L.·")
    assert app.stage.nick == "Ada L."
    assert Profile(app.app.opening.folder).nick == "Ada L."
    await app.enter("/nick \u202e..")
    app.sees("it needs at least one letter or digit")


async def test_me_topic_and_members(app: Staged) -> None:
    """/me says what one does, /topic what the room is about, /members who is here."""
    app.lobby.come("bob")
    await app.enter("/me waves")
    app.sees("* ada·", "waves …")
    await app.enter("/topic lunch at noon")
    app.lobby.confirm()
    await app.settle()
    app.sees("set the topic: lunch at noon", "# lobby  lunch at noon")
    await app.enter("/topic")
    app.sees("topic: lunch at noon")
    await app.enter("/members")
    app.sees("people in lobby: 2 here", "bob·", "you, here")


async def test_rooms_are_opened_listed_and_left(app: Staged) -> None:
    """/join opens one and shows it, Alt+1 goes back, /rooms lists, /leave closes; the next start opens them again."""
    await app.enter("/join ops")
    app.sees("# ops")
    app.stage.rooms["lobby"].says("bob", "psst @ada")
    await app.settle()
    app.sees("@1")
    await app.press("alt+1")
    app.sees("psst @ada")
    await app.enter("/rooms")
    app.sees("Alt+1  lobby", "Alt+2  ops")
    assert Profile(app.app.opening.folder).rooms(app.stage.address) == ["lobby", "ops"]
    await app.press("alt+down")
    await app.enter("/leave")
    await app.enter("/leave")
    app.sees("this is the only room that is open")


async def test_a_room_that_lets_nobody_in_says_why(app: Staged) -> None:
    """The refusal is shown with its hint; the room that was shown stays."""
    app.stage.refuses["ops"] = Refused(Code.FULL, "the room is full", hint="try later")
    await app.enter("/join ops")
    app.sees("the room is full", "try later", "# lobby")


async def test_ignoring_hides_what_somebody_says_on_this_device(app: Staged) -> None:
    """And once more shows it; it holds for the next start."""
    app.lobby.says("mallory", "buy this")
    await app.settle()
    await app.enter("/ignore mallory")
    assert "buy this" not in app.sees("is hidden on this device")
    assert Profile(app.app.opening.folder).ignored
    await app.enter("/ignore mallory")
    app.sees("buy this", "is shown again")
    await app.enter("/ignore nobody")
    app.sees("nobody here is called 'nobody'", "/members lists them")


async def test_a_message_is_answered_edited_and_deleted(app: Staged) -> None:
    """Ctrl+Up chooses; r answers, e edits one's own, d twice deletes; others' messages can be neither."""
    app.lobby.says("bob", "is it up?")
    await app.settle()
    await app.press("ctrl+up", "r")
    app.sees("answer to bob: is it up?")
    await app.enter("it si")
    app.lobby.confirm()
    await app.settle()
    app.sees("↱ bob·", "it si")
    await app.press("ctrl+up", "e")
    assert typed(app) == "it si"
    await app.press("backspace", "backspace")
    await app.enter("is")
    app.lobby.confirm()
    await app.settle()
    app.sees("it is (edited)")
    await app.press("ctrl+up", "d")
    app.sees("d once more does")
    await app.press("d")
    app.lobby.confirm()
    await app.settle()
    assert "it is" not in app.sees("deleted")
    await app.press("escape", "ctrl+up", "up", "e")
    app.sees("only bob can edit this message")
    await app.press("d")
    app.sees("only bob can delete this message")


async def test_reactions_come_and_go(app: Staged) -> None:
    """+ asks for an emoji, by sign or name; the same once more takes it back."""
    app.lobby.says("bob", "done")
    for expected in (True, False):
        await app.settle()
        await app.press("ctrl+up", "plus")
        await app.enter("tada")
        app.lobby.confirm()
        await app.settle()
        assert ("🎉 1" in app.screen()) is expected, app.screen()
    await app.press("ctrl+up", "plus")
    await app.enter("no emoji at all")
    app.sees("is no emoji")


async def test_what_others_change_shows_in_place(app: Staged) -> None:
    """Edits and deletions by their author count, by anybody else they do not."""
    first, second = app.lobby.says("bob", "one"), app.lobby.says("bob", "two")
    app.lobby.changes("bob", Edit(first, "uno"))
    app.lobby.changes("eve", Edit(second, "forged"))
    app.lobby.changes("eve", Delete(second))
    app.lobby.changes("eve", Reaction(second, "👀"))
    await app.settle()
    screen = app.sees("uno (edited)", "two", "👀 1")
    assert "forged" not in screen
    assert "deleted" not in screen


async def test_a_failed_message_can_be_sent_again_or_dropped(app: Staged) -> None:
    """It says why it failed; t sends it anew, x takes it away."""
    await app.enter("hello")
    app.lobby.fails(Refused(Code.FORBIDDEN, "the server refused: forbidden"))
    await app.settle()
    app.sees("✗ not sent: the server refused: forbidden")
    await app.press("ctrl+up", "t")
    assert "✗" not in app.sees("hello …")
    app.lobby.fails(Refused(Code.FORBIDDEN, "the server refused: forbidden"))
    await app.settle()
    await app.press("ctrl+up", "x")
    assert "hello" not in app.screen()


async def test_an_edit_that_is_refused_is_told(app: Staged) -> None:
    """There is no draft that could say it, so a line does."""
    seq = app.lobby.says("ada", "one")
    await app.settle()
    app.app.desk.room.outgoing.change(Edit(seq, "two"))
    pending = app.lobby.unconfirmed[0]
    app.lobby.fails(Refused(Code.FORBIDDEN))
    app.lobby.tell_all(GivenUp(pending, Code.FORBIDDEN))
    await app.settle()
    app.sees("not accepted (forbidden), though it may still appear:", '"two"')


async def test_a_lost_connection_is_a_banner_with_a_countdown_and_typing_goes_on(app: Staged) -> None:
    """The banner counts down to the next attempt and counts what is kept; when it is back it is gone."""
    app.stage.retry_at = app.clock.monotonic() + 12
    app.lobby.tell_all(Lost("the server restarts", 12.0))
    await app.settle()
    app.sees("connection lost: the server restarts · trying again in 12 s", "○ not connected")
    await app.enter("this waits")
    app.sees("1 line kept, sent once when back", "this waits …")
    app.clock.passed += app.clock.passed.resolution * 5_000_000
    await app.settle()
    app.sees("trying again in 7 s")
    app.lobby.tell_all(Lost("nothing listens there", 3.0), Back())
    await app.settle()
    assert "trying again" not in app.sees("connected again", "● sealed + TLS")


@pytest.mark.parametrize(
    ("kind", "sentence", "hint"),
    [
        ("identity", "the server at x has another identity than before", "compare its eight words"),
        ("fork", "the server shows different histories", "talk over another channel"),
    ],
)
async def test_an_alarm_cannot_be_overlooked(app: Staged, kind: str, sentence: str, hint: str) -> None:
    """Across the top: what happened and what to do; nothing is sent any more, and the status says so."""
    alarm = SecurityAlarm(kind, sentence, hint=hint)
    app.lobby.tell_all(Alarm(alarm))
    app.lobby.inbox.close(alarm)
    app.lobby.end(alarm)
    await app.settle()
    app.sees(f"ALARM: {sentence}", f"what to do: {hint}", "■ nothing is sent", "! lobby")
    await app.enter("anybody?")
    app.sees(sentence)
    assert typed(app) == "anybody?"


async def test_who_is_sent_away_is_told_so(app: Staged) -> None:
    """A room that is closed to us says why and what to do; what was said stays."""
    app.lobby.says("bob", "bye then")
    app.lobby.end(Refused(Code.BANNED, "you may not come into this room any more", hint="ask who runs it"))
    await app.settle()
    app.sees("CLOSED: you may not come into this room any more", "what to do: ask who runs it", "bye then")


async def test_what_the_server_lost_and_its_pace_are_told(app: Staged) -> None:
    """What is void disappears; a slower pace is in the status line."""
    app.lobby.says("bob", "stays")
    app.lobby.says("bob", "is lost")
    app.lobby.tell_all(ServerLost(1, 1), SlowDown(9.0))
    await app.settle()
    screen = app.sees("the server restarted and lost 1 entries", "stays", "slower pace for 9 s")
    assert "is lost" not in screen


async def test_who_comes_goes_and_writes(app: Staged) -> None:
    """All three are shown; writing ends by itself after six seconds."""
    app.lobby.come("bob")
    app.lobby.tell_all(Came(person("bob"), "bob"), Typing(person("bob"), "bob"))
    await app.settle()
    app.sees("bob·", "came", "bob is writing …")
    app.clock.passed += app.clock.passed.resolution * 6_100_000
    await app.settle()
    assert "is writing" not in app.screen()
    app.lobby.tell_all(Went(person("bob"), "bob"))
    await app.settle()
    app.sees("went")


async def test_others_learn_that_one_writes_and_what_one_has_seen(app: Staged) -> None:
    """Text is told, a command is not; seen is told when the end is in sight and the terminal is looked at."""
    await app.type("/he")
    assert app.lobby.typed == 0
    await app.press("ctrl+c")
    await app.type("he")
    assert app.lobby.typed > 0
    app.send(events.AppBlur())
    await app.settle()
    seq = app.lobby.says("bob", "psst")
    await app.settle()
    assert app.lobby.seen_up_to < seq
    app.send(events.AppFocus())
    await app.settle()
    assert app.lobby.seen_up_to == seq


async def test_hostile_names_and_texts_are_no_markup(app: Staged) -> None:
    """What people say is never read as markup of the terminal library: no action can be called, nothing restyled."""
    app.lobby.come("[@click=app.leave]bob[/]")
    app.lobby.says("[@click=app.leave]bob[/]", "[red]x[/red] \x1b]0;y\x07z")
    app.lobby.tell_all(Typing(person("[@click=app.leave]bob[/]"), "[@click=app.leave]bob[/]"))
    app.lobby.changes("bob", Topic("[@click=app.leave]topic[/]"))
    await app.settle()
    app.sees("[red]x[/red] z", "[@click=app.leave]topic[/]", "[@click=app.leave]bob[/] is writing")
    await app.press("ctrl+up", "r")
    app.sees("answer to [@click=app.leave]bob[/]")
    await app.press("escape", "ctrl+up", "o")
    app.sees("[@click=app.leave]bob[/]·")


async def test_a_pasted_text_is_safe(app: Staged) -> None:
    """Escape sequences in the clipboard do not reach the line; rows and tabs do, as rows and spaces."""
    app.send(events.Paste("a\x1b[31mb\r\n\tc\x07"))
    await app.settle()
    assert typed(app) == "ab\n    c"


async def test_the_help_tells_keys_and_commands(app: Staged) -> None:
    """F1 and /help open it; every command is in it; Escape closes; /help NAME tells of one."""
    await app.press("f1")
    app.sees("help", "Enter", "send")
    for _ in range(12):
        await app.press("pagedown")
    app.sees("/discard-held")
    await app.press("escape")
    await app.enter("/help topic")
    app.sees("/topic [TEXT]: say what the room is about")


async def test_the_card_tells_how_others_come_in(app: Staged) -> None:
    """/invite shows command, link, words and readers; a QR code where it has room."""
    await app.enter("/invite")
    app.sees("sendall join 'http", "https://192.0.2.7:12345/", "ladder violin", "whoever reaches this port", "█")
    await app.press("escape")
    await app.enter("/code")
    app.sees("server: ladder violin ocean")


async def test_who_types_over_the_card_types_into_the_composer(app: Staged) -> None:
    """The card is put away, and no letter is lost."""
    await app.enter("/invite")
    app.sees("how others come in")
    await app.type("hi")
    app.sees("❯ hi")
    await app.press("enter")
    app.sees("hi")


async def test_searching_goes_to_the_message(app: Staged) -> None:
    """Ctrl+F finds in what is loaded if there is no archive; Enter goes there and chooses it."""
    for n in range(60):
        app.lobby.says("bob", f"number {n}")
    await app.settle()
    await app.press("ctrl+f")
    await app.type("number 42")
    app.sees("1 found in what is loaded")
    await app.press("enter")
    await app.settle()
    app.sees("number 42")
    assert app.app.focused is app.app.main.timeline
    await app.press("r")
    app.sees("answer to bob: number 42")


async def test_older_messages_load_when_one_scrolls_up(app: Staged) -> None:
    """The top asks for a page before the first that is loaded, until there is none."""
    app.lobby.older = [message(n, "eve", f"old {n}") for n in range(1, 200)]
    app.lobby.seq = 300
    for n in range(40):
        app.lobby.says("bob", f"new {n}")
    await app.settle()
    await app.press("ctrl+home")
    await app.press("ctrl+home")
    app.sees("old ")
    for _ in range(4):
        await app.press("ctrl+home")
    app.sees("old 1", "this is where the room begins")
    assert app.lobby.asked[0] == 301
    await app.press("ctrl+end")
    app.sees("new 39")


async def test_new_messages_are_marked_where_one_left_off(app: Staged) -> None:
    """What comes while one is elsewhere stands behind a rule, is counted, and names the place when scrolled up."""
    app.lobby.says("bob", "seen")
    await app.settle()
    await app.enter("/join ops")
    app.lobby.says("bob", "unseen")
    await app.settle()
    app.sees("lobby 1")
    await app.press("alt+1")
    lines = app.screen().splitlines()
    at = next(n for n, each in enumerate(lines) if " new " in each)
    assert "seen" in lines[at - 1]
    assert "unseen" in lines[at + 1]


async def test_scrolled_up_nothing_moves_and_the_way_back_is_shown(app: Staged) -> None:
    """What comes is counted below; Escape goes to the end."""
    for n in range(60):
        app.lobby.says("bob", f"line {n}")
    await app.settle()
    await app.press("pageup")
    before = app.app.main.timeline.is_at_end
    app.lobby.says("bob", "the newest")
    await app.settle()
    assert not before
    assert "the newest" not in app.sees("below · Ctrl+End")
    await app.press("escape")
    app.sees("the newest")


async def test_a_mention_rings_unless_one_does_not_want_it(app: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bell rings for what is unread and means this person, not for the rest, and not in do-not-disturb."""
    rings: list[str] = []
    monkeypatch.setattr(app.app, "bell", lambda: rings.append("ring"))
    await app.enter("/join ops")
    app.stage.rooms["lobby"].says("bob", "nothing")
    app.stage.rooms["lobby"].says("bob", "@ada look")
    await app.settle()
    assert rings == ["ring"]
    await app.enter("/quiet")
    app.sees("do not disturb")
    app.stage.rooms["lobby"].says("bob", "@ada look again")
    await app.settle()
    assert rings == ["ring"]


async def test_export_writes_a_new_file(app: Staged, tmp_path: Path) -> None:
    """What is loaded, for its owner alone; a file that is there is not overwritten."""
    app.lobby.says("bob", "hello\nthere")
    await app.settle()
    target = tmp_path / "lobby.txt"
    await app.enter(f"/export {target}")
    app.sees("1 messages are in")
    assert re.fullmatch(r"2026-11-25T12:01:00\+00:00 bob·\w{4}  hello\n    there\n", target.read_text())
    assert target.stat().st_mode & 0o777 == 0o600
    await app.enter(f"/export {target}")
    app.sees("there already", "name another file")


async def test_panes_fold_and_unfold(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """Wide terminals show both, 60 columns none; F2 and F3 change that."""
    async with staged(tmp_path, rsa_pool[0], (160, 45)) as app:
        app.sees("rooms", "people · 1 here")
        await app.pilot.resize_terminal(60, 16)
        await app.settle()
        assert "people" not in app.screen()
        await app.press("f3")
        app.sees("people · 1 here")
        await app.press("f2", "f3")
        assert "people" not in app.sees("rooms")


async def test_the_mouse_chooses_rooms_people_and_messages(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """A click on a name mentions it, on a room shows it, on a message chooses it; the wheel scrolls."""
    async with staged(tmp_path, rsa_pool[0], (160, 30)) as app:
        app.lobby.come("bob")
        for n in range(60):
            app.lobby.says("bob", f"line {n}")
        await app.settle()
        await app.pilot.click("#people", offset=(5, 2))
        assert typed(app) == "@bob "
        await app.pilot.click("#timeline", offset=(60, 20))
        await app.press("r")
        app.sees("answer to bob")
        await app.press("escape")
        await app.enter("/join ops")
        await app.pilot.click("#rooms", offset=(5, 1))
        await app.settle()
        app.sees("# lobby")
        await app.pilot._post_mouse_events([events.MouseScrollUp], "#timeline")
        await app.settle()
        app.sees("below · Ctrl+End")


async def test_themes(app: Staged) -> None:
    """/theme changes between dark and light, and is kept; one that does not exist is named."""
    await app.enter("/theme")
    assert app.app.theme == "dawn"
    assert Profile(app.app.opening.folder).theme == "dawn"
    await app.enter("/theme dark")
    assert app.app.theme == "dusk"
    await app.enter("/theme pink-elephant")
    app.sees("there is no theme 'pink-elephant'")


async def test_the_first_start_asks_for_a_name_and_nothing_else(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """The login name is proposed; a name without letters is not taken; the second start does not ask."""
    async with staged(tmp_path, rsa_pool[0], asks_name=True) as app:
        app.sees("What should others call you?", "ada")
        await app.press("ctrl+a", "ctrl+k")
        await app.press("full_stop", "enter")
        app.sees("A name needs at least one letter or digit")
        await app.press("backspace", *"grace", "enter")
        await app.settle()
        assert app.stage.nick == "grace"
        app.sees("# lobby")
    async with staged(tmp_path, rsa_pool[0], asks_name=True) as app:
        assert "What should" not in app.sees("# lobby")
        assert app.stage.nick == "grace"


async def test_escape_at_the_first_question_leaves(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """Nobody has to give a name; nothing was joined then."""
    async with staged(tmp_path, rsa_pool[0], asks_name=True) as app:
        await app.press("escape")
        assert app.app._exit
        assert app.stage.rooms == {}


@pytest.mark.parametrize("how", ["exit", "/quit", "ctrl+d", "ctrl+c", "ctrl+q"])
async def test_there_are_several_ways_to_leave(app: Staged, how: str) -> None:
    """The word, the command, and the keys of a terminal, where nothing is written."""
    if how.startswith("ctrl"):
        await app.press(how)
    else:
        await app.enter(how)
    assert app.app._exit


async def test_ctrl_c_and_ctrl_d_do_not_lose_what_is_written(app: Staged) -> None:
    """With text in the line the one clears it and the other deletes a letter; neither leaves."""
    await app.type("hello")
    await app.press("home", "ctrl+d")
    assert typed(app) == "ello"
    await app.press("ctrl+c")
    assert typed(app) == ""
    assert not app.app._exit


async def test_who_serves_is_asked_once(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """The sentence is told instead of leaving; the second time one leaves."""
    async with staged(tmp_path, rsa_pool[0], why_stay=lambda: "1 other is connected: exit once more") as app:
        await app.enter("exit")
        app.sees("1 other is connected")
        await app.enter("exit")
        assert app.app._exit


async def test_a_room_that_cannot_be_joined_ends_the_application(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """The first room is why it was started: the error is for whoever started it."""
    error: SendallError = ConnectError("nothing listens there")
    async with staged(tmp_path, rsa_pool[0], room="ops", refuses={"ops": error}) as app:
        assert app.app.failure is error


async def test_what_stays_in_the_outbox_is_asked_about(app: Staged) -> None:
    """Held lines are told of; /send-held and /discard-held say how many, also none."""
    await app.enter("/send-held")
    app.sees("nothing is held")
    await app.enter("/discard-held")
    app.sees("nothing is held")


async def test_sixty_by_sixteen_is_enough(tmp_path: Path, rsa_pool: RsaPool) -> None:
    """Room, timeline, composer and status are there, also with a banner and an answer."""
    async with staged(tmp_path, rsa_pool[0], (60, 16)) as app:
        app.lobby.says("bob", "hello")
        app.lobby.tell_all(Lost("the server restarts", 12.0))
        await app.settle()
        await app.enter("/members")
        app.sees("connection lost", "# lobby", "hello", "people in lobby", "❯", "○ not connected")


def test_the_staged_person_is_ada() -> None:
    """The stage plays one person whose key is the same in every run."""
    assert person("ada") == ME.pk
