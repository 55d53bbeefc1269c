"""README.md: what it quotes is what sendall says."""

from __future__ import annotations

import re
from pathlib import Path

from sendall.cli.exits import Exit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TROUBLE = README[README.index("## When something does not work") : README.index("Every error says")]


def test_every_sentence_of_the_troubleshooting_is_one_that_a_test_sees() -> None:
    """Each quoted piece stands in tests/cli/test_troubleshooting.py, which runs into the case itself."""
    seen = (ROOT / "tests" / "cli" / "test_troubleshooting.py").read_text().replace("{port}", "12345")
    rows = [line.split("|")[1] for line in TROUBLE.splitlines() if line.startswith("| `")]
    assert len(rows) == 12
    for row in rows:
        for quoted in re.findall(r"`([^`]+)`", row):
            for piece in filter(None, (part.strip() for part in quoted.split("…"))):
                assert piece in seen, piece


def test_the_commands_exist() -> None:
    """What the README tells people to type is a command, an option or a target."""
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^\$ make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
    app = "".join(path.read_text() for path in (ROOT / "src" / "sendall" / "cli").glob("*.py"))
    for command in set(re.findall(r"sendall (up|serve|join|send|tail|forget|keep)\b", README)):
        assert f"def {command}(" in app or f'"{command}"' in app
    for flag in set(re.findall(r"--[a-z][a-z-]+", README)) - {"--upgrade"}:
        name = flag.removeprefix("--").replace("-", "_")
        assert flag in app or name in (ROOT / "src" / "sendall" / "config.py").read_text(), flag


def test_the_exit_statuses_are_those_of_the_commands() -> None:
    """The numbers are those that scripts see."""
    text = README[README.index("Exit status:") :]
    assert [int(n) for n in re.findall(r"(?:: |; )(\d) ", text[:300])] == [status for status in Exit if status < 100]
