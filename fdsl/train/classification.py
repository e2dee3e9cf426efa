"""Learning labels: one or several of an image, with smoothing and mixing, and a running average of
the weights where the recipe has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fdsl.augment.crop import TrainTransform
from fdsl.augment.mixup_cutmix import BatchTransform
from fdsl.schema.recipe import Recipe
from fdsl.train import label_loss, models, optim
from fdsl.train.distributed import Processes
from fdsl.train.evaluate import autocast
from fdsl.train.input.loader import Batch, TrainingTransform
from fdsl.train.objective import Prepare
from fdsl.train.patches import choose_patches
from fdsl.train.task import Task

Finished = Callable[[Batch, int], tuple[Tensor, Tensor]]


@dataclass
class Classification:
    """The objective of supervised training.

    `finish` turns a batch and the number of the update into float images (B, channels, S, S) on the
    device, and targets: class indices (B,), or shares or answers (B, classes) that are smoothed
    already. An image counts as correct where its likeliest class is the (mixed) target's.
    """

    network: nn.Module
    average: nn.Module | None
    recipe: Recipe
    device: torch.device
    finish: Finished
    counts: bool = True
    clip_each: bool = False

    @property
    def result(self) -> nn.Module:
        """The averaged network where the recipe has an average."""
        return self.network if self.average is None else self.average.module

    def transform(self) -> TrainingTransform:
        """Return the recipe's augmentation."""
        return TrainTransform(self.recipe)

    def loss(self, network: nn.Module, batch: Batch, *, step: int) -> tuple[Tensor, Tensor]:
        """Return the mean loss and the number of correct images."""
        images, targets = self.finish(batch, step)
        with autocast(self.device, self.recipe.precision):
            logits = network(images)
        logits = logits.float()
        loss = label_loss.loss(logits, targets, recipe=self.recipe)
        return loss, label_loss.right(logits, targets, recipe=self.recipe)

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


def classification(task: Task, processes: Processes, prepare: Prepare) -> Classification:
    """Make the network of a task, `prepare` it and put it on the device.

    Raises
    ------
    ValueError
        If the recipe is for self-supervised training.
    """
    recipe, device = task.recipe, processes.device
    if recipe.dino is not None:
        raise ValueError(f"{task.run}: the recipe has a section dino, but labels are to be learned")
    model = models.build(
        task.model,
        image_size_px=recipe.image_size_px,
        classes=task.classes,
        drop_path=recipe.drop_path,
        seed=task.seed,
    )
    prepare(model)
    models.choose_attention(model, device=device, precision=recipe.precision)
    choose_patches(model, device=device, image_size_px=recipe.image_size_px)
    model.to(device)
    return Classification(
        model,
        optim.average(model, recipe=recipe),
        recipe,
        device,
        finished(task, processes, train=True),
    )


def finished(task: Task, processes: Processes, *, train: bool) -> Finished:
    """Return what turns a batch and the number of the update into what the network and the loss
    take.
    """
    channels = models.channels(task.model)
    finish = BatchTransform(task.recipe, channels=channels, classes=task.classes, train=train)

    def call(batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        return finish(*batch, seed=task.seed, step=step, device=processes.device)

    return call
