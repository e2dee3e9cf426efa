"""Learning labels: one or several of an image, with smoothing, mixing and a weight average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from fdsl.augment.crop import TrainTransform
from fdsl.augment.mixup_cutmix import BatchTransform
from fdsl.schema.recipe import Optimisation, Recipe
from fdsl.train import models, optim
from fdsl.train.distributed import Processes
from fdsl.train.evaluate import autocast
from fdsl.train.input.loader import Batch
from fdsl.train.task import ClassificationTask

Transform = Callable[[Batch, int], tuple[Tensor, Tensor]]
"""From a batch and its update to float images (B, channels, S, S) on the device, and targets."""


@dataclass(kw_only=True)
class AveragedNetwork:
    """The part of a supervised objective that holds the network and its weight average, if any."""

    network: nn.Module
    average: optim.Average | None
    recipe: Optimisation
    device: torch.device
    clip_each: bool = False

    @property
    def result(self) -> nn.Module:
        """The averaged network where the recipe has an average."""
        return self.network if self.average is None else self.average.module

    def before_update(self, optimizer: Optimizer, *, step: int) -> None:
        """Do nothing."""

    def after_update(self, *, step: int) -> None:
        """Update the average."""
        if self.average is not None:
            self.average.update(self.network, step=step + 1)

    def state(self) -> dict[str, Any]:
        """Return the weights."""
        average = None if self.average is None else self.average.module.state_dict()
        return {"model": self.network.state_dict(), "average": average}

    def restore(self, state: dict[str, Any]) -> None:
        """Load the weights that `state` returned."""
        self.network.load_state_dict(state["model"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])


@dataclass(kw_only=True)
class Classification(AveragedNetwork):
    """The objective of supervised training; `batch_transform` normalises, erases and mixes.

    Its targets are class indices (B,), or smoothed shares or answers (B, classes). A prediction is
    correct if the top-1 class equals the target (the dominant label if mixed).
    """

    recipe: Recipe
    batch_transform: Transform
    counts: bool = True

    def transform(self) -> TrainTransform:
        """Return the recipe's augmentation."""
        return TrainTransform(self.recipe)

    def loss(self, network: nn.Module, batch: Batch, *, step: int) -> tuple[Tensor, Tensor]:
        """Return the mean loss, float32 (), and the number of correct predictions, int64 ()."""
        images, targets = self.batch_transform(batch, step)
        with autocast(self.device, self.recipe.precision):
            logits = network(images)
        logits = logits.float()
        loss = label_loss(logits, targets, recipe=self.recipe)
        return loss, correct_predictions(logits, targets, recipe=self.recipe)


def classification(task: ClassificationTask, processes: Processes) -> Classification:
    """Build the network of a task on its device, with the task's weights.

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
        position_start=recipe.position_start,
    )
    task.load_weights(model)
    models.choose_attention(model, device=device, precision=recipe.precision)
    models.choose_patches(model, device=device, image_size_px=recipe.image_size_px)
    model.to(device)
    return Classification(
        network=model,
        average=optim.average(model, recipe=recipe),
        recipe=recipe,
        device=device,
        batch_transform=batch_transform(task, processes, train=True),
    )


def batch_transform(task: ClassificationTask, processes: Processes, *, train: bool) -> Transform:
    """Return the last step before the network, with seed and device filled in."""
    transform = BatchTransform(
        task.recipe, channels=models.channels(task.model), classes=task.classes, train=train
    )

    def call(batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        images, labels, keys, positions = batch
        places = None if positions is None else (positions % task.recipe.global_batch).numpy()
        return transform(
            *(images, labels, keys),
            seed=task.seed,
            step=step,
            device=processes.device,
            places=places,
        )

    return call


def label_loss(logits: Tensor, targets: Tensor, *, recipe: Recipe) -> Tensor:
    """Return the loss of one micro-batch, in nats.

    Parameters
    ----------
    logits
        float32 (B, classes).
    targets
        cross_entropy: labels int64 (B,), which are smoothed here, or smoothed shares float32
        (B, classes). binary: smoothed answers float32 (B, classes), 0 to 1; below 0 = unknown.
    recipe
        `objective` and `label_smoothing`.

    Returns
    -------
    Tensor
        float32 (): the mean over images; with binary over images × classes, where an unknown answer
        counts as 0. The mean over equal micro-batches is that of the whole batch.
    """
    if recipe.objective == "binary":
        known = (targets >= 0).to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits, targets.clamp(min=0), known)
    smoothing = recipe.label_smoothing if targets.ndim == 1 else 0.0
    return functional.cross_entropy(logits, targets, label_smoothing=smoothing)


def correct_predictions(logits: Tensor, targets: Tensor, *, recipe: Recipe) -> Tensor:
    """Return for how many images the top-1 class is the target's (its largest share), int64 ().

    With binary, any class with the image's largest target is correct; in an image without a class,
    every class is.
    """
    top1 = logits.detach().argmax(1)
    if recipe.objective == "binary":
        return (targets.gather(1, top1[:, None])[:, 0] == targets.amax(1)).sum()
    labels = targets if targets.ndim == 1 else targets.argmax(1)
    return (top1 == labels).sum()
