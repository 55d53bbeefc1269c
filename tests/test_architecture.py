"""The import rules of ARCHITECTURE.md, read from the source of every module.

The rules are data and functions that return what breaks them, so that they can be tried on a module
tree that is wrong on purpose: see the end of this file.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.tools.imports import Module, cycle_in, reached_from, read_modules

SRC = Path(__file__).parent.parent / "src" / "sendall"

SHELLS = {
    "cli": {"cli"},
    "client": {
        "client.archive",
        "client.client",
        "client.connection",
        "client.entrance",
        "client.identity_file",
        "client.inbox",
        "client.joined",
        "client.keyring",
        "client.link",
        "client.open_client",
        "client.outbox_store",
        "client.private_client",
        "client.private_joined",
        "client.process",
        "client.runner",
        "client.searching",
        "client.sending",
        "client.speaking",
        "client.transaction",
        "client.vault",
        "client.vault_file",
        "client.ways_in",
    },
    "log": {
        "log.database",
        "log.folder",
        "log.pruning",
        "log.reader",
        "log.sqlite",
        "log.sqlite_room",
        "log.writer",
    },
    "server": {
        "server.http",
        "server.http_connection",
        "server.http_server",
        "server.listener",
        "server.tls",
        "server.websocket",
    },
}
"""Modules that may touch sockets, files, clocks and threads; all others of these packages are pure."""

PURE_PACKAGES = ("protocol", "crypto", "log", "server", "steward", "client")
IMPURE = frozenset(
    {
        *("asyncio", "concurrent", "ctypes", "multiprocessing", "os", "pathlib", "queue", "random", "secrets"),
        *("select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile"),
        *("threading", "time"),
    }
)
URANDOM = {"crypto.doors", "crypto.grants", "crypto.identity", "crypto.passphrase", "steward.authority"}
"""Pure but for os.urandom."""

RANKS = (
    ("errors",),
    ("protocol.entry", "crypto.primitives", "crypto.certificate"),
    ("protocol.bodies",),
    ("protocol", "crypto", "config"),
    ("log.roomlog", "log.tape"),
    ("log", "server", "steward", "client"),
    # The shells of these stand here, one rank higher.
    ("commands",),
    ("node", "tui"),
    ("cli",),
    ("",),
)
SHELL_RANK = 5.5

KEYHOLDERS = {"crypto.sealing", "crypto.grants", "crypto.doors", "crypto.keylist", "crypto.invites"}
"""What opens, grants, or joins; the steward as a whole too."""

MAY_IMPORT = {
    "errors": "",
    "config": "errors",
    "protocol": "errors crypto",
    "crypto": "errors protocol",
    "log": "errors protocol",
    "server": "errors config protocol crypto log",
    "steward": "errors protocol crypto log",
    "client": "errors config protocol crypto",
    "node": "errors config protocol crypto log server steward",
    "commands": "errors protocol client",
    "tui": "errors config protocol client commands",
    "cli": "errors config protocol crypto log client node commands tui",
    "": "errors client cli",
}
"""Packages by package; each may also import itself."""

HOMES = {
    "cryptography": {"crypto.primitives", "crypto.certificate"},
    "httptools": set(),  # uvicorn's parser: installed, never imported by us
    "msgspec": {
        "config",
        "protocol.entry",
        "protocol.frames",
        "protocol.checkpoint",
        "client.archive",
        "client.chronicle",
        "client.conversation.kinds",
        "client.conversation.spans",
        "client.events",
        "client.handshake",
        "client.keys",
        "client.vault",
    },
    "platformdirs": {"node", "client.keyring", "cli.options"},
    "pygments": {"tui.drawing.highlight"},
    "rich": {"tui.drawing.line", "tui.emoji", "tui.widgets.ink_book", "tui.widgets.inked", "tui.widgets.timeline"},
    "segno": {"commands.qr", "tui.ways_in"},
    "starlette": {"server.http"},
    "textual": {
        *("tui.app", "tui.front_desk", "tui.messages", "tui.themes"),
        *(f"tui.screens.{name}" for name in ("first_name", "room", "search", "sheet")),
        *(f"tui.widgets.{name}" for name in ("composer", "found", "ink_book", "inked", "list_pane", "note", "page")),
        *(f"tui.widgets.{name}" for name in ("suggestions", "timeline")),
    },
    "typer": {"cli.app", "cli.app_room", "cli.exits", "cli.options"},
    "uvicorn": {"server.http_connection", "server.http_server"},
    "uvloop": {"cli.serve"},
    "websockets": {"server.framing", "server.websocket", "client.connection", "client.runner"},
}
"""Every third-party library and the modules that may import it."""


def short(name: str) -> str:
    """Return a module's name without the package's own."""
    return name.partition(".")[2]


def package_of(name: str) -> str:
    return short(name).partition(".")[0]


def is_shell(name: str) -> bool:
    listed = SHELLS.get(package_of(name), set())
    return short(name) in listed or package_of(name) in listed


def is_pure(name: str) -> bool:
    return package_of(name) in PURE_PACKAGES and not is_shell(name)


def rank_of(name: str) -> float:
    """Return how high a module stands; what it imports stands lower, or beside it in its own package."""
    if is_shell(name) and package_of(name) != "cli":
        return SHELL_RANK
    module = short(name)
    if module == "__main__":
        module = ""
    for listed in (module, package_of(name) if module else ""):
        for rank, names in enumerate(RANKS):
            if listed in names:
                return rank
    raise AssertionError(f"{name} has no rank: add it to RANKS")


# -- the rules: each returns what breaks it -----------------------------------------------------


def upward(modules: Mapping[str, Module]) -> list[str]:
    """Imports that do not point down."""
    return [
        f"{name} (rank {rank_of(name)}) imports {target} (rank {rank_of(target)})"
        for name, module in modules.items()
        for target in sorted(module.own)
        if rank_of(target) > rank_of(name)
        or (rank_of(target) == rank_of(name) and package_of(target) != package_of(name))
    ]


def strangers(modules: Mapping[str, Module]) -> list[str]:
    """Imports between packages that have nothing to say to each other."""
    return [
        f"{name} imports {target}"
        for name, module in modules.items()
        for target in sorted(module.own)
        if package_of(target) != package_of(name) and package_of(target)
        if package_of(target) not in MAY_IMPORT["" if short(name) == "__main__" else package_of(name)].split()
    ]


def keyholders(modules: Mapping[str, Module]) -> list[str]:
    """Modules of the relay that reach what opens or grants."""
    return [
        f"{name} reaches {found}"
        for name in modules
        if package_of(name) == "server"
        for found in sorted(reached_from(name, modules))
        if short(found) in KEYHOLDERS or package_of(found) == "steward"
    ]


def impure(modules: Mapping[str, Module]) -> list[str]:
    """Pure modules that touch the world."""
    found = []
    for name, module in modules.items():
        if is_pure(name):
            forbidden = IMPURE - {"os"} if short(name) in URANDOM else IMPURE
            found += [f"{name} imports {library}" for library in sorted(module.foreign & forbidden)]
            found += [f"{name} uses os.{used}" for used in _uses_of_os(module.tree) if used != "urandom"]
    return found


def _uses_of_os(tree: ast.Module) -> list[str]:
    return [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    ] + [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "os"
        for alias in node.names
    ]


def homeless(modules: Mapping[str, Module]) -> list[str]:
    """Third-party imports outside the library's homes."""
    return [
        f"{name} imports {library}"
        for name, module in modules.items()
        for library in sorted(module.foreign - sys.stdlib_module_names)
        if short(name) not in HOMES.get(library, set())
    ]


def cycles(modules: Mapping[str, Module]) -> list[str]:
    """A cycle of imports."""
    cycle = cycle_in(modules)
    return [" -> ".join(cycle)] if cycle else []


RULES = (upward, strangers, keyholders, impure, homeless, cycles)


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    return read_modules(SRC)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_nothing_breaks_the_import_rules(
    modules: dict[str, Module], rule: Callable[[Mapping[str, Module]], list[str]]
) -> None:
    """Arrows point down, the relay cannot open anything, the core is pure, libraries stay at home."""
    assert rule(modules) == []


def test_the_lists_name_what_there_is(modules: dict[str, Module]) -> None:
    """A shell or a home that no longer exists would hide the next one of that name."""
    known = {short(name) for name in modules}
    listed = set().union(*SHELLS.values(), *HOMES.values(), URANDOM, KEYHOLDERS) - {"cli"}
    assert listed - known == set()
    unused = {
        (library, home)
        for library, homes in HOMES.items()
        for home in homes
        if library not in modules[f"sendall.{home}"].foreign
    }
    assert unused == set()


def test_the_relay_is_where_the_rule_looks_for_it(modules: dict[str, Module]) -> None:
    """The rule about keys is about real modules: relay and sealing exist, and the steward does reach sealing."""
    assert "sendall.server.relay" in modules
    assert "sendall.crypto.sealing" in reached_from("sendall.steward.authority", modules)


# -- the rules can fail -------------------------------------------------------------------------

BAD_TREE = {
    "__init__.py": "",
    "errors.py": "",
    "config.py": "",
    "protocol/__init__.py": "",
    "protocol/entry.py": "import sendall.config",
    "protocol/room.py": "import time",
    "crypto/__init__.py": "",
    "crypto/sealing.py": "from sendall.protocol import entry",
    "crypto/grants.py": "import os\nos.urandom(1)\nos.getpid()",
    "log/__init__.py": "",
    "log/roomlog.py": "",
    "log/sqlite.py": "import sqlite3",
    "server/__init__.py": "",
    "server/relay.py": "def later():\n    from sendall.server import helper",
    "server/helper.py": "from ..crypto import sealing\nimport cryptography.x509",
    "server/room.py": "import typing as t\nif t.TYPE_CHECKING:\n    import asyncio, sendall.node",
    "server/listener.py": "import asyncio",
    "server/presence.py": "try:\n    import socket\nexcept ImportError:\n    pass",
    "steward/__init__.py": "",
    "steward/authority.py": "from os import getpid",
    "client/__init__.py": "",
    "client/room.py": "from sendall.client import session",
    "client/session.py": "import sendall.client.room\nimport sendall.log.roomlog",
    "node.py": "import sendall.server.relay",
    "cli/__init__.py": "",
}


@pytest.fixture
def bad(tmp_path: Path) -> dict[str, Module]:
    for name, text in BAD_TREE.items():
        path = tmp_path / "sendall" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_modules(tmp_path / "sendall")


def test_the_rules_find_what_is_wrong(bad: dict[str, Module]) -> None:
    """A made-up tree with one defect of each kind: also lazy, relative, guarded and indirect imports."""
    assert upward(bad) == ["sendall.protocol.entry (rank 1) imports sendall.config (rank 3)"]
    assert strangers(bad) == [
        "sendall.client.session imports sendall.log.roomlog",
        "sendall.protocol.entry imports sendall.config",
    ]
    assert keyholders(bad) == [
        "sendall.server.helper reaches sendall.crypto.sealing",
        "sendall.server.relay reaches sendall.crypto.sealing",
    ]
    assert impure(bad) == [
        "sendall.crypto.grants uses os.getpid",
        "sendall.protocol.room imports time",
        "sendall.server.presence imports socket",
        "sendall.steward.authority uses os.getpid",
    ]
    assert homeless(bad) == ["sendall.server.helper imports cryptography"]
    assert cycles(bad) == ["sendall.client.room -> sendall.client.session -> sendall.client.room"]


def test_a_module_without_a_rank_is_reported() -> None:
    """Whoever adds a package says where it stands."""
    with pytest.raises(AssertionError, match="no rank"):
        rank_of("sendall.utils.helpers")
