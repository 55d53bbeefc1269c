"""sendall: encrypted rooms where everyone hears everyone.

    import sendall

    async with sendall.connect("127.0.0.1:12345", nick="ada") as me:
        room = await me.join("lobby")
        await room.send("hello")
        async for message in room:
            print(message.nick, message.text)

The public names are imported when they are first used: a command that needs none of them starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sendall.client.client import Client as Client
    from sendall.client.client import Room as Room
    from sendall.client.client import connect as connect
    from sendall.client.events import Message as Message
    from sendall.client.events import NotKnown as NotKnown
    from sendall.client.events import Pending as Pending
    from sendall.client.events import Receipt as Receipt
    from sendall.errors import ConnectError as ConnectError
    from sendall.errors import Refused as Refused
    from sendall.errors import SecurityAlarm as SecurityAlarm
    from sendall.errors import SendallError as SendallError
    from sendall.errors import UsageError as UsageError

_HOMES = {
    "Client": "sendall.client.client",
    "Room": "sendall.client.client",
    "connect": "sendall.client.client",
    "Message": "sendall.client.events",
    "NotKnown": "sendall.client.events",
    "Pending": "sendall.client.events",
    "Receipt": "sendall.client.events",
    "ConnectError": "sendall.errors",
    "Refused": "sendall.errors",
    "SecurityAlarm": "sendall.errors",
    "SendallError": "sendall.errors",
    "UsageError": "sendall.errors",
}
__all__ = sorted(_HOMES)  # the table is the one list of public names


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sendall' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
