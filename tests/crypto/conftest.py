from __future__ import annotations

import pytest

from sendall.crypto.primitives import RsaKey
from tests.conftest import RsaPool


@pytest.fixture(scope="session")
def rsa(rsa_pool: RsaPool) -> RsaKey:
    return rsa_pool[0]


@pytest.fixture(scope="session")
def other_rsa(rsa_pool: RsaPool) -> RsaKey:
    return rsa_pool[1]
