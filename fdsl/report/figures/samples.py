"""Sample images of synthetic datasets."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fdsl.report.figures.inputs import Drawn, FigureInputs
from fdsl.report.grid import Images, mosaic, steps
from fdsl.report.style import TEXT_WIDTH_IN
from fdsl.schema.study.figures import Samples

PANELS_PER_ROW = 3
CAPTION_IN = 0.45  # title above and numbers below a panel
NOTE_IN = 0.2


def draw(inputs: FigureInputs) -> Drawn:
    """Draw the first images of each dataset at its published settings."""
    from fdsl.images.streamed import preview

    figure = inputs.figure
    assert isinstance(figure, Samples)
    entries = [inputs.datasets[name] for name in figure.datasets]
    samples = {entry.title: preview(entry, seed=inputs.seed) for entry in entries}
    note = f"Published settings, root seed {inputs.seed}. {inputs.figure.caption}"
    return draw_samples(samples, note=note)


def draw_samples(samples: Mapping[str, Images], *, note: str = "") -> Drawn:
    """Draw sample images of several datasets, one panel each.

    Parameters
    ----------
    samples
        Title -> images[category][instance], uint8 (H, W) or (H, W, 3), of one size within a
        dataset. Rows of a panel are categories, columns are instances; panels follow in the order
        of the mapping.
    note
        One line below the panels, for example that a scale is reduced.

    Returns
    -------
    matplotlib.figure.Figure, pandas.DataFrame
        The figure, and a row for each image: dataset, category, instance, size_px, sha256.

    Raises
    ------
    ValueError
        If there is no dataset, or the images of one differ in number, type or size.
    """
    if not samples:
        raise ValueError("a figure of samples needs at least one dataset")
    panels = {title: mosaic(images, where=title) for title, images in samples.items()}
    columns = min(PANELS_PER_ROW, len(panels))
    lines = -(-len(panels) // columns)
    tallest = max(panel.shape[0] / panel.shape[1] for panel in panels.values())
    height = lines * (TEXT_WIDTH_IN / PANELS_PER_ROW * tallest + CAPTION_IN)
    size = (TEXT_WIDTH_IN * columns / PANELS_PER_ROW, height + (NOTE_IN if note else 0))
    figure = Figure(figsize=size, layout="compressed")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for place in axes:
        place.set_axis_off()
    for place, (title, panel) in zip(axes, panels.items(), strict=False):
        place.set_title(title)
        _draw_panel(place, panel, samples[title])
    if note:
        figure.supxlabel(note, fontsize="medium")
    rows = [
        {
            "dataset": title,
            "category": category,
            "instance": instance,
            "size_px": f"{image.shape[1]}x{image.shape[0]}",
            "sha256": sha256(image.tobytes()).hexdigest(),
        }
        for title, images in samples.items()
        for category, line in enumerate(images)
        for instance, image in enumerate(line)
    ]
    return figure, pd.DataFrame(rows)


def _draw_panel(axes: Axes, panel: NDArray[np.uint8], images: Images) -> None:
    """Show one mosaic with the numbers of categories and instances beside it."""
    height, width = images[0][0].shape[:2]
    step_y, step_x, _ = steps(images)
    axes.set_axis_on()
    axes.imshow(panel)
    for axis, step, side, count in (
        (axes.xaxis, step_x, width, len(images[0])),
        (axes.yaxis, step_y, height, len(images)),
    ):
        axis.set_ticks([n * step + side / 2 for n in range(count)], [*map(str, range(count))])
    axes.set_xlabel("instance")
    axes.set_ylabel("category")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
