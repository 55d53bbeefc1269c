"""The keyring: identity and pins in real files, also with several programs at once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sendall.client.keyring import IDENTITY_FILE, PINS_FILE, Keyring, client_folder
from sendall.errors import SecurityAlarm, UsageError

ADA, BOB = b"a" * 32, b"b" * 32

_PRINT_IDENTITY = """
import sys
from pathlib import Path
from sendall.client.keyring import Keyring
ring = Keyring(Path(sys.argv[1]))
sys.stdin.readline()
ring.pin_server(f"host:{sys.argv[2]}", bytes([int(sys.argv[2])]) * 32)
print(ring.identity().pk.hex())
"""


def test_the_identity_is_made_once_and_private(tmp_path: Path) -> None:
    """The same person at every start; nobody else can read the file or the folder."""
    folder = tmp_path / "state"
    identity = Keyring(folder).identity()
    assert Keyring(folder).identity().pk == identity.pk
    assert stat.S_IMODE((folder / IDENTITY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [IDENTITY_FILE]


def test_programs_that_begin_together_are_one_person(tmp_path: Path) -> None:
    """Whichever program makes the identity, all have it; no pin of any is lost."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _PRINT_IDENTITY, str(tmp_path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "src"},
            text=True,
        )
        for i in range(4)
    ]
    said = {program.communicate("go\n", timeout=60)[0] for program in programs}
    assert len(said) == 1
    ring = Keyring(tmp_path)
    assert {ring.identity().pk.hex() + "\n"} == said
    assert [ring.server_pk(f"host:{i}") for i in range(4)] == [bytes([i]) * 32 for i in range(4)]


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_damaged_identity_is_said_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A file that is no identity is left as it is."""
    (tmp_path / IDENTITY_FILE).write_bytes(content)
    with pytest.raises(UsageError, match="no identity"):
        Keyring(tmp_path).identity()
    assert (tmp_path / IDENTITY_FILE).read_bytes() == content


def test_a_pin_is_never_overwritten(tmp_path: Path) -> None:
    """Another identity at an address is an alarm whose hint names the command, until it is forgotten."""
    ring = Keyring(tmp_path)
    assert ring.server_pk("h:1") is None
    ring.pin_server("h:1", ADA)
    ring.pin_server("h:1", ADA)
    with pytest.raises(SecurityAlarm, match="h:1") as caught:
        ring.pin_server("h:1", BOB)
    assert "sendall forget h:1" in caught.value.hint
    assert Keyring(tmp_path).server_pk("h:1") == ADA
    assert ring.forget("h:1")
    ring.pin_server("h:1", BOB)


def test_rooms_are_pinned_per_server(tmp_path: Path) -> None:
    """A name is one room on one server, and may be another one elsewhere."""
    ring = Keyring(tmp_path)
    ring.pin_room(ADA, "lobby/ä", b"1" * 32)
    ring.pin_room(BOB, "lobby/ä", b"2" * 32)
    with pytest.raises(SecurityAlarm):
        ring.pin_room(ADA, "lobby/ä", b"2" * 32)
    assert ring.room_id(ADA, "lobby/ä") == b"1" * 32
    assert ring.room_id(ADA, "lobby") is None


def test_forgetting_takes_the_rooms_along(tmp_path: Path) -> None:
    """Forgetting an address forgets its server's rooms, unless the server is known elsewhere too."""
    ring = Keyring(tmp_path)
    for address in ("h:1", "h:2"):
        ring.pin_server(address, ADA)
    ring.pin_room(ADA, "lobby", b"1" * 32)
    assert ring.forget("h:1")
    assert ring.room_id(ADA, "lobby") == b"1" * 32
    assert ring.forget("h:2")
    assert ring.room_id(ADA, "lobby") is None
    assert not ring.forget("h:2")


@pytest.mark.parametrize("content", ["{", "[1]", '{"servers": {"h:1": "?"}}', '{"servers": 3}'])
def test_damaged_pins_are_said_and_not_replaced(tmp_path: Path, content: str) -> None:
    """A damaged file never means "never met"."""
    (tmp_path / PINS_FILE).write_text(content)
    ring = Keyring(tmp_path)
    with pytest.raises(UsageError, match="damaged"):
        ring.server_pk("h:1")
    with pytest.raises(UsageError, match="damaged"):
        ring.pin_server("h:1", ADA)
    assert (tmp_path / PINS_FILE).read_text() == content


def test_a_folder_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    """The error names the folder, and the option for another one."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file") as caught:
        Keyring(tmp_path / "file" / "state")
    assert "--state" in caught.value.hint


def test_evidence_is_kept_in_files_of_its_own(tmp_path: Path) -> None:
    """Two alarms leave two private files."""
    ring = Keyring(tmp_path)
    paths = {ring.keep_evidence(json.dumps({"seq": i})) for i in range(2)}
    assert sorted(json.loads(path.read_text())["seq"] for path in paths) == [0, 1]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths)


def test_the_default_folder_is_the_users_own() -> None:
    """Without `state` the platform's data folder is used."""
    assert client_folder().parts[-2:] == ("sendall", "client")
