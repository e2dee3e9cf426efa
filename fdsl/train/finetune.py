"""Fine-tuning on a downstream dataset, from pre-trained weights or from scratch, with an exact
evaluation at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import Recipe
from fdsl.train import Devices
from fdsl.train import weights as weight_files
from fdsl.train.distributed import processes
from fdsl.train.fit import exclusive, fit
from fdsl.train.input.loader import ImageSource
from fdsl.train.record import leave
from fdsl.train.start import require_start
from fdsl.train.task import Task


def finetune(
    *,
    run: str,
    scale: str,
    seed: int,
    pretraining: str,
    weights: Path | None,
    dataset: str,
    recipe: Recipe,
    model: ModelEntry,
    train: ImageSource,
    test: ImageSource,
    classes: int,
    out: Path | None,
    record: Path,
    checkpoints: Path,
    code: str,
    inputs: Mapping[str, str],
    environment: Mapping[str, Any],
    devices: Devices,
    evaluate_every_epochs: int = 0,
    tensorboard: Path | None = None,
    asked: Mapping[str, Any] | None = None,
) -> None:
    """Train a network on labelled real images and count its right answers on the test images.

    The same recipe serves scratch and pre-trained starts: only the weights differ. Started again
    after an interruption it goes on from the newest checkpoint. The other parameters are those of
    `Task`.

    Parameters
    ----------
    pretraining
        Name of the synthetic dataset of `weights`, or "scratch".
    weights
        `model.safetensors` of a pre-training, or None for scratch.
    out
        Where the fine-tuned weights go, or None.

    Raises
    ------
    ValueError
        Before training, if names, classes, batch and number of processes do not fit together, if
        the weights are not of this network, or if the checkpoints are of another training.
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time: exit code 85.
    NonFiniteLoss
        If the loss is infinite or not a number.
    """
    require_start(pretraining, weights)
    task = Task(
        kind="finetune",
        run=run,
        scale=scale,
        pretraining=pretraining,
        dataset=dataset,
        seed=seed,
        recipe=recipe,
        model=model,
        train=train,
        test=test,
        classes=classes,
        record=Path(record),
        checkpoints=Path(checkpoints),
        code=code,
        inputs=inputs,
        environment=environment,
        devices=devices,
        evaluate_every_epochs=evaluate_every_epochs,
        tensorboard=tensorboard,
        asked=asked or {},
    )

    def prepare(network: nn.Module) -> None:
        if weights is not None:
            weight_files.load(network, weights)

    with processes(devices) as here, exclusive(task, processes=here):
        train_state, history = fit(task, processes=here, prepare=prepare)
        leave(task, train_state, history, processes=here, out=out)
