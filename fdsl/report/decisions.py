"""Decide a claim of a paper from records: effect, interval and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fdsl.report import compare
from fdsl.report.content import DASH, signed
from fdsl.report.published import numbers
from fdsl.schema.study.claims import Claim
from fdsl.schema.study.figures import Ablation
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column, Table
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

SUPPORTED = "supported"
CONTRADICTED = "contradicted"
INCONCLUSIVE = "inconclusive"
NOT_RUN = "not run"

RESAMPLES = 10_000
LEVEL = 0.95
FEWEST_SEEDS = 2


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The result of one claim at one scale; effects in percentage points, better minus worse.

    `low` and `high` bound the interval, None with one seed; all are None if nothing was run.
    """

    name: str
    claim: Claim
    scale: ReportScale
    published: float | None
    effect: float | None
    low: float | None
    high: float | None
    seeds: int
    datasets: tuple[str, ...]
    verdict: str
    note: str

    @property
    def published_effect(self) -> str:
        """The published effect with a sign, or a dash."""
        return DASH if self.published is None else signed(self.published)

    @property
    def our_effect(self) -> str:
        """Our effect with a sign and its interval, or a dash."""
        if self.effect is None:
            return DASH
        interval = "" if self.low is None else f" [{signed(self.low)}, {signed(self.high or 0.0)}]"
        return f"{signed(self.effect)}{interval}"


def decide_all(
    study: Study, scales: Mapping[str, ReportScale], *, runs: pd.DataFrame, printed: pd.DataFrame
) -> list[Decision]:
    """Decide all claims of a study, in the order of its tables and figures; the parameters are
    those of `decide`.
    """
    places = [*study.tables, *study.figures]
    claims = sorted(study.claims.items(), key=lambda item: places.index(item[1].table))
    return [
        decide(name, claim, study, scale=scales[claim.table], runs=runs, printed=printed)
        for name, claim in claims
    ]


def decide(
    name: str,
    claim: Claim,
    study: Study,
    *,
    scale: ReportScale,
    runs: pd.DataFrame,
    printed: pd.DataFrame,
) -> Decision:
    """Decide one claim.

    The effect is the mean over datasets of (mean of the better group - mean of the worse group),
    taken seed by seed; the interval is the 95 % percentile interval of its mean over seeds
    resampled with replacement. A verdict needs the whole interval on one side of the claim's
    margin. Ours; the paper states no test.

    Parameters
    ----------
    runs
        From `fdsl.report.read_runs.read_runs`.
    printed
        From `fdsl.report.published.read_published`.
    """
    source = study.tables.get(claim.table) or study.figures[claim.table]
    assert isinstance(source, Table | Ablation)
    own = [c for c in source.columns if c.dataset and c.label in (claim.columns or [c.label])]
    columns = [c for c in scale.stand_ins if c.dataset] or own
    effects, used = _effects(claim, compare.placed(runs, columns), columns)
    absent = [p for p in [*claim.better, *claim.worse] if p not in set(runs["pretraining"])]
    low = high = effect = None
    verdict, note = NOT_RUN, f"no records of {', '.join(absent)}" if absent else "no seed in common"
    if len(effects):
        effect = float(effects.mean())
        low, high = interval(effects) if len(effects) >= FEWEST_SEEDS else (None, None)
        verdict, note = _verdict(low, high, claim.margin_points)
    return Decision(
        name=name,
        claim=claim,
        scale=scale,
        published=_published_effect(claim, source, own, printed),
        effect=effect,
        low=low,
        high=high,
        seeds=len(effects),
        datasets=tuple(used),
        verdict=verdict,
        note=note,
    )


def interval(effects: NDArray[np.float64]) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean: 95 %, 10,000 resamples of a fixed seed.

    With n seeds there are few distinct resamples (10 for n = 3), so the interval is about as wide
    as the range of the seeds.
    """
    rng = tree.generator(0, 0, 0, 0, Stage.BOOTSTRAP)
    means = effects[rng.integers(0, len(effects), (RESAMPLES, len(effects)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _effects(
    claim: Claim, runs: pd.DataFrame, columns: Sequence[Column]
) -> tuple[NDArray[np.float64], list[str]]:
    """Return the effect of each seed that has everything, and the labels of the datasets that were
    used.
    """
    wanted = [*claim.better, *claim.worse]
    mine = runs[runs["pretraining"].isin(wanted)]
    scores = mine.pivot_table(index="seed", columns=["measure", "pretraining"], values="score")
    measures = {column.measure: column.label for column in columns}
    whole = [m for m in measures if all((m, p) in scores.columns for p in wanted)]
    if not whole:
        return np.empty(0), []
    needed = scores[[(m, p) for m in whole for p in wanted]].dropna()

    def group(measure: str, members: Sequence[str]) -> NDArray[np.float64]:
        chosen: NDArray[np.float64] = needed[[(measure, p) for p in members]].to_numpy(float)
        return np.asarray(chosen.mean(axis=1))

    differences = [group(m, claim.better) - group(m, claim.worse) for m in whole]
    return np.mean(differences, axis=0), [measures[m] for m in whole]


def _verdict(low: float | None, high: float | None, margin: float) -> tuple[str, str]:
    """Return the verdict and, if inconclusive, the reason."""
    if low is None or high is None:
        return INCONCLUSIVE, "one seed has no spread"
    if low > margin:
        return SUPPORTED, ""
    if high < margin:
        return CONTRADICTED, ""
    return INCONCLUSIVE, "the interval holds the margin"


def _published_effect(
    claim: Claim, source: Table | Ablation, columns: Sequence[Column], printed: pd.DataFrame
) -> float | None:
    """Return the effect of the printed numbers over the columns that have them all, in points."""
    across = isinstance(source, Ablation) and source.published == "column / bar"
    known = numbers(printed, claim.table, across=across)
    labels = _labels(source)
    base = {row.gain_over for row in source.rows} if isinstance(source, Table) else set()
    if base & set(claim.worse):
        return _printed_gain(claim, labels, columns, printed)
    wanted = [labels[p] for p in [*claim.better, *claim.worse] if p in labels]
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
