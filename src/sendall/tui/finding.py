"""Finding messages in what is loaded. Pure."""

from __future__ import annotations

from sendall.client.conversation.rows import Post
from sendall.client.conversation.timeline import Timeline

LIMIT = 500
"""Messages that a search gives at most, the newest first."""
FROM = "from:"


def found_in(timeline: Timeline, words: str, ignored: frozenset[bytes]) -> list[Post]:
    """Return messages that have all the words, upper and lower case alike; `from:name` asks for the sender."""
    wanted = words.casefold().split()
    senders = [each.removeprefix(FROM) for each in wanted if each.startswith(FROM)]
    texts = [each for each in wanted if not each.startswith(FROM)]
    found: list[Post] = []
    if not wanted:
        return found
    for index in range(len(timeline) - 1, -1, -1):
        row = timeline[index]
        if not isinstance(row, Post) or row.is_deleted or row.sender in ignored:
            continue
        text = row.text.casefold()
        who = f"{row.nick}·{timeline.tag(row.sender)}".casefold()
        if all(each in text for each in texts) and all(each in who for each in senders):
            found.append(row)
            if len(found) == LIMIT:
                break
    return found
