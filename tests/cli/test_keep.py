"""`sendall keep`: somebody is home, newcomers get their keys, and a signal ends it. Also the unit that ships."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.private import done, members, new_link, new_room, person, refused
from tests.cli.programs import ROOT, SENDALL, Program, Server, run

Home = dict[str, str]
UNIT = ROOT / "deploy" / "sendall-keep@.service"


@pytest.fixture
def ada(tmp_path: Path) -> Home:
    return person(tmp_path, "ada")


@pytest.fixture
def bob(tmp_path: Path) -> Home:
    return person(tmp_path, "bob")


def test_it_gives_newcomers_their_keys_and_prints_one_line_an_event(ada: Home, bob: Home, server: Server) -> None:
    """In a room whose links let nobody in alone; no text is printed; SIGTERM ends it with 0."""
    link = new_room(ada, server, "--knock")
    with Program(ada, "keep", "ops") as keeper:
        head = keeper.read_until("daily", "stderr")
        assert "ops: PRIVATE · the server cannot read · kept 30 d" in head
        assert "hands the keys of the room to newcomers, and gives it a new key daily" in head
        done(bob, "send", link, "thanks to the keeper")
        told = keeper.read_until(" went", "stderr")
        assert " joined by a link" in told
        keeper.signal(signal.SIGTERM)
        status, out, err = keeper.ended()
    assert (status, out) == (0, "")
    assert "told to stop" in err
    assert "thanks to the keeper" not in head + told + err
    for line in (head + told + err).splitlines():
        assert re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} ", line)


def test_a_keeper_by_its_link_is_a_member_and_comes_back_by_the_same_link(
    ada: Home, server: Server, tmp_path: Path
) -> None:
    """The link is read from a file, used once, and good for every later start; as an admin it is told of its duty."""
    new_room(ada, server)
    file = tmp_path / "link"
    file.write_text(new_link(ada) + "\n")
    box = person(tmp_path, "box")
    with Program(box, "keep", "--link-file", str(file), "--nick", "keeper") as keeper:
        head = keeper.read_until("as an admin it would", "stderr")
        tag = re.search(r"/role (\w{4}) admin", head)
        assert tag
        keeper.signal(signal.SIGINT)
        assert keeper.ended()[0] == 0
    done(ada, "room", "role", "ops", tag[1], "admin")
    with Program(box, "keep", "--link-file", str(file), "--nick", "keeper") as keeper:
        assert "gives it a new key daily" in keeper.read_until("daily", "stderr")
        assert members(ada)["keeper"]["role"] == "admin"
        done(ada, "room", "kick", "ops", "keeper")
        status, _, err = keeper.ended()
    assert status == 1
    assert "error: ada (" in err
    assert ") removed you from 'ops'\n" in err


def test_what_it_cannot_keep_is_told(ada: Home, server: Server, tmp_path: Path) -> None:
    """No room, a file that is not there, two ways at once: a sentence and a hint."""
    assert refused(ada, "keep", status=2) == ("one of ROOM, LINK and --link-file is needed", "sendall keep ROOM")
    assert refused(ada, "keep", "ops", "--link-file", "x", status=2)[0].startswith("one of ")
    sentence, hint = refused(ada, "keep", "--link-file", str(tmp_path / "missing"), status=2)
    assert sentence == f"cannot read {tmp_path / 'missing'}: No such file or directory"
    assert hint == "correct --link-file"


def test_the_unit_starts_a_command_that_there_is() -> None:
    """Its options are options of `sendall keep`, its link is a credential, and it is shut in."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys of systemd have capitals
    unit.read(UNIT)
    service = unit["Service"]
    command = service["ExecStart"].split()
    assert [Path(command[0]).name, *command[1:3]] == ["sendall", "keep", "--link-file"]
    help_text = subprocess.run([*SENDALL, "keep", "--help"], capture_output=True, text=True, check=True).stdout
    assert all(option in help_text for option in command if option.startswith("--"))
    assert command[3] == "${CREDENTIALS_DIRECTORY}/link"
    assert service["LoadCredential"].startswith("link:")
    assert service["Environment"] == f"SENDALL_STATE=%S/{service['StateDirectory']}"
    for key in ("DynamicUser", "NoNewPrivileges", "ProtectKernelModules", "PrivateDevices", "RestrictNamespaces"):
        assert service[key] == "yes"
    assert (service["CapabilityBoundingSet"], service["ProtectSystem"]) == ("", "strict")


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="SYSTEMD IS MISSING: the unit was read, not verified"
)
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` says nothing of it, and finds little that it could do to the machine."""
    program = tmp_path / "sendall"
    program.touch()
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    unit = tmp_path / "sendall-keep@ops.service"
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/sendall", str(program)))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    exposed = run({**os.environ}, "security", "--offline=yes", "--threshold=20", str(unit), program=["systemd-analyze"])
    assert exposed.returncode == 0, exposed.stdout
