"""The full-screen application, opened from the command line and closed again with a status.

Textual takes 0.2 s to import: only who opens it pays that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module

from sendall.cli.calling import Caller
from sendall.cli.options import Call
from sendall.cli.writing import settle
from sendall.client.address import is_loopback, make_link
from sendall.client.archive import Archive
from sendall.client.client import Client
from sendall.client.keyring import Keyring, client_folder
from sendall.tui.opening import Opening
from sendall.tui.profile import Profile
from sendall.tui.ways_in import WaysIn

LEAVE_S = 2.0
"""How long a person who leaves waits for what is not confirmed."""


def begin_import() -> None:
    """Import the application beside what comes first, connecting: that is mostly waiting."""
    threading.Thread(target=import_module, args=("sendall.tui.app",), name="import", daemon=True).start()


async def on_screen(
    me: Client, call: Call, ways: WaysIn | None = None, why_stay: Callable[[], str] = lambda: ""
) -> None:
    """Show a room until the person leaves, then wait a little for what is not confirmed.

    `ways` is shown first, if given: the card of a server that was just started.

    Raises:
        NotConfirmed: it was not, in `LEAVE_S`.
        SecurityAlarm: a room is not what it was; the person was told before.
        SendallError: the room cannot be joined, or could not be followed any more.
    """
    from sendall.tui.app import SendallApp

    folder = call.state or client_folder()
    opening = Opening(
        client=Caller(me, call),
        room=call.room,
        folder=folder,
        archive=Archive(folder, call.identity or Keyring(folder).identity()) if Profile(folder).keeps_archive else None,
        ways=ways or ways_of(me, call),
        is_tls=call.address.tls,
        asks_name=not call.is_named,
        shows_card=ways is not None,
        why_stay=why_stay,
    )
    app = SendallApp(opening)
    await app.run_async()
    if app.failure is not None:
        raise app.failure
    for room in app.hall.rooms:
        if room.alarm is not None:
            raise room.alarm
        if room.why_ended is None:
            await settle(room.room, LEAVE_S)


def ways_of(me: Client, call: Call) -> WaysIn:
    """Return how others come into what one has joined."""
    address = call.address
    if call.is_private:
        return WaysIn(
            join="/invite makes a link into this room",
            link=None,
            only_here="",
            words=me.server_words,
            readers="its members; the server cannot read, and is not told what the room is called",
        )
    is_here = is_loopback(address.host)
    link = None if is_here or me.server_pk is None else make_link(address.host, address.port, me.server_pk, call.room)
    return WaysIn(
        join=f"sendall join {link!r}" if link else f"sendall join {address}",
        link=link,
        only_here="only from this machine: the server listens on it alone" if is_here else "",
        words=me.server_words,
        readers=f"{'who holds the token' if call.token else 'whoever reaches the server'}, and the server itself",
    )
