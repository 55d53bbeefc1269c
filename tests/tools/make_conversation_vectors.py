"""Writes vectors/conversation-*.json: `python -m tests.tools.make_conversation_vectors`.

What goes in is written here, or drawn from a fixed seed; what comes out is what our code makes of it,
which the tests of tests/client/conversation say is right. A test compares the files with what the
code writes today. The format is described in vectors/README.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from sendall.client.conversation.inline import is_for, mention_of
from sendall.client.conversation.markdown import parse, plain
from sendall.client.conversation.spans import Mention
from sendall.client.names import safe_lines, safe_nick, safe_text, tag_of
from tests.tools.conversation import Json, played, reading_of, rows_of
from tests.tools.conversation_cases import MARKDOWN, MESSAGES, NAMES, SIGNALS, TEXTS, TIMELINES
from tests.tools.make_vectors import FOLDER, text_of

PEOPLE = {name: name.encode().ljust(32, b"\1") for name in ("ada", "bob", "eve")}
RANDOM_LOGS = 24


def kinds() -> Json:
    """Plaintexts of messages and of signals, and how they read."""
    cases = []
    for is_signal, listed in ((False, MESSAGES), (True, SIGNALS)):
        for note, plaintext in listed:
            raw = plaintext if isinstance(plaintext, bytes) else plaintext.encode()
            written = {"plaintext_hex": raw.hex()} if isinstance(plaintext, bytes) else {"plaintext": plaintext}
            reads_as = reading_of(raw, is_signal=is_signal)
            cases.append({"note": note, "in": "signal" if is_signal else "message", **written, "reads_as": reads_as})
    return {"cases": cases}


def timelines() -> Json:
    """Logs, and the rows they fold to."""
    cases = []
    for note, any_order, items in (*TIMELINES, *_random_logs()):
        case: Json = {"note": note, "any_order": any_order, "items": items}
        timeline = played(case, PEOPLE)
        cases.append({**case, "rows": rows_of(timeline, PEOPLE), "topic": timeline.topic})
    return {"people": {name: id_pk.hex() for name, id_pk in PEOPLE.items()}, "cases": cases}


def _random_logs() -> Iterator[tuple[str, bool, list[Json]]]:
    for number in range(RANDOM_LOGS):
        dice = random.Random(f"sendall conversation {number}")
        items = [_random_entry(dice, seq) for seq in range(1, 16) if dice.random() < 0.9]
        yield f"drawn by lot, {number}", True, items


def _random_entry(dice: random.Random, seq: int) -> Json:
    target, emoji = dice.randint(1, 15), dice.choice(["👍", "🦊"])
    content = dice.choice(
        [
            *[{"t": "m", "x": f"message {seq}"}] * 4,
            {"t": "m", "x": f"answer {seq}", "re": target},
            *[{"t": "edit", "re": target, "x": f"edit {seq}"}] * 3,
            {"t": "del", "re": target},
            *[{"t": "react", "re": target, "x": emoji}] * 3,
            {"t": "react", "re": target, "x": emoji, "off": True},
            {"t": "topic", "x": f"topic {seq}"},
            {"t": "poll"},
        ]
    )
    return {
        "seq": seq,
        "time_ms": 1_700_000_000_000 + 1000 * seq,
        "by": dice.choice(sorted(PEOPLE)),
        "content": content,
    }


def names() -> Json:
    """Names and texts made safe, tags of keys, and who is meant by a mention."""
    mentions = [
        {"nick": nick, "typed": mention_of(nick), "with_tag": mention_of(nick, tag_of(PEOPLE["ada"]))}
        for nick in ("ada", "ada lovelace", "a.b.", "!?", "世界 👋", "ada·k7qd", "?")
    ]
    meant = [
        (Mention("ADA"), "ada"),
        (Mention("ada_l"), "ada l"),
        (Mention("ad"), "ada"),
        (Mention("x", tag_of(PEOPLE["ada"])), "ada"),
        (Mention("x", tag_of(PEOPLE["ada"], 6)), "ada"),
        (Mention("ada", tag_of(PEOPLE["bob"])), "ada"),
    ]
    return {
        "nicks": [{"raw": raw, "shown": safe_nick(raw)} for raw in NAMES],
        "texts": [{"raw": raw, "line": safe_text(raw), "lines": safe_lines(raw)} for raw in TEXTS],
        "tags": [{"id": id_pk.hex(), "tag": tag_of(id_pk), "longest": tag_of(id_pk, 99)} for id_pk in PEOPLE.values()],
        "mentions": mentions,
        "meant": [
            {
                "mention": msgspec.to_builtins(mention),
                "nick": nick,
                "id": PEOPLE["ada"].hex(),
                "is_for": is_for(mention, nick, PEOPLE["ada"]),
            }
            for mention, nick in meant
        ],
    }


def markdown() -> Json:
    """Texts and their trees."""
    trees = [(text, parse(text)) for text in MARKDOWN]
    return {
        "cases": [{"text": text, "blocks": msgspec.to_builtins(tree), "plain": plain(tree)} for text, tree in trees]
    }


FILES = {
    "conversation-kinds.json": kinds,
    "conversation-timeline.json": timelines,
    "conversation-names.json": names,
    "conversation-markdown.json": markdown,
}


def made(name: str) -> str:
    """Return the text of a file."""
    return text_of({"version": "sendall-v1", **FILES[name]()})


if __name__ == "__main__":
    for name in FILES:
        (FOLDER / name).write_text(made(name))
