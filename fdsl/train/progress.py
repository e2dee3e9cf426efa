"""What a person sees of a running training: a bar on a terminal, a line every ten seconds in a log,
curves in TensorBoard.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from fdsl.train.evaluate import Evaluation
from fdsl.train.ranking import Ranking

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


class Display:
    """Shows a training's loop_config; to be closed at its end.

    Parameters
    ----------
    title
        Name of the run.
    steps, start
        Updates in all, and those done already.
    images
        Images of one update.
    tensorboard
        Folder of the event files, or None.
    """

    def __init__(
        self, title: str, *, steps: int, start: int, images: int, tensorboard: Path | None
    ) -> None:
        self._title, self._steps, self._start, self._images = title, steps, start, images
        self._began = self._said = time.monotonic()
        self._bar = _bar(title, steps, start) if sys.stderr.isatty() else None
        self._writer = _writer(tensorboard, start) if tensorboard is not None else None

    def update(self, steps_done: int, *, loss: float) -> None:
        """Show one update."""
        now = time.monotonic()
        due = now - self._said >= SECONDS_BETWEEN_LINES or steps_done == self._steps
        if self._bar is None and not due:
            return
        rate = (steps_done - self._start) / max(now - self._began, 1e-9)
        speed = f"{rate * self._images:,.0f}"
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0], completed=steps_done, loss=f"{loss:.4f}", speed=speed
            )
            return
        self._said = now
        left = timedelta(seconds=round((self._steps - steps_done) / max(rate, 1e-9)))
        share = f"update {steps_done}/{self._steps}"
        log.info("%s: %s, loss %.4f, %s images/s, %s left", self._title, share, loss, speed, left)

    def line(self, line: dict[str, Any]) -> None:
        """Draw a training line of the journal."""
        for name in ("loss", "lr", "images_per_second"):
            self._draw(f"train/{name}", line[name], line["step"])
        if "correct" in line:
            share = 100 * line["correct"] / line["images"]
            self._draw("train/top1_percent", share, line["step"])

    def evaluation(self, steps_done: int, *, epoch: int, result: Evaluation | Ranking) -> None:
        """Show an evaluation."""
        log.info("%s: epoch %d: %s, loss %.4f", self._title, epoch, result, result.loss)
        self._draw(f"evaluation/{result.metric}_percent", result.percent, steps_done)
        self._draw("evaluation/loss", result.loss, steps_done)

    def close(self) -> None:
        """Leave the terminal and the event files in order."""
        if self._bar is not None:
            self._bar.stop()
        if self._writer is not None:
            with self._optional():
                self._writer.close()

    def _draw(self, name: str, value: float, step: int) -> None:
        """Add a point to a curve of TensorBoard."""
        if self._writer is not None:
            with self._optional():
                self._writer.add_scalar(name, value, step)

    @contextmanager
    def _optional(self) -> Iterator[None]:
        """Go on without event files where they cannot be written: what is lost with them is a
        picture of the journal.
        """
        try:
            yield
        except OSError as error:
            log.warning("%s: no more event files for TensorBoard: %s", self._title, error)
            self._writer = None


def _bar(title: str, steps: int, start: int) -> Any:
    """Return a started bar on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}  {task.fields[speed]} images/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    bar.add_task(title, total=steps, completed=start, loss="–", speed="–")
    bar.start()
    return bar


def _writer(folder: Path, start: int) -> Any:
    """Return TensorBoard's writer; curves beyond the updates done are hidden."""
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=start + 1)
