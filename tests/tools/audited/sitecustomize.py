"""Lets a program that a test started tell what it sealed: `tests.tools.nonces` reads it. Nothing else changes.

Python imports this by itself, as its folder is first on the program's path. It waits for the module
that seals, so that a program that seals nothing starts as fast as ever. Each seal is one write of
76 bytes to a file of this process, so what a killed program sealed is there too.
"""

from __future__ import annotations

import hashlib
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

TYPE_CHECKING = False  # as in `typing`, whose import would take longer than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

_FOLDER = os.environ.get("NONCE_AUDIT_FOLDER", "")
_SEALS = "sendall.crypto.primitives"


class _Waiting:
    """Finds the module that seals where it is, and has it audited once it was executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _SEALS:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _audit(module.Aead)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # the one seam of this file
        return spec


def _audit(aead: Any) -> None:
    init, seal = aead.__init__, aead.seal
    files: dict[int, int] = {}

    def audited_init(self: Any, key: bytes) -> None:
        init(self, key)
        self._audited_key = key

    def audited_seal(self: Any, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        content = hashlib.sha256(len(plaintext).to_bytes(8, "big") + plaintext + aad).digest()
        pid = os.getpid()  # it may have forked
        if pid not in files:
            name = os.path.join(_FOLDER, f"{pid}-{os.urandom(4).hex()}")
            files[pid] = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(files[pid], hashlib.sha256(self._audited_key).digest() + nonce + content)
        sealed: bytes = seal(self, nonce, plaintext, aad)
        return sealed

    aead.__init__, aead.seal = audited_init, audited_seal


if os.path.isdir(_FOLDER):
    sys.meta_path.insert(0, _Waiting())
