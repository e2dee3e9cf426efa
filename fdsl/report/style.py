"""The style of all figures: colours for colour-blind readers, fonts that journals can embed."""

from __future__ import annotations

import textwrap
from typing import Any

DPI = 300
TEXT_WIDTH_IN = 7.0

# Okabe and Ito (2008), Color Universal Design.
COLORS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}

# Lines of one panel; they differ without colour too.
LINES: list[dict[str, Any]] = [
    {
        "color": COLORS[color],
        "linestyle": style,
        "marker": marker,
        "markersize": 3,
        "linewidth": 1.2,
    }
    for style in ("-", "--", ":")
    for color, marker in (
        ("blue", "o"),
        ("vermilion", "s"),
        ("green", "^"),
        ("purple", "D"),
        ("orange", "v"),
        ("sky", "P"),
        ("black", "x"),
    )
]

# Files must not depend on the day: the PDF is written without a date.
METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
}

# matplotlib settings. Font type 42 embeds whole glyphs, which journals accept; type 3 they do not.
# A $ in a title is a $.
STYLE: dict[Any, Any] = {
    "axes.titlesize": 9,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "savefig.bbox": "tight",
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "savefig.pad_inches": 0.03,
    "text.parse_math": False,
}


def wrapped(text: str, *, characters: int = 150) -> str:
    """Return text in lines that fit below a figure of the text's width; no word is broken."""
    return textwrap.fill(text, characters, break_long_words=False)
