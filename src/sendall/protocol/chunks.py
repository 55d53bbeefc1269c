"""Chunks: what the server sends, framed once as whole WebSocket messages for every reader.

Unmasked, without extensions, so that the same bytes go to all. Knows no rooms and no readers. Pure.
Source: docs/protocol.md, "Binary frames"; RFC 6455 §5.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from sendall.protocol.frames import LOGGED, LOGGED_HEADER, MAX_BATCH

_BINARY, _TEXT = 0x82, 0x81


def binary_message(payload: bytes) -> bytes:
    """Return one whole unmasked WebSocket binary message."""
    return _websocket_header(_BINARY, len(payload)) + payload


def text_message(payload: bytes) -> bytes:
    return _websocket_header(_TEXT, len(payload)) + payload


def _websocket_header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 65_536:
        return struct.pack(">BBH", first, 126, length)
    return struct.pack(">BBQ", first, 127, length)


class Chunk(NamedTuple):
    """Entries `first` … `last` of one room, framed once as one WebSocket message for every reader."""

    first: int
    last: int
    data: bytes


def frame_entries(rid: int, records: Iterable[tuple[int, int, bytes]]) -> list[Chunk]:
    """Frame (seq, time_ms, entry) triples, ascending, as WebSocket messages of at most 64 KiB each."""
    chunks: list[Chunk] = []
    parts: list[bytes] = []
    pack, header_size = LOGGED_HEADER.pack, LOGGED_HEADER.size
    size = first = last = 0
    for seq, time_ms, entry in records:
        length = len(entry)
        frame_size = header_size + length
        if parts and size + frame_size > MAX_BATCH:
            chunks.append(Chunk(first, last, binary_message(b"".join(parts))))
            parts, size = [], 0
        if not parts:
            first = seq
        parts += (pack(LOGGED, rid, seq, time_ms, length), entry)
        size += frame_size
        last = seq
    if parts:
        chunks.append(Chunk(first, last, binary_message(b"".join(parts))))
    return chunks
