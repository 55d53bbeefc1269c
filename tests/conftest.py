"""What all tests share: the nonce audit, and a pool of RSA keys, as making one takes up to a second of one core."""

from __future__ import annotations

import pytest

from sendall.crypto.primitives import RsaKey
from tests.tools.nonces import AUDIT, NoncePlugin


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(NoncePlugin(AUDIT))


class RsaPool:
    """RSA keys made once per test run, each when it is first asked for."""

    def __init__(self) -> None:
        self._keys: list[RsaKey] = []

    def __getitem__(self, index: int) -> RsaKey:
        while len(self._keys) <= index:
            self._keys.append(RsaKey.generate())
        return self._keys[index]


@pytest.fixture(scope="session")
def rsa_pool() -> RsaPool:
    """Keys by number: the same number is the same key for the whole run."""
    return RsaPool()
