"""Inks: the names of the styles that text is drawn in. What they look like is in `app.tcss`. Pure.

Several names in one ink are laid over each other, the later ones on top: "quote bold".
"""

from __future__ import annotations

HUES = 8
"""Colours that people's names have."""

INKS = frozenset(
    {
        *(f"hue-{number}" for number in range(HUES)),
        *("accent", "alarm", "badge", "bar", "bold", "chosen", "code", "code-block", "cursor", "day", "done"),
        *("error", "faint", "italic", "key", "link", "match", "mention", "new", "notice", "pending", "quote"),
        *("reaction", "reaction-mine", "rule", "state", "strike", "tag", "thumb", "time", "title", "underline"),
        *("token-comment", "token-keyword", "token-name", "token-number", "token-operator", "token-string"),
        *("unread", "warning", "qr"),
    }
)
"""Every ink there is; each is a component class `ink--NAME` of every widget that draws rows."""


def hue_of(id_pk: bytes) -> str:
    """Return the ink of a person's name: the same in every room and at every start."""
    return f"hue-{id_pk[0] % HUES}" if id_pk else "faint"
