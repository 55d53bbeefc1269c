"""What a person set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sendall.tui.profile import FILE, Profile


def test_what_was_set_is_there_at_the_next_start(tmp_path: Path) -> None:
    """Name, theme, quiet, archive, ignored people, rooms, and how far they were read; the file is the owner's alone."""
    profile = Profile(tmp_path)
    profile.nick, profile.theme, profile.is_quiet, profile.keeps_archive = "Ada", "dawn", True, False
    profile.ignored.add("AAAA")
    profile.note_seen("host:1", "lobby", 7)
    profile.note_rooms("host:1", ["lobby", "ops"])
    again = Profile(tmp_path)
    assert (again.nick, again.theme, again.is_quiet, again.keeps_archive) == ("Ada", "dawn", True, False)
    assert again.ignored == {"AAAA"}
    assert again.rooms("host:1") == ["lobby", "ops"]
    assert again.rooms("host:2") == []
    assert (again.seen("host:1", "lobby"), again.seen("host:1", "ops")) == (7, 0)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"nick": 3, "rooms": [], "seen": "x", "ignored": {"a": 1}}', "\x00"]
)
def test_a_damaged_file_is_no_reason_not_to_talk(tmp_path: Path, content: str) -> None:
    """The usual settings are taken; what is no JSON is told."""
    (tmp_path / FILE).write_text(content)
    profile = Profile(tmp_path)
    assert (profile.nick, profile.theme, profile.rooms("x"), profile.ignored) == (None, None, [], set())
    assert bool(profile.trouble) is (content in ("", "{", "\x00"))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The settings hold until one leaves."""
    profile = Profile(tmp_path / "gone")
    profile.nick = "Ada"
    profile.save()
    assert "cannot be written" in profile.trouble


def test_the_first_start_has_no_file(tmp_path: Path) -> None:
    """Then there is no name, and nothing is told."""
    profile = Profile(tmp_path)
    assert (profile.nick, profile.trouble) == (None, "")
    profile.save()
    assert json.loads((tmp_path / FILE).read_text())["archive"] is True
