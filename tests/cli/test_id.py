"""`sendall id` as people use it: who this device is, a passphrase for it, another device."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.programs import SENDALL, Server, Terminal, home_of, run

Home = dict[str, str]


def shown(home: Home, **more: str) -> dict[str, str]:
    """Return what `sendall id` prints, by its first column."""
    done = run(home | more, "id")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    return {row[0]: row[1] for row in rows if not row[0].startswith("(")}


@pytest.fixture
def sealed(home: Home) -> Home:
    """A home whose identity has the passphrase `correct horse`."""
    dialogue(home, "passphrase", new="correct horse")
    return home


def dialogue(home: Home, *args: str, old: str = "", new: str = "", again: str = "", status: int = 0) -> str:
    """Answer what `sendall id passphrase` asks on a terminal; return all that it showed."""
    terminal = Terminal(home, [*SENDALL, "id", *args])
    try:
        for prompt, answer in (
            ("passphrase now: ", old),
            ("new passphrase: ", new),
            ("the same again: ", again or new),
        ):
            if answer:
                terminal.expect(prompt)
                terminal.enter(answer)
        assert terminal.wait() == status
        return terminal.transcript
    finally:
        terminal.close()


def test_it_shows_who_this_device_is(home: Home) -> None:
    """Tag, eight words, id, folder, and that nothing protects it; the same person each time, another one elsewhere."""
    first = shown(home)
    assert len(first["tag"]) == 4
    assert len(first["words"].split()) == 8
    assert len(bytes.fromhex(first["id"])) == 32
    assert first["folder"] == f"{home['XDG_DATA_HOME']}/sendall/client"
    assert first["passphrase"].startswith("no: whoever copies the folder is you")
    assert shown(home) == first
    assert shown(home, SENDALL_STATE=f"{home['HOME']}/other")["id"] != first["id"]


def test_a_passphrase_protects_the_identity(home: Home) -> None:
    """Set in a terminal, unseen; then asked for, or taken from the variable; changed and removed again."""
    before = shown(home)
    said = dialogue(home, "passphrase", new="correct horse")
    assert "it is asked for when a program starts" in said
    assert "correct horse" not in said
    after = shown(home, SENDALL_PASSPHRASE="correct horse")
    assert after == before | {"passphrase": "yes"}
    dialogue(home, "passphrase", old="correct horse", new="battery staple")
    assert shown(home, SENDALL_PASSPHRASE="battery staple")["id"] == before["id"]
    assert "whoever copies the folder is you" in dialogue(home, "passphrase", "--remove", old="battery staple")
    assert shown(home) == before


def test_a_wrong_passphrase_is_one_sentence(sealed: Home, server: Server) -> None:
    """In every command that needs the identity; nothing is done."""
    for args in (["id"], ["send", server.address, "hello"], ["room", "list"], ["join", "ops"]):
        done = run(sealed | {"SENDALL_PASSPHRASE": "wrong"}, *args)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: the passphrase is wrong\nhint: type it again; if it is lost, ")
    assert "the passphrase is wrong" in dialogue(sealed, "passphrase", old="wrong", status=2)


def test_nobody_to_ask_is_one_sentence(sealed: Home) -> None:
    """Where no terminal is, as under cron, the variable is named."""
    done = run(sealed, "id", program=["setsid", "--wait", *SENDALL])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: your identity has a passphrase, and there is no terminal to ask for it\n"
        "hint: run it in a terminal, or give the passphrase as SENDALL_PASSPHRASE\n"
    )


def test_the_passphrase_is_asked_for_once(sealed: Home, server: Server) -> None:
    """`sendall send` in a terminal asks, and then does its work."""
    terminal = Terminal(sealed, [*SENDALL, "send", server.address, "sealed hello"])
    try:
        terminal.expect("passphrase of your identity: ")
        terminal.enter("correct horse")
        assert terminal.wait() == 0
        assert terminal.transcript.count("passphrase") == 1
    finally:
        terminal.close()
    assert (
        "sealed hello"
        in run(home_of(server.data / "bob"), "tail", server.address, "--since", "all", "--count", "1").stdout
    )


def test_new_passphrases_that_differ_or_are_empty_change_nothing(home: Home) -> None:
    """The person is told, and the identity is as it was."""
    before = shown(home)
    assert "the two are not the same" in dialogue(home, "passphrase", new="one", again="two", status=2)
    assert "an empty passphrase protects nothing" in dialogue(home, "passphrase", new=" ", again=" ", status=2)
    assert shown(home) == before
    done = run(home, "id", "passphrase", "--remove")
    assert (done.returncode, done.stderr) == (
        2,
        "error: the identity has no passphrase\nhint: sendall id passphrase sets one\n",
    )


def test_an_identity_goes_to_another_device_as_a_line(home: Home, tmp_path: Path) -> None:
    """Exported to stdout with a warning, imported from stdin or a file; the same twice changes nothing."""
    me = shown(home)["id"]
    exported = run(home, "id", "export")
    assert exported.returncode == 0
    assert exported.stdout.count("\n") == 1
    assert exported.stderr == "warning: whoever has this line is you; sendall id passphrase would seal it\n"
    other = home_of(tmp_path / "other")
    for _ in range(2):
        assert run(other, "id", "import", text=exported.stdout).returncode == 0
    assert shown(other)["id"] == me
    file = tmp_path / "line"
    file.write_text(exported.stdout)
    third = home_of(tmp_path / "third")
    assert run(third, "id", "import", str(file)).returncode == 0
    assert shown(third)["id"] == me


def test_a_sealed_identity_is_exported_sealed(sealed: Home, tmp_path: Path) -> None:
    """The line asks for the passphrase on the other device too, and no warning is needed."""
    exported = run(sealed, "id", "export")
    assert (exported.returncode, exported.stderr) == (0, "")
    other = home_of(tmp_path / "other")
    assert run(other, "id", "import", text=exported.stdout).returncode == 0
    assert run(other | {"SENDALL_PASSPHRASE": "wrong"}, "id").returncode == 2
    secret = {"SENDALL_PASSPHRASE": "correct horse"}
    assert shown(other, **secret)["id"] == shown(sealed, **secret)["id"]


@pytest.mark.parametrize("damage", [lambda line: line[:-9] + "\n", lambda line: "A" + line[1:], lambda line: ""])
def test_a_damaged_line_is_no_identity(home: Home, tmp_path: Path, damage: object) -> None:
    """Cut off, changed or empty: told, without repeating the line; the device stays nobody."""
    assert callable(damage)
    line = run(home | {"SENDALL_STATE": str(tmp_path / "x")}, "id", "export").stdout
    assert line == ""  # no identity yet: that is told too
    run(home, "id")
    line = run(home, "id", "export").stdout
    other = home_of(tmp_path / "other")
    done = run(other, "id", "import", text=damage(line))
    assert done.returncode == 2
    assert done.stderr == (
        "error: this is no exported identity: it is cut off, or a character of it is changed\n"
        "hint: copy the whole line that `sendall id export` wrote\n"
    )


def test_a_device_keeps_the_identity_it_has(home: Home, tmp_path: Path) -> None:
    """Importing another one over it is refused, and so is a file that cannot be read."""
    me = shown(home)["id"]
    other = home_of(tmp_path / "other")
    run(other, "id")
    done = run(home, "id", "import", text=run(other, "id", "export").stdout)
    assert done.returncode == 2
    assert done.stderr.startswith("error: this device has an identity already: ")
    assert shown(home)["id"] == me
    missing = run(other, "id", "import", str(tmp_path / "missing"))
    assert missing.stderr.startswith(f"error: cannot read {tmp_path / 'missing'}: No such file or directory\nhint: ")
