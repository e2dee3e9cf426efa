"""What a training has measured so far: kept in its checkpoints, shown in metrics.jsonl, condensed
in its record.

metrics.jsonl holds one JSON object a line, in order, without gaps or repetitions, also after a
restart:

- training: `{"kind": "train", "step", "epoch", "lr", "loss", "correct", "images",
"images_per_second"}` — `step` counts the
  updates done, `epoch` is the fraction of the stream in epochs; `loss` is the mean objective,
  `correct` of `images` the augmented training images whose likeliest class is the (mixed) target's
  (or what the objective counts in its place: see `fdsl.train.dino`), all over the updates since the
  line before. Where the objective counts nothing, as in detection, there is no `correct`.
- evaluation: `{"kind": "evaluation", "step", "epoch", "correct", "images", "loss"}`; where images
have several labels,
  `"mean_average_precision"` and `"average_precision"` (percent, and of each class) stand in the
  place of `"correct"`.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from fdsl.io import storage
from fdsl.train.evaluate import Evaluation
from fdsl.train.progress import Display
from fdsl.train.ranking import Ranking
from fdsl.train.schedule import Schedule

JOURNAL = "metrics.jsonl"  # beside the record
LINES = 1000  # at most so many training lines a run


class NonFiniteLoss(RuntimeError):
    """The loss of an update is infinite or not a number."""

    def __init__(self, *, step: int, lr: float, loss: float) -> None:
        super().__init__(
            f"loss = {loss} at update {step} with lr = {lr:g}: lower the learning rate, lengthen"
            " the warm-up, set clip_norm, or use precision fp32"
        )
        self.step, self.lr, self.loss = step, lr, loss


@dataclass(frozen=True)
class Requests:
    """What any of the processes asked for when it finished an update."""

    stop: bool = False
    save: bool = False

    def __or__(self, other: Requests) -> Requests:
        return Requests(self.stop or other.stop, self.save or other.save)


@dataclass
class Sums:
    """Totals over some updates."""

    updates: int = 0
    loss: float = 0.0
    correct: int = 0
    images: int = 0

    def add(self, *, loss: float, correct: int, images: int) -> None:
        """Count one update."""
        self.updates += 1
        self.loss += loss
        self.correct += correct
        self.images += images


@dataclass
class History:
    """What goes into checkpoints: everything that has been measured.

    `last_epoch` counts the updates of the final `images` positions of the stream; `seconds` is wall
    time of all attempts, `training_seconds` without start-up, evaluation and checkpoints;
    `restarts` counts the times that a checkpoint was taken up.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    since_line: Sums = field(default_factory=Sums)
    last_epoch: Sums = field(default_factory=Sums)
    seconds: float = 0.0
    training_seconds: float = 0.0
    training_images: int = 0
    restarts: int = 0

    @classmethod
    def restore(cls, state: dict[str, Any]) -> History:
        """Return the history that `dataclasses.asdict` made plain."""
        sums = {name: Sums(**state[name]) for name in ("since_line", "last_epoch")}
        return cls(**{**state, **sums})


class Journal:
    """Takes the measurements of every update and evaluation to the history, the display and
    metrics.jsonl.

    `counts` says whether images can be right or wrong. Readings of a CUDA device are taken one
    update late, so that the host never waits for the device.
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
        self._schedule = schedule
        self._display = display
        self._lag = lag
        self._counts = counts
        self._unread: deque[tuple[int, float, Tensor]] = deque()
        self._every = math.ceil(schedule.steps / LINES)
        self._tail = schedule.steps - min(
            schedule.steps, math.ceil(schedule.images / schedule.global_batch)
        )
        self._line_clock = self._clock = time.monotonic()
        self._began = self._clock - history.seconds
        self._line_seconds = 0.0
        self._path, self._file = path, None
        if path is not None:
            lines = [json.dumps(line) + "\n" for line in history.lines]
            storage.write_text(path, "".join(lines))
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def receive(self, step: int, *, lr: float, measured: Tensor) -> Requests:
        """Take update `step`'s measurements: float64 (4,) mean loss, correct images, processes that
        want to stop, to save.

        Raises
        ------
        NonFiniteLoss
            If a loss that is read now is not finite.
        """
        self._unread.append((step, lr, measured))
        return self._read(keep=self._lag)

    def settle(self) -> Requests:
        """Read what has not been read yet."""
        return self._read(keep=0)

    def evaluated(self, steps_done: int, *, epoch: int, result: Evaluation | Ranking) -> None:
        """Take the result of an evaluation."""
        entry = {"epoch": epoch, **asdict(result)}
        self.history.evaluations.append(entry)
        self._write({"kind": "evaluation", "step": steps_done, **entry})
        if self._display is not None:
            self._display.evaluation(steps_done, epoch=epoch, result=result)

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
        """Close the file."""
        if self._path is not None and self._file is not None:
            with storage.path_in_errors(self._path):
                self._file.close()

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
            requests |= Requests(stop > 0, save > 0)
        return requests

    def _count(self, step: int, lr: float, loss: float, correct: int) -> None:
        """Add one update to the sums, and write a line when it is due."""
        images = self._schedule.global_batch
        self.history.since_line.add(loss=loss, correct=correct, images=images)
        self.history.training_images += images
        if step >= self._tail:
            self.history.last_epoch.add(loss=loss, correct=correct, images=images)
        if (step + 1) % self._every == 0 or step + 1 == self._schedule.steps:
            self._line(step + 1, lr)
        if self._display is not None:
            self._display.update(step + 1, loss=loss)

    def _line(self, steps_done: int, lr: float) -> None:
        self._tick()
        sums, self.history.since_line = self.history.since_line, Sums()
        line = {
            "kind": "train",
            "step": steps_done,
            "epoch": steps_done * self._schedule.global_batch / self._schedule.images,
            "lr": lr,
            "loss": sums.loss / sums.updates,
            "correct": sums.correct,
            "images": sums.images,
            "images_per_second": sums.images / max(self._line_seconds, 1e-9),
        }
        if not self._counts:
            del line["correct"]
        self._line_seconds = 0.0
        self._write(line)
        if self._display is not None:
            self._display.line(line)

    def _write(self, line: dict[str, Any]) -> None:
        self.history.lines.append(line)
        if self._path is not None and self._file is not None:
            with storage.path_in_errors(self._path):
                self._file.write(json.dumps(line) + "\n")
