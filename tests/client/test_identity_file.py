"""The identity on disk: with and without a passphrase, and on its way to another device, with real files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sendall.client.identity_file import IdentityFile
from sendall.client.keyring import IDENTITY_FILE, Keyring
from sendall.crypto.passphrase import Costs
from sendall.crypto.primitives import sha256
from sendall.errors import UsageError
from sendall.protocol.base64url import to_base64

CHEAP = Costs(memory_kib=64, passes=1, lanes=1)

_READER = """
import sys
from pathlib import Path
from sendall.client.identity_file import IdentityFile
file = IdentityFile(Path(sys.argv[1]))
print("ready", flush=True)
seen = set()
while (mine := file.load(lambda: "secret").pk.hex()) and not Path(sys.argv[2]).exists():
    seen.add(mine)
print(len(seen | {mine}))
"""


def never() -> str:
    raise AssertionError("nobody is asked where nothing is sealed")


def says(passphrase: str) -> Callable[[], str]:
    return lambda: passphrase


@pytest.fixture
def file(tmp_path: Path) -> IdentityFile:
    return IdentityFile(tmp_path / IDENTITY_FILE)


def seal(file: IdentityFile, new: str | None, old: str | None = None) -> None:
    file.replace(file.with_passphrase(new, says(old) if old else never, CHEAP))


def test_only_a_sealed_identity_asks_for_a_passphrase(file: IdentityFile) -> None:
    """And it is the same identity before, under one passphrase, under another, and without."""
    pk = file.load(never).pk
    assert not file.has_passphrase()
    seal(file, "one")
    assert file.has_passphrase()
    assert file.load(says("one")).pk == pk
    seal(file, "two", old="one")
    assert file.load(says("two")).pk == pk
    seal(file, None, old="two")
    assert file.load(never).pk == pk
    assert not file.has_passphrase()


def test_a_wrong_passphrase_is_said_with_what_to_do(file: IdentityFile) -> None:
    """For opening and for changing it; the file stays as it is."""
    file.load()
    seal(file, "right")
    before = file.path.read_bytes()
    with pytest.raises(UsageError, match="the passphrase is wrong") as caught:
        file.load(says("wrong"))
    assert "type it again" in caught.value.hint
    with pytest.raises(UsageError, match="the passphrase is wrong"):
        file.with_passphrase("new", says("wrong"))
    assert file.path.read_bytes() == before


def test_a_sealed_identity_says_so_where_nobody_can_be_asked(file: IdentityFile) -> None:
    """In a pipe or a service: what is the matter, and what would help."""
    file.load()
    seal(file, "secret")
    with pytest.raises(UsageError, match="has a passphrase") as caught:
        file.load()
    assert "terminal" in caught.value.hint


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_passphrase_is_refused(file: IdentityFile, empty: str) -> None:
    """It would look like protection."""
    with pytest.raises(UsageError, match="empty"):
        file.with_passphrase(empty)


def test_the_seed_is_gone_from_the_old_file(file: IdentityFile, tmp_path: Path) -> None:
    """Whoever still has the old file open, or finds its blocks, reads other bytes; nothing else is left behind."""
    seed = file.load().seed
    with open(file.path, "rb") as old:
        seal(file, "secret")
        assert seed not in old.read()
    assert seed not in file.path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [IDENTITY_FILE]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_change_of_what_is_no_longer_there_is_refused(file: IdentityFile) -> None:
    """Two programs that set a passphrase at once do not undo each other unnoticed."""
    file.load()
    late = file.with_passphrase("late", costs=CHEAP)
    seal(file, "first")
    with pytest.raises(UsageError, match="meanwhile"):
        file.replace(late)
    assert file.load(says("first"))


def test_no_program_reads_half_a_change(file: IdentityFile, tmp_path: Path) -> None:
    """While the file is replaced and overwritten again and again, another program sees one identity only."""
    file.load()
    end = tmp_path / "end"
    program = subprocess.Popen(
        [sys.executable, "-c", _READER, str(file.path), str(end)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "src"},
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    for _ in range(50):
        seal(file, "secret")
        seal(file, None, old="secret")
    end.touch()
    assert program.communicate(timeout=30)[0] == "1\n"
    assert program.returncode == 0


@pytest.mark.parametrize("passphrase", [None, "secret"])
def test_an_exported_identity_is_the_same_person_elsewhere(
    file: IdentityFile, tmp_path: Path, passphrase: str | None
) -> None:
    """One line; sealed if the file is. Importing it again changes nothing."""
    identity = file.load()
    if passphrase:
        seal(file, passphrase)
    text = file.export()
    assert "\n" not in text
    assert (to_base64(identity.seed)[:40] in text) is (passphrase is None)
    (tmp_path / "elsewhere").mkdir()
    other = IdentityFile(tmp_path / "elsewhere" / IDENTITY_FILE)
    other.import_(f"  {text}\n")
    other.import_(text)
    assert other.load(says("secret") if passphrase else never).pk == identity.pk
    assert stat.S_IMODE(other.path.stat().st_mode) == 0o600


def test_an_import_replaces_nobody(file: IdentityFile, tmp_path: Path) -> None:
    """A device that is somebody stays it; the hint says what to move away."""
    (tmp_path / "other").mkdir()
    other = IdentityFile(tmp_path / "other" / IDENTITY_FILE)
    other.load()
    before = file.load().pk
    with pytest.raises(UsageError, match="has an identity already") as caught:
        file.import_(other.export())
    assert "vault.db" in caught.value.hint
    assert file.load().pk == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [IDENTITY_FILE, "other"]


@pytest.mark.parametrize("defect", ["cut", "changed", "empty", "no base64url", "words", "impossible costs"])
def test_a_damaged_export_makes_nobody(file: IdentityFile, tmp_path: Path, defect: str) -> None:
    """One character changed would be another person: a checksum finds it. The error does not repeat the text."""
    (tmp_path / "other").mkdir()
    other = IdentityFile(tmp_path / "other" / IDENTITY_FILE)
    other.load()
    text = other.export()
    match defect:
        case "cut":
            text = text[:-4]
        case "changed":
            text = text[:10] + ("A" if text[10] != "A" else "B") + text[11:]
        case "empty":
            text = ""
        case "no base64url":
            text = "?" + text[1:]
        case "words":
            text = "abandon ability"
        case _:
            seal(other, "secret")
            content = bytearray(other.path.read_bytes())
            content[20:24] = b"\xff\xff\xff\xff"
            text = to_base64(bytes(content) + sha256(b"sendall-v1 export\0" + content)[:4])
    with pytest.raises(UsageError, match="no exported identity") as caught:
        file.import_(text)
    assert not file.path.exists()
    assert "sendall id export" in caught.value.hint
    assert not text or text not in caught.value.explain()


def test_exporting_nobody_says_so(file: IdentityFile) -> None:
    """No identity is made for it."""
    with pytest.raises(UsageError, match="no identity yet"):
        file.export()
    assert not file.path.exists()


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"x" * 90, b"sendall-v1 identity\0", b"x" * 100_000])
def test_a_damaged_file_is_said_and_not_replaced(file: IdentityFile, content: bytes) -> None:
    """By whatever is done with it; however large it is, little of it is read."""
    file.path.write_bytes(content)
    for do in (file.load, file.export, file.has_passphrase, lambda: file.with_passphrase("x")):
        with pytest.raises(UsageError, match="no identity"):
            do()
    assert file.path.read_bytes() == content


def test_a_file_that_asks_for_too_much_memory_is_refused(file: IdentityFile) -> None:
    """Before anybody is asked for a passphrase."""
    file.load()
    seal(file, "secret")
    content = bytearray(file.path.read_bytes())
    content[20:24] = b"\xff\xff\xff\xff"
    file.path.write_bytes(content)
    with pytest.raises(UsageError, match="impossible costs"):
        file.load(never)


def test_the_keyring_seals_exports_and_imports(tmp_path: Path) -> None:
    """The same through the keyring, with the costs of every day."""
    ring = Keyring(tmp_path / "one")
    pk = ring.identity(never).pk
    assert not ring.has_passphrase()
    ring.set_passphrase("secret")
    assert ring.has_passphrase()
    assert ring.identity(says("secret")).pk == pk
    other = Keyring(tmp_path / "two")
    other.import_identity(ring.export_identity())
    assert other.identity(says("secret")).pk == pk
    other.set_passphrase(None, says("secret"))
    assert other.identity(never).pk == pk
