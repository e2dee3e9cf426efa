"""Histograms of the parameters that the formulas sampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fdsl.images import parameters
from fdsl.report.figures.inputs import Drawn, FigureInputs
from fdsl.report.style import COLORS, TEXT_WIDTH_IN, wrapped

BINS = 20
MOST_PANELS = 6  # in one line
SKIPPED = {"category", "map", "candidate"}


def draw(inputs: FigureInputs) -> Drawn:
    """Draw one panel for each parameter of each dataset."""
    counts = pd.concat([_histograms(inputs, path) for path in inputs.files], ignore_index=True)
    panels = list(counts.groupby(["dataset", "parameter"], sort=False))
    columns = min(MOST_PANELS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(TEXT_WIDTH_IN, 1.15 * lines + 0.5), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for place in axes:
        place.set_axis_off()
    for place, ((dataset, parameter), panel) in zip(axes, panels, strict=False):
        edges = [*panel["low"], panel["high"].iloc[-1]]
        place.set_axis_on()
        place.stairs(panel["count"], edges, fill=True, color=COLORS["sky"])
        place.set_title(f"{dataset}: {parameter}", fontsize=6)
        place.tick_params(labelsize=5)
        place.set_yticks([])
        place.locator_params(axis="x", nbins=4)  # more labels run into one another
    figure.supxlabel(wrapped(f"{inputs.figure.caption} {inputs.scale.banner}"), fontsize=7)
    return figure, counts


def _histograms(inputs: FigureInputs, path: Path) -> pd.DataFrame:
    """Return one row for each bin of each parameter of a dataset, whose file names it."""
    entry = inputs.datasets[path.stem]
    columns = parameters.read(path, dataset=entry, seed=inputs.seed).columns
    parts = []
    for parameter in [column for column in columns if column not in SKIPPED]:
        count, edges = np.histogram(columns[parameter].astype(np.float64), bins=BINS)
        rows = {"dataset": entry.title, "parameter": parameter}
        bins = {"low": edges[:-1], "high": edges[1:], "count": count}
        parts.append(pd.DataFrame({**rows, **bins}))
    return pd.concat(parts, ignore_index=True)
