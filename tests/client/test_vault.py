"""The vault: what survives, what several programs make of it, and what its file gives away, with real files."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendall.client.events import tag_of
from sendall.client.vault import KnownRoom, Vault
from sendall.client.vault_file import FILE_NAME, VERSION
from sendall.crypto.identity import Identity
from sendall.errors import SecurityAlarm, UsageError
from tests.conftest import RsaPool

ME = Identity(b"m" * 32)
SERVER = b"the server's identity, 32 bytes!"
OPS_ID, LAB_ID = b"room id of ops, it has 32 bytes!", b"room id of lab, it has 32 bytes!"
OPS = KnownRoom("ops", "chat.example:12345", SERVER, OPS_ID)
LAB = KnownRoom("lab", "chat.example:12345", SERVER, LAB_ID)

_PROGRAM = """
import sys
from pathlib import Path
from sendall.client.vault import KnownRoom, Vault
from sendall.crypto.identity import Identity
number = int(sys.argv[2])
room_id = bytes([number]) * 32
sys.stdin.readline()
vault = Vault(Path(sys.argv[1]), Identity(b"m" * 32))
print(vault.remember(KnownRoom("ops", "h:1", b"s" * 32, room_id)))
for e in range(1, 11):
    vault.keep_keys(b"shared" * 5 + b"!!", [(e, room_id)])
    vault.keep_keys(room_id, [(e, room_id)])
print("kept", flush=True)
sys.stdin.readline()
"""


class Program:
    """Another program of the same user: begins at `go`, says the room's name, and stays until it ends or is killed."""

    def __init__(self, folder: Path, number: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(folder), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "src"},
            text=True,
        )

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def name(self) -> str:
        assert self._process.stdout is not None
        name = self._process.stdout.readline().strip()
        assert self._process.stdout.readline() == "kept\n"
        return name

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=30)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(tmp_path, ME)
    yield vault
    vault.close()


def again(folder: Path, identity: Identity = ME) -> Vault:
    return Vault(folder, identity)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def change(folder: Path, statement: str, *values: object) -> None:
    """Change the file behind the vault's back, as somebody with the disk could."""
    db = sqlite3.connect(folder / FILE_NAME)
    db.execute(statement, values)
    db.commit()
    db.close()


# -- rooms ------------------------------------------------------------------------------------


def test_a_room_is_known_by_its_name(vault: Vault, tmp_path: Path) -> None:
    """Also by the next program; the first met comes first."""
    assert vault.remember(OPS) == "ops"
    assert vault.remember(LAB) == "lab"
    vault.close()
    vault.close()
    later = again(tmp_path)
    assert later.rooms() == [OPS, LAB]
    assert later.find("lab") == LAB
    assert later.find("opps") is None


def test_two_rooms_never_have_one_name(vault: Vault) -> None:
    """The second gets a tag of its id; whatever names others choose, each stays free of the others."""
    other = KnownRoom("ops", "h:1", SERVER, b"2" * 32)
    third = KnownRoom(f"ops~{tag_of(b'3' * 32)}", "h:1", SERVER, b"4" * 32)
    last = KnownRoom("ops", "h:1", SERVER, b"3" * 32)
    names = [vault.remember(room) for room in (OPS, other, third, last)]
    assert names == ["ops", f"ops~{tag_of(b'2' * 32)}", third.name, f"ops~{'33' * 32}"]
    assert [room.room_id for name in names if (room := vault.find(name))] == [
        room.room_id for room in (OPS, other, third, last)
    ]


def test_a_room_that_is_known_keeps_its_name_and_gets_its_new_address(vault: Vault) -> None:
    """However the second link to it calls it."""
    vault.remember(OPS)
    assert vault.remember(OPS._replace(name="other", address="10.0.0.1:1")) == "ops"
    assert vault.rooms() == [OPS._replace(address="10.0.0.1:1")]


def test_a_room_does_not_change_its_server_unnoticed(vault: Vault) -> None:
    """A link that leads a known room to another server identity is an alarm, and changes nothing."""
    vault.remember(OPS)
    with pytest.raises(SecurityAlarm) as caught:
        vault.remember(OPS._replace(server_pk=b"x" * 32))
    assert caught.value.kind == "identity"
    assert vault.rooms() == [OPS]


def test_a_room_whose_name_looks_like_an_address_can_be_called(vault: Vault) -> None:
    """It is known under a name that is none; one without a name gets one."""
    assert vault.remember(OPS._replace(name="v2.0")) == "v2_0"
    assert vault.remember(LAB._replace(name="")) == "room"


def test_forgetting_a_room_leaves_nothing_of_it(vault: Vault, rsa_pool: RsaPool) -> None:
    """Name, state, epoch keys and RSA keys go; other rooms stay."""
    for room in (OPS, LAB):
        vault.remember(room)
        vault.save_state(room.room_id, 3, b"state")
        vault.keep_keys(room.room_id, [(1, b"k" * 32)])
        vault.keep_wrap_key(room.room_id, rsa_pool[0], 1)
    assert vault.forget(OPS_ID)
    assert not vault.forget(OPS_ID)
    assert vault.rooms() == [LAB]
    assert (vault.state(OPS_ID), vault.keys(OPS_ID), vault.wrap_keys(OPS_ID)) == (None, {}, [])
    assert vault.state(LAB_ID) == b"state"
    assert vault.keys(LAB_ID) == {1: [b"k" * 32]}
    assert len(vault.wrap_keys(LAB_ID)) == 1


# -- state and keys ---------------------------------------------------------------------------


def test_a_state_is_replaced_by_a_later_one_only(vault: Vault) -> None:
    """Of two programs in one room the one that is behind undoes nothing."""
    assert vault.state(OPS_ID) is None
    vault.save_state(OPS_ID, 5, b"five")
    vault.save_state(OPS_ID, 4, b"four")
    assert vault.state(OPS_ID) == b"five"
    vault.save_state(OPS_ID, 5, b"five again")
    assert vault.state(OPS_ID) == b"five again"
    vault.save_state(OPS_ID, 2**53 - 1, b"last")
    assert vault.state(OPS_ID) == b"last"
    assert vault.state(LAB_ID) is None


def test_after_a_restart_an_earlier_state_is_kept(vault: Vault) -> None:
    """The server lost entries and said so: what is kept begins before them, and grows from there."""
    vault.save_state(OPS_ID, 9, b"nine")
    vault.replace_state(OPS_ID, b"four", 4)
    assert vault.state(OPS_ID) == b"four"
    vault.save_state(OPS_ID, 5, b"five")
    assert vault.state(OPS_ID) == b"five"


def test_keys_are_kept_by_epoch_until_one_is_settled(vault: Vault) -> None:
    """Candidates stand beside each other in their order, a key kept twice is one, other epochs are untouched."""
    vault.keep_keys(OPS_ID, [(2, b"a" * 32), (2, b"b" * 32), (1, b"c" * 32)])
    vault.keep_keys(OPS_ID, [(2, b"b" * 32)])
    vault.keep_keys(OPS_ID, [])
    assert vault.keys(OPS_ID) == {1: [b"c" * 32], 2: [b"a" * 32, b"b" * 32]}
    assert list(vault.keys(OPS_ID)) == [1, 2]
    vault.settle_key(OPS_ID, 2, b"b" * 32)
    assert vault.keys(OPS_ID) == {1: [b"c" * 32], 2: [b"b" * 32]}
    vault.settle_key(OPS_ID, 3, b"d" * 32)
    assert vault.keys(OPS_ID)[3] == [b"d" * 32]
    assert vault.keys(LAB_ID) == {}


def test_keys_that_are_kept_already_are_not_written_again(vault: Vault) -> None:
    """Each reconnection brings a grant of a thousand keys that are the same."""
    vault.keep_keys(OPS_ID, [(e, b"k" * 32) for e in range(1, 1025)])
    before = vault._file._db.total_changes
    vault.keep_keys(OPS_ID, [(e, b"k" * 32) for e in range(1, 1026)])
    assert vault._file._db.total_changes == before + 1
    assert len(vault.keys(OPS_ID)) == 1025


def test_a_kept_key_survives_the_kill_of_its_program(tmp_path: Path) -> None:
    """An epoch entry may go out once its key is kept, whatever happens next."""
    program = Program(tmp_path, 7)
    program.go()
    assert program.name() == "ops"
    program.kill()
    assert again(tmp_path).keys(b"\7" * 32) == {e: [b"\7" * 32] for e in range(1, 11)}


def test_what_is_kept_is_synced_to_the_disk(vault: Vault) -> None:
    """`synchronous` is FULL (2): a commit that returned survives a power cut, not only a kill."""
    assert vault._file._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_rsa_keys_are_kept_with_their_age_and_use(vault: Vault, tmp_path: Path, rsa_pool: RsaPool) -> None:
    """The newest last; marking one that is not kept does nothing."""
    vault.keep_wrap_key(OPS_ID, rsa_pool[0], 2_000)
    vault.keep_wrap_key(OPS_ID, rsa_pool[1], 1_000)
    vault.mark_used(OPS_ID, rsa_pool[1].modulus)
    vault.mark_used(LAB_ID, rsa_pool[0].modulus)
    found = again(tmp_path).wrap_keys(OPS_ID)
    assert [(key.rsa.modulus, key.made_ms, key.is_used) for key in found] == [
        (rsa_pool[1].modulus, 1_000, True),
        (rsa_pool[0].modulus, 2_000, False),
    ]
    assert vault.wrap_keys(LAB_ID) == []


def test_old_rsa_keys_are_overwritten(vault: Vault, tmp_path: Path, rsa_pool: RsaPool) -> None:
    """Their bytes are in no file of the folder any more, not even sealed."""
    vault.keep_wrap_key(OPS_ID, rsa_pool[0], 1)
    vault.keep_wrap_key(OPS_ID, rsa_pool[1], 2)
    (old,) = vault._file._db.execute("SELECT value FROM sealed ORDER BY id LIMIT 1").fetchone()
    assert old[100:200] in everything_in(tmp_path)
    assert vault.drop_wrap_keys(OPS_ID, keep=rsa_pool[1].modulus) == 1
    assert [key.made_ms for key in vault.wrap_keys(OPS_ID)] == [2]
    assert old[100:200] not in everything_in(tmp_path)
    assert vault.drop_wrap_keys(OPS_ID, keep=rsa_pool[1].modulus) == 0


def test_a_room_is_never_left_without_an_rsa_key(vault: Vault, rsa_pool: RsaPool) -> None:
    """If the one to keep is not kept, nothing is dropped."""
    vault.keep_wrap_key(OPS_ID, rsa_pool[0], 1)
    assert vault.drop_wrap_keys(OPS_ID, keep=rsa_pool[1].modulus) == 0
    assert len(vault.wrap_keys(OPS_ID)) == 1


# -- several programs -------------------------------------------------------------------------


def test_programs_that_begin_together_share_one_vault(tmp_path: Path) -> None:
    """Whichever makes the file: each room gets a name of its own, and no key of any is lost."""
    programs = [Program(tmp_path, number) for number in range(1, 4)]
    for program in programs:
        program.go()
    names = {program.name() for program in programs}
    for program in programs:
        program.kill()
    vault = again(tmp_path)
    assert {room.name for room in vault.rooms()} == names
    assert len(names) == 3
    shared = vault.keys(b"shared" * 5 + b"!!")
    assert {e: sorted(keys) for e, keys in shared.items()} == {
        e: [bytes([number]) * 32 for number in range(1, 4)] for e in range(1, 11)
    }


def test_what_one_program_kept_the_other_sees(vault: Vault, tmp_path: Path) -> None:
    """At once, in both directions."""
    other = again(tmp_path)
    other.remember(OPS)
    vault.keep_keys(OPS_ID, [(1, b"k" * 32)])
    assert vault.find("ops") == OPS
    assert other.keys(OPS_ID) == {1: [b"k" * 32]}


def test_a_forked_child_opens_the_file_anew(vault: Vault, tmp_path: Path) -> None:
    """What it keeps is there for its parent, whose own connection it leaves alone."""
    vault.remember(OPS)
    child = os.fork()
    if not child:
        try:
            vault.after_fork()
            vault.keep_keys(OPS_ID, [(1, b"k" * 32)])
            os._exit(0 if vault.find("ops") == OPS else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert vault.keys(OPS_ID) == {1: [b"k" * 32]}
    vault.remember(LAB)
    assert sqlite3.connect(tmp_path / FILE_NAME).execute("PRAGMA integrity_check").fetchone() == ("ok",)


# -- what the file gives away, and what it notices --------------------------------------------


def test_nothing_is_readable_in_the_file(vault: Vault, tmp_path: Path, rsa_pool: RsaPool) -> None:
    """No name, address, id, key, number or kind, in the file or its log; and it is this user's alone."""
    vault.remember(OPS)
    vault.save_state(OPS_ID, 3, b"a packed state")
    vault.keep_keys(OPS_ID, [(0x01020304, b"epoch key of ops, with 32 bytes!")])
    vault.keep_wrap_key(OPS_ID, rsa_pool[0], 1_700_000_000_000)
    written = everything_in(tmp_path)
    pkcs8 = rsa_pool[0].to_pkcs8()
    for secret in (b"chat.example", SERVER, OPS_ID, b"packed", b"epoch", b"wrap", b"\1\2\3\4", ME.pk, ME.seed):
        assert secret not in written
    for secret in (rsa_pool[0].modulus[:16], pkcs8[:16], pkcs8[-64:]):
        assert secret not in written
    assert b"ops" not in written
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_value_is_sealed_to_other_bytes_each_time(vault: Vault) -> None:
    """So nobody sees that nothing has changed."""
    seen = set()
    for _ in range(3):
        vault.save_state(OPS_ID, 1, b"state")
        seen.add(vault._file._db.execute("SELECT value FROM sealed").fetchone())
    assert len(seen) == 3


def test_values_cannot_be_exchanged_between_rows(vault: Vault, tmp_path: Path) -> None:
    """One room's state in another's place does not open: a clear error, and nothing is used."""
    vault.save_state(OPS_ID, 1, b"state of ops")
    vault.save_state(LAB_ID, 1, b"state of lab")
    vault.close()
    change(tmp_path, "UPDATE sealed SET value = (SELECT value FROM sealed ORDER BY id DESC LIMIT 1)")
    vault = again(tmp_path)
    assert vault.state(LAB_ID) == b"state of lab"
    with pytest.raises(UsageError, match="damaged"):
        vault.state(OPS_ID)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE sealed SET value = substr(value, 1, length(value) - 1)",
        "UPDATE sealed SET value = x''",
        "UPDATE sealed SET value = 'text'",
        "UPDATE sealed SET slot = randomblob(32)",
        "UPDATE sealed SET slot = 7",
    ],
)
def test_a_damaged_row_is_said_with_what_to_do(vault: Vault, tmp_path: Path, damage: str) -> None:
    """A row that does not open is never taken for a room that is not known."""
    vault.remember(OPS)
    vault.close()
    change(tmp_path, damage)
    with pytest.raises(UsageError, match="damaged") as caught:
        again(tmp_path).rooms()
    assert "new links" in caught.value.hint
    assert FILE_NAME in str(caught.value)


def test_a_file_that_is_no_database_is_said_and_not_replaced(tmp_path: Path) -> None:
    """The error names the file, and what to do; the file stays as it is."""
    rubbish = b"rubbish" * 1000
    (tmp_path / FILE_NAME).write_bytes(rubbish)
    with pytest.raises(UsageError, match="damaged") as caught:
        again(tmp_path)
    assert caught.value.hint
    assert (tmp_path / FILE_NAME).read_bytes() == rubbish


def test_the_vault_of_another_identity_says_so(vault: Vault, tmp_path: Path) -> None:
    """It is not taken for an empty one, and stays whole for the identity that made it."""
    vault.remember(OPS)
    with pytest.raises(UsageError, match="another identity's") as caught:
        again(tmp_path, Identity(b"x" * 32))
    assert "restore the identity" in caught.value.hint
    assert again(tmp_path).rooms() == [OPS]


def test_names_of_members_survive_and_go_with_the_room(vault: Vault, tmp_path: Path) -> None:
    """The last name of each, apart for each room; nothing of a forgotten room is left."""
    ada, bob = b"a" * 32, b"b" * 32
    vault.keep_names(OPS_ID, {ada: "ada", bob: "bob"})
    vault.keep_names(OPS_ID, {bob: "Röbert 🦊"})
    vault.keep_names(LAB_ID, {ada: "ada of lab"})
    vault.remember(OPS)
    other = again(tmp_path)
    assert other.names(OPS_ID) == {ada: "ada", bob: "Röbert 🦊"}
    assert vault.forget(OPS_ID)
    assert other.names(OPS_ID) == {}
    assert other.names(LAB_ID) == {ada: "ada of lab"}


def test_the_vault_of_a_newer_version_is_left_alone(vault: Vault, tmp_path: Path) -> None:
    """The hint is to upgrade."""
    vault.close()
    change(tmp_path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(UsageError, match="newer") as caught:
        again(tmp_path)
    assert "upgrade" in caught.value.hint


def test_a_folder_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    """The error names the file, and the option for another folder."""
    with pytest.raises(UsageError, match=r"vault\.db") as caught:
        again(tmp_path / "absent")
    assert "--state" in caught.value.hint


def test_a_vault_that_another_program_keeps_locked_says_so(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cannot write within the wait is told, with what to do; reading waits for nobody."""
    monkeypatch.setattr("sendall.client.vault_file.BUSY_TIMEOUT_S", 0.01)
    vault.remember(OPS)
    other = again(tmp_path)
    holder = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UsageError, match="cannot be used"):
        other.remember(LAB)
    assert other.rooms() == [OPS]
    holder.execute("ROLLBACK")
    holder.close()
    assert other.remember(LAB) == "lab"


def test_a_step_that_fails_leaves_nothing_behind(vault: Vault) -> None:
    """Keys of one call are kept all or none."""
    with pytest.raises(TypeError):
        vault.keep_keys(OPS_ID, [(1, b"k" * 32), (2, None)])  # type: ignore[list-item]  # a mistake of the caller's
    assert vault.keys(OPS_ID) == {}


def test_a_vault_that_cannot_be_opened_leaves_no_file_open(tmp_path: Path) -> None:
    """A program that tries again and again does not run out of files."""
    again(tmp_path).close()
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(UsageError):
            again(tmp_path, Identity(b"x" * 32))
    (tmp_path / FILE_NAME).write_bytes(b"rubbish" * 1000)
    for _ in range(3):
        with pytest.raises(UsageError):
            again(tmp_path)
    assert len(os.listdir("/dev/fd")) == before


def test_a_closed_vault_is_a_mistake_of_ours(tmp_path: Path) -> None:
    """It is not told as damage."""
    vault = again(tmp_path)
    vault.close()
    with pytest.raises(sqlite3.ProgrammingError):
        vault.rooms()
