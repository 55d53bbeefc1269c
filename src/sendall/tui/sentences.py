"""What a room tells beside messages, in sentences: the same in the application and line by line. Pure."""

from __future__ import annotations

from sendall.client.events import GivenUp, InDoubt, Pending, ServerLost
from sendall.client.names import safe_text

QUOTED = 40
"""Characters of a message that a sentence about it quotes."""


def held_sentence(pendings: tuple[Pending, ...]) -> str:
    """Return what is held, since when, and the two ways to go on."""
    since = min(pending.written for pending in pendings).astimezone()
    count = f"{len(pendings)} lines" if len(pendings) > 1 else "1 line"
    return (
        f"{count} written {since:%Y-%m-%d %H:%M} and never confirmed, beginning {quoted(pendings[0])}: "
        "/send-held sends, /discard-held drops"
    )


def given_up_sentence(event: GivenUp) -> str:
    return f"not accepted ({event.code.value}), though it may still appear: {quoted(event.pending)}"


def in_doubt_sentence(event: InDoubt) -> str:
    return f"not known whether it arrived: {quoted(event.pending)}  (/send-held or /discard-held)"


def server_lost_sentence(event: ServerLost) -> str:
    return f"the server restarted and lost {event.count} entries that were seen here"


def quoted(pending: Pending) -> str:
    """Return the beginning of a message of one's own, in quotation marks."""
    text = safe_text(pending.text)
    return f'"{text}"' if len(text) <= QUOTED else f'"{text[: QUOTED - 1]}…"'
