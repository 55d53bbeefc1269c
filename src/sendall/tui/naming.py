"""What can be a person's name on a screen. Pure."""

from __future__ import annotations

from sendall.client.names import safe_nick


def usable_name(text: str) -> str | None:
    """Return a name, made safe; None if no letter or digit is left of it."""
    name = safe_nick(text)
    return name if any(c.isalnum() for c in name) else None
