"""Pre-training images, attention of the pre-trained network on them, and accuracy."""

from __future__ import annotations

from matplotlib.figure import Figure

from fdsl.report.figures.attention_maps import draw_attention, draw_image, read_maps
from fdsl.report.figures.bars import draw_panels, scores
from fdsl.report.figures.inputs import Drawn, FigureInputs
from fdsl.report.style import TEXT_WIDTH_IN, wrapped
from fdsl.schema.study.figures import Teaser

SHOWN = 2  # images of a pre-training


def draw(inputs: FigureInputs) -> Drawn:
    """Draw one line of images and attention for each pre-training, and accuracies below."""
    study = inputs.figure
    assert isinstance(study, Teaser)
    table = scores(inputs, study.bars, [study.column], published="row / column")
    maps = read_maps(inputs.files, [bar.pretraining for bar in study.bars])
    ratios = [1.2 * len(study.bars), 2.0]
    figure = Figure(figsize=(TEXT_WIDTH_IN, sum(ratios) + 0.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=ratios, squeeze=False)[:, 0]
    axes = above.subplots(len(study.bars), 2 * SHOWN, squeeze=False)
    for line, bar in zip(axes, study.bars, strict=True):
        for place in line:
            place.set_axis_off()
        reduced = inputs.scale.reduced.get(bar.pretraining)
        title = f"{bar.label} ({reduced})" if reduced else bar.label
        line[0].set_title(title, loc="left", fontsize=7)
        if bar.pretraining not in maps:
            line[0].text(0, 0.5, f"not run at {inputs.scale.title}", transform=line[0].transAxes)
            continue
        images, attention = maps[bar.pretraining]
        for number in range(min(SHOWN, len(images))):
            draw_image(line[2 * number], images[number])
            draw_attention(line[2 * number + 1], images[number], attention[number])
    draw_panels(below, table, inputs.scale)
    figure.supxlabel(wrapped(f"{study.caption} {inputs.scale.banner}"), fontsize=7)
    return figure, table
