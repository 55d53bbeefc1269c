"""`sendall forget`: drop what is pinned of a server, once a person made sure that its change is right."""

from __future__ import annotations

from pathlib import Path

from sendall.client.address import Address
from sendall.client.keyring import Keyring
from sendall.errors import UsageError


def forget(address: Address, state: Path | None) -> int:
    """Forget the identity of the server at an address, and what its rooms were.

    Raises:
        UsageError: nothing is known of that address.
    """
    if not Keyring(state).forget(str(address)):
        raise UsageError(f"nothing is known of {address}", hint="write the address as you did for `sendall join`")
    print(f"forgot {address}; compare the server's eight words at the next connection")
    return 0
