"""Calling a person back to the terminal: the bell, and a notification where the terminal shows one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sendall.client.names import safe_text

BODY = 120
"""Characters of a message that a notification shows."""
_OSC_9 = ("iTerm.app", "WezTerm", "ghostty")
_OSC_777 = ("rxvt", "foot", "contour")


def notification(title: str, body: str, environ: Mapping[str, str]) -> str:
    """Return what makes this terminal show a notification; empty where none is known to do so.

    Foreign text in it is stripped of what could end the sequence or begin another one. Source: OSC 9 of
    iTerm2, OSC 777 of urxvt.
    """
    title, body = (safe_text(each).replace(";", ",") for each in (title, body))
    if "TMUX" in environ or environ.get("TERM", "").startswith(("screen", "tmux")):
        return ""  # a multiplexer swallows it; its own bell monitoring shows the bell
    short = body if len(body) <= BODY else f"{body[: BODY - 1]}…"
    if environ.get("TERM_PROGRAM") in _OSC_9 or "WT_SESSION" in environ or "KITTY_WINDOW_ID" in environ:
        return f"\x1b]9;{title}: {short}\x1b\\"
    if environ.get("TERM", "").startswith(_OSC_777):
        return f"\x1b]777;notify;{title};{short}\x1b\\"
    return ""
