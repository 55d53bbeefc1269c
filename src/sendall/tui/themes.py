"""The two themes: dusk (dark) and dawn (light). Everything else about looks is in `app.tcss`."""

from __future__ import annotations

from textual.theme import Theme

DARK = "dusk"
LIGHT = "dawn"

# Eight hues that tell people apart, all at least 4.5:1 on the theme's background (tests/tui/test_themes.py).
_DARK_HUES = ("#7fc8f8", "#8fd694", "#f2c879", "#f29e8e", "#c9a7f5", "#6fd3c7", "#f0a6ca", "#b8cc6e")
_LIGHT_HUES = ("#0b62a3", "#1f7034", "#8a5a00", "#b03a24", "#6b3fb0", "#0f6c66", "#a3286f", "#56660d")


def _hues(colours: tuple[str, ...]) -> dict[str, str]:
    return {f"hue-{number}": colour for number, colour in enumerate(colours)}


THEMES = (
    Theme(
        name=DARK,
        dark=True,
        primary="#7aa2f7",
        secondary="#5a6b94",
        accent="#f2c879",
        foreground="#d6dbe5",
        background="#14171f",
        surface="#1a1e28",
        panel="#222735",
        success="#8fd694",
        warning="#f2c879",
        error="#f7768e",
        variables={
            **_hues(_DARK_HUES),
            "faint": "#8088a0",
            "rule": "#3a4258",
            "code": "#b9c7e4",
            "code-background": "#1e2330",
            "match-background": "#5a4a12",
            "mention-background": "#3b3413",
            "cursor-background": "#262d40",
        },
    ),
    Theme(
        name=LIGHT,
        dark=False,
        primary="#2f5fc4",
        secondary="#8fa3d1",
        accent="#8a5a00",
        foreground="#23262e",
        background="#fbfaf7",
        surface="#f3f1ec",
        panel="#e8e5dd",
        success="#1f7034",
        warning="#8a5a00",
        error="#b3261e",
        variables={
            **_hues(_LIGHT_HUES),
            "faint": "#666c7a",
            "rule": "#c9c5b9",
            "code": "#33415f",
            "code-background": "#efece4",
            "match-background": "#ffe58a",
            "mention-background": "#fff1bf",
            "cursor-background": "#e5e9f5",
        },
    ),
)
