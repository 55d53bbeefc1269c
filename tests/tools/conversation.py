"""Conversation vectors as JSON: items to and from their written form, and what a timeline shows.

The format is described in vectors/README.md. Other implementations write the same in their language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sendall.client.conversation import timeline as tl
from sendall.client.conversation.kinds import Newer, NotOfItsKind, Text, content_of, read_hint, read_spoken
from sendall.client.conversation.rows import About, Draft, Note, Post, Row
from sendall.client.events import NEWER_CLIENT, Change, Message, Notice, ServerLost, Unreadable, utc
from sendall.client.keys import Unreadable as NotAPlaintext
from sendall.client.keys import read_plaintext
from sendall.client.names import NO_NICK, safe_nick, tag_of

Json = dict[str, Any]  # Any: JSON of the documented shape


def item_of(written: Json, people: Mapping[str, bytes]) -> tl.Item:
    """Return the item that a case writes down."""
    match written:
        case {"seq": seq, "unreadable": reason}:
            return Unreadable(seq, reason)
        case {"seq": seq, "notice": sentence}:
            return Notice(seq, sentence)
        case {"lost_behind": kept}:
            return ServerLost(1, kept)
        case {"aside": text, "after": after, "number": number}:
            return tl.Aside(after, number, text)
        case {"written": number, "text": text}:
            return tl.Written(number, utc(0), text)
        case {"confirmed": number, "seq": seq}:
            return tl.Confirmed(number, seq)
        case {"failed": number, "reason": reason}:
            return tl.Failed(number, reason)
        case _:
            return _said(written, people)


def _said(written: Json, people: Mapping[str, bytes]) -> Message | Change:
    seq, sender, content = written["seq"], people[written["by"]], written["content"]
    nick = safe_nick(content["nick"]) if "nick" in content else NO_NICK
    time, tag = utc(written["time_ms"]), tag_of(sender)
    spoken = read_spoken(content)
    match spoken:
        case Text(text, re, is_action):
            return Message(seq, time, "lobby", sender, bytes(16), nick, tag, False, text, "m", re, is_action)
        case Newer(kind):
            return Message(seq, time, "lobby", sender, bytes(16), nick, tag, False, NEWER_CLIENT, kind)
        case change:
            return Change(seq, time, "lobby", sender, bytes(16), nick, tag, False, change)


def played(case: Json, people: Mapping[str, bytes], *, backwards: bool = False) -> tl.Timeline:
    """Return the timeline of a case."""
    timeline = tl.Timeline()
    for written in reversed(case["items"]) if backwards else case["items"]:
        if "trim" in written:
            timeline.trim(written["trim"])
        else:
            timeline.apply(item_of(written, people))
    return timeline


def rows_of(timeline: tl.Timeline, people: Mapping[str, bytes]) -> list[Json]:
    """Return what a timeline shows, as a case writes it down; members that are as always are left out."""
    names = {id_pk: name for name, id_pk in people.items()}
    return [_row(timeline, timeline[at], names) for at in range(len(timeline))]


def _row(timeline: tl.Timeline, row: Row, names: Mapping[bytes, str]) -> Json:
    match row:
        case Post():
            reactions = [[each.emoji, [names[id_pk] for id_pk in each.senders]] for each in timeline.reactions(row)]
            more = {"re": row.re, "me": row.is_action, "edited": row.is_edited, "deleted": row.is_deleted}
            shown = {"post": row.seq, "by": names[row.sender], "nick": row.nick, "text": row.text}
            return {**shown, **{k: v for k, v in more.items() if v}, **({"reactions": reactions} if reactions else {})}
        case Note(about=About() as about):
            by = {"by": names[row.sender]} if row.sender else {}
            return {"note": about.value, "seq": row.seq, "text": row.text, **by}
        case Draft():
            reason = {"reason": row.reason} if row.reason else {}
            return {"draft": row.number, "text": row.text, "state": row.state.value, **reason}


def reading_of(plaintext: bytes, *, is_signal: bool) -> Json | str:
    """Return how a plaintext reads: in the form that this version writes it in, or why not."""
    try:
        content = read_plaintext(plaintext)
        if is_signal:
            hint = read_hint(content)
            return "nothing" if hint is None else content_of(hint)
        spoken = read_spoken(content)
    except (NotAPlaintext, NotOfItsKind):
        return "nothing" if is_signal else "unreadable"
    return "newer" if isinstance(spoken, Newer) else content_of(spoken)
