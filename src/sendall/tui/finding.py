"""Finding messages: in what this device has kept, or, without an archive, in what is loaded. Knows no Textual."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sendall.client.conversation.rows import Post
from sendall.tui.hall import Hall
from sendall.tui.open_room import OpenRoom

LIMIT = 200
"""Messages that a search gives at most, the newest first."""
FROM = "from:"


class Hit(NamedTuple):
    """A message that was found."""

    room: OpenRoom
    seq: int
    time: datetime
    sender: bytes
    nick: str
    text: str
    """Not safe to print."""


async def hits(hall: Hall, words: str) -> list[Hit]:
    """Return messages of the open rooms that have all the words; `from:name` asks for the sender.

    Raises:
        UsageError: the archive cannot be read.
    """
    wanted = words.split()
    senders = [each.removeprefix(FROM).casefold() for each in wanted if each.startswith(FROM)]
    text = " ".join(each for each in wanted if not each.startswith(FROM))
    if hall.shelf.is_on and text:
        rooms = {room.room.id: room for room in hall.rooms}
        names = {room_id: room.name for room_id, room in rooms.items()}
        kept = await hall.shelf.find(text, names)
        found = [Hit(rooms[each.room_id], each.seq, each.time, each.sender, each.nick, each.text) for each in kept]
    elif wanted:
        found = [hit for room in hall.rooms for hit in _loaded(room, text.casefold().split())]
        found.sort(key=lambda hit: hit.time, reverse=True)
    else:
        found = []
    return [hit for hit in found if _counts(hit, senders)][:LIMIT]


def _counts(hit: Hit, senders: list[str]) -> bool:
    who = f"{hit.nick}·{hit.room.timeline.tag(hit.sender)}".casefold()
    return hit.sender not in hit.room.ignored and all(each in who for each in senders)


def _loaded(room: OpenRoom, words: list[str]) -> list[Hit]:
    timeline = room.timeline
    posts = [row for row in (timeline[index] for index in range(len(timeline))) if isinstance(row, Post)]
    return [
        Hit(room, post.seq, post.time, post.sender, post.nick, post.text)
        for post in posts
        if not post.is_deleted and all(word in post.text.casefold() for word in words)
    ]
