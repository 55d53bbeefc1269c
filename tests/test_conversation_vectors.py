"""vectors/conversation-*.json: our code agrees with what it wrote yesterday, and so with whoever runs the same files.

The format is described in vectors/README.md.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sendall.client.conversation.inline import is_for, mention_of
from sendall.client.conversation.kinds import read_hint, read_spoken
from sendall.client.conversation.markdown import parse, plain
from sendall.client.conversation.spans import Mention
from sendall.client.names import safe_lines, safe_nick, safe_text, tag_of
from tests.tools.conversation import played, reading_of, rows_of
from tests.tools.make_conversation_vectors import FILES, made
from tests.tools.make_vectors import FOLDER


# `Any`: vector files are JSON of one documented shape (vectors/README.md).
def load(name: str) -> Any:
    vector = json.loads((FOLDER / f"conversation-{name}.json").read_text())
    assert vector["version"] == "sendall-v1"
    return vector


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_code_writes_today(name: str) -> None:
    """Whoever changes what a conversation is sees it here, and writes the files anew."""
    assert (FOLDER / name).read_text() == made(name)


def test_every_plaintext_reads_as_it_shall() -> None:
    """In its form, or as unreadable, of a newer client, or no signal; and the form reads as itself."""
    for case in load("kinds")["cases"]:
        raw = bytes.fromhex(case["plaintext_hex"]) if "plaintext_hex" in case else case["plaintext"].encode()
        is_signal = case["in"] == "signal"
        assert reading_of(raw, is_signal=is_signal) == case["reads_as"], case["note"]
        if isinstance(case["reads_as"], dict):
            again = read_hint(case["reads_as"]) if is_signal else read_spoken(case["reads_as"])
            assert again is not None, case["note"]


def test_every_log_folds_to_its_rows() -> None:
    """In the order that is written, and where the order makes no difference also backwards."""
    vector = load("timeline")
    people = {name: bytes.fromhex(id_pk) for name, id_pk in vector["people"].items()}
    for case in vector["cases"]:
        for backwards in {False, case["any_order"]}:
            timeline = played(case, people, backwards=backwards)
            assert rows_of(timeline, people) == case["rows"], case["note"]
            assert timeline.topic == case["topic"], case["note"]


def test_every_name_is_shown_as_it_shall() -> None:
    """Names, lines and tags, and who is meant by what."""
    vector = load("names")
    for case in vector["nicks"]:
        assert safe_nick(case["raw"]) == case["shown"]
    for case in vector["texts"]:
        assert (safe_text(case["raw"]), safe_lines(case["raw"])) == (case["line"], case["lines"])
    for case in vector["tags"]:
        id_pk = bytes.fromhex(case["id"])
        assert (tag_of(id_pk), tag_of(id_pk, 99)) == (case["tag"], case["longest"])
    for case in vector["mentions"]:
        assert mention_of(case["nick"]) == case["typed"]
    for case in vector["meant"]:
        mention = msgspec.convert(case["mention"], Mention)
        assert is_for(mention, case["nick"], bytes.fromhex(case["id"])) == case["is_for"]


def test_every_text_has_its_tree() -> None:
    """Blocks, spans and words."""
    for case in load("markdown")["cases"]:
        tree = parse(case["text"])
        assert json.loads(msgspec.json.encode(tree)) == case["blocks"]
        assert plain(tree) == case["plain"]
