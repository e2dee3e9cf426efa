"""Training curves of the pre-trainings of a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from fdsl.io.storage import AGAIN, DamagedFile
from fdsl.report.figures.inputs import Drawn, FigureInputs
from fdsl.report.read_metrics import read_metrics
from fdsl.report.style import LINES, TEXT_WIDTH_IN, wrapped

SMOOTH = 25  # updates
COLUMNS = ["run", "step", "epoch", "lr", "loss", "percent_correct"]


def draw(inputs: FigureInputs) -> Drawn:
    """Draw loss and training accuracy on augmented images over the epochs: each update pale, their
    running mean in full colour.
    """
    table = pd.concat([_curve(path) for path in inputs.files], ignore_index=True)
    figure = Figure(figsize=(TEXT_WIDTH_IN, 2.8), layout="constrained")
    axes = figure.subplots(1, 2)
    shown = {"loss": "loss", "percent_correct": "correct predictions, %"}
    for place, (column, label) in zip(axes, shown.items(), strict=True):
        for look, (run, curve) in zip(LINES, table.groupby("run", sort=True), strict=False):
            line = {**look, "marker": ""}
            mean = curve[column].rolling(SMOOTH, center=True, min_periods=1).mean()
            place.plot(curve["epoch"], curve[column], **line | {"alpha": 0.2, "linewidth": 0.5})
            place.plot(curve["epoch"], mean, label=run, **line)
        place.set_xlabel("epoch")
        place.set_ylabel(label)
    axes[1].legend(fontsize=5.5, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.supxlabel(wrapped(f"{inputs.figure.caption} {inputs.scale.banner}"), fontsize=7)
    return figure, table


def _curve(path: Path) -> pd.DataFrame:
    """Return the training lines of one metrics.jsonl, whose folder names the run."""
    train = read_metrics(path)["train"]
    if train.empty:
        raise DamagedFile(f"{path} holds no training curve; {AGAIN}")
    percent = 100 * train["correct"] / train["images"]
    return train.assign(run=path.parent.name, percent_correct=percent)[COLUMNS]
