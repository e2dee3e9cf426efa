"""A frozen network is judged: its features are computed once and classified by k-NN and by a linear
probe.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.io import records
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Preparation
from fdsl.train import Devices, knn, linear_probe, models
from fdsl.train import weights as weight_files
from fdsl.train.distributed import loaders, place, processes
from fdsl.train.features import features
from fdsl.train.input.loader import ImageSource
from fdsl.train.start import require_start

log = logging.getLogger(__name__)

BATCH = 128  # images at once where the devices do not say


def probe(
    *,
    run: str,
    scale: str,
    seed: int,
    pretraining: str,
    weights: Path | None,
    dataset: str,
    preparation: Preparation,
    settings: Probe,
    model: ModelEntry,
    train: ImageSource,
    test: ImageSource,
    classes: int,
    record: Path,
    code: str,
    inputs: Mapping[str, str],
    environment: Mapping[str, Any],
    devices: Devices,
    asked: Mapping[str, Any] | None = None,
) -> None:
    """Count the right answers of k-NN and of a linear probe on the test images, without training
    the network.

    From scratch the features are those of random weights: the baseline that a pre-training has to
    beat. Test images decide nothing but the counts. Takes seconds to minutes, so there are no
    checkpoints.

    Parameters
    ----------
    run, scale, pretraining, dataset
        Names, as the record shows them.
    seed
        Root seed of the fresh weights and of the folds.
    weights
        `model.safetensors` of a pre-training, or None for scratch.
    preparation, settings
        How images come into the network, and how features are classified.
    train, test
        The labelled images that a fine-tuning would see, and the test images.
    classes
        That both have.
    record
        The JSON file to write, of kind "probe". `result` holds images, train_images, classes,
        features (their number); `knn`: correct, top1 (percent), k, temperature; `linear`: correct,
        top1, C, cv_accuracy (percent of the training images, each held out once), folds, finished.
    code, inputs, environment, asked
        As in a fine-tuning's record.
    devices
        How it is executed. One process only.

    Raises
    ------
    ValueError
        Before anything is computed, if names, images, k and folds do not fit together or several
        processes are started; then if the weights are not of this network.
    RuntimeError
        If features are not finite.
    """
    require_start(pretraining, weights)
    world = place().world
    if world > 1:
        raise ValueError(
            f"{run}: {world} processes were started; a probe is one process, so start it without"
            " torchrun or srun -n"
        )
    _check(run, dataset, train, test, classes=classes, settings=settings)
    from threadpoolctl import threadpool_limits

    started = time.monotonic()
    # BLAS has threads of its own, which torch's setting does not reach
    with processes(devices) as here, threadpool_limits(devices.threads):
        network = models.build(
            model, image_size_px=preparation.image_size_px, classes=classes, drop_path=0, seed=seed
        )
        if weights is not None:
            weight_files.load(network, weights)
        models.choose_attention(network, device=here.device, precision=settings.precision)
        network.to(here.device)
        known, unknown = (
            features(
                network,
                source,
                preparation=preparation,
                channels=models.channels(model),
                precision=settings.precision,
                device=here.device,
                batch=devices.micro_batch or BATCH,
                workers=loaders(devices, device=here.device),
            )
            for source in (train, test)
        )
        extracted = time.monotonic()
        found = judge(known, unknown, settings=settings, seed=seed)
    seconds = time.monotonic() - started
    names = {"run": run, "scale": scale, "seed": seed, "pretraining": pretraining}
    content = {
        "kind": "probe",
        **names,
        "dataset": dataset,
        "model": preparation.model,
        "result": {"classes": classes, **found},
        "recipe": {
            **preparation.model_dump(mode="json", include=set(Preparation.model_fields)),
            "probe": settings.model_dump(mode="json"),
        },
        **(asked or {}),
        "code": code,
        "inputs": dict(inputs),
        "environment": {**environment, **here.hardware()},
        "cost": {
            "wall_seconds": seconds,
            "device_seconds": seconds,
            "images_per_second": (len(train) + len(test)) / (extracted - started),
        },
    }
    log.info("%s: k-NN %.2f %%, linear %.2f %%", run, found["knn"]["top1"], found["linear"]["top1"])
    records.write(record, content)


Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]


def judge(known: Labelled, unknown: Labelled, *, settings: Probe, seed: int) -> dict[str, Any]:
    """Classify features and count.

    Parameters
    ----------
    known, unknown
        Features (n, d) and labels (n,) of the training and of the test images.
    settings
        k, temperature, candidates, folds, …
    seed
        Root seed of the folds.

    Returns
    -------
    dict
        The part of the record's `result` that is counted.
    """
    train, labels = known
    test, truth = unknown
    near = knn.predict(train, labels, test, k=settings.k, temperature=settings.temperature)
    fitted = linear_probe.fit(
        train,
        labels,
        inverse_penalties=settings.inverse_penalties,
        folds=settings.folds,
        tolerance=settings.tolerance,
        max_iterations=settings.max_iterations,
        seed=seed,
    )
    return {
        "images": len(truth),
        "train_images": len(labels),
        "features": train.shape[1],
        "knn": {
            **_counted(near, truth),
            "k": settings.k,
            "temperature": settings.temperature,
        },
        "linear": {
            **_counted(fitted.predict(test), truth),
            "C": fitted.inverse_penalty,
            "cv_accuracy": 100 * fitted.correct / len(labels),
            "folds": fitted.folds,
            "finished": fitted.finished,
        },
    }


def _counted(said: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return the number of right answers, and their percentage."""
    correct = int((said == truth).sum())
    return {"correct": correct, "top1": 100 * correct / len(truth)}


def _check(
    run: str,
    dataset: str,
    train: ImageSource,
    test: ImageSource,
    *,
    classes: int,
    settings: Probe,
) -> None:
    """Refuse what cannot work; ValueError with value and remedy."""
    for name, source in (("train", train), ("test", test)):
        if len(source) == 0:
            raise ValueError(f"{run}: the {name} images of {dataset} are none")
        if source.classes != classes:
            raise ValueError(
                f"{run}: {dataset} has {source.classes} classes in its {name} images, {classes} are"
                " stated"
            )
    knn.require_neighbours(settings.k, len(train))
    linear_probe.possible_folds(np.asarray(train.labels), folds=settings.folds)
