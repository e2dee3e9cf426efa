"""Exact evaluation: every image once, counted in integers, whatever the batch or processes."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from fdsl.train.distributed import Processes
from fdsl.train.input.loader import Batch

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Evaluation:
    """Top-1 counts of a network on a set of images.

    Attributes
    ----------
    correct, images
        Counts.
    loss
        Mean cross-entropy in nats, without label smoothing.
    correct_bits
        Which images are correct, in the order of the source; see `packed`.
    """

    correct: int
    images: int
    loss: float
    correct_bits: str

    metric: ClassVar[str] = "top1"

    @property
    def percent(self) -> float:
        """Top-1 accuracy, 0 to 100."""
        return 100 * self.correct / self.images

    def __str__(self) -> str:
        return f"{self.correct} of {self.images} correct ({self.percent:.2f} %)"


def packed(correct: ArrayLike) -> str:
    """Return Booleans (n,) as text: base64 of eight in a byte, the first one in the highest bit.

    `numpy.unpackbits(numpy.frombuffer(base64.b64decode(text), "uint8"), count=n)` gives them back.
    """
    return base64.b64encode(np.packbits(np.asarray(correct, dtype=bool)).tobytes()).decode()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a network computes in `precision`; fp32 switches nothing."""
    return torch.autocast(device.type, dtype=PRECISIONS[precision], enabled=precision != "fp32")


def _logits(
    model: nn.Module,
    batches: Iterable[Batch],
    transform: Callable[[Batch], Tensor],
    device: torch.device,
    precision: str,
) -> Iterator[tuple[Batch, Tensor]]:
    """Yield batches with float32 logits, in evaluation mode; then restore the model's mode."""
    training = model.training
    model.eval()
    for batch in batches:
        with autocast(device, precision):
            logits = model(transform(batch))
        yield batch, logits.float()
    model.train(training)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    transform: Callable[[Batch], Tensor],
    images: int,
    processes: Processes,
    precision: str,
) -> Evaluation:
    """Evaluate a network; every process must call it.

    Parameters
    ----------
    model
        Maps images (B, channels, S, S) to logits (B, classes). Its mode is restored.
    batches
        This process's disjoint share.
    transform
        Turns a batch into the float images that the network takes, on its device.
    images
        How many there are in all shares together.
    precision
        fp32, bf16 or fp16.

    Raises
    ------
    RuntimeError
        If the shares together do not hold each image exactly once, or if the loss is not finite.
    """
    device = processes.device
    right, seen = torch.zeros(2, images, dtype=torch.int64, device=device)
    loss = torch.zeros((), dtype=torch.float64, device=device)
    for batch, logits in _logits(model, batches, transform, device, precision):
        labels = batch.labels.to(device, non_blocking=True)
        rows = batch.keys[:, 1].to(device, non_blocking=True)
        right[rows] = (logits.argmax(1) == labels).long()
        seen.index_add_(0, rows, torch.ones_like(rows))
        loss += functional.cross_entropy(logits, labels, reduction="sum").double()
    right, seen = processes.sum(right), processes.sum(seen)
    _require_each_once(seen)
    mean = _finite(float(processes.sum(loss)) / images)
    return Evaluation(int(right.sum()), images, mean, packed(right.cpu().numpy()))


def _require_each_once(seen: Tensor) -> None:
    """Raise RuntimeError unless each image (n,) was seen once."""
    if not bool((seen == 1).all()):
        raise RuntimeError(
            f"evaluated {int(seen.sum())} images, {int((seen > 0).sum())} different ones of"
            f" {len(seen)}: the processes' shares overlap or leave some out"
        )


@dataclass(frozen=True)
class Ranking:
    """How well a network's scores rank the images of each class.

    Attributes
    ----------
    images
        Count.
    mean_average_precision
        Percent, 0 to 100: the mean of `average_precision`.
    average_precision
        Percent, of each class.
    loss
        Mean binary cross-entropy in nats over the pairs of image and class whose answer is known,
        without smoothing.
    """

    images: int
    mean_average_precision: float
    average_precision: list[float]
    loss: float

    metric: ClassVar[str] = "map"

    @property
    def percent(self) -> float:
        """Mean average precision, 0 to 100."""
        return self.mean_average_precision

    def __str__(self) -> str:
        return f"mAP {self.percent:.2f} % over {self.images} images"


@torch.no_grad()
def rank(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    transform: Callable[[Batch], Tensor],
    images: int,
    classes: int,
    processes: Processes,
    precision: str,
) -> Ranking:
    """Evaluate a network on images with several labels; every process must call it.

    Each process fills the rows of its own images in tables that are then summed, so all ranks rank
    the same images in the same order. The tables take 12 bytes per image and class.

    Parameters
    ----------
    model
        Maps images (B, channels, S, S) to logits (B, classes). Its mode is restored.
    batches
        This process's disjoint share; `labels` int64 (B, classes) with 1, 0 and -1 (unknown).
    transform, images, processes, precision
        As for `evaluate`.
    classes
        How many.

    Raises
    ------
    RuntimeError
        If the shares together do not hold each image exactly once, or a score is not finite.
    """
    device = processes.device
    scores = torch.zeros(images, classes, device=device)
    answers = torch.zeros(images, classes, dtype=torch.int64, device=device)
    seen = torch.zeros(images, dtype=torch.int64, device=device)
    for batch, logits in _logits(model, batches, transform, device, precision):
        rows = batch.keys[:, 1].to(device, non_blocking=True)
        scores[rows] = logits
        answers[rows] = batch.labels.to(device, non_blocking=True)
        seen.index_add_(0, rows, torch.ones_like(rows))
    scores, answers, seen = (processes.sum(table) for table in (scores, answers, seen))
    _require_each_once(seen)
    known = answers >= 0
    loss = functional.binary_cross_entropy_with_logits(
        scores[known].double(), answers[known].double()
    )
    mean = _finite(float(loss))
    table, truth = scores.cpu().numpy(), answers.cpu().numpy()
    found = [100 * average_precision(table[:, k], truth[:, k]) for k in range(classes)]
    return Ranking(images, sum(found) / classes, found, mean)


def _finite(loss: float) -> float:
    """Return a loss; RuntimeError if it is infinite or not a number."""
    if not math.isfinite(loss):
        raise RuntimeError(f"evaluation found loss = {loss}: the network's weights have diverged")
    return loss


def average_precision(scores: ArrayLike, answers: ArrayLike) -> float:
    """Return the average precision of one class, as Pascal VOC defines it since 2010.

    The area under the precision-recall curve after each precision is raised to the largest one at
    the same or a higher recall (VOC 2012 development kit, section 3.4.1; not the 11-point mean of
    2007, nor scikit-learn's sum, which does not raise). Images of equal score enter together, so
    their order does not matter; the kit leaves that open.

    Parameters
    ----------
    scores
        Real (n,), higher is likelier.
    answers
        Integers (n,): 1 present, 0 absent, below 0 left out.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ValueError
        If no image shows the class.
    """
    score, answer = np.asarray(scores), np.asarray(answers)
    score, answer = score[answer >= 0], answer[answer >= 0]
    present = int(answer.sum())
    if present == 0:
        raise ValueError("no image shows the class: its average precision is not defined")
    order = np.argsort(-score, kind="stable")
    score, answer = score[order], answer[order]
    last = np.append(score[1:] != score[:-1], True)  # of each group of equal scores
    hits = np.cumsum(answer)[last]
    precision = hits / (np.flatnonzero(last) + 1)
    raised = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(hits, prepend=0) * raised) / present)
