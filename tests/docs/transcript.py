"""A transcript of what a client and the relay say, without chance: for the exchanges in docs/protocol.md."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from sendall.crypto import grants
from sendall.crypto.primitives import sha256
from tests.server.members import ListWire, payloads


def fixed(label: str, size: int) -> bytes:
    """Return the bytes that stand for random ones."""
    return hashlib.shake_256(f"sendall exchange: {label}".encode()).digest(size)


def oaep(modulus: bytes, plaintext: bytes, label: bytes) -> bytes:
    """RSA-OAEP-SHA256 (RFC 8017, section 7.1.1) with a fixed seed; the library's draws its own."""
    size = len(modulus)
    block = sha256(label) + bytes(size - len(plaintext) - 66) + b"\1" + plaintext
    seed = fixed("OAEP seed", 32)
    masked = _xor(block, _mgf1(seed, len(block)))
    message = b"\0" + _xor(seed, _mgf1(masked, 32)) + masked
    return pow(int.from_bytes(message, "big"), 65537, int.from_bytes(modulus, "big")).to_bytes(size, "big")


def _mgf1(seed: bytes, size: int) -> bytes:
    return b"".join(sha256(seed + i.to_bytes(4, "big")) for i in range(-(-size // 32)))[:size]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


@contextmanager
def without_chance() -> Iterator[list[bytes]]:
    """Replace all randomness; yields what was drawn, in order."""
    drawn: list[bytes] = []

    def draw(size: int) -> bytes:
        drawn.append(fixed(f"draw {len(drawn)}", size))
        return drawn[-1]

    with mock.patch.object(os, "urandom", draw), mock.patch.object(grants, "rsa_encrypt", oaep):
        yield drawn


class Transcript:
    """Markdown of what was said, in order."""

    def __init__(self, wire: ListWire) -> None:
        self._wire = wire
        self._seen = 0
        self.lines: list[str] = []

    def text(self, sentence: str) -> None:
        self.lines += [sentence, ""]

    def values(self, **values: bytes | str) -> None:
        self.lines.append("```text")
        for name, value in values.items():
            shown = value if isinstance(value, str) else value.hex()
            self.lines += _wrapped(f"{name.replace('_', ' '):<14}", shown)
        self.lines += ["```", ""]

    def skip(self) -> None:
        """Show nothing of what the server has written since the last call."""
        self._seen = len(self._wire.written)

    def client(self, payload: bytes) -> None:
        self._message("C→S", payload, is_binary=payload[:1] != b"{")

    def server(self) -> None:
        """Show what the server has written since the last call."""
        new = self._wire.written[self._seen :]
        self._seen += len(new)
        for is_binary, payload in payloads(new):
            self._message("S→C", payload, is_binary=is_binary)

    def _message(self, arrow: str, payload: bytes, *, is_binary: bool) -> None:
        self.lines.append("```text")
        if is_binary:
            self.lines += _wrapped(f"{arrow} binary   ", payload.hex())
        else:
            self.lines.append(f"{arrow} text     {payload.decode()}")
        self.lines += ["```", ""]


def _wrapped(head: str, text: str, width: int = 96) -> list[str]:
    parts = [text[at : at + width] for at in range(0, len(text), width)] or [""]
    return [head + parts[0], *(" " * len(head) + part for part in parts[1:])]
