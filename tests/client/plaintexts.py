"""Plaintexts as tests need them."""

from __future__ import annotations

from sendall.client.conversation.kinds import Text, content_of
from sendall.client.keys import write_content


def write_message(text: str, nick: str) -> bytes:
    """Return the plaintext of a message."""
    return write_content(content_of(Text(text), nick))
