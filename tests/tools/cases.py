"""What the files of single cases in vectors/ have in common: bytes from labels, and how a case is written.

A case is one value with at most one defect, named by it. What its fields mean stands in the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

Json = dict[str, object]


def pick(label: str, size: int) -> bytes:
    """Return bytes that nobody could guess but who has read this line."""
    return hashlib.shake_256(f"sendall cases: {label}".encode()).digest(size)


def case(kind: str, name: str, **fields: object) -> Json:
    """Return one case; bytes are written in hexadecimal."""
    return {"kind": kind, "name": name} | {key: _written(value) for key, value in fields.items()}


def case_file(what: str, fields: dict[str, str], cases: Iterable[Json], **common: object) -> Json:
    """Return a whole file; every case has a name of its own, and every field is explained."""
    listed = list(cases)
    names = [(one["kind"], one["name"]) for one in listed]
    assert len(set(names)) == len(names), "two cases with one name"
    used = {key for one in listed for key in one} | set(common)
    assert used == set(fields), f"fields that are not explained, or not there: {used ^ set(fields)}"
    return {
        "version": "sendall-v1",
        "what": what,
        "fields": fields,
        **{key: _written(value) for key, value in common.items()},
        "cases": listed,
    }


def _written(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
