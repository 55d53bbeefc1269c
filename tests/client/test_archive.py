"""What this device keeps: found again by its owner, and readable by nobody else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendall.client.archive import ARCHIVE_FILE, Archive, erase
from sendall.client.conversation.kinds import Delete, Edit, Reaction, Topic
from sendall.client.conversation.timeline import Item, fold
from sendall.client.events import Back, Change, Event, Message, ServerLost, Unreadable
from sendall.client.searching import Search
from sendall.crypto.identity import Identity
from sendall.crypto.sealing import padded_size
from sendall.errors import UsageError
from tests.client.conversation.logs import Item_, change, logs, message, shown

ME = Identity(b"m" * 32)
OPS, LOBBY = b"ops" * 10 + b"!!", b"lobby" * 6 + b"!!"
LOG: list[Event] = [
    message(1, "zebra crossing ahead"),
    message(2, "Ébène et zèbre", "bob!", re=1),
    change(3, Edit(1, "okapi crossing ahead")),
    change(4, Reaction(2, "🦓")),
    change(5, Topic("savannah")),
    message(6, "waves", is_action=True),
]


def opened(folder: Path, identity: Identity = ME) -> Archive:
    return Archive(folder, identity)


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_what_was_kept_is_told_again_by_the_next_program(tmp_path: Path) -> None:
    """Messages and changes as they were, oldest first, but that this process did not send them."""
    archive = opened(tmp_path)
    archive.keep(OPS, [*LOG, message(7, mine=True), Back(), Unreadable(8, "no key"), message(9, kind="poll")])
    archive.keep(LOBBY, [message(1, "elsewhere")])
    archive.close()
    archive = opened(tmp_path)
    assert archive.last(OPS, "lobby", 99) == [*LOG, message(7)]
    assert archive.last(OPS, "lobby", 2) == [LOG[5], message(7)]
    assert archive.last(OPS, "lobby", 2, before=6) == LOG[3:5]
    assert archive.last(b"x" * 32, "lobby", 9) == []
    archive.close()


def test_nothing_readable_is_on_the_disk(tmp_path: Path) -> None:
    """No text, name, emoji, topic, sender, session or room is in the files, before and after closing and searching."""
    archive = opened(tmp_path)
    secret = [
        msgspec.structs.replace(event, nick="nightingale", sender=b"sender" * 5 + b"!!", session=b"session!session!")
        for event in LOG
        if isinstance(event, Message | Change)
    ]
    archive.keep(OPS, secret)
    search = Search(archive)
    assert len(search.find("crossing", {OPS: "ops"})) == 1
    seen = bytes_in(tmp_path)
    search.close()
    archive.close()
    seen += bytes_in(tmp_path)
    assert len(seen) > 2 * len(LOG) * 64
    for word in (
        "zebra",
        "okapi",
        "crossing",
        "waves",
        "savannah",
        "nightingale",
        "🦓",
        "Ébène",
        "ops",
        "sender",
        "session!",
    ):
        assert word.encode() not in seen, word
        assert word.encode("utf-16-le") not in seen, word
    assert OPS not in seen
    assert OPS[:8] not in seen


def test_the_same_words_look_different_every_time(tmp_path: Path) -> None:
    """Nobody can tell from the file that a message repeats another, and sizes go in the steps of the protocol."""
    archive = opened(tmp_path)
    archive.keep(OPS, [message(seq, "yes" if seq % 2 else "no") for seq in range(1, 9)])
    archive.close()
    with sqlite3.connect(tmp_path / ARCHIVE_FILE) as db:
        rows = [sealed for (sealed,) in db.execute("SELECT sealed FROM said")]
    db.close()
    assert len({row[12:] for row in rows}) == len({row[:12] for row in rows}) == 8
    assert {len(row) - 12 - 16 for row in rows} == {padded_size(len(row) - 12 - 16) for row in rows}


def test_another_identity_finds_nothing(tmp_path: Path) -> None:
    """The file of one person is empty to another."""
    archive = opened(tmp_path)
    archive.keep(OPS, LOG)
    archive.close()
    other = opened(tmp_path, Identity(b"o" * 32))
    assert other.last(OPS, "ops", 99) == []
    other.close()


def test_rows_cannot_be_changed_or_moved(tmp_path: Path) -> None:
    """Whoever writes into the file can take rows away, and do nothing else."""
    archive = opened(tmp_path)
    archive.keep(OPS, [message(seq, f"m{seq}") for seq in range(1, 6)])
    archive.keep(LOBBY, [message(1, "elsewhere")])
    archive.close()
    with sqlite3.connect(tmp_path / ARCHIVE_FILE) as db:
        db.execute("UPDATE said SET seq = 9 WHERE seq = 1")
        db.execute("UPDATE said SET sealed = substr(sealed, 1, 40) WHERE seq = 2")
        db.execute("UPDATE said SET sealed = (SELECT sealed FROM said WHERE seq = 4) WHERE seq = 3")
        db.execute("UPDATE said SET sealed = x'00' WHERE seq = 5")
    db.close()
    archive = opened(tmp_path)
    assert archive.last(OPS, "lobby", 9) == [message(4, "m4")]
    archive.close()


def test_a_deletion_takes_the_words_out_of_the_file(tmp_path: Path) -> None:
    """By its author; by anybody else nothing is taken out. The place stays, to be shown as deleted."""
    archive = opened(tmp_path)
    archive.keep(OPS, [message(1, "secret"), message(2, "mine", "bob!")])
    archive.keep(OPS, [change(3, Delete(1)), change(4, Delete(2)), change(5, Delete(9)), change(6, Delete(3))])
    assert archive.last(OPS, "lobby", 2, before=3) == [message(1, ""), message(2, "mine", "bob!")]
    archive.close()


def test_what_the_server_lost_is_forgotten(tmp_path: Path) -> None:
    """Its places will be taken by other messages."""
    archive = opened(tmp_path)
    archive.keep(OPS, [*LOG, ServerLost(4, 2), message(3, "anew")])
    assert archive.last(OPS, "lobby", 9) == [*LOG[:2], message(3, "anew")]
    archive.forget(OPS)
    assert archive.last(OPS, "lobby", 9) == []
    archive.close()


def test_only_the_newest_rows_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the limit goes when the next program keeps something."""
    monkeypatch.setattr("sendall.client.archive.MAX_ROWS", 3)
    for seqs in (range(1, 6), range(6, 8)):
        archive = opened(tmp_path)
        archive.keep(OPS, [message(seq) for seq in seqs])
        kept = [event.seq for event in archive.last(OPS, "lobby", 9)]
        archive.close()
    assert kept == [5, 6, 7]


def test_two_programs_share_the_file(tmp_path: Path) -> None:
    """What one keeps the other finds."""
    one, two = opened(tmp_path), opened(tmp_path)
    one.keep(OPS, LOG[:2])
    two.keep(OPS, LOG[2:])
    assert one.last(OPS, "lobby", 9) == two.last(OPS, "lobby", 9) == LOG
    one.close()
    two.close()


def test_a_file_that_is_none_is_said_with_what_to_do(tmp_path: Path) -> None:
    """It is a cache: removing it loses nothing that a server still has."""
    (tmp_path / ARCHIVE_FILE).write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(UsageError, match="cannot be used") as caught:
        opened(tmp_path)
    assert "remove the file" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be used"):
        opened(tmp_path / "absent")


def test_a_failed_commit_leaves_what_was(tmp_path: Path) -> None:
    """Half of what was told together is not kept."""
    archive = opened(tmp_path)
    archive.keep(OPS, LOG[:1])
    with sqlite3.connect(tmp_path / ARCHIVE_FILE) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON said WHEN NEW.seq = 3 BEGIN SELECT RAISE(FAIL, 'full'); END")
    db.close()
    with pytest.raises(UsageError, match="full"):
        archive.keep(OPS, LOG[1:])
    assert archive.last(OPS, "lobby", 9) == LOG[:1]
    archive.close()


def test_an_archive_can_be_erased(tmp_path: Path) -> None:
    """Switched off, nothing of it is left; erasing nothing is no error."""
    archive = opened(tmp_path)
    archive.keep(OPS, LOG)
    archive.close()
    erase(tmp_path)
    erase(tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- searching ---------------------------------------------------------------------------------------

ROOMS = {OPS: "lobby", LOBBY: "lobby"}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = opened(tmp_path)
    archive.keep(OPS, LOG)
    archive.keep(LOBBY, [message(7, "okapi elsewhere"), message(8, "世界和平")])
    return archive


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("okapi", ["okapi elsewhere", "okapi crossing ahead"]),
        ("CROSS okapi", ["okapi crossing ahead"]),
        ("zebre", ["Ébène et zèbre"]),
        ("ebene zèb", ["Ébène et zèbre"]),
        ("zebra", []),
        ("savannah", []),
        ("界和", ["世界和平"]),
        ("", []),
        (' "" ', []),
        ('okapi" OR "x', []),
        ("NOT okapi", []),
        ("*", []),
        ("!!", []),
        ("\udcff\0", []),
    ],
)
def test_messages_are_found_by_the_words_they_have_now(archive: Archive, words: str, found: list[str]) -> None:
    """All words, or what they begin; whatever case and accents; edited ones by the edit; and no query is a command."""
    search = Search(archive)
    assert [each.text for each in search.find(words, ROOMS)] == found
    search.close()
    archive.close()


def test_what_is_told_meanwhile_is_found_too(archive: Archive) -> None:
    """New messages, edits and deletions, without reading the archive again."""
    search = Search(archive)
    assert [found.seq for found in search.find("okapi", {OPS: "lobby"}, 1)] == [1]
    search.take(OPS, [message(7, "okapi again", "bob!"), change(8, Delete(1)), change(9, Edit(2, "okapi too"), "bob!")])
    search.take(LOBBY, [message(9, "okapi, not searched yet")])
    found = search.find("okapi", {OPS: "lobby"})
    assert [(each.room_id, each.seq, each.nick, each.text) for each in found] == [
        (OPS, 7, "bob!", "okapi again"),
        (OPS, 2, "bob!", "okapi too"),
    ]
    assert [each.seq for each in search.find("okapi", ROOMS, 1)] == [7]
    assert len(search.find("okapi", ROOMS)) == 3
    search.close()
    archive.close()


@settings(max_examples=25)
@given(logs(), st.integers(0, 14))
def test_search_finds_what_is_shown(tmp_path_factory: pytest.TempPathFactory, log: list[Item_], split: int) -> None:
    """Whatever was said, in whatever part it was kept before the first search: the words on the screen."""
    archive = opened(tmp_path_factory.mktemp("archive"))
    archive.keep(OPS, log[:split])
    search = Search(archive)
    search.find("a", {OPS: "lobby"})
    archive.keep(OPS, log[split:])
    search.take(OPS, log[split:])
    items: list[Item] = list(log)
    texts = [str(row[5]) for row in shown(fold(items)) if row[0] == "post"]
    for word in ("a", "b", "ab", "edit"):
        expected = sorted(text for text in texts if text.startswith(word)) or sorted(
            text for text in texts if word in text
        )
        assert sorted(each.text for each in search.find(word, {OPS: "lobby"})) == expected
    search.close()
    archive.close()


def test_without_full_text_search_it_says_so(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems build SQLite without it."""
    real = sqlite3.connect

    class Bare(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if "fts5" in sql:
                raise sqlite3.OperationalError("no such module: fts5")
            return super().execute(sql)

    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: real(path, **options, factory=Bare))
    with pytest.raises(UsageError, match="cannot search: no such module"):
        Search(archive)
    archive.close()
