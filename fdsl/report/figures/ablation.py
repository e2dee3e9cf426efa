"""Bars of accuracy for each downstream dataset, above an image and attention map of each bar."""

from __future__ import annotations

from matplotlib.figure import Figure, SubFigure

from fdsl.report.compare import PAPER
from fdsl.report.figures.attention_maps import Maps, draw_attention, draw_image, read_maps
from fdsl.report.figures.bars import draw_panels, scores
from fdsl.report.figures.inputs import Drawn, FigureInputs
from fdsl.report.style import TEXT_WIDTH_IN, wrapped
from fdsl.schema.study.figures import Ablation

PANEL_IN = 1.9
PICTURE_IN = 0.9


def draw(inputs: FigureInputs) -> Drawn:
    """Draw the paper's panels (published, and ours where they were run), the scale's stand-ins,
    images and attention.
    """
    study = inputs.figure
    assert isinstance(study, Ablation)
    table = scores(inputs, study.bars, study.columns, published=study.published)
    maps = read_maps(inputs.files, [bar.pretraining for bar in study.bars])
    groups = list(dict.fromkeys(table["group"]))
    ratios = [PANEL_IN] * len(groups) + ([2 * PICTURE_IN] if maps else [])
    height = sum(ratios) + (0.8 if maps else 0.6)
    figure = Figure(figsize=(TEXT_WIDTH_IN, height), layout="constrained")
    blocks = figure.subfigures(len(ratios), 1, height_ratios=ratios, squeeze=False)[:, 0]
    for block, group in zip(blocks, groups, strict=False):
        draw_panels(block, table[table["group"] == group], inputs.scale)
        if group != PAPER:
            block.suptitle(inputs.scale.banner, fontsize=7)
    if maps:
        _draw_maps(blocks[-1], study, maps)
    figure.supxlabel(wrapped(" ".join([study.caption, *study.notes])), fontsize=7)
    return figure, table


def _draw_maps(block: SubFigure, study: Ablation, maps: Maps) -> None:
    axes = block.subplots(2, len(study.bars), squeeze=False)
    for (above, below), bar in zip(axes.T, study.bars, strict=True):
        above.set_axis_off()
        below.set_axis_off()
        above.set_title(f"{study.axis}: {bar.label}", fontsize=6)
        if bar.pretraining in maps:
            images, attention = maps[bar.pretraining]
            draw_image(above, images[0])
            draw_attention(below, images[0], attention[0])
