"""The rows of a timeline as lines: who, when, what they said, and what became of it. Pure.

Two layouts. Where there is room, a column of names stands left of a bar, and what follows from the same
person within some minutes has no name again. On narrow screens time and name stand before the text.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from sendall.client.conversation import markdown
from sendall.client.conversation.inline import is_for
from sendall.client.conversation.rows import About, Draft, Note, Post, Row, State
from sendall.client.conversation.spans import Mention
from sendall.client.conversation.timeline import Timeline
from sendall.client.names import safe_lines, safe_text
from sendall.tui.drawing.flow import Flow
from sendall.tui.drawing.ink import hue_of
from sendall.tui.drawing.line import Line, cropped, fitted, line, width_of
from sendall.tui.drawing.prose import flows_of

COLUMNS_FROM = 64
"""Cells from which names have a column of their own."""
NAME_CELLS = 18
NARROWEST = 32
"""Cells below which lines are cut at the edge."""
GROUP_S = 300
"""Seconds within which a person's next message needs no name again."""
CLOCK = " 00:00 "
HANG = 3
QUOTED_CELLS = 80
MAX_LINES = 40
"""Lines of one message that are shown; there is a key to open the rest."""
MAX_CHARACTERS = 6_000
"""Characters of one message that are drawn at all: nobody makes others wait."""

_TO_OPEN = "Ctrl+Up, then o opens it"
_REMARKS = {"came": "faint", "went": "faint", "warning": "warning", "alarm": "alarm", "done": "done"}


class Look(NamedTuple):
    """What drawing depends on beside the row."""

    timeline: Timeline
    me: bytes
    nick: str
    ignored: frozenset[bytes]
    width: int

    def is_mine(self, mention: Mention) -> bool:
        return is_for(mention, self.nick, self.me)

    @property
    def has_columns(self) -> bool:
        return self.width >= COLUMNS_FROM

    @property
    def name_cells(self) -> int:
        return min(NAME_CELLS, self.width // 5)


def lines_of(
    row: Row, before: Row | None, look: Look, *, is_first_new: bool = False, has_name: bool = False
) -> list[Line]:
    """Return the lines of a row; `before` is the one above it.

    With `has_name` who said it stands there in any case; the lines are as many as without.
    """
    lines = []
    day = _day_of(row)
    if day is not None and (before is None or (_day_of(before) or day) != day):
        lines.append(ruled(f"{day:%A} {day.day} {day:%B %Y}", look.width, "day"))
    if is_first_new:
        lines.append(ruled("new", look.width, "new"))
    match row:
        case Post():
            if row.sender in look.ignored:
                return lines
            is_grouped = not lines and not has_name and _goes_on(row, before, look)
            lines += _post(row, look, is_grouped=is_grouped)
        case Draft():
            is_grouped = not lines and not has_name and _goes_on(row, before, look)
            lines += _draft(row, look, is_grouped=is_grouped)
        case Note():
            if row.sender in look.ignored:
                return lines
            lines += _note(row, look)
    return lines if look.width >= NARROWEST else [cropped(each, look.width) for each in lines]


def ruled(word: str, width: int, ink: str) -> Line:
    """Return a word within a rule across the width."""
    label = f" {fitted(word, max(1, width - 6))} "
    left = max(2, (width - len(label)) // 2)
    right = max(0, width - len(label) - left)
    return cropped([("─" * left, "rule"), (label, ink), ("─" * right, "rule")], width)


def mentions_me(row: Row, look: Look) -> bool:
    """Whether a message of somebody else names this person, or answers them."""
    if not isinstance(row, Post) or row.sender == look.me or row.is_deleted:
        return False
    answered = look.timeline.post(row.re) if row.re else None
    if answered is not None and answered.sender == look.me:
        return True
    return "@" in row.text and any(map(look.is_mine, markdown.mentions(markdown.parse(row.text))))


# -- kinds of rows ------------------------------------------------------------------------------


def _post(post: Post, look: Look, *, is_grouped: bool) -> list[Line]:
    if post.is_deleted:
        flows = [Flow(line(("deleted", "faint italic")))]
    else:
        flows = _quotation(post.re, look) + _said(post.text, look, is_action=post.is_action, ink="")
    if post.is_edited and not post.is_deleted:
        flows = _with_remark(flows, " (edited)")
    reactions = look.timeline.reactions(post)
    if reactions:
        pieces: Line = []
        for each in reactions:
            ink = "reaction-mine" if look.me in each.senders else "reaction"
            pieces += [*line((f" {each.emoji} {len(each.senders)} ", ink)), (" ", "")]
        flows.append(Flow(pieces[:-1]))
    who = (post.nick, look.timeline.tag(post.sender), hue_of(post.sender))
    bar = "mention" if mentions_me(post, look) else "bar"
    return _beside(flows, _clock(post.time), who, look, bar=bar, is_grouped=is_grouped, is_action=post.is_action)


def _draft(draft: Draft, look: Look, *, is_grouped: bool) -> list[Line]:
    flows = _quotation(draft.re, look) + _said(draft.text, look, is_action=draft.is_action, ink="pending")
    if draft.state is State.FAILED:
        flows.append(Flow(line(("✗ ", "error"), (f"not sent: {draft.reason}", "error"))))
        flows.append(Flow(line(("  Ctrl+Up, then t sends it again, x drops it", "faint"))))
    else:
        flows = _with_remark(flows, " …")
    who = (look.nick, look.timeline.tag(look.me), hue_of(look.me))
    bar = "error" if draft.state is State.FAILED else "bar"
    return _beside(flows, _clock(draft.written), who, look, bar=bar, is_grouped=is_grouped, is_action=draft.is_action)


def _note(note: Note, look: Look) -> list[Line]:
    who: Line = []
    if note.sender:
        tag = look.timeline.tag(note.sender)
        who = line((note.nick, hue_of(note.sender)), (f"·{tag} ", "tag"))
    match note.about:
        case About.TOPIC if note.text:
            said = [*who, *line(("set the topic: ", "notice"), (note.text, "bold"))]
        case About.TOPIC:
            said = [*who, *line(("took the topic away", "notice"))]
        case About.NEWER:
            said = [*who, *line((f"said something that needs a newer client ({note.text})", "warning"))]
        case About.UNREADABLE:
            said = line((f"message {note.seq} cannot be read: {note.text}", "warning"))
        case _:
            said = line((note.text, _REMARKS.get(note.style, "notice")))
    clock = _clock(note.time) if note.time is not None else ""
    if look.has_columns:
        lead = line((f" {clock:<{len(CLOCK) - 1}}", "time"), (f"{'—':>{look.name_cells}} ", "faint"), ("  ", ""))
        return Flow(said, lead, [(" " * width_of(lead), "")]).lines(look.width)
    lead = line((" ", ""), (clock, "time"), ("— ", "faint"))
    return Flow(said, lead, [(" " * HANG, "")]).lines(look.width)


# -- what they are made of ----------------------------------------------------------------------


def _said(text: str, look: Look, *, is_action: bool, ink: str) -> list[Flow]:
    if is_action:
        flat = " ".join(each for each in safe_lines(text[:MAX_CHARACTERS]) if each)
        return [Flow(line((flat, f"{ink} italic".strip())))]
    flows = flows_of(markdown.parse(text[:MAX_CHARACTERS]), look.is_mine, ink) or [Flow(line(("(nothing)", "faint")))]
    more = len(text) - MAX_CHARACTERS
    return [*flows, Flow(line((f"… {more:,} more characters: {_TO_OPEN}", "faint")))] if more > 0 else flows


def _quotation(re: int | None, look: Look) -> list[Flow]:
    """Return the line that says what is answered; nothing if nothing is."""
    if re is None:
        return []
    post = look.timeline.post(re)
    if post is None:
        return [Flow(line(("↱ ", "key"), ("an earlier message", "quote")))]
    said = "deleted" if post.is_deleted else first_words(post.text)
    who = f"{post.nick}·{look.timeline.tag(post.sender)}"
    taken = len(CLOCK) + look.name_cells + 3 if look.has_columns else 24
    room = max(10, min(QUOTED_CELLS, look.width - taken - width_of([(f"↱ {who} ", "")])))
    return [Flow(line(("↱ ", "key"), (who, hue_of(post.sender)), (f" {fitted(said, room)}", "quote")))]


def first_words(text: str) -> str:
    """Return the words of a message in one line, without markdown."""
    return safe_text(" ".join(markdown.plain(markdown.parse(text[:1024])).split()))


def _with_remark(flows: list[Flow], remark: str) -> list[Flow]:
    last = flows[-1]
    if last.is_code:
        return [*flows, Flow(line((remark.strip(), "faint")))]
    return [*flows[:-1], last._replace(content=[*last.content, (remark, "faint")])]


def _beside(
    flows: list[Flow],
    clock: str,
    who: tuple[str, str, str],
    look: Look,
    *,
    bar: str,
    is_grouped: bool,
    is_action: bool,
) -> list[Line]:
    """Return flows with time and name before or beside them, not more than `MAX_LINES`."""
    if look.has_columns:
        lines = _in_columns(flows, clock, who, look, bar, is_grouped=is_grouped, is_action=is_action)
    else:
        lines = _inline(flows, clock, who, look, bar, is_action=is_action)
    if len(lines) > MAX_LINES:
        more = len(lines) - MAX_LINES + 1
        indent = len(CLOCK) + look.name_cells + 3 if look.has_columns else HANG
        lines[MAX_LINES - 1 :] = [
            [(" " * indent, ""), (fitted(f"… {more} more lines: {_TO_OPEN}", look.width - indent), "faint")]
        ]
    return lines


def _in_columns(
    flows: list[Flow],
    clock: str,
    who: tuple[str, str, str],
    look: Look,
    bar: str,
    *,
    is_grouped: bool,
    is_action: bool,
) -> list[Line]:
    name, tag, hue = who
    star = "* " if is_action else ""
    name = fitted(name, max(3, look.name_cells - len(tag) - 1 - len(star)))
    pad = " " * max(0, look.name_cells - width_of([(f"{star}{name}·{tag}", "")]))
    first = line((f" {clock}", "time"), (pad, ""), (star, hue), (name, hue), (f"·{tag}", "tag"), (" ", ""))
    rest: Line = [(" " * (len(CLOCK) + look.name_cells + 1), "")]
    if is_grouped:
        first = rest
    mark: Line = [("┃" if bar != "bar" else "│", bar if bar != "mention" else "accent"), (" ", "")]
    inner = look.width - width_of(rest) - 2
    texts = [each for flow in flows for each in flow.lines(inner)]
    return [[*(rest if n else first), *mark, *text] for n, text in enumerate(texts)]


def _inline(
    flows: list[Flow], clock: str, who: tuple[str, str, str], look: Look, bar: str, *, is_action: bool
) -> list[Line]:
    name, tag, hue = who
    name = fitted(name, max(3, look.width // 3 - len(tag) - 1))
    star = "* " if is_action else ""
    edge = "┃" if bar != "bar" else " "
    ink = bar if bar != "mention" else "accent"
    prefix = line(
        (edge, ink), (clock, "time"), (star, hue), (name, hue), (f"·{tag}", "tag"), (" " if is_action else "  ", "")
    )
    edge_and_hang = line((edge, ink), (" " * (HANG - 1), ""))
    head, *others = flows
    if head.is_code or head.lead:
        first, others = Flow(prefix), flows
    else:
        first = Flow(head.content, prefix, edge_and_hang)
    flows = [first, *(flow.within(edge_and_hang) for flow in others)]
    return [each for flow in flows for each in flow.lines(look.width)]


def _goes_on(row: Post | Draft, before: Row | None, look: Look) -> bool:
    if before is None or isinstance(before, Note):
        return False
    sender = row.sender if isinstance(row, Post) else look.me
    earlier = before.sender if isinstance(before, Post) else look.me
    is_other_kind = row.is_action or before.is_action or row.re is not None
    names = [each.nick if isinstance(each, Post) else look.nick for each in (row, before)]
    return sender == earlier and not is_other_kind and names[0] == names[1] and _gap_s(before, row) < GROUP_S


def _gap_s(before: Post | Draft, row: Post | Draft) -> float:
    return abs((_time_of(row) - _time_of(before)).total_seconds())


def _time_of(row: Post | Draft) -> datetime:
    return row.time if isinstance(row, Post) else row.written


def _day_of(row: Row) -> date | None:
    time = row.written if isinstance(row, Draft) else row.time
    return None if time is None else time.astimezone().date()


def _clock(time: datetime) -> str:
    return f"{time.astimezone():%H:%M} "
