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
    from fdsl.provenance import environment
    from fdsl.schema.catalogue import ModelEntry
    from fdsl.schema.recipe import Recipe
    from fdsl.train.pretrain import pretrain as train

    asked = records.asked(order)
    spec = asked["order"]
    if spec["kind"] == "synthetic":
        files = images or []
        inputs = job_inputs.noted(files)
        pictures = job_inputs.synthetic(spec, files)
    else:
        inputs = records.digests([Path(manifest)])
        pictures = job_inputs.real(spec, data, Path(manifest))
    origin = job_inputs.origin(spec, about)
    train(
        run=spec["run"],
        scale=spec["scale"],
        seed=spec["run_seed"],
        dataset=spec["pretraining"],
        recipe=Recipe.model_validate(spec["recipe"]),
        model=ModelEntry.model_validate(spec["model"]),
        images=pictures,
        **job_inputs.learning(spec["kind"], pictures),
        out=weights,
        record=record,
        checkpoints=checkpoints,
        code=code,
        inputs=inputs,
        environment=environment(),
        asked=asked,
        devices=job_inputs.devices(machine, threads),
        origin=origin,
        tensorboard=record.parent / "tensorboard",
    )


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

    asked = records.asked(order)
    spec = asked["order"]
    entry, parts = job_inputs.parts(spec, data, manifest)
    train(
        **job_inputs.run(asked, weights, manifest=manifest, machine=machine, threads=threads),
        recipe=Recipe.model_validate(spec["recipe"]),
        train=parts.train,
        test=parts.test,
        classes=entry.classes,
        out=None,
        record=record,
        checkpoints=checkpoints,
        code=code,
        tensorboard=record.parent / "tensorboard",
    )


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
    from fdsl.datasets.splits import load_verified
    from fdsl.schema.detection import DetectionRecipe
    from fdsl.train.detection.detect import detect as train

    asked = records.asked(order)
    spec = asked["order"]
    entry, root = job_inputs.downstream(data)
    about = storage.read_checksummed(manifest)
    train(
        **job_inputs.run(asked, weights, manifest=manifest, machine=machine, threads=threads),
        recipe=DetectionRecipe.model_validate(spec["recipe"]),
        train=load_verified(entry, root, manifest=about, split="train"),
        test=load_verified(entry, root, manifest=about, split="test"),
        classes=entry.classes,
        record=record,
        checkpoints=checkpoints,
        code=code,
        tensorboard=record.parent / "tensorboard",
    )
