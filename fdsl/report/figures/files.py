"""How a figure reaches the disk: PNG, PDF with embedded fonts, and the numbers that it plots."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from fdsl.io.storage import atomic_write, write_text
from fdsl.report.csv_files import to_csv

# The files must not depend on the day: the PDF is written without a date.
METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
}


def save(figure: Figure, plotted: pd.DataFrame, *, out: Path) -> None:
    """Write `out` (PNG, 300 dpi), and .pdf and .csv beside it; each whole or not at all.

    Call it inside `matplotlib.rc_context(fdsl.report.style.STYLE)`.
    """
    for suffix, entries in METADATA.items():
        with atomic_write(out.with_suffix(suffix)) as path:
            figure.savefig(path, format=suffix[1:], metadata=entries)
    write_text(out.with_suffix(".csv"), to_csv(plotted))
