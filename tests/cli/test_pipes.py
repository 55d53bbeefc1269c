"""sendall in pipes: what goes to stdout, and what the exit status says."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sendall import connect
from sendall.client.events import Came
from tests.cli.programs import SENDALL, Program, Server, run

Home = dict[str, str]


def texts(server: Server, count: int, room: str = "lobby") -> list[str]:
    """Return the first messages of a room, read by the library as somebody else."""

    async def read() -> list[str]:
        async with connect(server.address, state=server.data / "reader") as me:
            found = await me.join(room, since="all")
            return [(await anext(messages)).text for messages in [aiter(found)] for _ in range(count)]

    return asyncio.run(read())


def say(server: Server, *lines: str, nick: str = "bob", room: str = "lobby") -> None:
    """Say something as somebody else."""

    async def send() -> None:
        async with connect(server.address, nick=nick, state=server.data / nick) as me:
            joined = await me.join(room)
            for line in lines:
                await joined.send(line)

    asyncio.run(send())


def test_one_text_is_sent_and_confirmed(home: Home, server: Server) -> None:
    """`sendall send ADDR TEXT` says nothing and ends with 0; the message is there."""
    done = run(home, "send", server.address, "hello there")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert texts(server, 1) == ["hello there"]


def test_many_lines_are_sent_in_order(home: Home, server: Server) -> None:
    """Every line of stdin is a message, blank ones aside, in order, the last without a line end too."""
    lines = [f"line {n}" for n in range(500)]
    assert run(home, "send", server.address, "--room", "ops", text="\n".join(lines[:250]) + "\n\n \n").returncode == 0
    assert run(home, "send", server.address, "--room", "ops", text="\r\n".join(lines[250:])).returncode == 0
    assert texts(server, 500, "ops") == lines


def test_a_file_can_be_sent(home: Home, server: Server, tmp_path: Path) -> None:
    """stdin may be a regular file, which no event loop can wait for."""
    (tmp_path / "notes").write_text("one\ntwo\n")
    with (tmp_path / "notes").open() as notes:
        done = subprocess.run([*SENDALL, "send", server.address], env=home, stdin=notes, check=False, timeout=30)
    assert done.returncode == 0
    assert texts(server, 2) == ["one", "two"]


def test_lines_are_sent_and_printed_as_they_come(home: Home, server: Server) -> None:
    """A line reaches `tail` while `send` still waits for the next one."""
    say(server, "first")
    with Program(home, "tail", server.address, "--since", "all") as tail, Program(home, "send", server.address) as send:
        tail.read_until("first")
        send.write("second\n")
        assert tail.read_until("second").endswith("  second\n")
        send.write("third\n")
        tail.read_until("third")
        assert send.ended() == (0, "", "")


def test_json_lines_have_six_fields(home: Home, server: Server) -> None:
    """seq, time, room, sender, nick, text: one ASCII line each, whatever the text."""
    run(home, "send", server.address, "--nick", "Ädä", "--room", "küche", "\x1b[2J\u202e größer")
    done = run(home, "tail", server.address, "--room", "küche", "--since", "all", "--json", "--count", "1")
    assert done.stdout.isascii()
    message = json.loads(done.stdout)
    assert list(message) == ["seq", "time", "room", "sender", "nick", "text"]
    assert message["room"] == "küche"
    assert message["nick"] == "Ädä"
    assert message["text"] == "\x1b[2J\u202e größer"
    assert len(base64.urlsafe_b64decode(message["sender"] + "=")) == 32
    assert datetime.now(UTC) - datetime.fromisoformat(message["time"]) < timedelta(minutes=1)
    plain = run(home, "tail", server.address, "--room", "küche", "--since", "all", "--count", "1").stdout
    assert plain.removesuffix("\n").isprintable()


def test_tail_begins_where_it_is_told(home: Home, server: Server) -> None:
    """--since takes the number of a message, an age, or `all`."""
    say(server, "a", "b", "c")
    every = run(home, "tail", server.address, "--since", "all", "--json", "--count", "3").stdout.splitlines()
    second = json.loads(every[1])["seq"]
    from_second = run(home, "tail", server.address, "--since", str(second), "--json", "--count", "2")
    assert from_second.stdout.splitlines() == every[1:]
    assert run(home, "tail", server.address, "--since", "1h", "--json", "--count", "3").stdout.splitlines() == every
    wrong = run(home, "tail", server.address, "--since", "yesterday")
    assert wrong.returncode == 2
    assert "hint: for example --since 15m" in wrong.stderr


def test_tail_without_since_begins_now(home: Home, server: Server) -> None:
    """What was said before is not printed; what comes next is."""
    say(server, "old")

    async def say_new_once_it_listens() -> None:
        async with connect(server.address, nick="bob", state=server.data / "bob") as me:
            room = await me.join("lobby")
            async for event in room.events():
                if isinstance(event, Came) and event.id != me.id:
                    await room.send("new")
                    return

    with Program(home, "tail", server.address, "--count", "1") as tail:
        asyncio.run(say_new_once_it_listens())
        status, out, err = tail.ended()
    assert (status, err) == (0, "")
    assert out.endswith("  new\n")
    assert "old" not in out


def test_tail_of_an_unknown_room_names_the_nearest(home: Home, server: Server) -> None:
    """`tail` makes no room: it ends with 1 and says which there are of that kind."""
    say(server, "x", room="kitchen")
    done = run(home, "tail", server.address, "--room", "kitchn")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no room 'kitchn' on this server\nhint: did you mean kitchen?\n"
    far = run(home, "tail", server.address, "--room", "zzzzzzzz")
    assert "sendall join --room 'zzzzzzzz' makes it" in far.stderr


def test_a_reader_that_goes_away_ends_tail_quietly(home: Home, server: Server) -> None:
    """`sendall tail … | head -1` ends as Unix expects: no traceback, status of SIGPIPE."""
    say(server, "a", "b", "c")
    tail = " ".join(map(shlex.quote, [*SENDALL, "tail", server.address, "--since", "all"]))
    script = f"set -o pipefail; {tail} | head -1; echo ${{PIPESTATUS[0]}}"
    with Program(home, "-c", script, program=["bash"]) as shell:
        shell.read_until("  a")
        say(server, *["more"] * 20)  # a broken pipe is found at the next write
        assert shell.ended() == (0, "141\n", "")


def test_join_in_a_pipe_sends_every_line(home: Home, server: Server) -> None:
    r"""`printf 'hi\nexit\n' | sendall join` ends with 0 when all is confirmed, and redraws nothing."""
    port = str(server.port)
    done = run(home, "join", "--port", port, text="hi\n/etc/passwd\nexit\nnot this\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run(home, "join", server.address, text="without exit")
    assert done.returncode == 0
    assert [line.partition("  ")[2] for line in done.stdout.splitlines()] in (["hi", "/etc/passwd"], [])
    assert "\x1b" not in done.stdout
    assert texts(server, 3) == ["hi", "/etc/passwd", "without exit"]


def test_join_in_a_pipe_prints_what_others_say(home: Home, server: Server) -> None:
    """Messages of others come to stdout as plain lines; comings and goings to stderr."""

    async def come_and_say(joined: Program) -> None:
        async with connect(server.address, nick="bob", state=server.data / "bob") as me:
            room = await me.join("lobby")
            await asyncio.to_thread(joined.read_until, "-- bob·", "stderr")
            await room.send("\x1b[31mhello")

    say(server, "before", nick="eve")
    with Program(home, "join", server.address) as joined:
        joined.read_until("before")
        asyncio.run(come_and_say(joined))
        assert joined.read_until("hello").rstrip().isprintable()
        status, out, _ = joined.ended()
        assert (status, out) == (0, "")


def test_what_is_not_confirmed_is_told_and_kept(home: Home, server: Server) -> None:
    """A server that falls silent: status 4 and the reason; the next command delivers it once and in order."""
    with Program(home, "send", server.address, "--timeout", "0.5") as send:
        say(server, "before")
        send.write("one\n")
        assert texts(server, 2) == ["before", "one"]
        server.signal(signal.SIGSTOP)
        send.write("two\nthree\n")
        status, out, err = send.ended()
        server.signal(signal.SIGCONT)
    assert (status, out) == (4, "")
    assert err.startswith("error: 2 lines are not confirmed\nhint: kept: ")
    assert run(home, "send", server.address, "four").returncode == 0
    assert texts(server, 5) == ["before", "one", "two", "three", "four"]


def test_another_server_in_its_place_ends_a_conversation_with_an_alarm(home: Home, server: Server) -> None:
    """Who is connected and comes back to another identity stops with status 3; nothing is sent there."""
    say(server, "before")
    with Program(home, "join", server.address) as joined:
        joined.read_until("before")
        server.signal(signal.SIGTERM)
        assert server.ended()[0] == 0
        with Server(home, server.data / "other", port=server.port) as other:
            joined.write("secret\n")
            status, out, err = joined.ended()
            assert (status, out) == (3, "")
            assert (
                f"hint: ask whoever runs it and compare its eight words; only then: sendall forget {other.address}"
                in err
            )


def test_a_line_that_is_too_long_is_told(home: Home, server: Server) -> None:
    """The limit is named; nothing of the line is sent."""
    done = run(home, "send", server.address, text="x" * 70_000)
    assert done.returncode == 2
    assert "exceeds the limit of 65,535" in done.stderr


def test_interrupting_has_the_status_of_the_shell(home: Home, server: Server) -> None:
    """Ctrl-C ends a command with 130 and without a traceback."""
    say(server, "x")
    with Program(home, "tail", server.address, "--since", "all") as tail:
        tail.read_until("x")
        tail.signal(signal.SIGINT)
        assert tail.ended() == (130, "", "")


def test_a_wrong_command_line_ends_with_2(home: Home) -> None:
    """Typer's complaints look like all others, and name the help."""
    for args in (["send"], ["serve", "--prot", "1"], ["nothing"], ["join", "127.0.0.1:1", "--port", "2"]):
        done = run(home, *args)
        assert (done.returncode, done.stdout) == (2, ""), args
        assert done.stderr.startswith("error: ")
        assert "\nhint: " in done.stderr


def test_help_and_version_need_nothing(home: Home) -> None:
    """`sendall`, `sendall --help` and each command's help end with 0; the statuses are documented there."""
    for args in ([], ["--help"], *([each, "-h"] for each in ("up", "serve", "join", "send", "tail", "forget"))):
        done = run(home, *args)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: sendall")
    assert "Exit status: 0" in " ".join(run(home, "--help").stdout.split())
    assert run(home, "--version").stdout.endswith(", protocol 1\n")
