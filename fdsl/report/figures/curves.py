"""Training curves of the pre-trainings of a table."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from fdsl.io.storage import DamagedFile
from fdsl.report.check_digest import check_digest
from fdsl.report.figures.files import save
from fdsl.report.figures.inputs import FigureInputs
from fdsl.report.style import LINES, STYLE, TEXT_WIDTH_IN, wrapped

SMOOTH = 25  # updates
KEPT = ["run", "step", "epoch", "lr", "loss", "percent_correct"]


def write(inputs: FigureInputs, *, out: Path) -> None:
    """Draw loss and share of right answers on augmented training images over the epochs, each
    update pale, their running mean plain.
    """
    table = pd.concat([_curve(path) for path in inputs.files], ignore_index=True)
    with mpl.rc_context(STYLE):
        save(_figure(inputs, table), table, out=out)


def _curve(path: Path) -> pd.DataFrame:
    """Return the training lines of one metrics.jsonl, whose folder names the run."""
    check_digest(path)
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows = pd.DataFrame([line for line in lines if line["kind"] == "train"])
        rows["percent_correct"] = 100 * rows["correct"] / rows["images"]
    except (ValueError, KeyError) as error:
        raise DamagedFile(
            f"{path} holds no training curve ({error}); delete its folder and run the same command"
            " again"
        ) from None
    return rows.assign(run=path.parent.name)[KEPT]


def _figure(inputs: FigureInputs, table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(TEXT_WIDTH_IN, 2.8), layout="constrained")
    loss, correct = figure.subplots(1, 2)
    for look, (run, curve) in zip(LINES, table.groupby("run", sort=True), strict=False):
        line = {**look, "marker": ""}
        for axes, column in ((loss, "loss"), (correct, "percent_correct")):
            mean = curve[column].rolling(SMOOTH, center=True, min_periods=1).mean()
            axes.plot(curve["epoch"], curve[column], **line | {"alpha": 0.2, "linewidth": 0.5})
            axes.plot(curve["epoch"], mean, label=run, **line)
    for axes, name in ((loss, "loss"), (correct, "right answers, %")):
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
    correct.legend(fontsize=5.5, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.supxlabel(wrapped(f"{inputs.figure.caption} {inputs.scale.banner}"), fontsize=7)
    return figure
