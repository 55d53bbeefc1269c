"""A picture of the application: the SVG that Textual exports, with nothing in it that comes from elsewhere."""

from __future__ import annotations

import re

from textual.app import App

_CLIPS = re.compile(
    r' clip-path="url\(#terminal-\d+-line-\d+\)"|<clipPath id="terminal-\d+-line-\d+">.*?</clipPath>', re.DOTALL
)
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_TEXTS = re.compile(r'<text class="([^"]+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)">([^<]*)</text>')
_CELL = 12.2
"""How wide a cell is in Textual's picture, in its units."""
FONTS = "DejaVu Sans Mono, Menlo, Consolas, monospace"


def picture(app: App[None]) -> str:
    """Return the screen as SVG: no fonts from the network, and no more than what a browser needs."""
    svg = app.export_screenshot(title="sendall", simplify=True)
    svg = re.sub(r"terminal-\d+-", "t-", _CLIPS.sub("", _FONT_FACES.sub("", svg)))
    svg = svg.replace("Fira Code, monospace", FONTS).replace("Fira Code", FONTS)
    svg = _TEXTS.sub(_trimmed, svg)
    lines = (line.strip() for line in svg.splitlines() if "<!-- Generated" not in line)
    return "\n".join(line for line in lines if line) + "\n"


def _trimmed(found: re.Match[str]) -> str:
    """Return a piece of text without the spaces at its end, which are half of a picture."""
    name, x, y, length, text = found.groups()
    bare = re.sub(r"(&#160;|\s)+$", "", text)
    if not bare:
        return ""
    cells = round(float(length) / _CELL) - (len(text) - len(bare)) // len("&#160;")
    return f'<text class="{name}" x="{x}" y="{y}" textLength="{cells * _CELL:.5g}">{bare}</text>'
