"""One training, as the command line describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import Recipe
from fdsl.train import Devices
from fdsl.train.input.loader import ImageSource, TrainingImages, TrainingTransform, VaryingSource
from fdsl.train.input.samplers import InfiniteSampler, OnePerCategory
from fdsl.train.schedule import schedule, split


@dataclass(frozen=True)
class Drawn:
    """A synthetic dataset: its formula with all parameters, defaults included, its images of each
    category, its root seed.
    """

    formula: str
    settings: Mapping[str, Any]
    instances: int
    seed: int


@dataclass(frozen=True)
class Origin:
    """What the images of a pre-training are, for its model card; decides nothing.

    Attributes
    ----------
    title, source
        Of the images.
    drawn
        The synthetic dataset; None for real pictures.
    terms
        Licence of real pictures; None for a synthetic dataset.
    model_title
        Of the network.
    banner, scale_title, comparable
        Of the scale.
    """

    title: str
    source: str
    drawn: Drawn | None
    terms: str | None
    model_title: str
    banner: str
    scale_title: str
    comparable: bool


@dataclass(frozen=True)
class Task:
    """One training: what decides its result, where its files go, how it is executed.

    Attributes
    ----------
    kind
        pretrain or finetune.
    run, scale, pretraining, dataset
        Names, as the record shows them.
    seed
        Root seed of weights, order, augmentation and stochastic layers.
    recipe, model
        What is trained and how.
    train, test
        Image sources; `test` None = nothing to evaluate on.
    classes
        Outputs of the network; 0 for self-supervised training, which takes no notice of labels.
    record, checkpoints
        The JSON file, and the folder that is removed on success. metrics.jsonl stands beside the
        record.
    code, inputs
        Digest of the code, and of every input file by its path.
    environment
        Snapshot of versions and hardware for the record; decides nothing.
    devices
        How the training is executed.
    evaluate_every_epochs
        0 = only at the end.
    tensorboard
        Folder for curves, or None.
    origin
        Of a pre-training's images, for its model card.
    asked
        Further entries of the record, such as the order and when the job began; they decide
        nothing.
    """

    kind: str
    run: str
    scale: str
    pretraining: str
    dataset: str
    seed: int
    recipe: Recipe
    model: ModelEntry
    train: ImageSource
    test: ImageSource | None
    classes: int
    record: Path
    checkpoints: Path
    code: str
    inputs: Mapping[str, str]
    environment: Mapping[str, Any]
    devices: Devices = field(default_factory=Devices)
    evaluate_every_epochs: int = 0
    tensorboard: Path | None = None
    origin: Origin | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)

    def names(self) -> dict[str, Any]:
        """Return what identifies the training for people; the head of its record."""
        names = ("kind", "run", "scale", "seed", "pretraining", "dataset")
        return {name: getattr(self, name) for name in names} | {"model": self.recipe.model}

    def identity(self) -> dict[str, Any]:
        """Return everything that decides the course of the training; a checkpoint of another
        identity is refused.
        """
        return {
            **self.names(),
            "recipe": self.recipe.model_dump(mode="json"),
            "network": self.model.model_dump(mode="json", include={"timm", "arguments"}),
            "classes": self.classes,
            "code": self.code,
            "inputs": dict(self.inputs),
            "evaluate_every_epochs": self.evaluate_every_epochs,
        }

    def stream(self) -> InfiniteSampler:
        """Return the order of the training images; its `images` are those of an epoch."""
        augmentation = self.recipe.augmentation
        if augmentation.one_per_category:
            return OnePerCategory(self.train.labels, classes=self.train.classes, seed=self.seed)
        return InfiniteSampler(
            len(self.train), seed=self.seed, repeated_aug=augmentation.repeated_aug
        )

    def training_images(self, transform: TrainingTransform) -> TrainingImages:
        """Return the training stream as a map from positions to batches."""
        return TrainingImages(
            self.train,
            transform,
            stream=self.stream(),
            seed=self.seed,
            kept_mb=self.devices.kept_mb,
        )

    def check(self, *, world: int) -> None:
        """Refuse what cannot work before anything expensive begins; ValueError with value and
        remedy.
        """
        check(self, world=world)


def check(task: Task, *, world: int) -> None:
    """Refuse what cannot work before anything expensive begins; ValueError with value and remedy."""
    for name, source in (("train", task.train), ("test", task.test)):
        if source is None:
            continue
        if len(source) == 0:
            raise ValueError(f"{task.run}: the {name} images of {task.dataset} are none")
        if task.recipe.objective == "dino":
            continue
        if source.classes != task.classes:
            raise ValueError(
                f"{task.run}: {task.dataset} has {source.classes} classes in its {name} images,"
                f" {task.classes} are stated"
            )
        _check_labels(task, name, source)
    schedule(task.recipe, images=task.stream().images)
    parts = split(task.recipe.global_batch, world=world, micro_batch=task.devices.micro_batch)
    augmentation = task.recipe.augmentation
    varied = task.train.augmentations if isinstance(task.train, VaryingSource) else ()
    if varied != augmentation.ofdb:
        raise ValueError(
            f"{task.run}: augmentation.ofdb = {list(augmentation.ofdb)}, but the images of"
            f" {task.dataset} are varied by {list(varied)}: ofdb works in a pre-training on a"
            " synthetic dataset alone, use [] elsewhere"
        )
    if parts.micro_batch % 2 and (augmentation.mixup > 0 or augmentation.cutmix > 0):
        raise ValueError(
            f"{task.run}: mixup and cutmix mix pairs, and a device gets {parts.micro_batch} images"
            " at once: use an even micro_batch"
        )


def _check_labels(task: Task, name: str, source: ImageSource) -> None:
    """Refuse an objective that does not go with the labels, and classes whose score would not be
    defined.
    """
    several = source.labels.ndim == 2
    if several != (task.recipe.objective == "binary"):
        raise ValueError(
            f"{task.run}: objective = {task.recipe.objective}, but an image of {task.dataset} has "
            f"{'several labels: use binary' if several else 'one label: use cross_entropy'}"
        )
    if several and (empty := np.flatnonzero(~(source.labels == 1).any(axis=0))).size:
        raise ValueError(
            f"{task.run}: no {name} image of {task.dataset} shows class {empty[0]}; use more images"
        )
