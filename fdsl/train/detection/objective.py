"""Learning to find objects: Mask R-CNN's five losses in the training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fdsl.schema.detection import DetectionRecipe
from fdsl.train import models, optim
from fdsl.train.detection import network
from fdsl.train.detection.scenes import SceneBatch, SceneTransform
from fdsl.train.distributed import Processes
from fdsl.train.evaluate import autocast
from fdsl.train.objective import Prepare
from fdsl.train.task import Task


@dataclass
class Detection:
    """The objective of a detection training; no picture counts as right or wrong."""

    network: nn.Module
    average: nn.Module | None
    recipe: DetectionRecipe
    channels: int
    device: torch.device
    counts: bool = False
    clip_each: bool = False

    @property
    def result(self) -> nn.Module:
        """The averaged network where the recipe has an average."""
        return self.network if self.average is None else self.average.module

    def transform(self) -> SceneTransform:
        """Return the recipe's augmentation; pictures are resized in the network."""
        return SceneTransform(channels=self.channels, flip=self.recipe.horizontal_flip)

    def loss(self, network: nn.Module, batch: SceneBatch, *, step: int) -> tuple[Tensor, int]:  # noqa: ARG002
        """Return the sum of the mean losses, and 0."""
        images = [image.to(self.device, non_blocking=True) for image in batch.images]
        targets = [
            {name: value.to(self.device, non_blocking=True) for name, value in target.items()}
            for target in batch.targets
        ]
        with autocast(self.device, self.recipe.precision):
            return network(images, targets), 0

    def before_update(self, optimizer: Optimizer, *, step: int) -> None:
        """Do nothing."""

    def after_update(self, *, step: int) -> None:
        """Let the average follow."""
        if self.average is not None:
            self.average.update(self.network, step=step + 1)

    def state(self) -> dict[str, Any]:
        """Return the weights."""
        average = None if self.average is None else self.average.module.state_dict()
        return {"model": self.network.state_dict(), "average": average}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the weights."""
        self.network.load_state_dict(state["model"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])


def detection(task: Task, processes: Processes, prepare: Prepare) -> Detection:
    """Make the detector of a task, `prepare` the network under it, and put it on the device."""
    recipe, device = task.recipe, processes.device
    model = network.build(
        task.model, recipe=recipe, classes=task.classes, seed=task.seed, prepare=prepare
    )
    models.choose_attention(model, device=device, precision=recipe.precision)
    model.to(device)
    average = optim.average(model, recipe=recipe)
    return Detection(model, average, recipe, models.channels(task.model), device)
