"""What a network is trained for: the part of a training that the loop leaves open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from fdsl.train.distributed import Processes
from fdsl.train.input.loader import Batch, TrainingTransform
from fdsl.train.task import Task


class Objective(Protocol):
    """Networks and loss of a training; a checkpoint holds its `state`."""

    network: nn.Module
    """What gradients change; on the training's device."""

    counts: bool
    """Whether an image can be answered correctly; if not, `loss` gives 0, and nothing is said of
    it.
    """

    clip_each: bool
    """Whether the recipe's `clip_norm` is for each tensor by itself."""

    @property
    def result(self) -> nn.Module:
        """The network that is evaluated and saved."""

    def transform(self) -> TrainingTransform:
        """Return what turns a stored image into what `loss` gets of it."""

    def loss(self, network: nn.Module, batch: Batch, *, step: int) -> tuple[Tensor, Tensor]:
        """Return the mean loss of a micro-batch, float32 (), and how many of its images count as
        answered correctly.

        Parameters
        ----------
        network
            `network`, or what averages its gradients over processes.
        batch
            On the CPU.
        step
            The update that the micro-batch belongs to.
        """

    def before_update(self, optimizer: Optimizer, *, step: int) -> None:
        """Change gradients or the optimiser's settings before update `step`; its first group is the
        one with weight decay.
        """

    def after_update(self, *, step: int) -> None:
        """Follow the network after update `step`."""

    def state(self) -> dict[str, Any]:
        """Return tensors and plain data from which `restore` goes on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up where `state` was made."""


Prepare = Callable[[nn.Module], None]
MakeObjective = Callable[[Task, Processes, Prepare], Objective]
