"""Text that others wrote, made harmless where it is shown: on a terminal, in Markdown and
reStructuredText, in a spreadsheet.

HTML and LaTeX are escaped by their templates (`fdsl.report.templates`).
"""

from __future__ import annotations

import re

# C0 but tab and line feed, DEL, C1; what reorders or breaks lines unseen (Boucher and Anderson
# 2021, arXiv:2111.00169)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
MARKUP = re.compile(r"([\\|*<>`\[\]]|\b_|_\b)")
# What makes a spreadsheet take a cell for a formula (OWASP, "CSV injection"), wide forms included.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def printable(text: str) -> str:
    r"""Return text that cannot move a cursor, colour, or reorder: such a character is shown as its
    escape, for example \x1b.

    Line feeds and tabs stay.
    """
    return CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def markdown(text: str) -> str:
    """Return text on one line in which Markdown finds neither markup nor HTML."""
    return MARKUP.sub(r"\\\1", " ".join(printable(text).split()))


def restructured(text: str) -> str:
    """Return text on one line in which reStructuredText, of which Snakemake's report is made, finds
    no markup.
    """
    return re.sub(r"([\\`*_|:@])", r"\\\1", " ".join(printable(text).split()))


def spreadsheet(text: str) -> str:
    """Return text of a CSV cell that no spreadsheet takes for a formula: an apostrophe stands
    before one; numbers stay.
    """
    harmless = not text.startswith(FORMULA) or NUMBER.fullmatch(text)
    return text if harmless else f"'{text}"
