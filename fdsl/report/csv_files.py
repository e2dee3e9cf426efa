"""Tables as CSV text that a spreadsheet may open: words of studies and scales are never taken for
formulas.
"""

from __future__ import annotations

import pandas as pd

from fdsl.io.escaping import escape_csv


def to_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV; an apostrophe stands before text that begins as a formula does,
    numbers stay as they are.
    """
    safe = table.map(lambda value: escape_csv(value) if isinstance(value, str) else value)
    return str(safe.to_csv(index=False, lineterminator="\n"))
