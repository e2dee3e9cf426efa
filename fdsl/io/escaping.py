"""Escape untrusted text for a terminal, Markdown, reStructuredText and CSV.

HTML templates and `fdsl.report.latex` escape for HTML and LaTeX.
"""

from __future__ import annotations

import re

# C0 without tab and line feed, DEL, C1; invisible characters that break or reorder lines (Boucher
# and Anderson 2021, arXiv:2111.00169)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
MARKUP = re.compile(r"([\\|*<>`\[\]]|\b_|_\b)")
# First characters of a cell that a spreadsheet evaluates (OWASP, "CSV injection"), also full-width
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def printable(text: str) -> str:
    r"""Replace terminal control and reordering characters by escapes such as \x1b.

    Line feeds and tabs stay.
    """
    return CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def escape_markdown(text: str) -> str:
    """Return text on one line, without live Markdown or HTML."""
    return MARKUP.sub(r"\\\1", " ".join(printable(text).split()))


def escape_rst(text: str) -> str:
    """Return text on one line, without live reStructuredText (the markup of Snakemake's report)."""
    return re.sub(r"([\\`*_|:@])", r"\\\1", " ".join(printable(text).split()))


def escape_csv(text: str) -> str:
    """Return a CSV cell that no spreadsheet evaluates: a formula gets an apostrophe in front."""
    harmless = not text.startswith(FORMULA) or NUMBER.fullmatch(text)
    return text if harmless else f"'{text}"
