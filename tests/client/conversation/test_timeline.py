"""The fold of a log into what a person sees: whatever the order, the pages and the gaps."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendall.client.conversation import timeline as tl
from sendall.client.conversation.kinds import Delete, Edit, Reaction, Topic
from sendall.client.conversation.rows import About, Draft, Note, Post, Reactions, State
from sendall.client.conversation.timeline import NOTHING, Item, Timeline, fold
from sendall.client.events import Back, Came, Notice, ServerLost, Unreadable, utc
from sendall.client.names import tag_of
from tests.client.conversation.logs import PEOPLE, Item_, change, logs, look, message, plainly_folded, shown

ADA, BOB = PEOPLE["ada!"], PEOPLE["bob!"]


class Mirror:
    """A screen that draws only what it is told changed."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.drawn: dict[int, tuple[object, ...]] = {}

    def take(self, items: Iterable[Item]) -> None:
        changes = self.timeline.take(items)
        for row in changes.removed:
            del self.drawn[row.key]
        for row in changes.added:
            assert row.key not in self.drawn
            self.drawn[row.key] = look(self.timeline, row)
        for row in changes.changed:
            assert row.key in self.drawn
            self.drawn[row.key] = look(self.timeline, row)

    @property
    def is_right(self) -> bool:
        return sorted(self.drawn.values(), key=str) == sorted(shown(self.timeline), key=str)


@given(logs())
def test_a_log_in_its_order_is_what_the_plainest_fold_makes_of_it(log: list[Item_]) -> None:
    """Edits, deletions, reactions and topics do what a reader of the log would say they do."""
    assert shown(fold(log)) == plainly_folded(log)


@given(logs(), st.data())
def test_whatever_the_order_it_is_the_same_timeline(log: list[Item_], data: st.DataObject) -> None:
    """Live, prepended late, holes read again, and everything twice: the rows are the same."""
    again = data.draw(st.lists(st.sampled_from(log))) if log else []
    shuffled = data.draw(st.permutations(log + again))
    timeline = fold(shuffled)
    expected = fold(log)
    assert shown(timeline) == shown(expected)
    assert (timeline.topic, timeline.first_seq, timeline.last_seq) == (
        *(expected.topic, expected.first_seq, expected.last_seq),
    )
    assert {who: timeline.nick(who) for who in PEOPLE.values()} == {who: expected.nick(who) for who in PEOPLE.values()}


@given(logs(), st.data())
def test_pages_that_are_prepended_late_make_the_same_timeline(log: list[Item_], data: st.DataObject) -> None:
    """Whoever joins late and scrolls up, page by page, sees what was seen by who was there from the beginning."""
    begin = data.draw(st.integers(0, len(log)))
    mirror = Mirror()
    mirror.take(log[begin:])
    while begin:
        page = data.draw(st.integers(1, begin))
        mirror.take(log[begin - page : begin])
        begin -= page
    assert shown(mirror.timeline) == plainly_folded(log)
    assert mirror.is_right


@given(logs(), st.data())
def test_a_screen_that_draws_what_changed_is_right(log: list[Item_], data: st.DataObject) -> None:
    """What is told of as added, changed and removed is exactly what differs, in bursts of any size."""
    left = data.draw(st.permutations(log))
    mirror = Mirror()
    while left:
        burst = data.draw(st.integers(1, len(left)))
        mirror.take(left[:burst])
        left = left[burst:]
        assert mirror.is_right


@given(logs(), st.data())
def test_what_is_far_up_can_be_forgotten_and_read_again(log: list[Item_], data: st.DataObject) -> None:
    """After `trim` there is what the log from there folds to, but for the topic; paging back brings all again."""
    mirror = Mirror()
    mirror.take(log)
    topic = mirror.timeline.topic
    first = data.draw(st.integers(1, 16))
    for row in (changes := mirror.timeline.trim(first)).removed:
        del mirror.drawn[row.key]
    mirror.drawn.update((row.key, look(mirror.timeline, row)) for row in changes.changed)
    late = [item for item in log if item.seq >= first]
    assert shown(mirror.timeline) == shown(fold(late))
    assert mirror.timeline.topic == topic
    assert mirror.is_right
    assert mirror.timeline._marks._by_target.keys() == fold(late)._marks._by_target.keys()
    mirror.take(reversed(log))
    assert shown(mirror.timeline) == plainly_folded(log)
    assert mirror.is_right


@given(logs(), st.data())
def test_what_a_server_lost_is_gone_and_its_places_are_taken_anew(log: list[Item_], data: st.DataObject) -> None:
    """After a restart that took entries back there is what the log says now, also where edits were lost."""
    kept = data.draw(st.integers(0, 16))
    after = data.draw(logs(first=kept + 1))
    mirror = Mirror()
    mirror.take(log)
    mirror.take([ServerLost(1, kept)])
    assert mirror.is_right
    mirror.take(after)
    now = [item for item in log if item.seq <= kept] + after
    assert shown(mirror.timeline) == plainly_folded(now)
    assert mirror.timeline.topic == fold(now).topic
    assert mirror.is_right


def test_only_the_author_edits_and_deletes() -> None:
    """Whoever names another's message changes nothing, whether it is loaded or comes later."""
    log: list[Item] = [message(1, "mine"), change(2, Edit(1, "forged"), "bob!"), change(3, Delete(1), "bob!")]
    for order in (log, log[::-1]):
        timeline = fold(order)
        post = timeline.post(1)
        assert post is not None
        assert (post.text, post.is_edited, post.is_deleted) == ("mine", False, False)
    assert fold(log[:1]).apply(log[1]) == NOTHING


def test_a_reference_to_what_comes_later_is_none() -> None:
    """An edit that was logged before its target cannot mean it: it was sealed in a log that is gone."""
    timeline = fold([change(1, Edit(2, "x")), change(2, Reaction(2, "👍")), message(3, re=3), message(2, "two")])
    post, answer = timeline.post(2), timeline.post(3)
    assert post is not None
    assert answer is not None
    assert (post.text, timeline.reactions(post), answer.re) == ("two", [], None)


def test_a_deleted_message_shows_nothing_of_itself() -> None:
    """Its words and reactions are gone, whatever edits follow; the row says that there was one."""
    log: list[Item] = [
        message(1, "secret"),
        change(2, Reaction(1, "👍"), "bob!"),
        change(3, Delete(1)),
        change(4, Edit(1, "x")),
    ]
    timeline = fold(log)
    post = timeline.post(1)
    assert post is not None
    assert (post.text, post.is_deleted, timeline.reactions(post)) == ("", True, [])
    assert timeline.apply(change(5, Delete(1))) == NOTHING
    assert timeline.apply(change(6, Reaction(1, "👍"))) == NOTHING


def test_each_person_has_each_emoji_once_and_can_take_it_back() -> None:
    """Groups stand in the order in which they began; who takes back and reacts again comes last."""
    log: list[Item] = [
        message(1),
        change(2, Reaction(1, "👍")),
        change(3, Reaction(1, "🦊"), "bob!"),
        change(4, Reaction(1, "👍"), "bob!"),
        change(5, Reaction(1, "👍")),
        change(6, Reaction(1, "🦊", is_off=True)),
    ]
    timeline = fold(log)
    post = timeline.post(1)
    assert post is not None
    assert timeline.reactions(post) == [Reactions("👍", (ADA, BOB)), Reactions("🦊", (BOB,))]
    timeline.take([change(7, Reaction(1, "👍", is_off=True)), change(8, Reaction(1, "🦊", is_off=True), "bob!")])
    assert timeline.reactions(post) == [Reactions("👍", (BOB,))]
    timeline.take([change(9, Reaction(1, "👍"))])
    assert timeline.reactions(post) == [Reactions("👍", (BOB, ADA))]


def test_a_row_that_came_and_went_within_a_burst_is_no_news() -> None:
    """Nothing has to be drawn of what a restart took back before the next frame."""
    assert Timeline().take([message(1), ServerLost(1, 0)]) == NOTHING
    changes = fold([message(1)]).take([ServerLost(1, 0), message(1, "new")])
    assert [[row.text for row in rows] for rows in changes[:3]] == [["new"], [], ["hi"]]


def test_the_look_of_an_answer_follows_what_it_answers() -> None:
    """The stamp of a row changes when what it quotes is loaded, edited or deleted."""
    timeline = fold([message(5, re=2), message(6)])
    answer, other = timeline[0], timeline[1]
    stamps = [timeline.stamp(answer)]
    for item in (message(2, "hi", "bob!"), change(7, Edit(2, "ho"), "bob!"), change(8, Delete(2), "bob!")):
        timeline.apply(item)
        stamps.append(timeline.stamp(answer))
    assert len(set(stamps)) == 4
    assert timeline.stamp(other) == (1, -1)
    timeline.apply(Notice(9, "x"))
    assert timeline.stamp(timeline[3]) == (0, -1)


def test_what_is_unreadable_gives_way_to_what_it_is() -> None:
    """A page that is read once the key is there replaces the note, and never the other way round."""
    for known in (message(3), change(3, Edit(1, "x")), change(3, Topic("t")), message(3, kind="poll")):
        for order in ([Unreadable(3, "no key"), known], [known, Unreadable(3, "no key")]):
            assert shown(fold(order)) == shown(fold([known]))
    assert fold([Unreadable(3, "a"), Unreadable(3, "b")])[0].text == "a"


def test_a_message_told_anew_with_other_content_counts() -> None:
    """What a local store had kept of a log that is gone gives way to what the server says now."""
    timeline = fold([message(3, "old", "bob!"), message(3, "new")])
    assert [row.text for row in (timeline[0],)] == ["new"]
    assert len(timeline) == 1


def test_notes_say_what_they_are_about() -> None:
    """Topics with who set them, kinds of newer clients by their name, notices, and what cannot be read."""
    timeline = fold([change(1, Topic("plans")), message(2, kind="poll"), Notice(3, "b left"), Unreadable(4, "no key")])
    notes = [row for row in (timeline[at] for at in range(4)) if isinstance(row, Note)]
    assert [(note.about, note.text, note.nick, note.sender) for note in notes] == [
        (About.TOPIC, "plans", "ada!", ADA),
        (About.NEWER, "poll", "ada!", ADA),
        (About.NOTICE, "b left", "", b""),
        (About.UNREADABLE, "no key", "", b""),
    ]
    assert timeline.topic == "plans"


def test_lines_of_this_device_stand_behind_the_entry_they_name() -> None:
    """ "Connection lost" stays where it happened, whatever is loaded above or comes below."""
    timeline = fold([message(1), message(2)])
    timeline.take([tl.Aside(2, 0, "lost", "warning", utc(0)), tl.Aside(2, 1, "back"), message(3)])
    assert [row.text for row in (timeline[at] for at in range(5))] == ["hi", "hi", "lost", "back", "hi"]
    aside = timeline[2]
    assert isinstance(aside, Note)
    assert (aside.about, aside.style, aside.time, aside.seq) == (About.ASIDE, "warning", utc(0), 2)
    assert timeline.index_after(2) == 4
    assert timeline.apply(tl.Aside(2, 0, "again")) == NOTHING


def test_what_has_no_place_in_a_timeline_changes_nothing() -> None:
    """Presence and connection are for other parts of a screen."""
    timeline = fold([message(1)])
    for event in (Came(ADA, "ada"), Back(), ServerLost(3, 0, was_before=True)):
        assert timeline.apply(event) == NOTHING
    assert len(timeline) == 1


# -- drafts ------------------------------------------------------------------------------------------


def written(number: int, text: str = "draft") -> tl.Written:
    return tl.Written(number, utc(0), text, 1, is_action=True)


def test_a_draft_stands_at_the_end_until_it_comes_back() -> None:
    """Drafts keep the order of writing behind everything; the message takes the draft's place away."""
    timeline = fold([message(1), written(1), written(2, "second"), message(2)])
    assert [row.text for row in (timeline[at] for at in range(4))] == ["hi", "hi", "draft", "second"]
    draft = timeline[2]
    assert isinstance(draft, Draft)
    assert (draft.re, draft.is_action, draft.state, timeline.index(draft)) == (1, True, State.WAITING, 2)
    assert timeline.drafts == [timeline[2], timeline[3]]
    changes = timeline.take([message(3, "draft", mine=True), tl.Confirmed(1, 3)])
    assert (changes.removed, [row.key for row in changes.added]) == ((draft,), [3 * 2**20])
    assert [row.text for row in (timeline[at] for at in range(4))] == ["hi", "hi", "draft", "second"]


def test_a_receipt_before_its_message_leaves_the_draft_until_that_comes() -> None:
    """Whichever comes first, the words are on the screen all the time, and once."""
    timeline = fold([written(1), tl.Confirmed(1, 3)])
    [draft] = timeline.drafts
    assert draft.state is State.CONFIRMED
    changes = timeline.apply(message(3, "draft", mine=True))
    assert changes.removed == (draft,)
    assert len(timeline) == 1


def test_a_draft_can_fail_wait_again_and_be_dropped() -> None:
    """A refused message stays with its reason until the person sends it again or drops it."""
    timeline = fold([written(1), tl.Failed(1, "declined")])
    [draft] = timeline.drafts
    assert (draft.state, draft.reason, draft.version) == (State.FAILED, "declined", 1)
    assert timeline.apply(tl.Waiting(1)).changed == (draft,)
    assert (draft.state, draft.reason) == (State.WAITING, "")
    assert timeline.apply(tl.Dropped(1)).removed == (draft,)
    assert len(timeline) == 0


@pytest.mark.parametrize("item", [tl.Confirmed(9, 1), tl.Failed(9, "x"), tl.Waiting(9), tl.Dropped(9)])
def test_news_of_a_draft_that_is_gone_changes_nothing(item: Item) -> None:
    """A receipt may come after the person dropped the draft."""
    assert fold([written(1)]).apply(item) == NOTHING


def test_a_message_accepted_by_the_servers_word_alone_is_no_draft_any_more() -> None:
    """Its part of the log is pruned: it will never come back."""
    timeline = fold([written(1)])
    timeline.apply(tl.Confirmed(1, 0))
    assert len(timeline) == 0


# -- people ------------------------------------------------------------------------------------------


def test_the_newest_name_of_a_person_counts() -> None:
    """By the order of the log, not of arrival; whoever said nothing is "?"."""
    timeline = fold([message(5), message(3)])
    assert (timeline.nick(ADA), timeline.nick(BOB), timeline.senders) == ("ada!", "?", [ADA])


def test_tags_that_were_made_to_be_alike_are_drawn_longer() -> None:
    """When somebody comes whose tag is another's, everything is drawn anew, with tags that differ."""
    twins: dict[str, bytes] = {}
    number = 0
    while True:
        key = number.to_bytes(32, "big")
        twin = twins.setdefault(tag_of(key), key)
        if twin != key:
            break
        number += 1
    timeline = Timeline()
    first, second = (msgspec.structs.replace(message(seq), sender=who) for seq, who in ((1, twin), (2, key)))
    assert not timeline.apply(first).is_all
    assert timeline.apply(second).is_all
    assert timeline.tag(twin) != timeline.tag(key)
    assert timeline.tag(twin).startswith(tag_of(twin))


# -- size --------------------------------------------------------------------------------------------


def test_a_hundred_thousand_messages_cost_as_little_each_as_the_first_ones() -> None:
    """Adding at the end, prepending and finding rows cost no more than a few times what they do in a short one."""

    def cost(timeline: Timeline, seqs: Iterable[int]) -> float:
        items = [message(seq) for seq in seqs]
        gc.collect()
        gc.disable()  # what a collection costs depends on all objects of the test run
        try:
            began = time.process_time()
            for item in items:
                timeline.index(timeline.apply(item).added[0])
            return time.process_time() - began
        finally:
            gc.enable()

    timeline = Timeline()
    short = cost(timeline, range(200_000, 202_000)) + cost(timeline, range(198_000, 200_000))
    timeline.take(message(seq) for seq in range(202_000, 250_000))
    timeline.take(message(seq) for seq in range(150_000, 198_000))
    long = cost(timeline, range(250_000, 252_000)) + cost(timeline, range(148_000, 150_000))
    assert len(timeline) == 104_000
    assert long < 10 * short
    row = timeline[77_777]
    assert isinstance(row, Post)
    assert timeline.index(row) == 77_777
