"""Learning to find objects: the task, and Mask R-CNN's five losses in the training loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fdsl.datasets.readers.coco import CocoImages
from fdsl.schema.detection import DetectionRecipe
from fdsl.train import models, optim
from fdsl.train.classification import AveragedNetwork
from fdsl.train.detection import network
from fdsl.train.detection.scenes import (
    SceneBatch,
    SceneTransform,
    TrainingScenes,
    images_with_objects,
)
from fdsl.train.distributed import Processes
from fdsl.train.evaluate import autocast
from fdsl.train.input.samplers import InfiniteSampler
from fdsl.train.schedule import schedule, split
from fdsl.train.task import TrainingTask, require_images


@dataclass(frozen=True, kw_only=True)
class DetectionTask(TrainingTask):
    """Training a detector on `train`, and testing it at the end on `test`."""

    recipe: DetectionRecipe
    train: CocoImages
    test: CocoImages

    def stream(self) -> InfiniteSampler:
        """Return the order of the training images, counted among those that show an object."""
        images = len(images_with_objects(self.train))
        return InfiniteSampler(images, seed=self.seed, repeated_aug=1)

    def training_images(self, transform: SceneTransform) -> TrainingScenes:
        """Return the training stream as a map from positions to batches."""
        return TrainingScenes(self.train, transform, seed=self.seed)

    def check(self, *, world: int) -> None:
        """Refuse what cannot work; ValueError with value and remedy."""
        if world > 1:
            raise ValueError(
                f"{self.run}: a detection training runs in one process, not in {world}: start one,"
                f" and reach the recipe's global_batch = {self.recipe.global_batch} with"
                " micro_batch, which accumulates gradients"
            )
        for part, source in (("test", self.test), ("train", self.train)):
            require_images(self, part, source, classes=self.classes)
        schedule(self.recipe, images=self.stream().images)
        split(self.recipe.global_batch, world=1, micro_batch=self.devices.micro_batch)


@dataclass(kw_only=True)
class InstanceSegmentation(AveragedNetwork):
    """The objective of a detection training; its predictions are not counted."""

    recipe: DetectionRecipe
    augmentation: SceneTransform
    counts: bool = False

    def transform(self) -> SceneTransform:
        """Return the recipe's augmentation; images are resized in the network."""
        return self.augmentation

    def loss(self, network: nn.Module, batch: SceneBatch, *, step: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return the sum of the mean losses, float32 (), and 0."""
        images = [image.to(self.device, non_blocking=True) for image in batch.images]
        targets = [
            {name: value.to(self.device, non_blocking=True) for name, value in target.items()}
            for target in batch.targets
        ]
        with autocast(self.device, self.recipe.precision):
            return network(images, targets), torch.zeros((), dtype=torch.int64)


def instance_segmentation(task: DetectionTask, processes: Processes) -> InstanceSegmentation:
    """Build the detector of a task on its device, with the task's weights below it."""
    recipe, device = task.recipe, processes.device
    model = network.build(
        task.model,
        recipe=recipe,
        classes=task.classes,
        seed=task.seed,
        load_weights=task.load_weights,
    )
    models.choose_attention(model, device=device, precision=recipe.precision)
    model.to(device)
    augmentation = SceneTransform(models.channels(task.model), flip=recipe.horizontal_flip)
    return InstanceSegmentation(
        network=model,
        average=optim.average(model, recipe=recipe),
        recipe=recipe,
        device=device,
        augmentation=augmentation,
    )
