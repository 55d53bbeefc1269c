"""Binary values in JSON and links: canonical base64url without padding. Pure.

Source: docs/protocol.md, "Conventions".
"""

from __future__ import annotations

import base64
import binascii


class B64(bytes):
    """Bytes that travel in JSON as base64url without padding."""


def to_base64(value: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def from_base64(text: object) -> B64:
    """Return the bytes of canonical base64url without padding.

    Raises:
        ValueError: anything else, also padding, other alphabets and stray bits at the end.
    """
    if not isinstance(text, str) or not text.isascii():
        raise ValueError("base64url text was expected")
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("this is no base64url") from error
    if to_base64(value) != text:
        raise ValueError("base64url that is not canonical")
    return B64(value)
