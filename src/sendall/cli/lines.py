"""What a room tells, as lines for people who read line by line: pipes, `--plain`, screen readers. Pure.

Foreign text goes through `safe_text` here, and only here.
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
    ServerLost,
    Unreadable,
    Went,
    safe_text,
    tag_of,
)
from sendall.tui.sentences import given_up_sentence, held_sentence, in_doubt_sentence, server_lost_sentence


def line_of(event: Event, today: date) -> str | None:
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
        case ServerLost():
            return notice(server_lost_sentence(event))
        case Alarm(alarm):
            return f"ALARM: {alarm}  {alarm.hint}"
        case Unreadable(seq, reason):
            return notice(f"message {seq} cannot be read: {reason}")
        case Notice(_, sentence):
            return notice(safe_text(sentence))
        case Held(pendings):
            return notice(held_sentence(pendings))
        case GivenUp():
            return notice(given_up_sentence(event))
        case InDoubt():
            return notice(in_doubt_sentence(event))
        case _:
            return None


def message_line(message: Message, today: date) -> str:
    """Return `12:03 ada·k7qd  hello`, in local time; with the date if that is not today."""
    local = message.time.astimezone()
    clock = f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
    who = f"{message.nick}·{message.tag}"
    between = " " if message.is_action else "  "
    who = f"* {who}" if message.is_action else who
    return f"{clock} {who}{between}{safe_text(message.text)}"


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


def notice(sentence: str) -> str:
    return f"-- {sentence}"
