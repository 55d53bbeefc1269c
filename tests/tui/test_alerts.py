"""Notifications of the terminal."""

from __future__ import annotations

import pytest

from sendall.tui.alerts import notification


@pytest.mark.parametrize(
    ("environ", "begin"),
    [
        ({"TERM_PROGRAM": "WezTerm"}, "\x1b]9;"),
        ({"KITTY_WINDOW_ID": "1"}, "\x1b]9;"),
        ({"WT_SESSION": "x"}, "\x1b]9;"),
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;"),
        ({"TERM": "foot"}, "\x1b]777;notify;"),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "foot", "TMUX": "/tmp/x"}, ""),
        ({"TERM": "screen", "TERM_PROGRAM": "WezTerm"}, ""),
    ],
)
def test_each_terminal_is_told_in_its_way(environ: dict[str, str], begin: str) -> None:
    """OSC 9, OSC 777, or nothing where none is known to show it."""
    sequence = notification("bob·kjta in lobby", "look", environ)
    assert sequence.startswith(begin)
    assert bool(sequence) is bool(begin)


@pytest.mark.parametrize("environ", [{"TERM_PROGRAM": "iTerm.app"}, {"TERM": "foot"}])
def test_a_message_cannot_end_the_sequence(environ: dict[str, str]) -> None:
    """Whatever it holds: one sequence, one end, no field more."""
    hostile = "a\x07b\x1b\\c\x9c;d\x1b]0;x\n" * 30
    sequence = notification(hostile, hostile, environ)
    assert sequence.count("\x1b") == 2
    assert sequence.endswith("\x1b\\")
    assert not set(sequence[1:-2]) & set("\x07\x9c\x1b\n")
    assert sequence.count(";") == (3 if environ.get("TERM") else 1)
