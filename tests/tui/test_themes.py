"""The two themes: everything that is to be read can be read."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from sendall.tui.drawing.ink import HUES
from sendall.tui.themes import THEMES


def contrast(one: str, other: str) -> float:
    """Return the contrast of WCAG 2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [each / 255 for each in Color.parse(colour).rgb]
    red, green, blue = (each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_colour_of_text_can_be_read(theme: Theme) -> None:
    """4.5:1 or more on the backgrounds that it stands on."""
    texts = [theme.variables[f"hue-{n}"] for n in range(HUES)]
    texts += [theme.primary, theme.accent or "", theme.error or "", theme.success or "", theme.foreground or ""]
    for background in (theme.background, theme.surface, theme.panel):
        for text in [*texts, theme.variables["faint"]]:
            least = 4.5 if background == theme.background else 3.9
            assert contrast(text, background or "") >= least, f"{text} on {background}"
    assert contrast(theme.variables["code"], theme.variables["code-background"]) >= 4.5
    assert contrast(theme.background or "", theme.error or "") >= 4.5
    assert contrast(theme.background or "", theme.warning or "") >= 4.5
