"""Jobs that train a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fdsl.cli import records
from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.options import (
    Checkpoints,
    Code,
    Data,
    Machine,
    Manifest,
    RealData,
    Record,
    Start,
    Threads,
    Weights,
)
from fdsl.cli.options import Order
from fdsl.io import storage


def pretrain(
    order: Order,
    code: Code,
    checkpoints: Checkpoints,
    machine: Machine,
    threads: Threads,
    weights: Weights,
    record: Record,
    about: Annotated[
        str,
        typer.Option(help="Words about images, network and scale for the model card, as JSON."),
    ],
    data: RealData = "",
    manifest: Annotated[
        str, typer.Option(help="What is known of the real pictures; empty for a formula.")
    ] = "",
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="The dataset's shards, or its parameter file to stream from."),
    ] = None,
) -> None:
    """Pre-train a network on a synthetic dataset, or on real pictures."""
    from fdsl.schema.recipe import Recipe
    from fdsl.train.pretrain import pretrain as train
    from fdsl.train.task import ClassificationTask

    asked = records.asked(order)
    spec = asked["order"]
    if spec["kind"] == "synthetic":
        files = images or []
        inputs = job_inputs.noted(files)
        pictures = job_inputs.synthetic(spec, files)
    else:
        inputs = records.digests([Path(manifest)])
        pictures = job_inputs.real(spec, data, Path(manifest))
    task = ClassificationTask(
        kind="pretrain",
        **job_inputs.task(asked, code, record, machine=machine, threads=threads),
        dataset=spec["pretraining"],
        recipe=Recipe.model_validate(spec["recipe"]),
        train=pictures,
        classes=0 if spec["kind"] == "dino" else pictures.classes,
        checkpoints=checkpoints,
        inputs=inputs,
        tensorboard=record.parent / "tensorboard",
    )
    objective = job_inputs.objective(spec["kind"])
    train(task, out=weights, card=job_inputs.card(spec, about), objective=objective)


def finetune(
    order: Order,
    code: Code,
    data: Data,
    manifest: Manifest,
    checkpoints: Checkpoints,
    machine: Machine,
    threads: Threads,
    record: Record,
    weights: Start = None,
) -> None:
    """Fine-tune a network on a downstream dataset and test it."""
    from fdsl.schema.recipe import Recipe
    from fdsl.train.finetune import finetune as train
    from fdsl.train.task import ClassificationTask

    asked = records.asked(order)
    spec = asked["order"]
    entry, parts = job_inputs.parts(spec, data, manifest)
    task = ClassificationTask(
        kind="finetune",
        **job_inputs.task(asked, code, record, machine=machine, threads=threads),
        **job_inputs.start(spec, weights, manifest),
        recipe=Recipe.model_validate(spec["recipe"]),
        train=parts.train,
        test=parts.test,
        classes=entry.classes,
        checkpoints=checkpoints,
        tensorboard=record.parent / "tensorboard",
    )
    train(task)


def detect(
    order: Order,
    code: Code,
    data: Data,
    manifest: Manifest,
    checkpoints: Checkpoints,
    machine: Machine,
    threads: Threads,
    record: Record,
    weights: Start = None,
) -> None:
    """Train a detector on a dataset in COCO's format and test it."""
    from fdsl.datasets.splits import checked
    from fdsl.schema.detection import DetectionRecipe
    from fdsl.train.detection.detect import detect as train
    from fdsl.train.detection.objective import DetectionTask

    asked = records.asked(order)
    spec = asked["order"]
    entry, root = job_inputs.downstream(data)
    about = storage.read_checksummed(manifest)
    task = DetectionTask(
        kind="detect",
        **job_inputs.task(asked, code, record, machine=machine, threads=threads),
        **job_inputs.start(spec, weights, manifest),
        recipe=DetectionRecipe.model_validate(spec["recipe"]),
        train=checked(entry, root, manifest=about, split="train"),
        test=checked(entry, root, manifest=about, split="test"),
        classes=entry.classes,
        checkpoints=checkpoints,
        tensorboard=record.parent / "tensorboard",
    )
    train(task)
