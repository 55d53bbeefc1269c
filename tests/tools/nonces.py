"""The nonce audit: no (key, nonce) of AES-GCM seals two different things, in the whole run of the tests.

While tests run, `Aead.seal` reports here, refusals and entries given up included; sealing the very same
bytes once more is no repetition. Two kinds of sealing are told apart from that of the code of production:

- what a test seals itself (the first caller outside `sendall.crypto` is no module of `sendall`): its keys
  and numbers are made up by the test, so they prove nothing. It is counted, and not compared;
- what is sealed with fixed randomness (`os.urandom` replaced, or a simulation from a seed): the same seed
  makes the same keys again. Such a run is a world of its own: compared within itself, as all else is.

Programs that tests start report too: `audited/sitecustomize.py` is on their path, and writes to a folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from sendall.crypto.primitives import Aead

FOLDER = "NONCE_AUDIT_FOLDER"
"""Environment variable: where programs write what they sealed, one file each."""
_AUDITED = Path(__file__).parent / "audited"
_CRYPTO = f"{os.sep}sendall{os.sep}crypto{os.sep}"
_PRODUCTION = f"{os.sep}src{os.sep}sendall{os.sep}"
_RANDOM = os.urandom
RECORD = 32 + 12 + 32
"""Bytes: H(key), nonce, H(plaintext, additional data)."""


class Repeated(NamedTuple):
    """One (key, nonce) that sealed two different things."""

    key_hash: bytes
    nonce: bytes
    first: str
    again: str

    def __str__(self) -> str:
        name = f"key {self.key_hash.hex()[:16]}, nonce {self.nonce.hex()}"
        return f"{name}: sealed in {self.first}, and again in {self.again}"


class NonceAudit:
    """What was sealed with which key and nonce."""

    def __init__(self) -> None:
        self.repeated: list[Repeated] = []
        self.by_tests = 0
        """Seals of tests themselves."""
        self._worlds: dict[object, dict[bytes, tuple[bytes, str]]] = {None: {}}
        self._world: object = None
        self._closed = 0

    @property
    def distinct(self) -> int:
        """How many pairs of key and nonce the code of production used."""
        return self._closed + sum(map(len, self._worlds.values()))

    def saw(self, key_hash: bytes, nonce: bytes, content_hash: bytes, where: str) -> None:
        """Take one seal of the code of production."""
        world = self._world if self._world is not None or os.urandom is _RANDOM else os.urandom
        seen = self._worlds.setdefault(world, {})
        before = seen.setdefault(key_hash + nonce, (content_hash, where))
        if before[0] != content_hash:
            self.repeated.append(Repeated(key_hash, nonce, before[1], where))

    @contextmanager
    def world(self) -> Iterator[None]:
        """Compare what is sealed in the block within itself: its randomness comes from a seed."""
        outer, self._world = self._world, object()
        try:
            yield
        finally:
            self._closed += len(self._worlds.pop(self._world, ()))
            self._world = outer

    def read(self, folder: Path) -> int:
        """Take what programs wrote; return how many did."""
        files = sorted(folder.iterdir())
        for path in files:
            told = path.read_bytes()
            for at in range(0, len(told) - RECORD + 1, RECORD):
                record = told[at : at + RECORD]
                self.saw(record[:32], record[32:44], record[44:], f"a program ({path.name})")
        return len(files)


AUDIT = NonceAudit()
"""That of this run."""


def hashes(key: bytes, plaintext: bytes, aad: bytes) -> tuple[bytes, bytes]:
    """Return H(key) and H(plaintext, additional data), which an audit may keep where it may not keep those."""
    content = hashlib.sha256(len(plaintext).to_bytes(8, "big") + plaintext + aad).digest()
    return hashlib.sha256(key).digest(), content


def is_production() -> bool:
    """Return whether the code of production asked for this seal, and not a test."""
    frame = sys._getframe(2)
    while frame.f_back is not None and _passes_on(frame.f_code.co_filename, frame.f_code.co_name):
        frame = frame.f_back
    return _PRODUCTION in frame.f_code.co_filename


def _passes_on(file: str, function: str) -> bool:
    """Return whether a frame seals what its caller wants: in the crypto rank, and in what tests put in its place."""
    return _CRYPTO in file or (function == "seal" and _PRODUCTION not in file)


@contextmanager
def installed(audit: NonceAudit) -> Iterator[None]:
    """Let `Aead.seal` report to this audit; the one before takes what is sealed in the block for a test's own."""
    init, seal = Aead.__init__, Aead.seal

    def audited_init(self: Aead, key: bytes) -> None:
        init(self, key)
        self._audited_key = key  # type: ignore[attr-defined]  # an attribute of the audit's

    def audited_seal(self: Aead, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        if is_production():
            key_hash, content_hash = hashes(self._audited_key, plaintext, aad)  # type: ignore[attr-defined]  # as above
            audit.saw(key_hash, nonce, content_hash, os.environ.get("PYTEST_CURRENT_TEST", "no test"))
        else:
            audit.by_tests += 1
        return seal(self, nonce, plaintext, aad)

    Aead.__init__, Aead.seal = audited_init, audited_seal  # type: ignore[method-assign]  # the one seam of the audit
    try:
        yield
    finally:
        Aead.__init__, Aead.seal = init, seal  # type: ignore[method-assign]  # as it was


class NoncePlugin:
    """Runs the audit around a session of pytest, and fails it if anything was repeated."""

    def __init__(self, audit: NonceAudit) -> None:
        self._audit = audit
        self._folder = TemporaryDirectory(prefix="nonces-")
        self._installed = installed(audit)
        self._is_leader = False
        self.programs = self.distinct = self.by_tests = 0
        self.reported: list[str] = []
        """What was repeated, as other processes of this run said it."""

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        config = session.config
        if config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput"):
            self._is_leader = True  # it runs no test; those that it starts must not be taken for programs of tests
            return
        os.environ[FOLDER] = self._folder.name
        paths = [str(_AUDITED), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self._installed.__enter__()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._is_leader:
            if self.reported:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            return
        self._installed.__exit__(None, None, None)
        self.programs += self._audit.read(Path(self._folder.name))
        self._folder.cleanup()
        said = getattr(session.config, "workeroutput", None)
        if said is not None:  # a process of pytest-xdist: the one that began the run judges
            repeated = [str(repeated) for repeated in self._audit.repeated]
            said["nonces"] = (self._audit.distinct, self.programs, self._audit.by_tests, repeated)
        elif self._audit.repeated:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what a process of pytest-xdist saw; one that died says nothing, and its tests have failed."""
        distinct, programs, by_tests, reported = getattr(node, "workeroutput", {}).get("nonces", (0, 0, 0, []))
        self.distinct += distinct
        self.programs += programs
        self.by_tests += by_tests
        self.reported += reported

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        audit = self._audit
        repeated = [*map(str, audit.repeated), *self.reported]
        terminalreporter.write_line(
            f"nonce audit: {audit.distinct + self.distinct:,} pairs of key and nonce, {self.programs} programs, "
            f"{len(repeated)} repeated; {audit.by_tests + self.by_tests:,} seals by tests themselves"
        )
        for each in repeated[:20]:
            terminalreporter.write_line(f"REPEATED {each}", red=True)
