"""Scores of several pre-trainings, ours with their spread and the printed ones, and their bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from fdsl.report import compare
from fdsl.report.figures.inputs import FigureInputs
from fdsl.report.published import numbers, read_published
from fdsl.report.read_runs import read_runs
from fdsl.report.style import COLORS, wrapped
from fdsl.schema.study.figures import Bar
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column

LOOKS: dict[str, dict[str, Any]] = {
    "published": {"label": "published", "color": "white", "hatch": "////"},
    "reproduced": {"label": "ours", "color": COLORS["blue"]},
}
NAME_CHARACTERS = 10
MOST_UPRIGHT = 4  # bars of a panel; with more, labels are rotated


def scores(
    inputs: FigureInputs,
    bars: Sequence[Bar],
    columns: Sequence[Column],
    *,
    published: Literal["row / column", "column / bar"],
) -> pd.DataFrame:
    """Return one row for each column and bar.

    Parameters
    ----------
    inputs
        Gives records, scale, and the published numbers.
    columns
        The paper's; the scale's stand-ins are added.
    published
        Whether the printed numbers name bars as rows or as columns.

    Returns
    -------
    pandas.DataFrame
        figure, bar, column, group, published, reproduced, sd (percent, missing where there is
        none), replicates, scale, record (paths joined by ;).
    """
    members = compare.grouped(columns, inputs.scale)
    runs = read_runs(inputs.records, scale=inputs.scale.name)
    ours = compare.summary(compare.placed(runs, [column for _, column in members]))
    known = {(row.pretraining, row.measure): row for row in ours.itertuples()}
    printed = numbers(
        read_published(inputs.published), inputs.name, across=published == "column / bar"
    )
    rows = []
    for group, column in members:
        for bar in bars:
            run: Any = known.get((bar.pretraining, column.measure))
            rows.append(
                {
                    "figure": inputs.name,
                    "bar": bar.label,
                    "column": column.label,
                    "group": group,
                    "published": printed.get((bar.label, column.label), np.nan),
                    "reproduced": run.reproduced if run else np.nan,
                    "sd": run.sd if run else np.nan,
                    "replicates": run.replicates if run else 0,
                    "scale": inputs.scale.name,
                    "record": run.record if run else "",
                }
            )
    return pd.DataFrame(rows)


def draw_panels(block: SubFigure, table: pd.DataFrame, scale: ReportScale) -> None:
    """Draw one panel of bars for each column of a table from `scores`, and one legend."""
    panels = [panel for _, panel in table.groupby(["group", "column"], sort=False)]
    axes = block.subplots(1, len(panels), squeeze=False)[0]
    handles: dict[str, Any] = {}
    for place, panel in zip(axes, panels, strict=True):
        draw_bars(place, panel)
        place.set_title(panel_title(panel, scale))
        found, labels = place.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    if handles:
        where: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
        axes[-1].legend(handles.values(), handles.keys(), fontsize=6, frameon=False, **where)


def draw_bars(axes: Axes, panel: pd.DataFrame) -> None:
    """Draw one panel: published bars hatched, ours filled with the standard deviation over
    replicates, numbers above, and a label on a bar that was not run.
    """
    kinds = [kind for kind in LOOKS if panel[kind].notna().any()]
    width = 0.8 / max(1, len(kinds))
    text: dict[str, Any] = {"fontsize": 6, "rotation": 90 if len(panel) > MOST_UPRIGHT else 0}
    above: dict[str, Any] = {"ha": "center", "va": "bottom"}
    places = np.arange(len(panel))
    for number, kind in enumerate(kinds):
        at = places + (number - (len(kinds) - 1) / 2) * width
        spread = panel["sd"].fillna(0) * (kind == "reproduced")
        look = {"edgecolor": COLORS["black"], "linewidth": 0.6, **LOOKS[kind]}
        yerr = spread if kind == "reproduced" else None
        axes.bar(at, panel[kind].fillna(0), width, yerr=yerr, **look)
        for x, value, high in zip(at, panel[kind], spread, strict=True):
            if not np.isnan(value):
                axes.annotate(f"{value:.1f}", (x, value + high + 1), **above, **text)
            elif kind == "reproduced":
                axes.annotate("not run", (x, 1), **above, fontsize=6, rotation=90)
    axes.set_xticks(places, [_name(bar) for bar in panel["bar"]], **text)
    axes.set_ylim(0, 125)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("top-1 %")


def _name(bar: str) -> str:
    """Return a bar's name in lines that its neighbours leave room for; textwrap breaks at no hyphen
    before a digit.
    """
    lines = wrapped(bar, characters=NAME_CHARACTERS).splitlines()
    return "\n".join(x.replace("-", "-\n") if len(x) > NAME_CHARACTERS else x for x in lines)


def panel_title(panel: pd.DataFrame, scale: ReportScale) -> str:
    """Return the title of a panel of one column; it says if the column is a stand-in."""
    first = panel.iloc[0]
    if first["group"] == compare.PAPER:
        return str(first["column"])
    return f"{first['column']}\n({scale.title}, n = {panel['replicates'].max()})"
