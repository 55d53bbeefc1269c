"""A kick revokes: who was removed tries everything, with a modified program and the server on his side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from sendall.client.address import parse_address
from sendall.client.private_joined import PrivateRoom
from sendall.crypto.doors import open_door_grant
from sendall.crypto.grants import open_grant
from sendall.crypto.invites import InviteKeys
from sendall.crypto.primitives import CannotOpen, RsaKey
from sendall.crypto.sealing import Opener, commitment
from sendall.errors import Refused
from sendall.protocol import frames as f
from sendall.protocol.entry import Entry, EntryType, parse
from tests.attacks import scenes
from tests.attacks.evil_server import EvilServer, Heard, Tampering
from tests.conftest import RsaPool


class Recording(Tampering):
    """Keeps everything that anybody sent, for whoever is in league with the server."""

    entries: list[Entry]
    grants: list[tuple[bytes, bytes]]

    def heard(self, frame: Heard) -> Iterable[Heard]:
        if isinstance(frame, f.Post):
            self.entries.append(parse(frame.entry))
        elif isinstance(frame, f.GrantFrame):
            self.grants.append((frame.recipient, frame.grant))
        return [frame]


@pytest.fixture
async def server(tmp_path: Path, rsa_pool: RsaPool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EvilServer]:
    numbers = count(2)

    async def another() -> RsaKey:
        return rsa_pool[next(numbers)]

    monkeypatch.setattr("sendall.client.entrance.new_wrap", another)
    monkeypatch.setattr(Recording, "entries", [], raising=False)
    monkeypatch.setattr(Recording, "grants", [], raising=False)
    server = EvilServer(tmp_path, rsa_pool)
    await server.start()
    server.turn_evil(Recording)
    yield server
    await server.stop()


def keys_of(room: PrivateRoom, link: str) -> dict[int, set[bytes]]:
    """Return every key that this member has, or gets out of any grant that was ever sent, by epoch."""
    found: dict[int, set[bytes]] = {e: {key} for e, key in room.follower.ring.held.items()}
    secret = parse_address(link).secret
    assert secret is not None, "a PRIVATE link"
    door = InviteKeys(secret).door
    for recipient, grant in Recording.grants:
        attempts = [partial(open_grant, grant, room.id, recipient, rsa) for rsa in room.follower.ring.wraps]
        attempts.append(partial(open_door_grant, grant, room.id, recipient, door))
        for attempt in attempts:
            try:
                opened = attempt()
            except CannotOpen:
                continue
            for e, key in opened.items():
                found.setdefault(e, set()).add(key)
    return found


async def test_who_was_kicked_reads_nothing_that_was_sealed_afterwards(server: EvilServer) -> None:
    """No grant opens to him with any of his keys or links, and none of his keys opens a later message."""
    async with scenes.a_private_room(server) as cast:
        bob, client = await cast.enters("bob")
        cyd, _ = await cast.enters("cyd")
        await bob.send("while bob is in")
        await cast.ada.kick(client.id)
        await cast.ada.send("secret of ada")
        await cyd.send("secret of cyd")
        old, cast.link = cast.link, (await cast.ada.invite(uses=0)).link
        dan, _ = await cast.enters("dan")
        await dan.send("secret of dan")
        keys = keys_of(bob, old)
        assert set(keys) == {1}
        later = [entry for entry in Recording.entries if entry.type == EntryType.MESSAGE and entry.epoch > 1]
        assert {entry.sender for entry in later} >= {cast.admin.id, cyd.follower.me, dan.follower.me}
        for entry in later:
            for key in keys[1]:
                with pytest.raises(CannotOpen):
                    Opener(key, bob.id).open(entry)
        held = keys_of(dan, cast.link)
        assert {e for e in held if e > 1} == {2}
        assert all(commitment(key, bob.id, 2) == cyd.follower.log.state.commit for key in held[2])


async def test_who_was_kicked_does_not_come_back_by_any_link_known_before(server: EvilServer) -> None:
    """Neither as himself nor under a new name; by a link that was made for him afterwards he does."""
    async with scenes.a_private_room(server) as cast:
        other = (await cast.ada.invite(uses=5)).link
        _, client = await cast.enters("bob")
        old = cast.link
        await cast.ada.kick(client.id)
        for number, link in enumerate((old, other)):
            cast.link = link
            again = await cast.connects(f"somebody {number}")
            with pytest.raises(Refused, match="ended when somebody was removed"):
                await again.join_link()
        cast.link = (await cast.ada.invite()).link
        back = await cast.connects("bob")
        assert back.id == client.id
        assert not (await back.join_link()).is_pending
