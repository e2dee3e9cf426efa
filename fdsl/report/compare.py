"""Published beside reproduced, and every pre-training beside scratch: joins of frames, without any file."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fdsl.strict import ConfigError
from fdsl.study import SCRATCH, ReportScale, Table

PAPER = "paper"
STAND_IN = "stand-in"
MEAN = "mean: "  # a colon cannot stand in the name of a dataset

WITHIN = "within tolerance"
DIFFERS = "differs"
NOT_RUN = "not run"
QUOTED = "quoted"
NOT_COMPARABLE = "not comparable"

BEATS = "beats"
MISSES = "misses"
UNDECIDED = "undecided"

ROUNDING = 1e-9


def layout(table: Table, *, name: str, scale: ReportScale) -> pd.DataFrame:
    """Return the cells of a table in reading order, before anything is known about them.

    Parameters
    ----------
    table
        Rows and columns of the paper.
    name
        Table name in the published numbers, for example table3.
    scale
        Gives the stand-in columns, which follow the paper's.

    Returns
    -------
    pandas.DataFrame
        One row per cell: table, row, column, metric, group (paper or stand-in), pretraining (missing when quoted), quoted
        (reason or missing), measure (dataset name, or the mean of the group).

    Raises
    ------
    ConfigError
        If a stand-in repeats a column of the paper.
    """
    taken = {column.label for column in table.columns} | {
        column.dataset for column in table.columns if column.dataset
    }
    for column in scale.stand_ins:
        if column.label in taken or column.dataset in taken:
            raise ConfigError(
                f"scale {scale.name}: stand_ins = {column.label!r} ({column.dataset}) is already a column of {name}. "
                "Choose another label and dataset, or leave it out: records of the paper's columns are shown without it."
            )
    groups = [(PAPER, column) for column in table.columns] + [
        (STAND_IN, column) for column in scale.stand_ins
    ]
    cells = [
        (
            name,
            row.label,
            column.label,
            table.metric,
            group,
            row.pretraining,
            row.quoted,
            column.dataset or MEAN + group,
        )
        for row in table.rows
        for group, column in groups
    ]
    columns = ["table", "row", "column", "metric", "group", "pretraining", "quoted", "measure"]
    return pd.DataFrame(cells, columns=columns).astype(object)


def add_means(runs: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return `runs` with a column `measure`, and with one further row per seed and group that a mean can be taken of.

    A mean needs every dataset of its group for the same pre-training and seed; its record is the records of all of them.
    """
    parts = [runs.assign(measure=runs["downstream"])]
    for group, block in cells.groupby("group", sort=False):
        mean = f"{MEAN}{group}"
        measured = set(block["measure"]) - {mean}
        if mean not in set(block["measure"]):
            continue
        mine = runs[runs["downstream"].isin(measured)]
        whole = mine.groupby(["pretraining", "seed"], as_index=False).agg(
            top1=("top1", "mean"), columns=("downstream", "nunique"), record=("record", ";".join)
        )
        whole = whole[whole["columns"] == len(measured)].drop(columns="columns")
        parts.append(whole.assign(measure=mean))
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def side_by_side(
    cells: pd.DataFrame,
    published: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    tolerance_points: float,
    comparable: bool,
) -> pd.DataFrame:
    """Set what the paper prints beside what the records say.

    Parameters
    ----------
    cells
        From `layout`.
    published
        Columns row, column, published (text, empty for a dash), source: every cell of the paper's group exactly once.
    runs
        From `add_means`.
    tolerance_points
        Largest absolute difference, in percentage points, that is called within tolerance.
    comparable
        Whether the records are of the published datasets and recipes. If not, no difference is taken.

    Returns
    -------
    pandas.DataFrame
        `cells` in the same order with published (text), value (the same as a number), source, reproduced (mean over seeds,
        percent), sd (over seeds, n - 1; missing for one seed), seeds, difference (points), record, verdict.

    Raises
    ------
    ConfigError
        If a cell of the paper has no published row or the other way round.
    """
    _require_same_cells(cells, published)
    ours = runs.groupby(["pretraining", "measure"], as_index=False).agg(
        reproduced=("top1", "mean"),
        sd=("top1", "std"),
        seeds=("top1", "size"),
        record=("record", _join),
    )
    table = cells.merge(
        published[["row", "column", "published", "source"]],
        on=["row", "column"],
        how="left",
        validate="one_to_one",
    ).merge(ours, on=["pretraining", "measure"], how="left", validate="many_to_one")
    table["published"] = table["published"].fillna("")
    table["value"] = pd.to_numeric(table["published"].replace("", None)).astype(float)
    table["reproduced"] = table["reproduced"].astype(float)
    table["seeds"] = table["seeds"].fillna(0).astype(int)
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


def against_scratch(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return what each pre-training gains over scratch, seed by seed.

    Parameters
    ----------
    table
        From `side_by_side`.
    runs
        From `add_means`.

    Returns
    -------
    pandas.DataFrame
        One row per cell whose pre-training shares at least one seed with scratch: row, column, group, measure, gain (mean of
        the paired differences, points), sd (over the pairs, n - 1), pairs, higher (pairs above scratch), published_gain
        (points, missing where the paper prints none), verdict: beats or misses if all pairs agree, else undecided.
    """
    keys = ["measure", "seed"]
    scratch = runs.loc[runs["pretraining"] == SCRATCH, [*keys, "top1"]]
    pairs = runs[runs["pretraining"] != SCRATCH].merge(
        scratch, on=keys, suffixes=("", "_scratch"), validate="many_to_one"
    )
    pairs["gain"] = pairs["top1"] - pairs["top1_scratch"]
    pairs["higher"] = pairs["gain"] > ROUNDING
    pairs["lower"] = pairs["gain"] < -ROUNDING
    gains = pairs.groupby(["pretraining", "measure"], as_index=False).agg(
        gain=("gain", "mean"),
        sd=("gain", "std"),
        pairs=("gain", "size"),
        higher=("higher", "sum"),
        lower=("lower", "sum"),
    )
    gains["verdict"] = np.select(
        [gains["higher"] == gains["pairs"], gains["lower"] == gains["pairs"]],
        [BEATS, MISSES],
        UNDECIDED,
    )
    base = table.loc[table["pretraining"] == SCRATCH, ["column", "value"]].rename(
        columns={"value": "scratch"}
    )
    cells = table[["row", "column", "group", "pretraining", "measure", "value"]].merge(
        base, on="column", how="left"
    )
    cells["published_gain"] = cells["value"] - cells["scratch"]
    return cells.merge(gains, on=["pretraining", "measure"], validate="many_to_one").drop(
        columns=["value", "scratch", "lower"]
    )


def _join(records: pd.Series) -> str:
    """Join record paths, each of which may be several already, in the order of their names."""
    return ";".join(sorted(";".join(records).split(";")))


def _require_same_cells(cells: pd.DataFrame, published: pd.DataFrame) -> None:
    """Refuse a study and published numbers that name different cells."""
    paper = cells[cells["group"] == PAPER]
    ours = set(zip(paper["row"], paper["column"], strict=True))
    theirs = set(zip(published["row"], published["column"], strict=True))
    faults = [
        f"{row} / {column} is in the study but not published"
        for row, column in sorted(ours - theirs)
    ]
    faults += [
        f"{row} / {column} is published but not in the study"
        for row, column in sorted(theirs - ours)
    ]
    if faults:
        raise ConfigError(
            f"{cells['table'].iloc[0]}: {'; '.join(faults)}. Labels must be the same in workflow/studies and workflow/published/tables.csv."
        )
