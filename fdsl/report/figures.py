"""Sample images as a figure for a paper, PNG and PDF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fdsl.report.grid import Images, mosaic, steps
from fdsl.report.style import STYLE, TEXT_WIDTH_IN
from fdsl.storage import replacing

PANELS_PER_ROW = 3
CAPTION_IN = 0.45  # title above and numbers below a panel
NOTE_IN = 0.2


def write_samples(samples: Mapping[str, Images], *, out: str | Path, note: str = "") -> None:
    """Draw sample images of several datasets, one panel each, as PNG (300 dpi) and PDF; each file whole or not at all.

    Parameters
    ----------
    samples
        Title -> images[category][instance], uint8 (H, W) or (H, W, 3), of one size within a dataset. Rows of a panel are
        categories, columns are instances; panels follow in the order of the mapping.
    out
        Ends in .png; the PDF is written beside it.
    note
        One line below the panels, for example that a scale is reduced.

    Raises
    ------
    ValueError
        If there is no dataset, or the images of one differ in number, type or size.
    """
    target = Path(out)
    if target.suffix != ".png":
        raise ValueError(f"out = {target} must end in .png; .pdf is written beside it")
    if not samples:
        raise ValueError("a figure of samples needs at least one dataset")
    # The files must not depend on the day: the PDF is written without a date.
    metadata: dict[str, dict[str, str | None]] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None},
    }
    with mpl.rc_context(STYLE):
        figure = _figure(samples, note=note)
        for suffix, entries in metadata.items():
            with replacing(target.with_suffix(suffix)) as path:
                figure.savefig(path, format=suffix[1:], metadata=entries)


def _figure(samples: Mapping[str, Images], *, note: str) -> Figure:
    """Return the figure with one panel for each dataset."""
    panels = {title: mosaic(images, where=title) for title, images in samples.items()}
    columns = min(PANELS_PER_ROW, len(panels))
    lines = -(-len(panels) // columns)
    tallest = max(panel.shape[0] / panel.shape[1] for panel in panels.values())
    height = lines * (TEXT_WIDTH_IN / PANELS_PER_ROW * tallest + CAPTION_IN) + (
        NOTE_IN if note else 0
    )
    figure = Figure(figsize=(TEXT_WIDTH_IN * columns / PANELS_PER_ROW, height), layout="compressed")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        _draw_panel(axes, panel, samples[title], title=title)
    if note:
        figure.supxlabel(note, fontsize="medium")
    return figure


def _draw_panel(axes: Axes, panel: NDArray[np.uint8], images: Images, *, title: str) -> None:
    """Show one mosaic with the numbers of categories and instances beside it."""
    height, width = images[0][0].shape[:2]
    step_y, step_x, _ = steps(images)
    axes.set_axis_on()
    axes.imshow(panel)
    axes.set_title(title)
    for axis, step, side, count in (
        (axes.xaxis, step_x, width, len(images[0])),
        (axes.yaxis, step_y, height, len(images)),
    ):
        axis.set_ticks(
            [index * step + side / 2 for index in range(count)],
            [str(index) for index in range(count)],
        )
    axes.set_xlabel("instance")
    axes.set_ylabel("category")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
