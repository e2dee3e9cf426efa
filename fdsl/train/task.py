"""One training: what decides its result, how it is executed, and the record that it leaves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from torch.utils.data import Dataset

from fdsl.io import records
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import NetworkInput, Optimisation, Recipe
from fdsl.train import Devices, checkpoint, weights
from fdsl.train.distributed import Processes
from fdsl.train.input.loader import (
    CountedImages,
    TrainingImages,
    TrainingSource,
    TrainingTransform,
    VaryingImages,
)
from fdsl.train.input.samplers import InfiniteSampler, OnePerCategory
from fdsl.train.metrics import METRICS_FILE, History, Sums
from fdsl.train.schedule import schedule, split

SCRATCH = "scratch"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all runs of a network share: names, start weights, record, execution.

    Attributes
    ----------
    kind
        Of the record: pretrain, finetune, detect or probe.
    run, scale, pretraining, dataset
        Names, as the record shows them; `pretraining` is "scratch" for fresh weights.
    seed
        Root seed of weights, order, augmentation and stochastic layers.
    recipe, model
        What is done to which network.
    weights
        `model.safetensors` to start from; None = fresh weights.
    classes
        Outputs of the network; 0 for self-supervised training, which ignores labels.
    record
        The JSON file to write.
    code, inputs
        Digest of the code, and of every input file by its path.
    environment
        Versions and hardware, for the record; decides nothing.
    devices
        How the task is executed.
    job_start
        Record entries from the start of the job: `spec` and `started`; they decide nothing.
    """

    kind: str
    run: str
    scale: str
    pretraining: str
    dataset: str
    seed: int
    recipe: NetworkInput
    model: ModelEntry
    weights: Path | None = None
    classes: int
    record: Path
    code: str
    inputs: Mapping[str, str]
    environment: Mapping[str, Any]
    devices: Devices = field(default_factory=Devices)
    job_start: Mapping[str, Any] = field(default_factory=dict)

    def names(self) -> dict[str, Any]:
        """Return what identifies the task to people; the head of its record."""
        names = ("kind", "run", "scale", "seed", "pretraining", "dataset")
        return {name: getattr(self, name) for name in names} | {"model": self.recipe.model}

    def write(
        self, *, processes: Processes, outputs: Sequence[Path] = (), **found: Mapping[str, Any]
    ) -> None:
        """Write the record; `found` are its result, recipe and cost."""
        content = {
            **self.names(),
            **found,
            **self.job_start,
            "code": self.code,
            "inputs": dict(self.inputs),
            "environment": {**self.environment, **processes.hardware()},
        }
        records.write(self.record, content, outputs=outputs)

    def require_start(self) -> None:
        """Raise ValueError if a run from scratch has weights, or another run has none."""
        if (self.weights is None) != (self.pretraining == SCRATCH):
            raise ValueError(
                f"pretraining = {self.pretraining!r} with weights = {self.weights}: scratch has no"
                " weights, everything else needs them"
            )

    def load_weights(self, network: nn.Module) -> None:
        """Put the pre-trained weights, if any, into a fresh network."""
        if self.weights is not None:
            weights.load(network, self.weights)


@dataclass(frozen=True, kw_only=True)
class TrainingTask(Task, ABC):
    """A task that changes weights by gradients.

    Attributes
    ----------
    checkpoints
        Folder of the snapshots; removed on success.
    evaluate_every_epochs
        0 = only at the end.
    tensorboard
        Folder for curves, or None.
    """

    recipe: Optimisation
    checkpoints: Path
    evaluate_every_epochs: int = 0
    tensorboard: Path | None = None

    def identity(self) -> dict[str, Any]:
        """Return all that decides the weights; a checkpoint of another identity is refused."""
        return {
            **self.names(),
            "recipe": self.recipe.model_dump(mode="json"),
            "network": self.model.model_dump(mode="json", include={"timm", "arguments"}),
            "classes": self.classes,
            "code": self.code,
            "inputs": dict(self.inputs),
            "evaluate_every_epochs": self.evaluate_every_epochs,
        }

    def weights_metadata(self) -> dict[str, Any]:
        """Return what `model.safetensors` says of its making."""
        return self.identity() | {"image_size_px": self.recipe.image_size_px}

    def write_record(
        self,
        result: Mapping[str, Any],
        history: History,
        *,
        processes: Processes,
        outputs: Sequence[Path] = (),
    ) -> None:
        """Write the record of the finished training and remove its checkpoints.

        `result` is what it found, `outputs` the files that it made besides metrics.jsonl.
        """
        cost = {  # over all attempts that left a checkpoint
            "wall_seconds": history.seconds,
            "device_seconds": history.seconds * processes.world,
            "images_per_second": history.training_images / max(history.training_seconds, 1e-9),
            "resumed": history.restarts,
        }
        recipe = self.recipe.model_dump(mode="json")
        files = [*outputs, self.record.with_name(METRICS_FILE)]
        self.write(processes=processes, outputs=files, result=result, recipe=recipe, cost=cost)
        checkpoint.discard(self.checkpoints)

    @abstractmethod
    def stream(self) -> InfiniteSampler:
        """Return the order of the training images; its `images` are those of an epoch."""

    @abstractmethod
    def training_images(self, transform: Any) -> Dataset[Any]:
        """Return the training stream as a map from positions to batches."""

    @abstractmethod
    def check(self, *, world: int) -> None:
        """Refuse what cannot work before anything expensive; ValueError with value and remedy."""


@dataclass(frozen=True, kw_only=True)
class ClassificationTask(TrainingTask):
    """Training on images with labels, or on images alone (DINO).

    Attributes
    ----------
    train, test
        Image sources; `test` None = nothing to evaluate on.
    """

    recipe: Recipe
    train: TrainingSource
    test: TrainingSource | None = None

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
        kept_mb, stream = self.devices.kept_mb, self.stream()
        return TrainingImages(self.train, transform, stream=stream, seed=self.seed, kept_mb=kept_mb)

    def check(self, *, world: int) -> None:
        """Refuse what cannot work; ValueError with value and remedy."""
        self._check_source("train", self.train)
        if self.test is not None:
            self._check_source("test", self.test)
        schedule(self.recipe, images=self.stream().images)
        parts = split(self.recipe.global_batch, world=world, micro_batch=self.devices.micro_batch)
        augmentation = self.recipe.augmentation
        varied = self.train.augmentations if isinstance(self.train, VaryingImages) else ()
        if varied != augmentation.ofdb:
            raise ValueError(
                f"{self.run}: augmentation.ofdb = {list(augmentation.ofdb)}, but the images of"
                f" {self.dataset} are varied by {list(varied)}: ofdb works in a pre-training on a"
                " synthetic dataset alone, use [] elsewhere"
            )
        if parts.micro_batch % 2 and (augmentation.mixup > 0 or augmentation.cutmix > 0):
            raise ValueError(
                f"{self.run}: mixup and cutmix mix pairs, and a device gets {parts.micro_batch}"
                " images at once: use an even micro_batch"
            )

    def result(self, history: History, *, steps: int) -> dict[str, Any]:
        """Return what the training found: the part of the record that is the same every time.

        `final_loss` is the mean training loss, `training_correct` of `training_images` the correct
        predictions on augmented training images, over the updates of the last epoch. Without test
        images, labels give `accuracy_last_epoch`, the latter in percent, and `chance`, the percent
        of a guess. With test images: `correct` of `images`, `correct_bits` (which ones, in order;
        see `fdsl.train.evaluate.packed`) and `top1_last` (percent) belong to the last epoch. With
        objective binary, `metric` is "mAP", and `map_last` (percent) and `average_precision` (per
        class) replace these.
        """
        last = history.last_epoch
        found: dict[str, Any] = {
            "steps": steps,
            "epochs": self.recipe.all_epochs,
            "train_images": len(self.train),
            "classes": self.classes,
            "final_loss": last.loss / last.updates,
            "training_correct": last.correct,
            "training_images": last.images,
        }
        if self.test is None:
            return found | self._learnt(last)
        final = history.evaluations[-1]
        found |= {"images": final["images"], "evaluations": history.evaluations}
        if self.recipe.objective == "binary":
            found |= {"metric": "mAP", "map_last": final["mean_average_precision"]}
            return found | {"average_precision": final["average_precision"]}
        correct, percent = final["correct"], 100 * final["correct"] / final["images"]
        found |= {"metric": "top-1", "correct": correct, "top1_last": percent}
        return found | {"correct_bits": history.correct_bits}

    def _learnt(self, last: Sums) -> dict[str, float]:
        """Return how well a pre-training with one label per image has learnt them."""
        if self.recipe.objective != "cross_entropy":
            return {}
        percent = 100 * last.correct / last.images
        return {"accuracy_last_epoch": percent, "chance": 100 / self.classes}

    def _check_source(self, name: str, source: TrainingSource) -> None:
        """Refuse no images, other classes, and labels that do not go with the objective."""
        objective, several = self.recipe.objective, source.labels.ndim == 2
        if objective == "dino":
            require_images(self, name, source)
            return
        require_images(self, name, source, classes=self.classes)
        if several != (objective == "binary"):
            raise ValueError(
                f"{self.run}: objective = {objective}, but an image of {self.dataset} has "
                f"{'several labels: use binary' if several else 'one label: use cross_entropy'}"
            )
        if several and (empty := np.flatnonzero(~(source.labels == 1).any(axis=0))).size:
            raise ValueError(
                f"{self.run}: no {name} image of {self.dataset} shows class {empty[0]}; use more"
                " images"
            )


def require_images(
    task: Task, name: str, source: CountedImages, *, classes: int | None = None
) -> None:
    """Raise ValueError unless a source has images, and as many classes as the task states."""
    if len(source) == 0:
        raise ValueError(f"{task.run}: the {name} images of {task.dataset} are none")
    if classes is not None and source.classes != classes:
        raise ValueError(
            f"{task.run}: {task.dataset} has {source.classes} classes in its {name} images,"
            f" {classes} are stated"
        )
