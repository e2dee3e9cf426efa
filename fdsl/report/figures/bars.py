"""Scores of several pre-trainings as the figures need them: ours with spread, and the printed ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from fdsl.report import compare
from fdsl.report.figures.inputs import FigureInputs
from fdsl.report.published import read_published
from fdsl.report.read_runs import read_runs
from fdsl.report.style import COLORS, wrapped
from fdsl.schema.study.figures import Bar
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column

COLUMNS = (
    "figure",
    "bar",
    "column",
    "group",
    "published",
    "reproduced",
    "sd",
    "seeds",
    "scale",
    "record",
)
LEGEND = {"published": "published", "reproduced": "ours"}
NAME_CHARACTERS = 10
MOST_UPRIGHT = 4  # bars of a panel; the words of more stand sideways
Order = Literal["row / column", "column / bar"]


def scores(
    inputs: FigureInputs, bars: Sequence[Bar], columns: Sequence[Column], *, published: Order
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
        The columns `COLUMNS`; published, reproduced and sd in percent, missing where there is none.
    """
    members = compare.grouped(columns, inputs.scale)
    runs = read_runs(inputs.records, scale=inputs.scale.name)
    ours = compare.summary(compare.placed(runs, [column for _, column in members]))
    known = {(row.pretraining, row.measure): row for row in ours.itertuples()}
    printed = read_published(inputs.published)
    printed = printed[printed["table"] == inputs.name]
    across = published == "column / bar"
    told = {
        ((column, row) if across else (row, column)): float(value)
        for row, column, value in zip(
            printed["row"], printed["column"], printed["published"], strict=True
        )
        if value
    }
    rows = []
    for group, column in members:
        for bar in bars:
            found = known.get((bar.pretraining, column.measure))
            rows.append(
                (
                    inputs.name,
                    bar.label,
                    column.label,
                    group,
                    told.get((bar.label, column.label), np.nan),
                    found.reproduced if found else np.nan,
                    found.sd if found else np.nan,
                    found.seeds if found else 0,
                    inputs.scale.name,
                    found.record if found else "",
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def draw_bars(axes: Axes, panel: pd.DataFrame, *, title: str) -> None:
    """Draw one panel: published bars hatched, ours plain with the standard deviation over seeds,
    numbers above, and what is missing.
    """
    kinds = [kind for kind in ("published", "reproduced") if panel[kind].notna().any()]
    width = 0.8 / max(1, len(kinds))
    looks: dict[str, dict[str, Any]] = {
        "published": {"color": "white", "edgecolor": COLORS["black"], "hatch": "////"},
        "reproduced": {"color": COLORS["blue"], "edgecolor": COLORS["black"]},
    }
    words: dict[str, Any] = {"fontsize": 6, "rotation": 90 if len(panel) > MOST_UPRIGHT else 0}
    places = np.arange(len(panel))
    for number, kind in enumerate(kinds):
        at = places + (number - (len(kinds) - 1) / 2) * width
        spread = panel["sd"].fillna(0).to_numpy() if kind == "reproduced" else None
        axes.bar(
            at,
            panel[kind].fillna(0),
            width,
            yerr=spread,
            label=LEGEND[kind],
            linewidth=0.6,
            **looks[kind],
        )
        for x, value, high in zip(
            at, panel[kind], spread if spread is not None else [0.0] * len(at), strict=True
        ):
            if not np.isnan(value):
                axes.annotate(
                    f"{value:.1f}", (x, value + high + 1), ha="center", va="bottom", **words
                )
            elif kind == "reproduced":
                axes.annotate("not run", (x, 1), ha="center", va="bottom", fontsize=6, rotation=90)
    axes.set_xticks(places, [_name(bar) for bar in panel["bar"]], **words)
    axes.set_ylim(0, 125)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("top-1 %")
    axes.set_title(title)


def _name(bar: str) -> str:
    """Return a bar's name in lines that its neighbours leave room for; textwrap breaks at no hyphen
    before a digit.
    """
    lines = wrapped(bar, characters=NAME_CHARACTERS).splitlines()
    return "\n".join(x.replace("-", "-\n") if len(x) > NAME_CHARACTERS else x for x in lines)


def add_legend(panels: Sequence[Axes]) -> None:
    """Explain the bars of a row of panels once, on its right."""
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        panels[-1].legend(
            handles.values(),
            handles.keys(),
            fontsize=6,
            frameon=False,
            loc="upper left",
            bbox_to_anchor=(1, 1),
        )


def panel_title(group: object, column: object, scale: ReportScale, seeds: int) -> str:
    """Return a panel's title; a stand-in says that it is one."""
    if group == compare.PAPER:
        return str(column)
    return f"{column}\n({scale.title}, n = {seeds})"
