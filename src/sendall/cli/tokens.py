"""Access tokens: where they come from, how strong they must be, where a new one is kept.

A token never travels (docs/protocol.md, "Handshake"), but a weak one can be found by trying from
one recorded handshake, so short ones are refused here, on both sides.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from sendall.cli import notices
from sendall.errors import UsageError

MIN_TOKEN_BYTES = 16
NEW = "new"
"""The value of `serve --token` that asks for a fresh token."""
FILE = "token"
"""A fresh token's file in the data folder."""


def token_from(given: str | None, file: Path | None, env: Mapping[str, str], other: Path | None = None) -> bytes | None:
    """Return the token of the first source that has one: `given`, `file`, SENDALL_TOKEN, `other`.

    Args:
        given: from the command line, which warns.
        file: named on the command line.
        other: a file named by less than a flag: SENDALL_TOKEN_FILE or the TOML file.

    Raises:
        UsageError: both `given` and `file`; a file that cannot be read; a weak token.
    """
    if given and file:
        raise UsageError("--token and --token-file exclude each other", hint="prefer --token-file")
    if given:
        notices.warn(notices.token_on_command_line())
        return _checked(given.encode(), "the token")
    if file:
        return read_token(file)
    if text := env.get("SENDALL_TOKEN"):
        return _checked(text.encode(), "SENDALL_TOKEN")
    return read_token(other) if other else None


def read_token(file: Path) -> bytes:
    """Return the token in a file, without white space around it; warns if others can read the file.

    Raises:
        UsageError: it cannot be read, or the token is weak.
    """
    try:
        token = file.read_bytes().strip()
        if file.stat().st_mode & 0o077:
            notices.warn(notices.token_file_open(file))
    except OSError as error:
        raise notices.unreadable_token(file, os.strerror(error.errno or 0)) from error
    return _checked(token, f"the token in {file}")


def fresh_token() -> bytes:
    """Return a new token: 192 random bits, 32 characters that survive a copy and a shell."""
    return secrets.token_urlsafe(24).encode()


def keep_token(data: Path, token: bytes) -> Path:
    """Write a token into the data folder (mode 0600), in place of an older one, and return its file."""
    file = data / FILE
    aside = data / f"{FILE}.new"
    aside.unlink(missing_ok=True)
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(token + b"\n")
    return aside.replace(file)


def _checked(token: bytes, where: str) -> bytes:
    if len(token) < MIN_TOKEN_BYTES:
        raise notices.weak_token(where, len(token), MIN_TOKEN_BYTES)
    return token
