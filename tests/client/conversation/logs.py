"""Made-up logs for timelines: as strategies, and as one reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from sendall.client.conversation.kinds import Delete, Edit, Reaction, Topic
from sendall.client.conversation.rows import Draft, Note, Post, Row
from sendall.client.conversation.timeline import Item, Timeline
from sendall.client.events import Change, Message, Notice, Unreadable, utc
from sendall.client.names import tag_of

PEOPLE = {name: name.encode() * 8 for name in ("ada!", "bob!", "eve!")}
LONGEST = 14

Item_ = Message | Change | Unreadable | Notice


def message(
    seq: int,
    text: str = "hi",
    who: str = "ada!",
    *,
    kind: str = "m",
    re: int | None = None,
    is_action: bool = False,
    mine: bool = False,
) -> Message:
    """Return a message that was logged at `seq`, at that many seconds of the clock."""
    sender = PEOPLE[who]
    time, tag = utc(seq * 1000), tag_of(sender)
    return Message(seq, time, "lobby", sender, bytes(16), who, tag, mine, text, kind, re, is_action)


def change(seq: int, what: Edit | Delete | Reaction | Topic, who: str = "ada!") -> Change:
    """Return a change that was logged at `seq`."""
    sender = PEOPLE[who]
    return Change(seq, utc(seq * 1000), "lobby", sender, bytes(16), who, tag_of(sender), False, what)


def shown(timeline: Timeline) -> list[tuple[object, ...]]:
    """Return all that a person sees of a timeline."""
    return [look(timeline, timeline[at]) for at in range(len(timeline))]


def look(timeline: Timeline, row: Row) -> tuple[object, ...]:
    match row:
        case Post():
            reactions = [(each.emoji, each.senders) for each in timeline.reactions(row)]
            words = (row.text, row.is_edited, row.is_deleted, row.re, row.is_action)
            return ("post", row.seq, row.time, row.sender, row.nick, *words, reactions)
        case Note():
            return ("note", row.key, row.about, row.text, row.sender)
        case Draft():
            return ("draft", row.number, row.text, row.state, row.reason)


@st.composite
def logs(draw: st.DrawFn, first: int = 1) -> list[Item_]:
    """Logs of every kind of entry, with references to anything, also to what is none of the sender's or comes later."""
    log: list[Item_] = []
    whos = st.sampled_from(sorted(PEOPLE))
    for seq in range(first, first + draw(st.integers(0, LONGEST))):
        target = draw(st.integers(1, first + LONGEST))
        who = draw(whos)
        match draw(st.sampled_from("mmmmeeddrrrrtnukc")):
            case "m":
                log.append(message(seq, draw(st.text("ab", max_size=2)), who, re=draw(st.none() | st.just(target))))
            case "e":
                log.append(change(seq, Edit(target, f"edit {seq}"), who))
            case "d":
                log.append(change(seq, Delete(target), who))
            case "r":
                log.append(change(seq, Reaction(target, draw(st.sampled_from("👍🦊")), draw(st.booleans())), who))
            case "t":
                log.append(change(seq, Topic(f"topic {seq}"), who))
            case "n":
                log.append(message(seq, "needs a newer client", who, kind="poll"))
            case "u":
                log.append(Unreadable(seq, "no key"))
            case "k":
                log.append(Notice(seq, f"notice {seq}"))
            case _:
                pass  # a control entry that tells nothing
    return log


def plainly_folded(log: Sequence[Item]) -> list[tuple[object, ...]]:
    """Return what `shown` has to be, found in the plainest way: from the first entry to the last, looking back."""
    rows: dict[int, list[Any]] = {}  # Any: what is changed of a row
    notes: list[tuple[object, ...]] = []
    for item in log:
        match item:
            case Message(kind="m"):
                rows[item.seq] = [item, item.text, False, False, {}]
            case Change(what=Edit(re, text)) if re < item.seq and re in rows and rows[re][0].sender == item.sender:
                rows[re][1:3] = [text, True]
            case Change(what=Delete(re)) if re < item.seq and re in rows and rows[re][0].sender == item.sender:
                rows[re][3] = True
            case Change(what=Reaction(re, emoji, is_off)) if re < item.seq and re in rows:
                senders = rows[re][4].setdefault(emoji, [])
                if is_off and item.sender in senders:
                    senders.remove(item.sender)
                elif not is_off and item.sender not in senders:
                    senders.append(item.sender)
                if not senders:
                    del rows[re][4][emoji]
            case _:
                notes.append(note_of(item))
    posts = [
        (
            *("post", said.seq, said.time, said.sender, said.nick, "" if is_deleted else text),
            *(is_edited, is_deleted, said.re if said.re is not None and said.re < said.seq else None, said.is_action),
            [] if is_deleted else [(emoji, tuple(senders)) for emoji, senders in reactions.items()],
        )
        for said, text, is_edited, is_deleted, reactions in rows.values()
    ]
    return sorted([*posts, *(note for note in notes if note)], key=_place)


def note_of(item: Item) -> tuple[object, ...]:
    timeline = Timeline()
    timeline.apply(item)
    return next(iter(shown(timeline)), ())


def _place(row: tuple[object, ...]) -> int:
    assert isinstance(row[1], int)
    return row[1] * 2**20 if row[0] == "post" else row[1]
