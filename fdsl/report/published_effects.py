"""The effect that a paper's printed numbers give for a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fdsl.report.published import numbers
from fdsl.schema.study.claims import Claim
from fdsl.schema.study.figures import Ablation
from fdsl.schema.study.paper import Study
from fdsl.schema.study.tables import Column, Table


def published_effect(claim: Claim, study: Study, printed: pd.DataFrame) -> float | None:
    """Return the effect of the printed numbers over the columns that have them all, in points;
    None if there are none.

    Parameters
    ----------
    printed
        From `fdsl.report.published.read_published`.
    """
    source = study.tables.get(claim.table) or study.figures[claim.table]
    assert isinstance(source, Table | Ablation)
    columns = [c for c in source.columns if c.dataset and c.label in (claim.columns or [c.label])]
    across = isinstance(source, Ablation) and source.published == "column / bar"
    known = numbers(printed, claim.table, across=across)
    labels = _labels(source)
    base = {row.gain_over for row in source.rows} if isinstance(source, Table) else set()
    if base & set(claim.worse):
        return _printed_gain(claim, labels, columns, printed)
    wanted = [labels[p] for p in claim.rows if p in labels]
    whole = [c.label for c in columns if all((row, c.label) in known for row in wanted)]
    if not whole:
        return None
    better, worse = (
        [known[labels[p], c] for p in group for c in whole] for group in (claim.better, claim.worse)
    )
    return float(np.mean(better) - np.mean(worse))


def _printed_gain(
    claim: Claim, labels: Mapping[str, str], columns: Sequence[Column], printed: pd.DataFrame
) -> float | None:
    """Return the mean of the gains that the paper prints in brackets."""
    gains = printed[
        (printed["table"] == claim.table)
        & (printed["metric"] == "points")
        & printed["row"].isin([labels[p] for p in claim.better])
        & printed["column"].isin([f"{column.label} gain" for column in columns])
    ]
    return float(gains["published"].astype(float).mean()) if len(gains) else None


def _labels(source: Table | Ablation) -> dict[str, str]:
    """Pre-training -> row or bar label."""
    if isinstance(source, Table):
        return {row.pretraining: row.label for row in source.rows if row.pretraining}
    return {bar.pretraining: bar.label for bar in source.bars}
