"""The training loop, the only one, and what it asks of an objective."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from fdsl.schema.recipe import Optimisation
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage
from fdsl.train import optim
from fdsl.train.checkpoint import Interrupted
from fdsl.train.distributed import Processes, unsynchronised
from fdsl.train.metrics import MetricsLog
from fdsl.train.schedule import Schedule, Split

LoadWeights = Callable[[nn.Module], None]
"""Puts pre-trained weights into a fresh network, in place."""


class Objective(Protocol):
    """The networks and the loss of a training: the part that the loop leaves open.

    Attributes
    ----------
    network
        What gradients change; on the training's device.
    counts
        Whether predictions can be correct; if not, `loss` gives 0 and no count is reported.
    clip_each
        Whether the recipe's `clip_norm` is for each tensor by itself.
    """

    network: nn.Module
    counts: bool
    clip_each: bool

    @property
    def result(self) -> nn.Module:
        """The network that is evaluated and saved."""

    def transform(self) -> Callable[..., Any]:
        """Return the augmentation that turns a stored image into what `loss` gets of it."""

    def loss(self, network: nn.Module, batch: Any, *, step: int) -> tuple[Tensor, Tensor]:
        """Return the mean loss of a micro-batch, float32 (), and its correct predictions, int ().

        Parameters
        ----------
        network
            `self.network`, or the wrapper that averages its gradients over processes.
        batch
            On the CPU; its type belongs to the task's training images.
        step
            The update that the micro-batch belongs to.
        """

    def before_update(self, optimizer: Optimizer, *, step: int) -> None:
        """Change gradients or the optimiser's settings before update `step`."""

    def after_update(self, *, step: int) -> None:
        """Follow the network after update `step`."""

    def state(self) -> dict[str, Any]:
        """Return tensors and plain data for a checkpoint."""

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from what `state` returned."""


@dataclass
class TrainState:
    """What a training changes; with the metrics' history this is all that a checkpoint holds."""

    objective: Objective
    optimizer: Optimizer
    scaler: GradScaler
    step: int = 0

    @property
    def result(self) -> nn.Module:
        """The network that is evaluated and saved."""
        return self.objective.result

    def state(self) -> dict[str, Any]:
        """Return tensors and plain data for a checkpoint."""
        return {
            "objective": self.objective.state(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from what `state` returned."""
        self.objective.restore(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]


@dataclass(frozen=True)
class LoopConfig:
    """What stays the same from the first update to the last.

    `compiled` may return a network with faster kernels for the training passes; its parameters
    remain those of the network that it is given.
    """

    recipe: Optimisation
    schedule: Schedule
    split: Split
    seed: int
    processes: Processes
    evaluate_every_epochs: int
    compiled: Callable[[nn.Module], nn.Module] = lambda network: network


def train(
    train_state: TrainState,
    loop_config: LoopConfig,
    *,
    batches: Iterator[Any],
    metrics: MetricsLog,
    evaluate: Callable[[], None],
    save: Callable[[], None],
    wishes: Callable[[], tuple[bool, bool]],
) -> None:
    """Train from `train_state.step` to the end of the schedule.

    Parameters
    ----------
    train_state
        Changed in place.
    loop_config
        The constants.
    batches
        The micro-batches of this process, beginning with those of update `train_state.step`.
    metrics
        Receives every update's measurements.
    evaluate, save
        Called by every process at the same update; `evaluate` does nothing if the result of this
        epoch is known.
    wishes
        Whether this process was asked to stop, and whether it wants a checkpoint.

    Raises
    ------
    Interrupted
        After saving, if any process was asked to stop.
    NonFiniteLoss
        If a loss is infinite or not a number; nothing is saved.
    """
    schedule, recipe, processes = loop_config.schedule, loop_config.recipe, loop_config.processes
    objective, optimizer, clip = train_state.objective, train_state.optimizer, recipe.clip_norm
    network = loop_config.compiled(processes.parallel(objective.network))
    network.train()
    for step in range(train_state.step, schedule.steps):
        lr = schedule.lr_at(step)
        optim.set_lr(optimizer, lr)
        measured = _gradients(train_state, network, loop_config, batches=batches, step=step)
        objective.before_update(optimizer, step=step)
        each, scaler = objective.clip_each, train_state.scaler
        optim.update(optimizer, objective.network, scaler, clip_norm=clip, clip_each=each)
        objective.after_update(step=step)
        train_state.step = step + 1

        wanted = [measured.new_full((1,), wish) for wish in wishes()]
        measured = processes.sum(torch.cat([measured, *wanted]))
        requests = metrics.receive(step, lr=lr, measured=measured)
        every = loop_config.evaluate_every_epochs
        if schedule.evaluation_due(train_state.step, every_epochs=every):
            requests |= metrics.settle()
            if train_state.step == schedule.steps:
                save()
            evaluate()
        if requests:
            metrics.settle()
            save()
        if "stop" in requests and train_state.step < schedule.steps:
            raise Interrupted(train_state.step)


def _gradients(
    train_state: TrainState,
    network: nn.Module,
    loop_config: LoopConfig,
    *,
    batches: Iterator[Any],
    step: int,
) -> Tensor:
    """Fill the gradients of one global batch.

    Returns float64 (2,): this process's part of the mean loss, and its correct predictions.
    """
    split, processes = loop_config.split, loop_config.processes
    measured = torch.zeros(2, dtype=torch.float64, device=processes.device)
    network.zero_grad(set_to_none=True)
    for micro in range(split.accumulate):
        batch = next(batches)
        number = micro * split.world + processes.rank
        seed_layers(loop_config.seed, step=step, number=number)
        with unsynchronised(network, last=micro == split.accumulate - 1):
            loss, correct = train_state.objective.loss(network, batch, step=step)
            scaled: Any = train_state.scaler.scale(loss / split.accumulate)
            scaled.backward()
        measured[0] += loss.detach() / (split.accumulate * split.world)
        measured[1] += correct
    return measured


def seed_layers(seed: int, *, step: int, number: int) -> None:
    """Seed torch's generators for dropout and stochastic depth in slice `number` of update `step`.

    Done anew each time, so that no generator state has to be restored or shared among processes.
    """
    key = tree.sequence(seed, step, number, 0, Stage.STOCHASTIC_LAYERS)
    value = int(key.generate_state(1, "uint64")[0])
    # not torch.manual_seed: it formats a traceback for a CUDA that never starts, 0.2 ms per
    # micro-batch
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(value)
