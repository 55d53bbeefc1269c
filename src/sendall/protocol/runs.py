"""Runs: messages of one session behind each other in one batch, that differ in number and body only.

Whoever has much to say puts many messages into one batch, all on the same head. What is judged of the
first then holds for those that go on with it, so they need not be judged one by one. Pure, bytes only;
knows no rooms. Source: docs/protocol.md, "Entry" and "Binary frames".
"""

from __future__ import annotations

import struct

from sendall.protocol.entry import HEADER_SIZE, MAX_N, MIN_SEALED_BODY, SIGNATURE_SIZE

# Kind and rid of the frame, length; of the entry: everything up to its n, n, the head it names.
_HEADS = struct.Struct(">5sI56sQ40s")
_FRAME_HEAD = 9
_MIN_MESSAGE = HEADER_SIZE + MIN_SEALED_BODY + SIGNATURE_SIZE


def go_on(batch: bytes, first: int, at: int) -> list[bytes]:
    """Return the entries of the frames from `at` on that go on with the message whose frame is at `first`.

    Each is a message for the same room with the same header, but for its n, which is the next one. The first
    frame that is not so, whole and sound, ends the run.
    """
    unpack = _HEADS.unpack_from
    frame, _, fixed, n, head = unpack(batch, first)
    entries: list[bytes] = []
    last = len(batch) - _FRAME_HEAD - _MIN_MESSAGE
    while at <= last:
        its_frame, length, its_fixed, its_n, its_head = unpack(batch, at)
        n += 1
        end = at + _FRAME_HEAD + length
        is_next = its_n == n and its_frame == frame and its_fixed == fixed and its_head == head
        if not is_next or n >= MAX_N or length < _MIN_MESSAGE or end > len(batch):
            break
        entries.append(batch[at + _FRAME_HEAD : end])
        at = end
    return entries
