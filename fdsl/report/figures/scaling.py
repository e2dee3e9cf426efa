"""Accuracy against the number of categories and of images of each, one line for each number of
images.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from fdsl.report.figures.bars import panel_title, scores
from fdsl.report.figures.files import save
from fdsl.report.figures.inputs import FigureInputs
from fdsl.report.style import LINES, STYLE, TEXT_WIDTH_IN, wrapped
from fdsl.schema.study.figures import Bar, Scaling


def write(inputs: FigureInputs, *, out: Path) -> None:
    """Draw one panel for each downstream dataset that was run."""
    figure = inputs.figure
    assert isinstance(figure, Scaling)
    bars = [Bar(label=name, pretraining=name) for name in figure.datasets]
    table = scores(inputs, bars, figure.columns, published="row / column")
    sizes = pd.DataFrame(
        [(name, entry.classes, entry.instances) for name, entry in inputs.datasets.items()],
        columns=["bar", "categories", "instances"],
    )
    table = table.merge(sizes, on="bar", validate="many_to_one")
    with mpl.rc_context(STYLE):
        save(_figure(inputs, figure, table), table, out=out)


def _figure(inputs: FigureInputs, study: Scaling, table: pd.DataFrame) -> Figure:
    run = table[table["reproduced"].notna()]
    panels = list(run.groupby(["group", "column"], sort=False))
    figure = Figure(figsize=(TEXT_WIDTH_IN, 2.6), layout="constrained")
    axes = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for place, ((group, column), panel) in zip(axes, panels, strict=False):
        for look, (instances, line) in zip(LINES, panel.groupby("instances"), strict=False):
            ordered = line.sort_values("categories")
            label = f"{instances:,} images each"
            place.errorbar(
                ordered["categories"],
                ordered["reproduced"],
                ordered["sd"].fillna(0),
                label=label,
                capsize=2,
                **look,
            )
        place.set_xscale("log")
        place.set_xticks(
            sorted(set(panel["categories"])), [f"{n:,}" for n in sorted(set(panel["categories"]))]
        )
        place.minorticks_off()
        place.set_xlabel("categories")
        place.set_ylabel("top-1 %")
        place.set_title(panel_title(group, column, inputs.scale, int(panel["seeds"].max())))
        place.legend(fontsize=6, frameon=False)
    figure.supxlabel(wrapped(f"{study.caption} {inputs.scale.banner}"), fontsize=7)
    return figure
