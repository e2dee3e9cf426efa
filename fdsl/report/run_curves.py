"""The learning curves of one run, from its metrics.jsonl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from fdsl.io.storage import AGAIN, DamagedFile, atomic_write
from fdsl.report.read_metrics import read_metrics
from fdsl.report.style import COLORS, METADATA, STYLE, TEXT_WIDTH_IN

HEIGHT_IN = 4.2
TRAIN: dict[str, Any] = {"color": COLORS["blue"], "linewidth": 1.0}
TEST: dict[str, Any] = {"color": COLORS["vermilion"], "marker": "o", "markersize": 3.5}


def write_curves(metrics: str | Path, *, out: str | Path) -> None:
    """Draw loss, correct predictions, learning rate and speed of a run over its epochs.

    Training accuracy is that on augmented images, mixed ones included; test points are the
    evaluations of the run. A run without counts, such as a detection, has no accuracy panel.

    Parameters
    ----------
    metrics
        The run's metrics.jsonl; its folders name scale, stage and run.
    out
        PNG, 300 dpi; whole or not at all.

    Raises
    ------
    DamagedFile
        If a line of `metrics` cannot be read, or none is of training.
    """
    path = Path(metrics)
    lines = read_metrics(path)
    if lines["train"].empty:
        raise DamagedFile(f"{path} has no line of training; {AGAIN}")
    with mpl.rc_context(STYLE):
        figure = draw_curves(
            lines["train"], lines["evaluation"], title=" · ".join(path.parts[-4:-1])
        )
        with atomic_write(out) as temporary:
            figure.savefig(temporary, format="png", metadata=METADATA[".png"])


def draw_curves(train: pd.DataFrame, tests: pd.DataFrame, *, title: str) -> Figure:
    """Draw four panels from lines of training and of evaluation (may be empty)."""
    figure = Figure(figsize=(TEXT_WIDTH_IN, HEIGHT_IN), layout="constrained")
    (loss, correct), (rate, speed) = figure.subplots(2, 2, sharex=True)
    panels = {
        loss: ("loss", train["loss"]),
        rate: ("learning rate", train["lr"]),
        speed: ("images/s", train["images_per_second"]),
    }
    for axes, (label, values) in panels.items():
        axes.plot(train["epoch"], values, **TRAIN, label="training objective")
        axes.set_ylabel(label)
    if len(tests):
        loss.plot(tests["epoch"], tests["loss"], **TEST, linewidth=0.8, label="test, cross-entropy")
    speed.set_ylim(bottom=0)
    loss.legend(frameon=False)
    if "correct" in train and train["correct"].notna().all():
        for lines, look, label in ((train, TRAIN, "training, augmented"), (tests, TEST, "test")):
            if len(lines):
                percent = 100 * lines["correct"] / lines["images"]
                correct.plot(lines["epoch"], percent, **{"linewidth": 0.8, **look}, label=label)
        correct.set_ylabel("correct predictions, %")
        correct.legend(frameon=False)
    else:
        correct.set_visible(False)
    for axes in (rate, speed):
        axes.set_xlabel("epoch")
    figure.suptitle(title, fontsize="medium")
    return figure
