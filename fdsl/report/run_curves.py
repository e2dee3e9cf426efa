"""The learning curves of one run, from its metrics.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fdsl.io.storage import DamagedFile, atomic_write
from fdsl.report.check_digest import check_digest
from fdsl.report.figures.files import METADATA
from fdsl.report.style import COLORS, STYLE, TEXT_WIDTH_IN

HEIGHT_IN = 4.2
LINE: dict[str, Any] = {"color": COLORS["blue"], "linewidth": 1.0}
TEST: dict[str, Any] = {
    "color": COLORS["vermilion"],
    "marker": "o",
    "markersize": 3.5,
    "linewidth": 0.8,
}

Line = dict[str, Any]


def write_curves(metrics: str | Path, *, out: str | Path) -> None:
    """Draw loss, right answers, learning rate and speed of a run over its epochs.

    Training accuracy is that on augmented images, mixed ones included; test points are the
    evaluations of the run. Where nothing counts as right, as in detection, that panel is left out.

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
    train, tests = _read(path)
    with mpl.rc_context(STYLE):
        figure = _figure(train, tests, title=" · ".join(path.parts[-4:-1]))
        with atomic_write(out) as temporary:
            figure.savefig(temporary, format="png", metadata=METADATA[".png"])


def _read(path: Path) -> tuple[list[Line], list[Line]]:
    """Return the lines of training and those of evaluations."""
    check_digest(path)
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        kinds = {line["kind"] for line in lines}
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(
            f"{path} cannot be read ({error}); delete it and run the same command again"
        ) from None
    if "train" not in kinds:
        raise DamagedFile(
            f"{path} has no line of training; delete it and run the same command again"
        )
    train, tests = ([line for line in lines if line["kind"] == k] for k in ("train", "evaluation"))
    return train, tests


def _figure(train: list[Line], tests: list[Line], *, title: str) -> Figure:
    figure = Figure(figsize=(TEXT_WIDTH_IN, HEIGHT_IN), layout="constrained")
    (loss, correct), (rate, speed) = figure.subplots(2, 2, sharex=True)
    epochs = [line["epoch"] for line in train]
    for axes, name, label in (
        (loss, "loss", "loss"),
        (rate, "lr", "learning rate"),
        (speed, "images_per_second", "images/s"),
    ):
        axes.plot(epochs, [line[name] for line in train], **LINE, label="training objective")
        axes.set_ylabel(label)
    counted = all("correct" in line for line in train)
    if counted:
        correct.plot(epochs, _percent(train), **LINE, label="training, augmented")
        correct.set_ylabel("right answers, %")
    else:
        correct.set_visible(False)
    speed.set_ylim(bottom=0)
    if tests:
        _draw_tests(loss, tests, [line["loss"] for line in tests], label="test, cross-entropy")
        _draw_tests(correct, tests, _percent(tests), label="test")
    for axes in (loss, correct) if counted else (loss,):
        axes.legend(frameon=False)
    for axes in (rate, speed):
        axes.set_xlabel("epoch")
    figure.suptitle(title, fontsize="medium")
    return figure


def _draw_tests(axes: Axes, tests: list[Line], values: list[float], *, label: str) -> None:
    axes.plot([line["epoch"] for line in tests], values, **TEST, label=label)


def _percent(lines: list[Line]) -> list[float]:
    return [100 * line["correct"] / line["images"] for line in lines]
