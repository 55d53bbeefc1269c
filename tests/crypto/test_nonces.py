"""The nonce audit finds what it is there for: each planted repetition, and nothing that is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from sendall.client.author import Author
from sendall.client.custody import Custody
from sendall.client.items import Place
from sendall.crypto.identity import Identity
from sendall.crypto.primitives import Aead
from tests.attacks.evil_member import Stage
from tests.tools import nonces
from tests.tools.nonces import NonceAudit, installed

PLACE = Place(3, bytes(32), 1, b"k" * 32)
ROOM = b"r" * 32
ROOT = Path(__file__).parent.parent.parent
PLANTED = """
from sendall.client.author import Author
from sendall.client.items import Place
from sendall.crypto.identity import Identity

def test_planted():
    for text in (b"one", b"two"):
        Author(Identity(bytes(32)), lambda: bytes(16)).seal(text, Place(3, bytes(32), 1, bytes(32)), bytes(32))
"""


@pytest.fixture
def audit() -> Iterator[NonceAudit]:
    """An audit of its own, so that what is planted here does not fail the run."""
    audit = NonceAudit()
    with installed(audit):
        yield audit


def an_author() -> Author:
    return Author(Identity.generate(), lambda: os.urandom(16))


def test_an_author_as_it_is_repeats_nothing(audit: NonceAudit) -> None:
    """A number each, and a new key after the session was renewed."""
    author = an_author()
    for text in (b"one", b"two"):
        author.seal(text, PLACE, ROOM)
    author.renew()
    author.seal(b"three", PLACE, ROOM)
    assert (audit.distinct, audit.repeated) == (3, [])


def test_a_number_used_for_another_text_is_found(audit: NonceAudit) -> None:
    """An author that goes back to a number that was refused seals two texts under one nonce."""
    author = an_author()
    author.seal(b"one", PLACE, ROOM)
    author._next_n = {}
    author.seal(b"two", PLACE, ROOM)
    (repeated,) = audit.repeated
    assert repeated.nonce == bytes(12)
    assert "test_a_number_used_for_another_text_is_found" in str(repeated)


def test_a_number_used_on_another_head_is_found(audit: NonceAudit) -> None:
    """The same text under another header is another thing to seal."""
    author = an_author()
    author.seal(b"one", PLACE, ROOM)
    author._next_n = {}
    author.seal(b"one", PLACE._replace(seq=4), ROOM)
    assert len(audit.repeated) == 1


def test_the_very_same_bytes_are_no_repetition(audit: NonceAudit) -> None:
    """A vector that is sealed again tells nobody anything new."""
    author = an_author()
    for _ in range(2):
        author._next_n = {}
        author.seal(b"one", PLACE, ROOM)
    assert (audit.distinct, audit.repeated) == (1, [])


def test_what_a_test_seals_itself_is_counted_and_not_compared(audit: NonceAudit) -> None:
    """Its keys and numbers are the test's own."""
    for text in (b"one", b"two"):
        Aead(bytes(32)).seal(bytes(12), text, b"")
    assert (audit.by_tests, audit.distinct, audit.repeated) == (2, 0, [])


def grants_of(stage: Stage) -> None:
    """Let the code of production hand out grants to everybody."""
    custody = Custody(stage.ada.pk)
    custody.owe_all(stage.state)
    custody.flush(1, stage.state, stage.keys, lambda _: 0, stage.state.now)


def test_grants_with_a_constant_for_chance_are_found(audit: NonceAudit) -> None:
    """Fixed randomness hides nothing: within one such run a repetition is a repetition."""
    stage = Stage()
    stage.found()
    with mock.patch("os.urandom", bytes):
        grants_of(stage)
    assert audit.repeated


def test_two_runs_from_one_seed_are_two_worlds(audit: NonceAudit) -> None:
    """The same seed makes the same keys; only what one of the two runs does counts."""
    for text in (b"one", b"two"):
        with audit.world():
            Author(Identity(bytes(32)), lambda: bytes(16)).seal(text, PLACE, ROOM)
    assert (audit.distinct, audit.repeated) == (2, [])
    with audit.world():
        for text in (b"one", b"two"):
            Author(Identity(bytes(32)), lambda: bytes(16)).seal(text, PLACE, ROOM)
    assert len(audit.repeated) == 1


def test_programs_are_audited_too(audit: NonceAudit, tmp_path: Path) -> None:
    """What one program sealed is compared with what all others sealed, in whatever order they are read."""
    environment = os.environ | {nonces.FOLDER: str(tmp_path)}
    for text in ("one", "two", "two"):
        code = PLANTED.replace('(b"one", b"two")', f'(b"{text}",)') + "\ntest_planted()\n"
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert audit.read(tmp_path) == 3
    assert audit.distinct == 1
    assert audit.repeated


def test_a_run_of_tests_with_a_repetition_fails_and_says_where(tmp_path: Path) -> None:
    """Every test of it passed, and the run is red nevertheless."""
    (tmp_path / "conftest.py").write_text(
        "from tests.tools.nonces import AUDIT, NoncePlugin\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(NoncePlugin(AUDIT))\n"
    )
    (tmp_path / "test_planted.py").write_text(PLANTED)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert "1 passed" in run.stdout
    assert "REPEATED" in run.stdout
    assert "test_planted" in run.stdout
