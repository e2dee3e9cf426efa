"""Join published and reproduced numbers, and each pre-training with its base, as data frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fdsl.report.read_runs import require_one
from fdsl.report.statistics import LEVEL, half_width
from fdsl.schema.base import ConfigError
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column, Table

PAPER = "paper"
STAND_IN = "stand-in"
FROZEN = "frozen"
MEAN = "mean: "  # no measure contains a blank

WITHIN = "within tolerance"
DIFFERS = "differs"
NOT_RUN = "not run"
QUOTED = "quoted"
NOT_COMPARABLE = "not comparable"
BEATS = "beats"
MISSES = "misses"
UNDECIDED = "undecided"
ROUNDING = 1e-9


def grouped(columns: Sequence[Column], scale: ReportScale) -> list[tuple[str, Column]]:
    """Return (group, column) of the paper's columns, the scale's stand-ins and frozen features."""
    groups = {PAPER: columns, STAND_IN: scale.stand_ins, FROZEN: scale.frozen}
    return [(group, column) for group, members in groups.items() for column in members]


def layout(table: Table, *, name: str, scale: ReportScale) -> pd.DataFrame:
    """Return the cells of a table in reading order, without numbers.

    Parameters
    ----------
    table
        Rows and columns of the paper.
    name
        Table name in the published numbers, for example table3.
    scale
        Gives the stand-in columns and those of the frozen network, which follow the paper's.

    Returns
    -------
    pandas.DataFrame
        One row per cell: table, row, column, group (paper, stand-in or frozen), pretraining
        (missing when quoted), base (the pre-training that it is compared with, or missing), quoted
        (reason or missing), measure (of the column, or the mean of the group), printed (whether
        the paper has the row).

    Raises
    ------
    ConfigError
        If a stand-in repeats a column of the paper.
    """
    taken = {text for column in table.columns for text in (column.label, column.measure) if text}
    for column in [*scale.stand_ins, *scale.frozen]:
        if column.label in taken or column.measure in taken:
            raise ConfigError(
                f"scale {scale.name}: stand_ins = {column.label!r} ({column.dataset}) is already a"
                f" column of {name}. Choose another label and dataset, or leave it out: records of"
                " the paper's columns are shown without it."
            )
    bases = table.bases
    cells = [
        {
            "table": name,
            "row": row.label,
            "column": column.label,
            "group": group,
            "pretraining": row.pretraining,
            "base": bases.get(row.label),
            "quoted": row.quoted,
            "measure": column.measure or MEAN + group,
            "printed": row.printed,
        }
        for row in table.rows
        for group, column in grouped(table.columns, scale)
    ]
    return pd.DataFrame(cells).astype(object)


def placed(runs: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Return the runs that columns show, with a column `measure`.

    Parameters
    ----------
    runs
        From `fdsl.report.read_runs.read_runs`.
    columns
        Of a report; a column without a model takes any, but only one.

    Raises
    ------
    RecordRefused
        If the records of one column are of different models.
    """
    parts = []
    for column in columns:
        mine = runs[
            (runs["downstream"] == column.dataset) & (runs["evaluation"] == column.evaluation)
        ]
        if column.model is not None:
            mine = mine[mine["model"] == column.model]
        require_one(mine, "model", f"column {column.label} is about one model")
        parts.append(mine.assign(measure=column.measure))
    return _concat(runs.iloc[:0].assign(measure=""), parts)


def add_means(runs: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return `runs` with one more row per pre-training, replicate and group whose mean is defined.

    A mean needs every measure of its group for the same pre-training and replicate; its record
    is the records of all of them.
    """
    parts = []
    for group, block in cells.groupby("group", sort=False):
        mean, measured = f"{MEAN}{group}", set(block["measure"])
        if mean not in measured:
            continue
        measured.remove(mean)
        mine = runs[runs["measure"].isin(measured)]
        whole = mine.groupby(["pretraining", "seed"], as_index=False).agg(
            score=("score", "mean"), columns=("measure", "nunique"), record=("record", ";".join)
        )
        whole = whole[whole["columns"] == len(measured)].drop(columns="columns")
        parts.append(whole.assign(measure=mean))
    return _concat(runs, parts)


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Return mean and spread over replicates of each pre-training and measure.

    Returns
    -------
    pandas.DataFrame
        pretraining, measure, reproduced (mean, percent), sd (n - 1; missing for one), replicates,
        record (joined by ;).
    """
    return runs.groupby(["pretraining", "measure"], as_index=False).agg(
        reproduced=("score", "mean"),
        sd=("score", "std"),
        replicates=("score", "size"),
        record=("record", _join),
    )


def side_by_side(
    cells: pd.DataFrame,
    published: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    tolerance_points: float,
    comparable: bool,
) -> pd.DataFrame:
    """Join the paper's numbers with those of the records.

    Parameters
    ----------
    cells
        From `layout`.
    published
        Columns row, column, published (text, empty for a dash), source: every cell of the paper's
        group exactly once.
    runs
        From `add_means`.
    tolerance_points
        Largest absolute difference, in percentage points, that is called within tolerance.
    comparable
        Whether datasets and recipes are the published ones; if not, no difference is taken.

    Returns
    -------
    pandas.DataFrame
        `cells` in the same order with published (text), value (the same as a number), source,
        reproduced (mean over replicates, percent), sd (n - 1; missing for one), replicates,
        difference (points), record, verdict.

    Raises
    ------
    ConfigError
        If a cell of the paper has no published row or the other way round.
    """
    _require_same_cells(cells, published)
    ours = summary(runs)
    table = cells.merge(
        published[["row", "column", "published", "source"]],
        on=["row", "column"],
        how="left",
        validate="one_to_one",
    ).merge(ours, on=["pretraining", "measure"], how="left", validate="many_to_one")
    table["published"] = table["published"].fillna("")
    table["value"] = pd.to_numeric(table["published"].replace("", None)).astype(float)
    table["reproduced"] = table["reproduced"].astype(float)
    table["replicates"] = table["replicates"].fillna(0).astype(int)
    missing = table["reproduced"].isna()
    table["difference"] = table["reproduced"] - table["value"] if comparable else np.nan
    near = table["difference"].abs() <= tolerance_points + ROUNDING
    table["verdict"] = np.select(
        [
            missing & table["quoted"].notna() & (table["group"] == PAPER),
            missing,
            table["difference"].isna(),
            near,
        ],
        [QUOTED, NOT_RUN, NOT_COMPARABLE, WITHIN],
        DIFFERS,
    )
    return table


def gains(table: pd.DataFrame, runs: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Return what each pre-training gains over its base, paired by replicate.

    Parameters
    ----------
    table
        From `side_by_side`.
    runs
        From `add_means`.
    printed
        Gains that the paper prints: columns row, column (as in the table), published (text).

    Returns
    -------
    pandas.DataFrame
        One row per cell whose pre-training shares at least one replicate with its base: row,
        column, group, measure, gain (mean of the paired differences, points), sd (over the pairs,
        n - 1), pairs, low and high (95 % t interval of the gain, not adjusted for the number of
        cells; missing for one pair), published_gain (points: printed, else from the printed
        accuracies; missing where the paper has neither), verdict: beats or misses if the interval
        is above or below 0, else undecided.
    """
    bases = table.loc[table["base"].notna(), ["pretraining", "base"]].drop_duplicates()
    theirs = runs[["pretraining", "measure", "seed", "score"]]
    pairs = theirs.merge(bases, on="pretraining").merge(
        theirs.rename(columns={"pretraining": "base", "score": "score_base"}),
        on=["base", "measure", "seed"],
        validate="many_to_one",
    )
    pairs["gain"] = pairs["score"] - pairs["score_base"]
    found = pairs.groupby(["pretraining", "measure"], as_index=False).agg(
        gain=("gain", "mean"), sd=("gain", "std"), pairs=("gain", "size")
    )
    half = half_width(found["sd"].to_numpy(float), found["pairs"].to_numpy(), level=LEVEL)
    found["low"], found["high"] = found["gain"] - half, found["gain"] + half
    spread = found["sd"] > ROUNDING
    found["verdict"] = np.select(
        [spread & (found["low"] > 0), spread & (found["high"] < 0)], [BEATS, MISSES], UNDECIDED
    )
    bare = table[["row", "column", "group", "pretraining", "base", "measure", "value"]]
    beside = (
        table[["pretraining", "column", "value"]]
        .dropna()
        .rename(columns={"pretraining": "base", "value": "value_base"})
    )
    cells = bare.merge(beside, on=["base", "column"], how="left").merge(
        printed[["row", "column", "published"]], on=["row", "column"], how="left"
    )
    stated = pd.to_numeric(cells["published"].replace("", None)).astype(float)
    cells["published_gain"] = stated.fillna((cells["value"] - cells["value_base"]).astype(float))
    return cells.merge(found, on=["pretraining", "measure"], validate="many_to_one").drop(
        columns=["value", "value_base", "published", "base"]
    )


def _concat(first: pd.DataFrame, others: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return frames as one; pandas warns about types if an empty one is among them."""
    filled = [part for part in (first, *others) if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else first


def _join(records: pd.Series) -> str:
    """Join record paths, each of which may be several already, sorted by name."""
    return ";".join(sorted(";".join(records).split(";")))


def _require_same_cells(cells: pd.DataFrame, published: pd.DataFrame) -> None:
    """Refuse a study and published numbers that name different cells."""
    paper = cells[(cells["group"] == PAPER) & cells["printed"].astype(bool)]
    ours, theirs = (
        {f"{row} / {column}" for row, column in zip(frame["row"], frame["column"], strict=True)}
        for frame in (paper, published)
    )
    faults = [f"{cell} is in the study but not published" for cell in sorted(ours - theirs)]
    faults += [f"{cell} is published but not in the study" for cell in sorted(theirs - ours)]
    if faults:
        raise ConfigError(
            f"{cells['table'].iloc[0]}: {'; '.join(faults)}. Labels must be the same in"
            " workflow/studies and workflow/published/tables.csv."
        )
