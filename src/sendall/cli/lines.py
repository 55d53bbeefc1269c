"""What a room tells, as lines for people: pieces of text with the style they are shown in.

One table for the screen, which colours them, and for pipes, which do not. Pure. Foreign text goes
through `safe_text` here, and only here.
"""

from __future__ import annotations

from datetime import date

from sendall.client.conversation.kinds import Delete, Edit, Reaction, Topic
from sendall.client.events import (
    Alarm,
    Back,
    Came,
    Change,
    Event,
    GivenUp,
    Held,
    InDoubt,
    Lost,
    Message,
    Notice,
    Pending,
    ServerLost,
    Unreadable,
    Went,
    safe_text,
    tag_of,
)

Line = list[tuple[str, str]]
"""`(style, text)` pieces; a style is a class name of `STYLES` or empty."""

HUES = 6
QUOTED = 40
"""Characters of a message that a notice about it quotes."""


def line_of(event: Event, today: date) -> Line | None:
    """Return the line that tells an event, or None for what is shown elsewhere or not at all."""
    match event:
        case Message():
            return message_line(event, today)
        case Change():
            return notice(change_sentence(event))
        case Came(id, nick):
            return notice(f"{nick}·{tag_of(id)} came")
        case Went(id, nick):
            return notice(f"{nick}·{tag_of(id)} went")
        case Lost(reason):
            return notice(f"connection lost: {reason}")
        case Back():
            return notice("connected again")
        case ServerLost(count=count):
            return warning(f"the server restarted and lost {count} entries that were seen here")
        case Alarm(alarm):
            return [("class:alarm", f"ALARM: {alarm}"), ("class:warning", f"  {alarm.hint}")]
        case Unreadable(seq, reason):
            return warning(f"message {seq} cannot be read: {reason}")
        case Notice(_, sentence):
            return notice(safe_text(sentence))
        case Held(pendings):
            return warning(held_sentence(pendings))
        case GivenUp(pending, code):
            return warning(f"not accepted ({code.value}), though it may still appear: {quoted(pending)}")
        case InDoubt(pending):
            return warning(f"not known whether it arrived: {quoted(pending)}  (/send-held or /discard-held)")
        case _:
            return None


def message_line(message: Message, today: date) -> Line:
    """Return `12:03 ada·k7qd  hello`, in local time; with the date if that is not today."""
    local = message.time.astimezone()
    clock = f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
    hue = message.sender[0] % HUES
    who = f"{message.nick}·{message.tag}"
    between = " " if message.is_action else "  "
    who = f"* {who}" if message.is_action else who
    return [("class:time", f"{clock} "), (f"class:nick{hue}", who), ("", f"{between}{safe_text(message.text)}")]


def change_sentence(change: Change) -> str:
    """Return what somebody changed, in one line; which message it was is for screens that can go back to it."""
    who = f"{change.nick}·{change.tag}"
    match change.what:
        case Edit(text=text):
            return f"{who} edited a message: {safe_text(text)}"
        case Delete():
            return f"{who} took back a message"
        case Reaction(_, emoji, is_off):
            return f"{who} took back {emoji}" if is_off else f"{who} reacted with {emoji}"
        case Topic(text):
            return f"{who} set the topic: {text}" if text else f"{who} took the topic away"


def held_sentence(pendings: tuple[Pending, ...]) -> str:
    """Return what is held, since when, and the two ways to go on."""
    since = min(pending.written for pending in pendings).astimezone()
    count = f"{len(pendings)} lines" if len(pendings) > 1 else "1 line"
    return (
        f"{count} written {since:%Y-%m-%d %H:%M} and never confirmed, beginning {quoted(pendings[0])}: "
        "/send-held sends, /discard-held drops"
    )


def quoted(pending: Pending) -> str:
    """Return the beginning of a message of one's own, in quotation marks."""
    text = safe_text(pending.text)
    return f'"{text}"' if len(text) <= QUOTED else f'"{text[: QUOTED - 1]}…"'


def notice(sentence: str) -> Line:
    return [("class:notice", f"-- {sentence}")]


def warning(sentence: str) -> Line:
    return [("class:warning", f"-- {sentence}")]


def plain(line: Line) -> str:
    """Return a line without its styles."""
    return "".join(text for _, text in line)
