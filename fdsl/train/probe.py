"""Frozen features: computed once, then classified by k-NN and by a linear probe."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Preparation
from fdsl.train import distributed, knn, linear_probe, models
from fdsl.train.distributed import Processes
from fdsl.train.evaluate import packed
from fdsl.train.features import features
from fdsl.train.input.loader import TrainingSource
from fdsl.train.task import Task, require_images

log = logging.getLogger(__name__)

BATCH = 128  # images at once where the devices do not say

Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Features (n, d) and labels (n,)."""


@dataclass(frozen=True, kw_only=True)
class ProbeTask(Task):
    """Classifying frozen features.

    Attributes
    ----------
    recipe
        How images come into the network.
    settings
        How features are classified.
    train, test
        The labelled images that a fine-tuning would see, and the test images.
    """

    kind: str = "probe"
    recipe: Preparation
    settings: Probe
    train: TrainingSource
    test: TrainingSource

    def check(self) -> None:
        """Refuse what cannot work; ValueError with value and remedy."""
        self.require_start()
        world = distributed.rank().world
        if world > 1:
            raise ValueError(
                f"{self.run}: {world} processes were started; a probe is one process, so start it"
                " without torchrun or srun -n"
            )
        for name, source in (("train", self.train), ("test", self.test)):
            require_images(self, name, source, classes=self.classes)
        knn.require_neighbours(self.settings.k, len(self.train))
        linear_probe.possible_folds(np.asarray(self.train.labels), folds=self.settings.folds)


def probe(task: ProbeTask) -> None:
    """Count the correct predictions of k-NN and of a linear probe on the test images.

    From scratch the features are those of random weights: the baseline that a pre-training has to
    beat. Test images decide nothing but the counts. Takes seconds to minutes, so there are no
    checkpoints.

    Writes a record of kind "probe". Its `result` holds images, train_images, classes, features
    (their number); `knn`: correct, top1 (percent), correct_bits (which test images, see
    `fdsl.train.evaluate.packed`), k, temperature; `linear`: the same three, C, cv_accuracy
    (percent of the training images, each held out once), folds, finished.

    Raises
    ------
    ValueError
        Before anything is computed, if names, images, k and folds do not fit together or several
        processes are started; then if the weights are not of this network.
    RuntimeError
        If features are not finite.
    """
    task.check()
    from threadpoolctl import threadpool_limits

    settings = task.settings
    started = time.monotonic()
    # BLAS has threads of its own, which torch's setting does not reach
    with distributed.processes(task.devices) as here, threadpool_limits(task.devices.threads):
        train, test = _extract(task, here)
        extracted = time.monotonic()
        found = score(train, test, settings=settings, seed=task.seed)
    seconds = time.monotonic() - started
    recipe = task.recipe.model_dump(mode="json", include=set(Preparation.model_fields))
    speed = (len(task.train) + len(task.test)) / (extracted - started)
    cost = {"wall_seconds": seconds, "device_seconds": seconds, "images_per_second": speed}
    top1 = found["knn"]["top1"], found["linear"]["top1"]
    log.info("%s: k-NN %.2f %%, linear %.2f %%", task.run, *top1)
    task.write(
        processes=here,
        result={"classes": task.classes, **found},
        recipe=recipe | {"probe": settings.model_dump(mode="json")},
        cost=cost,
    )


def _extract(task: ProbeTask, processes: Processes) -> list[Labelled]:
    """Return features and labels of the training and of the test images."""
    recipe, precision = task.recipe, task.settings.precision
    network = models.build(
        task.model,
        image_size_px=recipe.image_size_px,
        classes=task.classes,
        seed=task.seed,
        position_start=recipe.position_start,
    )
    task.load_weights(network)
    models.choose_attention(network, device=processes.device, precision=precision)
    network.to(processes.device)
    compute = partial(
        features,
        network,
        preparation=recipe,
        channels=models.channels(task.model),
        precision=precision,
        processes=processes,
        batch=task.devices.micro_batch or BATCH,
    )
    return [compute(source) for source in (task.train, task.test)]


def score(train: Labelled, test: Labelled, *, settings: Probe, seed: int) -> dict[str, Any]:
    """Classify the features of the test images and count the correct predictions.

    Parameters
    ----------
    settings
        k, temperature, candidates, folds, …
    seed
        Root seed of the folds.

    Returns
    -------
    dict
        The part of the record's `result` that is counted.
    """
    known, labels = train
    unknown, truth = test
    near = knn.predict(known, labels, unknown, k=settings.k, temperature=settings.temperature)
    fitted = linear_probe.fit(known, labels, settings=settings, seed=seed)
    return {
        "images": len(truth),
        "train_images": len(labels),
        "features": known.shape[1],
        "knn": {**_counted(near, truth), "k": settings.k, "temperature": settings.temperature},
        "linear": {
            **_counted(fitted.predict(unknown), truth),
            "C": fitted.inverse_penalty,
            "cv_accuracy": 100 * fitted.correct / len(labels),
            "folds": fitted.folds,
            "finished": fitted.finished,
        },
    }


def _counted(predictions: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return the number of correct predictions, their percentage, and which they are."""
    right = predictions == truth
    correct = int(right.sum())
    return {"correct": correct, "top1": 100 * correct / len(truth), "correct_bits": packed(right)}
