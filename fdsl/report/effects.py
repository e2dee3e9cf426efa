"""Differences between groups of pre-trainings, paired by replicate or by test image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fdsl.report import compare, statistics
from fdsl.report.statistics import Floats
from fdsl.schema.study.tables import Column


@dataclass(frozen=True)
class Effects:
    """Better minus worse in percentage points, mean over datasets.

    Attributes
    ----------
    per_replicate
        Shape (replicates,): each replicate that has everything.
    datasets
        Labels of the columns that every pre-training has.
    differences
        Per dataset and test image, in points, of the only replicate; empty with several replicates
        or without `correct_bits`.
    """

    per_replicate: Floats
    datasets: tuple[str, ...]
    differences: tuple[Floats, ...]

    @property
    def mean(self) -> float | None:
        """The mean over replicates; None without any."""
        return float(self.per_replicate.mean()) if len(self.per_replicate) else None

    def interval(self, level: float) -> tuple[float, float] | None:
        """Return Student's interval over replicates or, of a single one, over test images."""
        if len(self.per_replicate) > 1:
            low, high = statistics.t_interval(self.per_replicate, level=level)
            return float(low), float(high)
        return (
            statistics.image_interval(self.differences, level=level) if self.differences else None
        )


def effects(
    better: Sequence[str], worse: Sequence[str], runs: pd.DataFrame, columns: Sequence[Column]
) -> Effects:
    """Return what one group of pre-trainings gains over another.

    Parameters
    ----------
    better, worse
        Names of pre-trainings; the mean of a group counts.
    runs
        From `fdsl.report.read_runs.read_runs`.
    columns
        Datasets; those that lack a record of a pre-training are left out.
    """
    wanted = [*better, *worse]
    shown = compare.placed(runs, columns)
    shown = shown[shown["pretraining"].isin(wanted)]
    scores = shown.pivot_table(index="seed", columns=["measure", "pretraining"], values="score")
    labels = {column.measure: column.label for column in columns}
    whole = [m for m in labels if all((m, p) in scores.columns for p in wanted)]
    if not whole:
        return Effects(np.empty(0), (), ())
    found = scores[[(m, p) for m in whole for p in wanted]].dropna()
    weights = np.array([*(1 / len(better) for _ in better), *(-1 / len(worse) for _ in worse)])
    values = found.to_numpy(float).reshape(len(found), len(whole), len(wanted)) @ weights
    mine = shown[shown["seed"].isin(found.index)] if len(found) == 1 else shown[:0]
    images = [_images(mine[mine["measure"] == m].set_index("pretraining"), wanted) for m in whole]
    differences = [100 * weights @ bits for bits in images if bits is not None]
    return Effects(
        values.mean(axis=1),
        tuple(labels[m] for m in whole),
        tuple(differences) if len(differences) == len(whole) else (),
    )


def _images(runs: pd.DataFrame, wanted: Sequence[str]) -> Floats | None:
    """Return which test images were correct, shape (pre-trainings, images); None if unknown."""
    if runs.empty or runs["correct_bits"].isna().any():
        return None
    number = int(runs["images"].iloc[0])
    packed = [np.frombuffer(bytes(runs["correct_bits"][p]), np.uint8) for p in wanted]
    return np.unpackbits(np.stack(packed), axis=1)[:, :number].astype(float)
