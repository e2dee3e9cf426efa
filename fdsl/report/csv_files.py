"""Tables as CSV text that a spreadsheet can open: text is never taken for a formula."""

from __future__ import annotations

import pandas as pd

from fdsl.io.escaping import escape_csv


def to_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV; text that begins like a formula gets an apostrophe before it."""
    safe = table.map(lambda value: escape_csv(value) if isinstance(value, str) else value)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def two_decimals(value: float | None) -> str:
    """Return a number with two decimals, never a negative zero; an empty string for None."""
    return "" if value is None else f"{value:z.2f}"
