"""Read the numbers that papers print."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fdsl.io.storage import DamagedFile

COLUMNS = "table, row, column, metric, published, model, source, confidence"


def read_published(path: str | Path) -> pd.DataFrame:
    """Read published numbers as text, exactly as printed.

    Raises
    ------
    DamagedFile
        If columns are missing, a cell is repeated, or a number cannot be read.
    """
    published = pd.read_csv(path, dtype=str, keep_default_na=False)
    found = ", ".join(published.columns)
    if found != COLUMNS:
        raise DamagedFile(f"{path} must have the columns {COLUMNS}; it has {found}")
    twice = published[published.duplicated(["table", "row", "column", "metric", "model"])]
    if len(twice):
        raise DamagedFile(f"{path}: {' / '.join(twice.iloc[0, :4])} is repeated; keep one line")
    filled = published[published["published"] != ""]
    wrong = filled[pd.to_numeric(filled["published"], errors="coerce").isna()]
    if len(wrong):
        raise DamagedFile(
            f"{path}: published = {wrong['published'].iloc[0]!r} is not a number; leave a printed"
            " dash empty"
        )
    return published


def numbers(
    published: pd.DataFrame, table: str, *, across: bool = False
) -> dict[tuple[str, str], float]:
    """Return the printed numbers of a table or figure by row and column, without gains and dashes.

    With `across`, by column and row: for a figure whose bars are the columns of the file.
    """
    mine = published[(published["table"] == table) & (published["metric"] != "points")]
    return by_cell(mine.rename(columns={"row": "column", "column": "row"}) if across else mine)


def by_cell(published: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return published numbers by row and column, without dashes."""
    filled = published[published["published"] != ""]
    cells = zip(filled["row"], filled["column"], strict=True)
    return dict(zip(cells, filled["published"].astype(float), strict=True))
