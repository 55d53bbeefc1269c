"""What Enter does with what was written: a message, an answer, an edit, a reaction, a command. Knows no Textual."""

from __future__ import annotations

import enum
from typing import NamedTuple

from sendall.client.conversation.kinds import Delete, Edit, Reaction
from sendall.client.conversation.rows import Post
from sendall.errors import UsageError
from sendall.tui import emoji
from sendall.tui.commands.desk import Desk
from sendall.tui.commands.registry import Registry
from sendall.tui.drawing.rows import first_words

QUOTED = 40
"""Characters of a message that the line above the composer quotes."""


class Aim(enum.Enum):
    """What the text is for."""

    REPLY = "reply"
    EDIT = "edit"
    REACT = "react"


class Bound(NamedTuple):
    """The message that what is written is about."""

    aim: Aim
    post: Post


class Writing:
    """What is being written is about, until it is sent or given up."""

    def __init__(self) -> None:
        self.bound: Bound | None = None
        self._asked_to_delete: Post | None = None

    @property
    def title(self) -> str:
        """What to show above the composer; empty for a plain message."""
        if self.bound is None:
            return ""
        aim, post = self.bound
        words = first_words(post.text)
        words = words if len(words) <= QUOTED else f"{words[: QUOTED - 1]}…"
        match aim:
            case Aim.REPLY:
                return f"answer to {post.nick}: {words} · Esc gives it up"
            case Aim.EDIT:
                return "edit your message · Esc gives it up"
            case Aim.REACT:
                return f"reaction to {post.nick}: {words} · an emoji or :name: · Esc gives it up"

    def bind(self, aim: Aim, post: Post, me: bytes) -> None:
        """Write about a message from now on.

        Raises:
            UsageError: it cannot be done with this one.
        """
        if post.is_deleted:
            raise UsageError("this message is deleted", hint="choose another one")
        if aim is Aim.EDIT and post.sender != me:
            raise UsageError(f"only {post.nick} can edit this message", hint="r answers it")
        self.bound = Bound(aim, post)

    def release(self) -> bool:
        """Write about nothing in particular; return whether that is a change."""
        was_bound, self.bound = self.bound is not None, None
        return was_bound

    def delete(self, desk: Desk, post: Post) -> None:
        """Delete one's own message, when asked twice.

        Raises:
            UsageError: it is somebody else's.
        """
        if post.sender != desk.room.me:
            raise UsageError(
                f"only {post.nick} can delete this message", hint=f"/ignore {post.nick} hides what they say"
            )
        if self._asked_to_delete is not post:
            self._asked_to_delete = post
            desk.answer("delete this message for everybody? d once more does; the log keeps it, sealed")
            return
        self._asked_to_delete = None
        desk.answer()
        desk.room.outgoing.change(Delete(post.seq))

    async def enter(self, desk: Desk, registry: Registry, text: str) -> None:
        """Do what the text is for.

        Raises:
            SendallError: why not, and what to do instead; the text is not used up.
        """
        bare = text.strip()
        if bare == "exit":
            desk.leave()
        elif bare.startswith("/") and not bare.startswith("//"):
            await registry.run(desk, bare)
        elif bare:
            try:
                self._say(desk, emoji.with_signs(text.strip("\n").rstrip()).removeprefix("/" * bare.startswith("//")))
            except ValueError as error:
                raise UsageError(str(error), hint="shorten it, or send it in parts") from error

    def _say(self, desk: Desk, text: str) -> None:
        match self.bound:
            case Bound(Aim.EDIT, post):
                desk.room.outgoing.change(Edit(post.seq, text))
            case Bound(Aim.REACT, post):
                self._react(desk, post, text)
            case Bound(Aim.REPLY, post):
                desk.room.outgoing.say(text, reply_to=post.seq)
            case _:
                desk.room.outgoing.say(text)
        desk.room.mark.new_after = None
        self.bound = None

    def _react(self, desk: Desk, post: Post, text: str) -> None:
        sign = emoji.sign_of(text)
        if sign is None:
            raise UsageError(f"{text.strip()[:20]!r} is no emoji", hint=":tada: or 🎉, Tab completes names")
        room = desk.room
        given = [each.emoji for each in room.timeline.reactions(post) if room.me in each.senders]
        room.outgoing.change(Reaction(post.seq, sign, is_off=sign in given))
