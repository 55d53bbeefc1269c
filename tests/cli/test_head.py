"""What is said before a room is there; what it is once it is: tests/cli/test_room_screens.py."""

from __future__ import annotations

import pytest

from sendall.cli import head


def test_a_long_check_is_told_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing within the first second, so that small rooms are silent; then how far of how much, to stderr."""
    checking = head.Checking()
    checking(10, 20)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(head, "CHECKING_EVERY_S", 0.0)
    checking(4_000, 10_000)
    assert capsys.readouterr() == ("", "-- checking who was let in and removed: 4,000 of 10,000\n")
