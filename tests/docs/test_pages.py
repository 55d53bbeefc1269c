"""What the pages say exists, exists: tests, modules, files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "vectors").glob("*.md")],
    key=lambda path: path.relative_to(ROOT).as_posix(),
)


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def test_names() -> set[str]:
    """All test functions of the project."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_test_that_a_page_names_exists(page: Path, test_names: set[str]) -> None:
    """A promise names what shows it; a renamed test is renamed there too."""
    named = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert named - test_names == set()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """To a file, and to a heading of it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, heading = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert heading in {_anchor(text) for text in headings}, target


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [ROOT / "ARCHITECTURE.md"], ids=page_id)
def test_every_module_that_the_map_names_exists(page: Path) -> None:
    """The map names modules as `package/module`; each is there."""
    named = set(re.findall(r"`((?:protocol|crypto|log|server|steward|client|cli)/\w+)`", page.read_text()))
    source = ROOT / "src" / "sendall"
    missing = {name for name in named if not (source / f"{name}.py").exists() and not (source / name).is_dir()}
    assert named
    assert missing == set()


def test_decisions_are_numbered_without_gaps() -> None:
    """And each has its date and its four parts."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text()
        assert re.match(rf"# {int(page.name[:4])}\. .+\n\n\d{{4}}-\d\d-\d\d\n", text), page.name
        for part in ("**Context.**", "**Decision.**", "**Consequences.**", "**What would change our mind.**"):
            assert part in text, f"{page.name}: {part}"
