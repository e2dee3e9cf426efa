"""Accuracy against the number of categories, one line for each number of images per category."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from fdsl.report.figures.bars import panel_title, scores
from fdsl.report.figures.inputs import Drawn, FigureInputs
from fdsl.report.style import LINES, TEXT_WIDTH_IN, wrapped
from fdsl.schema.study.figures import Bar, Scaling


def draw(inputs: FigureInputs) -> Drawn:
    """Draw one panel for each downstream dataset that was run."""
    study = inputs.figure
    assert isinstance(study, Scaling)
    bars = [Bar(label=name, pretraining=name) for name in study.datasets]
    table = scores(inputs, bars, study.columns, published="row / column")
    sizes = pd.DataFrame(
        [(name, entry.classes, entry.instances) for name, entry in inputs.datasets.items()],
        columns=["bar", "categories", "instances"],
    )
    table = table.merge(sizes, on="bar", validate="many_to_one")
    panels = list(table[table["reproduced"].notna()].groupby(["group", "column"], sort=False))
    figure = Figure(figsize=(TEXT_WIDTH_IN, 2.6), layout="constrained")
    axes = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for place, (_, panel) in zip(axes, panels, strict=False):
        for look, (instances, line) in zip(LINES, panel.groupby("instances"), strict=False):
            line = line.sort_values("categories")  # noqa: PLW2901
            points = line["categories"], line["reproduced"], line["sd"].fillna(0)
            place.errorbar(*points, label=f"{instances:,} images each", capsize=2, **look)
        ticks = sorted(set(panel["categories"]))
        place.set_xscale("log")
        place.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        place.minorticks_off()
        place.set_xlabel("categories")
        place.set_ylabel("top-1 %")
        place.set_title(panel_title(panel, inputs.scale))
        place.legend(fontsize=6, frameon=False)
    figure.supxlabel(wrapped(f"{study.caption} {inputs.scale.banner}"), fontsize=7)
    return figure, table
