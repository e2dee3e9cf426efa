"""Pre-training on synthetic or real images: images in, `model.safetensors` with model card, and
`record.json` out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdsl.augment.ofdb import AugmentedImages
from fdsl.images.streamed import StreamedImages
from fdsl.images.shards import ShardedImages
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import Recipe
from fdsl.train import Devices
from fdsl.train.classification import classification
from fdsl.train.distributed import processes
from fdsl.train.fit import exclusive, fit
from fdsl.train.input.loader import ImageSource
from fdsl.train.objective import MakeObjective
from fdsl.train.record import leave
from fdsl.train.task import Origin, Task


def pretrain(
    *,
    run: str,
    scale: str,
    seed: int,
    dataset: str,
    recipe: Recipe,
    model: ModelEntry,
    images: ImageSource,
    classes: int,
    out: Path,
    record: Path,
    checkpoints: Path,
    code: str,
    inputs: Mapping[str, str],
    environment: Mapping[str, Any],
    devices: Devices,
    origin: Origin,
    tensorboard: Path | None = None,
    asked: Mapping[str, Any] | None = None,
    objective: MakeObjective = classification,
) -> None:
    """Train a network from fresh weights, to tell the classes of a dataset apart unless the
    objective is another.

    Started again after an interruption it goes on from the newest checkpoint. The other parameters
    are those of `Task`.

    Parameters
    ----------
    out
        Where the weights go: the averaged ones where the recipe has an average, the teacher's for
        DINO; `config.json` and README.md stand beside them.
    objective
        `classification`, or `fdsl.train.dino.SelfDistillation` (then `classes` is 0: the result has
        no head).

    Raises
    ------
    ValueError
        Before training, if classes, objective, recipe, batch and number of processes do not fit
        together, if the images cannot be varied as the recipe's `augmentation.ofdb` says, or if the
        checkpoints are of another training.
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time: exit code 85.
    NonFiniteLoss
        If the loss is infinite or not a number.
    """
    if recipe.augmentation.ofdb and isinstance(images, StreamedImages | ShardedImages):
        images = AugmentedImages(images, recipe.augmentation.ofdb)
    task = Task(
        kind="pretrain",
        run=run,
        scale=scale,
        pretraining=dataset,
        dataset=dataset,
        seed=seed,
        recipe=recipe,
        model=model,
        train=images,
        test=None,
        classes=classes,
        record=Path(record),
        checkpoints=Path(checkpoints),
        code=code,
        inputs=inputs,
        environment=environment,
        devices=devices,
        tensorboard=tensorboard,
        asked=asked or {},
        origin=origin,
    )
    with processes(devices) as here, exclusive(task, processes=here):
        train_state, history = fit(
            task,
            processes=here,
            prepare=lambda network: None,  # noqa: ARG005
            objective=objective,
        )
        leave(task, train_state, history, processes=here, out=out)
