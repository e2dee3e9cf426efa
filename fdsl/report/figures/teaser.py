"""Pre-training images, attention of the pre-trained network on them, and accuracy, one column for
each pre-training.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from fdsl.report.figures.attention_maps import draw_attention, draw_image, read_maps
from fdsl.report.figures.bars import add_legend, draw_bars, panel_title, scores
from fdsl.report.figures.files import save
from fdsl.report.figures.inputs import FigureInputs
from fdsl.report.style import STYLE, TEXT_WIDTH_IN, wrapped
from fdsl.schema.study.figures import Teaser

SHOWN = 2  # images of a pre-training


def write(inputs: FigureInputs, *, out: Path) -> None:
    """Draw images and attention on the left, accuracies on the right."""
    figure = inputs.figure
    assert isinstance(figure, Teaser)
    table = scores(inputs, figure.bars, [figure.column], published="row / column")
    with mpl.rc_context(STYLE):
        save(_figure(inputs, figure, table), table, out=out)


def _figure(inputs: FigureInputs, study: Teaser, table: pd.DataFrame) -> Figure:
    maps = read_maps(inputs.files)
    panels = list(table.groupby(["group", "column"], sort=False))
    figure = Figure(figsize=(TEXT_WIDTH_IN, 1.2 * len(study.bars) + 2.4), layout="constrained")
    ratios = [1.2 * len(study.bars), 2.0]
    above, below = figure.subfigures(2, 1, height_ratios=ratios, squeeze=False)[:, 0]
    axes = above.subplots(len(study.bars), 2 * SHOWN, squeeze=False)
    for line, bar in zip(axes, study.bars, strict=True):
        for place in line:
            place.set_axis_off()
        described = inputs.scale.reduced.get(bar.pretraining)
        line[0].set_title(
            f"{bar.label} ({described})" if described else bar.label, loc="left", fontsize=7
        )
        if bar.pretraining not in maps:
            line[0].text(0, 0.5, f"not run at {inputs.scale.title}", transform=line[0].transAxes)
            continue
        images, attention = maps[bar.pretraining]
        for number in range(min(SHOWN, len(images))):
            draw_image(line[2 * number], images[number])
            draw_attention(line[2 * number + 1], images[number], attention[number])
    places = below.subplots(1, len(panels), squeeze=False)[0]
    for place, ((group, column), panel) in zip(places, panels, strict=True):
        title = panel_title(group, column, inputs.scale, int(panel["seeds"].max()))
        draw_bars(place, panel, title=title)
    add_legend(places)
    figure.supxlabel(wrapped(f"{study.caption} {inputs.scale.banner}"), fontsize=7)
    return figure
