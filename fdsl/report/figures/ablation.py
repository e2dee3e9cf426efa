"""Bars of accuracy for each downstream dataset, with an image and an attention map of each bar
below.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from fdsl.report.compare import PAPER
from fdsl.report.figures.attention_maps import draw_attention, draw_image, read_maps
from fdsl.report.figures.bars import add_legend, draw_bars, panel_title, scores
from fdsl.report.figures.files import save
from fdsl.report.figures.inputs import FigureInputs
from fdsl.report.style import STYLE, TEXT_WIDTH_IN, wrapped
from fdsl.schema.study.figures import Ablation

PANEL_IN = 1.9
PICTURE_IN = 0.9


def write(inputs: FigureInputs, *, out: Path) -> None:
    """Draw the paper's panels (published, and ours where they were run), the scale's stand-ins,
    images and attention.
    """
    figure = inputs.figure
    assert isinstance(figure, Ablation)
    table = scores(inputs, figure.bars, figure.columns, published=figure.published)
    with mpl.rc_context(STYLE):
        save(_figure(inputs, figure, table), table, out=out)


def _figure(inputs: FigureInputs, study: Ablation, table: pd.DataFrame) -> Figure:
    panels = list(table.groupby(["group", "column"], sort=False))
    groups = list(dict.fromkeys(group for (group, _), _ in panels))
    maps = read_maps(inputs.files)
    height = PANEL_IN * len(groups) + (2 * PICTURE_IN + 0.2 if maps else 0) + 0.6
    figure = Figure(figsize=(TEXT_WIDTH_IN, height), layout="constrained")
    ratios = [PANEL_IN] * len(groups) + ([2 * PICTURE_IN] if maps else [])
    blocks = figure.subfigures(len(ratios), 1, height_ratios=ratios, squeeze=False)[:, 0]
    for block, group in zip(blocks, groups, strict=False):
        mine = [(column, panel) for (kind, column), panel in panels if kind == group]
        axes = block.subplots(1, len(mine), squeeze=False)[0]
        for place, (column, panel) in zip(axes, mine, strict=True):
            title = panel_title(group, column, inputs.scale, int(panel["seeds"].max()))
            draw_bars(place, panel, title=title)
        add_legend(axes)
        if group != PAPER:
            block.suptitle(inputs.scale.banner, fontsize=7)
    if maps:
        axes = blocks[-1].subplots(2, len(study.bars), squeeze=False)
        for column, bar in enumerate(study.bars):
            for place in axes[:, column]:
                place.set_axis_off()
            axes[0, column].set_title(f"{study.axis}: {bar.label}", fontsize=6)
            if bar.pretraining in maps:
                images, attention = maps[bar.pretraining]
                draw_image(axes[0, column], images[0])
                draw_attention(axes[1, column], images[0], attention[0])
    figure.supxlabel(wrapped(" ".join([study.caption, *study.notes])), fontsize=7)
    return figure
