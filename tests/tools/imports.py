"""Who imports whom, read from the source: nothing is executed.

Imports under `if TYPE_CHECKING` do not count: they are not there at run time. What a package's
`__init__` imports inside a function (lazy re-exports) counts for the package itself, but not for
those who import one of its modules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class Module(NamedTuple):
    """One module; all names are dotted and whole."""

    name: str
    own: frozenset[str]
    """Modules of the package it imports anywhere."""
    early: frozenset[str]
    """Those of `own` that it imports when it is imported itself."""
    foreign: frozenset[str]
    """First components of everything else it imports."""
    tree: ast.Module


class _Import(NamedTuple):
    module: str
    names: tuple[str, ...]
    is_early: bool


def read_modules(package: Path) -> dict[str, Module]:
    """Return all modules under the folder `package`, by name."""
    files = {_name_of(path, package): path for path in sorted(package.rglob("*.py"))}
    return {name: _read(name, path, files) for name, path in files.items()}


def reached_from(module: str, modules: Mapping[str, Module]) -> set[str]:
    """Return every module that `module` imports, directly or through others, itself included."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += modules[name].own
            parent = name.rpartition(".")[0]
            while parent in modules:
                reached.add(parent)
                waiting += modules[parent].early
                parent = parent.rpartition(".")[0]
    return reached


def cycle_in(modules: Mapping[str, Module]) -> list[str]:
    """Return one cycle of imports that happen while importing; an empty list if there is none."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            path.append(name)
            for target in sorted(modules[name].early):
                if found := visit(target):
                    return found
            path.pop()
            done.add(name)
        return []

    for name in modules:
        if found := visit(name):
            return found
    return []


def _name_of(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, files: Mapping[str, Path]) -> Module:
    root = name.partition(".")[0]
    tree = ast.parse(path.read_text("utf-8"))
    own: set[str] = set()
    early: set[str] = set()
    foreign: set[str] = set()
    for found in _imports(tree, name, is_early=True):
        if found.module.partition(".")[0] != root:
            foreign.add(found.module.partition(".")[0])
            continue
        children = {f"{found.module}.{child}" for child in found.names} & set(files)
        targets = (children or {found.module}) & set(files) - {name}
        own |= targets
        if found.is_early:
            early |= targets
    return Module(name, frozenset(own), frozenset(early), frozenset(foreign), tree)


def _imports(node: ast.AST, module: str, *, is_early: bool) -> Iterator[_Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names):
                yield from (_Import(alias.name, (), is_early) for alias in names)
            case ast.ImportFrom(source, names, level):
                base = module.split(".")[: -level or None] if level else []
                yield _Import(".".join([*base, *([source] if source else [])]), tuple(a.name for a in names), is_early)
            case ast.If(test) if "TYPE_CHECKING" in ast.unparse(test):
                for other in child.orelse:
                    yield from _imports(ast.Module([other], []), module, is_early=is_early)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _imports(child, module, is_early=False)
            case _:
                yield from _imports(child, module, is_early=is_early)
