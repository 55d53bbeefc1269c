"""The timeline: a room's log folded into what a person sees. A pure function of what was logged.

Takes what a room tells, in any order a log can give it: live, older pages prepended late, changes
whose message is not loaded yet. Whatever the order, the same rows come out; what is told again is
nothing new. An edit or deletion counts only if its author is the author of what it names; deletion
wins over edits, the later edit over the earlier one. Drafts of one's own stand at the end until they
come back. Adding at either end costs no more in a long timeline than in a short one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sendall.client.conversation.drafts import Confirmed as Confirmed  # whoever feeds a timeline needs these
from sendall.client.conversation.drafts import DraftNews, Drafts
from sendall.client.conversation.drafts import Dropped as Dropped
from sendall.client.conversation.drafts import Failed as Failed
from sendall.client.conversation.drafts import Waiting as Waiting
from sendall.client.conversation.drafts import Written as Written
from sendall.client.conversation.kinds import Topic
from sendall.client.conversation.marks import Mark, Marks
from sendall.client.conversation.order import Order, Placed
from sendall.client.conversation.rows import About, Draft, Note, Post, Reactions, Row, key_at
from sendall.client.events import Change, Event, Message, Notice, Said, ServerLost, Unreadable
from sendall.client.names import NO_NICK, Tags

_NOTICE, _FIRST_ASIDE = 1, 2
_END = 2**53


class Aside(NamedTuple):
    """A line of this device alone, such as "connection lost", behind the entry at `after`."""

    after: int
    """Usually `Timeline.last_seq`."""
    number: int
    """From 0, ascending: tells asides of one place apart."""
    text: str
    style: str = ""
    """A word that comes back with the row, for whoever draws it."""
    time: datetime | None = None


Item = Event | Said | Aside | DraftNews
"""What a timeline takes. Events that have no place in it (presence and the like) change nothing."""


class Changes(NamedTuple):
    """What a screen has to draw anew."""

    added: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    removed: tuple[Row, ...] = ()
    is_all: bool = False
    """Everything: somebody's tag became longer (`names.Tags`)."""


NOTHING = Changes()


class Timeline:
    """The rows of one room: a sequence, entries of the log first, drafts behind them."""

    def __init__(self) -> None:
        self.last_seq = 0
        """The highest seq that was heard of; 0: none."""
        self.first_seq = 0
        """The lowest seq that was heard of; 0: none. What came before is not loaded."""
        self._order = Order()
        self._placed: dict[int, Placed] = {}  # by key
        self._unshown: set[int] = set()  # seqs of changes, which have no row
        self._marks = Marks()
        self._topics: dict[int, str] = {}
        self._topic_seq = 0  # that of the newest
        self._nicks: dict[bytes, tuple[int, str]] = {}
        self._senders: dict[bytes, bytes] = {}
        self._tags = Tags()
        self._drafts = Drafts()

    # -- reading ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._order) + len(self._drafts)

    def __getitem__(self, index: int) -> Row:
        """Raises IndexError: not from 0 to the length."""
        placed = len(self._order)
        return self._order[index] if index < placed else self._drafts[index - placed]

    def index(self, row: Row) -> int:
        """Return where a row of this timeline stands."""
        if isinstance(row, Draft):
            return len(self._order) + self._drafts.index(row)
        return self._order.index(row.key)

    def index_after(self, seq: int) -> int:
        """Return the index of the first row that stands behind the entry at `seq`: where "new since" goes."""
        return self._order.index(key_at(seq + 1))

    def post(self, seq: int) -> Post | None:
        """Return the message at `seq`; None if it is not loaded, or no message."""
        row = self._placed.get(key_at(seq))
        return row if isinstance(row, Post) else None

    def reactions(self, post: Post) -> list[Reactions]:
        """Return the reactions to a message, in the order in which the first of each emoji came."""
        return self._marks.reactions(post)

    def stamp(self, row: Row) -> tuple[int, int]:
        """Return what changes whenever the look of a row may change: its version, and that of what it answers."""
        re = None if isinstance(row, Note) else row.re
        quoted = None if re is None else self.post(re)
        return row.version, -1 if quoted is None else quoted.version

    @property
    def topic(self) -> str:
        """What the room is about, in one safe line; empty if nobody said."""
        return self._topics.get(self._topic_seq, "")

    @property
    def drafts(self) -> list[Draft]:
        return list(self._drafts)

    def nick(self, sender: bytes) -> str:
        """Return the name that somebody used last in what is loaded; "?" if they said nothing."""
        return self._nicks.get(sender, (0, NO_NICK))[1]

    def tag(self, sender: bytes) -> str:
        """Return the tag to show beside somebody's name: as long as it takes to differ from all others here."""
        return self._tags.tag(sender)

    @property
    def senders(self) -> list[bytes]:
        """Everybody who said something that is loaded or was."""
        return list(self._senders)

    # -- folding ------------------------------------------------------------------------------

    def apply(self, item: Item) -> Changes:
        """Take one more; return what changed. What was taken before changes nothing."""
        match item:
            case Message():
                return self._said(item, self._message(item))
            case Change():
                return self._said(item, self._change(item))
            case Unreadable(seq, reason):
                self._heard(seq)
                return self._note(Note(key_at(seq), seq, About.UNREADABLE, reason))
            case Notice(seq, sentence):
                self._heard(seq)
                return self._note(Note(key_at(seq, _NOTICE), seq, About.NOTICE, sentence))
            case Aside(after, number, text, style, time):
                key = key_at(after, _FIRST_ASIDE + number)
                return self._note(Note(key, after, About.ASIDE, text, time=time, style=style))
            case ServerLost(kept=kept, was_before=False):
                return self._go_back(kept)
            case Written():
                return Changes(added=(self._drafts.write(item),))
            case Confirmed() | Failed() | Waiting() | Dropped():
                return self._draft(item)
            case _:
                return NOTHING

    def take(self, items: Iterable[Item]) -> Changes:
        """Take many, such as all that came since the last frame; return what changed between before and after."""
        added: dict[int, Row] = {}
        changed: dict[int, Row] = {}
        removed: dict[int, Row] = {}
        is_all = False
        for item in items:
            changes = self.apply(item)
            is_all = is_all or changes.is_all
            for row in changes.removed:
                changed.pop(row.key, None)
                if added.pop(row.key, None) is None:
                    removed[row.key] = row
            added.update((row.key, row) for row in changes.added)
            changed.update((row.key, row) for row in changes.changed if row.key not in added)
        return Changes(tuple(added.values()), tuple(changed.values()), tuple(removed.values()), is_all)

    def trim(self, first: int) -> Changes:
        """Forget what stands before seq `first`: what is left is the fold of the log from there. The topic stays.

        Coming back to it is paging, as if it had never been loaded.
        """
        index = self._order.index(key_at(first))
        rows = [self._order[at] for at in range(index)]
        newest = self._topic_seq
        self._topics = {seq: topic for seq, topic in self._topics.items() if seq >= first or seq == newest}
        self.first_seq = max(self.first_seq, first)
        return self._forget(rows, first, _END)

    # -- inside -------------------------------------------------------------------------------

    def _heard(self, seq: int) -> None:
        self.last_seq = max(self.last_seq, seq)
        self.first_seq = min(self.first_seq or seq, seq)

    def _said(self, said: Said, changes: Changes) -> Changes:
        self._heard(said.seq)
        sender = self._senders.setdefault(said.sender, said.sender)
        if said.nick != NO_NICK and said.seq >= self._nicks.get(sender, (0, ""))[0]:
            self._nicks[sender] = (said.seq, said.nick)
        return changes._replace(is_all=True) if self._tags.meet(sender) else changes

    def _message(self, said: Message) -> Changes:
        seq, sender = said.seq, self._senders.get(said.sender, said.sender)
        if said.kind != "m":
            who = (said.time, sender, said.nick, said.tag)
            return self._note(_note_by(*who, seq, About.NEWER, said.kind))
        before = self._placed.get(key_at(seq))
        if isinstance(before, Post) and (before.time, before.sender) == (said.time, sender):
            return NOTHING
        post = Post(
            *(seq, said.time, sender, said.nick, said.tag, said.text),
            mine=said.mine,
            re=said.re if said.re is None or said.re < seq else None,
            is_action=said.is_action,
        )
        self._marks.fold(post)
        removed = self._take_out(before)
        draft = self._drafts.came_back(seq)
        self._place(post)
        return Changes(added=(post,), removed=removed if draft is None else (*removed, draft))

    def _change(self, said: Change) -> Changes:
        seq, sender, what = said.seq, self._senders.get(said.sender, said.sender), said.what
        if isinstance(what, Topic):
            self._topics[seq] = what.text
            self._topic_seq = max(self._topic_seq, seq)
            return self._note(_note_by(said.time, sender, said.nick, said.tag, seq, About.TOPIC, what.text))
        removed = self._take_out(self._placed.get(key_at(seq)))
        self._unshown.add(seq)
        mark = Mark(seq, sender, what)
        post = self.post(what.re) if self._marks.add(mark) else None
        changed = post is not None and self._marks.touch(post, mark)
        return Changes(changed=(post,) if post is not None and changed else (), removed=removed)

    def _note(self, note: Note) -> Changes:
        before = self._placed.get(note.key)
        if before is not None and not _is_unreadable(before):
            return NOTHING
        if note.about is About.UNREADABLE and (before is not None or note.seq in self._unshown):
            return NOTHING
        removed = self._take_out(before)
        self._place(note)
        return Changes(added=(note,), removed=removed)

    def _place(self, row: Placed) -> None:
        self._placed[row.key] = row
        self._order.add(row)

    def _take_out(self, row: Placed | None) -> tuple[Row, ...]:
        """Take out a row that something better known replaces."""
        if row is None:
            return ()
        del self._placed[row.key]
        self._order.remove(row)
        return (row,)

    def _go_back(self, kept: int) -> Changes:
        """What stood behind `kept` is not in the log any more."""
        index = self._order.index(key_at(kept + 1))
        rows = [self._order[at] for at in range(index, len(self._order))]
        self._topics = {seq: topic for seq, topic in self._topics.items() if seq <= kept}
        self._topic_seq = max(self._topics, default=0)
        self.last_seq = min(self.last_seq, kept)
        self.first_seq = min(self.first_seq, self.last_seq)
        return self._forget(rows, 0, kept)

    def _forget(self, rows: list[Placed], first: int, last: int) -> Changes:
        for row in rows:
            self._take_out(row)
        self._unshown = {seq for seq in self._unshown if first <= seq <= last}
        changed = []
        for target in self._marks.forget(first, last):
            post = self.post(target)
            if post is not None:
                self._marks.fold(post)
                changed.append(post)
        return Changes(changed=tuple(changed), removed=tuple(rows))

    def _draft(self, news: Confirmed | Failed | Waiting | Dropped) -> Changes:
        draft = self._drafts.get(news.number)
        if draft is None:
            return NOTHING
        is_there = isinstance(news, Confirmed) and (news.seq == 0 or self.post(news.seq) is not None)
        if is_there or isinstance(news, Dropped):
            self._drafts.remove(draft)
            return Changes(removed=(draft,))
        self._drafts.change(draft, news)
        return Changes(changed=(draft,))


def fold(items: Iterable[Item]) -> Timeline:
    """Return the timeline of a log, or of any part of one."""
    timeline = Timeline()
    for item in items:
        timeline.apply(item)
    return timeline


def _note_by(time: datetime, sender: bytes, nick: str, tag: str, seq: int, about: About, text: str) -> Note:
    return Note(key_at(seq), seq, about, text, time=time, sender=sender, nick=nick, tag=tag)


def _is_unreadable(row: Placed) -> bool:
    return isinstance(row, Note) and row.about is About.UNREADABLE
