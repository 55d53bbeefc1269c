"""What can be done with one message of the timeline, by the letter that was pressed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sendall.client.conversation import markdown
from sendall.client.conversation.rows import Draft, Post, Row
from sendall.client.names import safe_lines
from sendall.tui.drawing.line import Line, line
from sendall.tui.drawing.prose import flows_of
from sendall.tui.front_desk import FrontDesk
from sendall.tui.open_room import OpenRoom
from sendall.tui.writing import Aim, Writing

Bind = Callable[[Aim, Post], None]
"""Lets the person write about a message."""


def do_with(desk: FrontDesk, writing: Writing, what: str, row: Row, bind: Bind) -> None:
    """Do it.

    Raises:
        SendallError: why not, and what to do instead.
    """
    room = desk.room
    match what, row:
        case (("reply" | "edit" | "react"), Post() as post):
            bind(Aim(what), post)
        case "delete", Post() as post:
            writing.delete(desk, post)
        case "copy", Post() | Draft() as said:
            desk.copy("\n".join(safe_lines(said.text)))
        case "open", Post() as post:
            desk.open_lines(f"{post.nick}·{room.timeline.tag(post.sender)}", partial(opened, post, room))
        case "retry", Draft() as draft:
            room.outgoing.again(draft)
        case "drop", Draft() as draft:
            room.outgoing.drop(draft)
        case _:
            desk.complain(f"there is nothing to {what} here", "r answers, + reacts, c copies")


def opened(post: Post, room: OpenRoom, width: int) -> list[Line]:
    """Return a whole message in `width` cells, with who has seen it by their own word."""
    flows = flows_of(markdown.parse(post.text), room.look(width).is_mine)
    when = f"{post.time.astimezone():%A %d %B %Y, %H:%M:%S} · message {post.seq}"
    names = [room.timeline.nick(each) for each in room.readers.who_saw(post.seq) if each not in (room.me, post.sender)]
    seen = [line((f"seen by {', '.join(names)}", "faint"))] if names else []
    return [line((when, "faint")), *seen, [], *(each for flow in flows for each in flow.lines(width))]
