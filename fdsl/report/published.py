"""Read the numbers that papers print."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fdsl.io.storage import DamagedFile

COLUMNS = (
    "table",
    "row",
    "column",
    "metric",
    "published",
    "model",
    "source",
    "confidence",
)


def read_published(path: str | Path) -> pd.DataFrame:
    """Read published numbers as text, exactly as printed.

    Raises
    ------
    DamagedFile
        If columns are missing, a cell stands twice, or a number cannot be read.
    """
    published = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(published.columns) != COLUMNS:
        raise DamagedFile(
            f"{path} must have the columns {', '.join(COLUMNS)}; it has"
            f" {', '.join(published.columns)}"
        )
    twice = published[published.duplicated(["table", "row", "column", "metric", "model"])]
    if len(twice):
        raise DamagedFile(f"{path}: {' / '.join(twice.iloc[0, :4])} stands twice; keep one line")
    filled = published[published["published"] != ""]
    wrong = filled[pd.to_numeric(filled["published"], errors="coerce").isna()]
    if len(wrong):
        raise DamagedFile(
            f"{path}: published = {wrong['published'].iloc[0]!r} is not a number; leave a printed"
            " dash empty"
        )
    return published
