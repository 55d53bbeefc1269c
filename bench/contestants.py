"""Who takes part in a case: sendall's room, the raw copiers, the peers, each with its connections.

All stay up for a whole case and do a `round` when asked: as many messages as said go to all members.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bench.load import Figures, Link, Load, Upstream, run
from bench.members import Member, verify
from bench.peers import Peer
from bench.servers import Server
from sendall.crypto.primitives import RsaKey
from sendall.protocol.frames import logged_frame

SENDER_BYTES = 32
NARROW = 4096
BATCH = 32
"""Entries in one WebSocket message of a writer that writes flat out."""


class Contestant(Protocol):
    """Somebody who can be measured."""

    server: Server

    def round(self, messages: int, *, writers: int = 1, rate: int = 0) -> Figures:
        """Send `messages` to all, flat out or `rate` of them in a second (then there is one writer)."""
        ...


class Room:
    """sendall: one room, whose members write and hear."""

    def __init__(
        self,
        server: Server,
        rsa: RsaKey,
        members: int,
        folder: Path,
        *,
        writers: int = 1,
        tls: bool = False,
        narrow: int = 0,
    ) -> None:
        """Let everybody in; the last `writers` of them may write. Warms up with one message of each.

        `narrow`: how many, behind the first, have a receive buffer of 4 KiB, so that they fill up soon.
        """
        self.server = server
        self.folder = folder
        folder.mkdir(exist_ok=True)
        opens = {0, *range(members - writers, members)}
        self.members = [
            Member(server.port, rsa, tls=tls, opens=i in opens, receive_buffer=NARROW if 0 < i <= narrow else 0)
            for i in range(members)
        ]
        self.narrow = self.members[1 : 1 + narrow]
        self.reader = self.members[0]
        self.hearing = self.members
        """Who is read from; the others stall."""
        self._writers = self.members[-writers:]
        self.delivery_bytes = len(logged_frame(1, 1, 1, self._writers[0].seal(1, "hello everyone")[0]))
        self._writers[0].n = 0
        self.round(writers, writers=writers)

    def round(self, messages: int, *, writers: int = 1, rate: int = 0) -> Figures:
        return self.run(self.seal(messages // writers, writers), rate=rate)

    def seal(self, count: int, writers: int) -> dict[bytes, list[bytes]]:
        """Return `count` entries of each of so many writers, by its id."""
        chosen = self._writers[-writers:]
        for writer in chosen:
            writer.head = self.reader.head
        return {writer.identity.pk: writer.seal(count, "hello everyone") for writer in chosen}

    def run(self, entries: dict[bytes, list[bytes]], *, rate: int = 0) -> Figures:
        """Write these entries; what the first member hears is compared with them."""
        batch = 1 if rate else BATCH
        writing = [m.post(entries[m.identity.pk], batch) for m in self._writers if m.identity.pk in entries]
        if rate:
            writing = [up._replace(window=2**32) for up in writing]
        figures = run(self.server, self._load(writing, sum(map(len, entries.values())), rate), self.folder)
        verify((self.folder / "kept").read_bytes(), self.reader, entries)
        return figures

    def _load(self, writing: list[Upstream], expect: int, rate: int) -> Load:
        links = [member.link for member in self.hearing]
        return Load(links, writing, self.delivery_bytes, expect, framed=True, keeper=self.reader.link, rate=rate)

    def close(self) -> None:
        for member in self.members:
            member.link.close()


class Copier:
    """rawcast.c, which is given as many bytes as sendall delivers."""

    def __init__(
        self, server: Server, members: int, folder: Path, delivery_bytes: int, hear: Callable[[], Link]
    ) -> None:
        self.server = server
        self.folder = folder
        self.delivery_bytes = delivery_bytes
        folder.mkdir(exist_ok=True)
        self._links = [hear() for _ in range(members)]

    def round(self, messages: int, *, writers: int = 1, rate: int = 0) -> Figures:
        each = messages // writers
        writing = [self._upstream(link, each) for link in self._links[-writers:]]
        return run(self.server, Load(self._links, writing, self.delivery_bytes, each * writers, rate=rate), self.folder)

    def _upstream(self, link: Link, count: int) -> Upstream:
        sender = os.urandom(SENDER_BYTES)
        head = struct.pack(">BIQQI", 2, 1, 1, 1, self.delivery_bytes - 25) + bytes(8) + sender
        frame = head + os.urandom(self.delivery_bytes - len(head))
        return Upstream(link, frame * count, count, len(frame), sender=sender)

    def close(self) -> None:
        for link in self._links:
            link.close()


class Audience:
    """A peer, with connections that hear and others that write."""

    def __init__(self, peer: Peer, server: Server, members: int, folder: Path, *, writers: int = 1) -> None:
        self.peer = peer
        self.server = server
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._hearing = [peer.hear(server.port) for _ in range(members)]
        self._speaking = [peer.speak(server.port) for _ in range(writers)]
        peer.settle([*self._hearing, *self._speaking])

    def round(self, messages: int, *, writers: int = 1, rate: int = 0) -> Figures:
        each = messages // writers
        said = self.peer.publish()
        # Those who do not write this time are read from all the same: a thread would wait for them.
        counts = [each] * writers + [0] * (len(self._speaking) - writers)
        writing = [
            Upstream(link, said * count, count, len(said)) for link, count in zip(self._speaking, counts, strict=True)
        ]
        load = Load(self._hearing, writing, len(self.peer.delivery()), each * writers, rate=rate)
        return run(self.server, load, self.folder)

    def close(self) -> None:
        for link in (*self._hearing, *self._speaking):
            link.close()
