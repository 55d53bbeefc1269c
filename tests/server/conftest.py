"""Shell tests run on both event loops, everything else here on none; the relay's tests get a world without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from sendall.crypto.primitives import RsaKey
from tests.server.members import RelayWorld

_ON_BOTH_LOOPS = {"test_http_connection.py", "test_http_server.py", "test_listener.py", "test_websocket.py"}

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory] | None:
    if item.path.name not in _ON_BOTH_LOOPS:
        return None
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


_VECTOR = Path(__file__).parent.parent.parent / "vectors" / "open-room.json"


@pytest.fixture(scope="session")
def rsa() -> RsaKey:
    """The RSA key of the vectors: making one takes up to a second."""
    grant = json.loads(_VECTOR.read_text())["grant"]
    return RsaKey.from_pkcs8(bytes.fromhex(grant["rsa_private_pkcs8"]))


@pytest.fixture
def world() -> RelayWorld:
    return RelayWorld()
