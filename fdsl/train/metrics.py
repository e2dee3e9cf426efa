"""What a training has measured: kept in checkpoints, shown on the way, condensed in its record.

metrics.jsonl holds one JSON object a line, in order, without gaps or repetitions, also after a
restart:

- training: `{"kind": "train", "step", "epoch", "lr", "loss", "correct", "images",
  "images_per_second"}`: `step` counts the finished updates, `epoch` is the fraction of the stream
  in epochs; `loss` is the mean training loss and `correct` of `images` the correct predictions on
  augmented training images (for DINO see `fdsl.train.dino`), all over the updates since the line
  before. Where the objective counts nothing, as in detection, there is no `correct`.
- evaluation: `{"kind": "evaluation", "step", "epoch", "correct", "images", "loss"}`; where images
  have several labels, `"mean_average_precision"` and `"average_precision"` (percent, and of each
  class) replace `"correct"`.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from torch import Tensor

from fdsl.io import storage
from fdsl.train.evaluate import Evaluation, Ranking
from fdsl.train.schedule import Schedule

log = logging.getLogger(__name__)

METRICS_FILE = "metrics.jsonl"  # beside the record
Requests = frozenset[str]  # of "stop" and "save": what any process asked for at an update
LINES, LOG_SECONDS = 1000, 10.0  # most training lines a run; time between lines in the log


class NonFiniteLoss(RuntimeError):
    """The loss of an update is infinite or not a number."""

    def __init__(self, *, step: int, lr: float, loss: float) -> None:
        super().__init__(
            f"loss = {loss} at update {step} with lr = {lr:g}: lower the learning rate, lengthen"
            " the warm-up, set clip_norm, or use precision fp32"
        )
        self.step, self.lr, self.loss = step, lr, loss


@dataclass
class Sums:
    """Totals over some updates."""

    updates: int = 0
    loss: float = 0.0
    correct: int = 0
    images: int = 0

    def __add__(self, other: Sums) -> Sums:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Sums(*(ours + theirs for ours, theirs in pairs))


@dataclass
class History:
    """Everything that has been measured; part of every checkpoint.

    `last_epoch` counts the updates of the final `images` positions of the stream; `correct_bits` is
    that of the last evaluation; `seconds` is wall time of all attempts, `training_seconds` without
    start-up, evaluation and checkpoints.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    correct_bits: str | None = None
    since_line: Sums = field(default_factory=Sums)
    last_epoch: Sums = field(default_factory=Sums)
    seconds: float = 0.0
    training_seconds: float = 0.0
    training_images: int = 0
    restarts: int = 0

    @classmethod
    def restore(cls, state: dict[str, Any]) -> History:
        """Return the history from the plain data of `dataclasses.asdict`."""
        sums = {name: Sums(**state[name]) for name in ("since_line", "last_epoch")}
        return cls(**{**state, **sums})


class MetricsLog:
    """Passes measurements to history, display and metrics.jsonl; `counts` as in `Objective`.

    With `lag` = 1 (CUDA) they are read one update late, so that the host never waits for it.
    """

    def __init__(
        self,
        history: History,
        *,
        schedule: Schedule,
        path: Path | None,
        display: Display | None,
        lag: int,
        counts: bool = True,
    ) -> None:
        self.history = history
        self._schedule, self._display, self._lag, self._counts = schedule, display, lag, counts
        self._unread: deque[tuple[int, float, Tensor]] = deque()
        self._every = math.ceil(schedule.steps / LINES)
        self._last_epoch = max(0, schedule.steps - -(-schedule.images // schedule.global_batch))
        self._clock = time.monotonic()
        self._began = self._clock - history.seconds
        self._line_seconds, self._path = 0.0, path
        if path is not None:
            storage.write_text(path, "".join(json.dumps(line) + "\n" for line in history.lines))
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def receive(self, step: int, *, lr: float, measured: Tensor) -> Requests:
        """Take update `step`'s measurements; return the requests, or raise NonFiniteLoss.

        `measured` is float64 (4,): mean loss, correct predictions, and how many processes want to
        stop and to save.
        """
        self._unread.append((step, lr, measured))
        return self._read(keep=self._lag)

    def settle(self) -> Requests:
        """Read what has not been read yet."""
        return self._read(keep=0)

    def evaluated(self, step: int, *, epoch: int, result: Evaluation | Ranking) -> None:
        """Take the result of an evaluation after `step` updates."""
        entry = {"epoch": epoch, **asdict(result)}
        self.history.correct_bits = entry.pop("correct_bits", None)  # too long for a line
        self.history.evaluations.append(entry)
        self._write({"kind": "evaluation", "step": step, **entry})
        if self._display is not None:
            self._display.evaluation(step, epoch=epoch, result=result)

    def has_evaluated(self, epoch: int) -> bool:
        """Say whether the history holds the evaluation after `epoch` epochs."""
        return any(entry["epoch"] == epoch for entry in self.history.evaluations)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time of the block as training."""
        self._tick()
        try:
            yield
        finally:
            self._clock = time.monotonic()

    def state(self) -> dict[str, Any]:
        """Return the history as plain data, with the times up to now."""
        self._tick()
        self.history.seconds = time.monotonic() - self._began
        return asdict(self.history)

    def close(self) -> None:
        """Close the file and the display."""
        if self._path is not None:
            with storage.path_in_errors(self._path):
                self._file.close()
        if self._display is not None:
            self._display.close()

    def _tick(self) -> None:
        """Add the time since the last tick to the training's."""
        now = time.monotonic()
        self.history.training_seconds += now - self._clock
        self._line_seconds += now - self._clock
        self._clock = now

    def _read(self, *, keep: int) -> Requests:
        requests = Requests()
        while len(self._unread) > keep:
            step, lr, measured = self._unread.popleft()
            loss, correct, stop, save = measured.tolist()
            if not math.isfinite(loss):
                raise NonFiniteLoss(step=step, lr=lr, loss=loss)
            self._count(step, lr, loss, round(correct))
            requests |= {name for name, asked in (("stop", stop), ("save", save)) if asked}
        return requests

    def _count(self, step: int, lr: float, loss: float, correct: int) -> None:
        """Add one update to the sums, and write a line when it is due."""
        history, schedule, images = self.history, self._schedule, self._schedule.global_batch
        update = Sums(1, loss, correct, images)
        history.since_line += update
        history.training_images += images
        if step >= self._last_epoch:
            history.last_epoch += update
        if (step + 1) % self._every == 0 or step + 1 == schedule.steps:
            self._tick()
            sums, history.since_line = history.since_line, Sums()
            line = {
                "kind": "train",
                "step": step + 1,
                "epoch": (step + 1) * images / schedule.images,
                "lr": lr,
                "loss": sums.loss / sums.updates,
                **({"correct": sums.correct} if self._counts else {}),
                "images": sums.images,
                "images_per_second": sums.images / max(self._line_seconds, 1e-9),
            }
            self._line_seconds = 0.0
            self._write(line)
            if self._display is not None:
                self._display.line(line)
        if self._display is not None:
            self._display.update(step + 1, loss=loss)

    def _write(self, line: dict[str, Any]) -> None:
        self.history.lines.append(line)
        if self._path is not None:
            with storage.path_in_errors(self._path):
                self._file.write(json.dumps(line) + "\n")


class Display:
    """A bar on a terminal or lines in the log from update `start` on; curves in TensorBoard."""

    def __init__(
        self, title: str, schedule: Schedule, *, start: int, tensorboard: Path | None
    ) -> None:
        self._title, self._start = title, start
        self._steps, self._images = schedule.steps, schedule.global_batch
        self._began = self._logged = time.monotonic()
        self._bar = _bar(title, self._steps, start) if sys.stderr.isatty() else None
        self._writer: Any = None
        if tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(tensorboard), purge_step=start + 1)  # hides the rest

    def update(self, step: int, *, loss: float) -> None:
        """Show one update."""
        now = time.monotonic()
        rate = (step - self._start) / max(now - self._began, 1e-9)
        speed = f"{rate * self._images:,.0f}"
        if self._bar is not None:
            number = self._bar.task_ids[0]
            self._bar.update(number, completed=step, loss=f"{loss:.4f}", speed=speed)
        elif now - self._logged >= LOG_SECONDS or step == self._steps:
            self._logged = now
            left = timedelta(seconds=round((self._steps - step) / max(rate, 1e-9)))
            values = (self._title, step, self._steps, loss, speed, left)
            log.info("%s: update %d/%d, loss %.4f, %s images/s, %s left", *values)

    def line(self, line: dict[str, Any]) -> None:
        """Draw a training line."""
        curves = {f"train/{name}": line[name] for name in ("loss", "lr", "images_per_second")}
        if "correct" in line:
            curves["train/top1_percent"] = 100 * line["correct"] / line["images"]
        self._draw(line["step"], curves)

    def evaluation(self, step: int, *, epoch: int, result: Evaluation | Ranking) -> None:
        """Show an evaluation."""
        log.info("%s: epoch %d: %s, loss %.4f", self._title, epoch, result, result.loss)
        percent = f"evaluation/{result.metric}_percent"
        self._draw(step, {percent: result.percent, "evaluation/loss": result.loss})

    def close(self) -> None:
        """Restore the terminal and flush the event files."""
        if self._bar is not None:
            self._bar.stop()
        self._draw(self._steps, {}, last=True)

    def _draw(self, step: int, curves: dict[str, float], *, last: bool = False) -> None:
        """Add points to TensorBoard's curves; without event files from the first failure on."""
        try:
            if self._writer is not None:
                for name, value in curves.items():
                    self._writer.add_scalar(name, value, step)
                if last:
                    self._writer.close()
        except OSError as error:
            log.warning("%s: no more event files for TensorBoard: %s", self._title, error)
            self._writer = None


def _bar(title: str, steps: int, start: int) -> Any:
    """Return a started bar on standard error."""
    from rich import console, progress

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("loss {task.fields[loss]}  {task.fields[speed]} images/s"),
        progress.TimeRemainingColumn(),
        console=console.Console(stderr=True),
    )
    bar.add_task(title, total=steps, completed=start, loss="–", speed="–")
    bar.start()
    return bar
