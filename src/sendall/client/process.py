"""What a process has once, however many clients run in it: an RSA key, and the fork hook.

The RSA key is fresh per process and never stored, so what was granted to it dies with it. After a
fork the child has neither the parent's key nor its sessions: two processes must never seal under the
same numbers.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

from sendall.crypto.primitives import RsaKey


class Forking(Protocol):
    """Who must be renewed in the child of a fork."""

    def after_fork(self) -> None: ...


_lock = threading.Lock()
_made: list[RsaKey] = []
_watched: weakref.WeakSet[Forking] = weakref.WeakSet()


def rsa_key() -> RsaKey:
    """Return this process's RSA key. Takes up to a second at the first call: call it in a thread."""
    with _lock:
        if not _made:
            _made.append(RsaKey.generate())
        return _made[0]


def watch(client: Forking) -> None:
    """Renew `client` in the child of a fork, for as long as it lives or until `unwatch`."""
    _watched.add(client)


def unwatch(client: Forking) -> None:
    _watched.discard(client)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # a thread that held it exists in the parent only
    _made.clear()
    for client in list(_watched):
        client.after_fork()


os.register_at_fork(after_in_child=_after_fork)
