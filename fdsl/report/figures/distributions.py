"""Histograms of the parameters that the formulas sampled."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fdsl.images import parameters
from fdsl.report.figures.files import save
from fdsl.report.figures.inputs import FigureInputs
from fdsl.report.style import COLORS, STYLE, TEXT_WIDTH_IN, wrapped

BINS = 20
MOST_PANELS = 6  # in one line
SKIPPED = {"category", "map", "candidate"}


def write(inputs: FigureInputs, *, out: Path) -> None:
    """Draw one panel for each parameter of each dataset."""
    counts = pd.concat(
        [_histograms(inputs, path.stem, path) for path in inputs.files],
        ignore_index=True,
    )
    with mpl.rc_context(STYLE):
        save(_figure(inputs, counts), counts, out=out)


def _histograms(inputs: FigureInputs, name: str, path: Path) -> pd.DataFrame:
    """Return one row for each bin of each parameter of a dataset."""
    entry = inputs.datasets[name]
    columns = parameters.read(path, dataset=entry, seed=inputs.seed).columns
    parts = []
    for parameter in [column for column in columns if column not in SKIPPED]:
        count, edges = np.histogram(columns[parameter].astype(np.float64), bins=BINS)
        rows = {
            "dataset": entry.title,
            "parameter": parameter,
            "low": edges[:-1],
            "high": edges[1:],
        }
        parts.append(pd.DataFrame({**rows, "count": count}))
    return pd.concat(parts, ignore_index=True)


def _figure(inputs: FigureInputs, counts: pd.DataFrame) -> Figure:
    panels = list(counts.groupby(["dataset", "parameter"], sort=False))
    columns = min(MOST_PANELS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(TEXT_WIDTH_IN, 1.15 * lines + 0.5), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, ((dataset, parameter), panel) in zip(grid.flat, panels, strict=False):
        axes.set_axis_on()
        axes.stairs(
            panel["count"], [*panel["low"], panel["high"].iloc[-1]], fill=True, color=COLORS["sky"]
        )
        axes.set_title(f"{dataset}: {parameter}", fontsize=6)
        axes.tick_params(labelsize=5)
        axes.set_yticks([])
        axes.locator_params(axis="x", nbins=4)  # more labels run into one another
    figure.supxlabel(wrapped(f"{inputs.figure.caption} {inputs.scale.banner}"), fontsize=7)
    return figure
