"""Exact evaluation: every image once, counted in integers, whatever the batch or the number of
processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from fdsl.train.distributed import Processes
from fdsl.train.input.loader import Batch

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Evaluation:
    """How a network does on a set of images.

    Attributes
    ----------
    correct, images
        Counts.
    loss
        Mean cross-entropy in nats, without label smoothing.
    """

    correct: int
    images: int
    loss: float

    metric: ClassVar[str] = "top1"

    @property
    def percent(self) -> float:
        """Top-1 accuracy, 0 to 100."""
        return 100 * self.correct / self.images

    def __str__(self) -> str:
        return f"{self.correct} of {self.images} correct ({self.percent:.2f} %)"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a network computes in `precision`; fp32 switches nothing."""
    return torch.autocast(device.type, dtype=PRECISIONS[precision], enabled=precision != "fp32")


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    finish: Callable[[Batch], Tensor],
    images: int,
    processes: Processes,
    precision: str,
) -> Evaluation:
    """Evaluate a network; every process must call it.

    Parameters
    ----------
    model
        Maps images (B, channels, S, S) to logits (B, classes). Left in the mode in which it came.
    batches
        This process's disjoint share.
    finish
        Turns a batch into the float images that the network takes, on its device.
    images
        How many there are in all shares together.
    precision
        fp32, bf16 or fp16.

    Raises
    ------
    RuntimeError
        If the shares together do not hold `images` images, or if the loss is not finite.
    """
    device = processes.device
    counts = torch.zeros(2, dtype=torch.int64, device=device)
    loss = torch.zeros((), dtype=torch.float64, device=device)
    training = model.training
    model.eval()
    for batch in batches:
        labels = batch.labels.to(device, non_blocking=True)
        with autocast(device, precision):
            logits = model(finish(batch)).float()
        counts[0] += (logits.argmax(1) == labels).sum()
        counts[1] += len(labels)
        loss += functional.cross_entropy(logits, labels, reduction="sum").double()
    model.train(training)
    correct, seen = processes.sum(counts).tolist()
    if seen != images:
        raise RuntimeError(
            f"evaluated {seen} of {images} images: the processes' shares overlap or leave some out"
        )
    mean = float(processes.sum(loss)) / images
    if not math.isfinite(mean):
        raise RuntimeError(f"evaluation found loss = {mean}: the network's weights have diverged")
    return Evaluation(correct, seen, mean)
