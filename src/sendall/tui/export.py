"""A timeline as a text file for people."""

from __future__ import annotations

import os
from pathlib import Path

from sendall.client.conversation.rows import Post
from sendall.client.conversation.timeline import Timeline
from sendall.client.names import safe_lines


def export(timeline: Timeline, path: Path) -> int:
    """Write the messages that are loaded, one after the other, times in ISO 8601; return how many.

    The file is new, and its owner's alone (0600).

    Raises:
        FileExistsError: something is there already.
        OSError: it cannot be written.
    """
    posts = [row for row in (timeline[index] for index in range(len(timeline))) if isinstance(row, Post)]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        for post in posts:
            time = post.time.astimezone().isoformat(timespec="seconds")
            edited = " (edited)" if post.is_edited else ""
            said = safe_lines(post.text) if not post.is_deleted else ["(deleted)"]
            star = "* " if post.is_action else ""
            print(f"{time} {star}{post.nick}·{timeline.tag(post.sender)}  {said[0]}{edited}", file=file)
            for line in said[1:]:
                print(f"    {line}", file=file)
    return len(posts)
