"""docs/private-rooms.md: the commands it names are there, and what it quotes is what sendall says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from sendall.commands import grammar
from sendall.protocol.entry import Role
from tests.cli.programs import SENDALL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "private-rooms.md").read_text()
PAGES = [PAGE, (ROOT / "README.md").read_text(), (ROOT / "docs" / "operations.md").read_text()]
SAYS = PAGE[PAGE.index("## When a link does not lead in") :]


def test_every_command_of_a_room_is_on_the_page_and_no_other() -> None:
    """Each is explained as it is typed, and what is written out with options can be read."""
    typed = re.findall(r"`/([a-z]+)([^`]*)`", PAGE)
    assert {name for name, _ in typed} == set(grammar.SPELLINGS)
    for name, rest in typed:
        if rest.strip() and "|" not in rest and "WHO" not in rest:
            grammar.parse(f"/{name}{rest}")
    roles = re.search(r"`/role WHO ([a-z|]+)`", PAGE)
    assert roles
    assert [grammar.role(name) for name in roles[1].split("|")] == [Role.ADMIN, Role.MEMBER, Role.READER]


@pytest.mark.parametrize("group", ["room", "id"])
def test_the_commands_of_a_shell_exist(group: str) -> None:
    """What the pages tell people to type is a command of `sendall --help`, and all of them are on the page."""
    shown = subprocess.run([*SENDALL, group, "--help"], capture_output=True, text=True, check=True).stdout
    there = set(re.findall(r"^  ([a-z]+) ", shown[shown.index("Commands:") :], re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(rf"sendall {group} ([a-z]+)", page)) - there == set()
    sentence = PAGE[PAGE.index("## The same for scripts") :] if group == "room" else PAGE[PAGE.index("## Your keys") :]
    assert {name for name in there if not re.search(rf"\b{name}\b", sentence)} == set()


def test_what_the_page_quotes_is_what_people_see() -> None:
    """Each sentence stands in a test of the command line, which runs into the case itself."""
    seen = "".join(path.read_text() for path in (ROOT / "tests" / "cli").glob("test_*.py"))
    rows = [line.split("|")[1] for line in SAYS.splitlines() if line.startswith("| `")]
    assert len(rows) == 12
    for row in rows:
        for quoted in re.findall(r"`([^`]+)`", row):
            for piece in filter(None, (part.strip() for part in quoted.split("…"))):
                assert piece in seen, piece


def test_the_two_kinds_are_shown_as_the_page_says() -> None:
    """The line of each kind, word for word."""
    source = "".join(path.read_text() for path in (ROOT / "src" / "sendall" / "client").glob("*joined.py"))
    private, is_open = re.search(r"```text\n(PRIVATE.*)\n(OPEN.*)\n```", PAGE).groups()  # type: ignore[union-attr]
    assert private.replace("30 d", "{days:,} d") in source
    assert is_open in source
