"""A picture of the application: the SVG that Textual exports, with nothing in it that comes from elsewhere."""

from __future__ import annotations

import re

from textual.app import App

_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
FONTS = "DejaVu Sans Mono, Menlo, Consolas, monospace"


def picture(app: App[None]) -> str:
    """Return the screen as SVG: no fonts from the network, no name of the program that drew it."""
    svg = app.export_screenshot(title="sendall", simplify=True)
    svg = _FONT_FACES.sub("", svg).replace("Fira Code, monospace", FONTS).replace("Fira Code", FONTS)
    return "\n".join(line.rstrip() for line in svg.splitlines() if "<!-- Generated" not in line) + "\n"
