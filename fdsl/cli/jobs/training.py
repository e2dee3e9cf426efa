"""Jobs that train a network."""

from __future__ import annotations

from typing import Any

from fdsl.cli.jobs import job_inputs
from fdsl.cli.jobs.running import RunningJob


def pretrain(job: RunningJob) -> None:
    """Pre-train a network on a synthetic dataset, or on real pictures; resume if interrupted."""
    from fdsl.schema.recipe import Recipe
    from fdsl.train.pretrain import pretrain as train
    from fdsl.train.task import ClassificationTask

    spec = job.spec
    if spec["kind"] == "synthetic":
        inputs = job_inputs.verified(job.inputs("images"))
    else:
        inputs = job.input_digests()
    images = job_inputs.pretraining_images(job)
    task = ClassificationTask(
        **job_inputs.training(job),
        inputs=inputs,
        recipe=Recipe.model_validate(spec["recipe"]),
        train=images,
        classes=0 if spec["kind"] == "dino" else images.classes,
    )
    objective = job_inputs.objective(spec["kind"])
    train(task, out=job.output("weights"), card=job_inputs.card(job), objective=objective)


def finetune(job: RunningJob) -> None:
    """Fine-tune a network on a downstream dataset and test it; resume if interrupted."""
    from fdsl.schema.recipe import Recipe
    from fdsl.train.finetune import finetune as train
    from fdsl.train.task import ClassificationTask

    splits = job_inputs.splits(job)
    task = ClassificationTask(
        **job_inputs.training(job),
        inputs=job.input_digests(),
        recipe=Recipe.model_validate(job.spec["recipe"]),
        train=splits.train,
        test=splits.test,
        classes=job.spec["classes"],
    )
    train(task)


def detect(job: RunningJob) -> None:
    """Train a detector on a dataset in COCO's format and test it; resume if interrupted."""
    from fdsl.datasets.splits import load_verified
    from fdsl.schema.detection import DetectionRecipe
    from fdsl.train.detection.detect import detect as train
    from fdsl.train.detection.objective import DetectionTask

    entry, root, manifest = job_inputs.downstream(job, job.spec["downstream"])
    train_images: Any = load_verified(entry, root, manifest=manifest, split="train")
    test_images: Any = load_verified(entry, root, manifest=manifest, split="test")
    task = DetectionTask(
        **job_inputs.training(job),
        inputs=job.input_digests(),
        recipe=DetectionRecipe.model_validate(job.spec["recipe"]),
        train=train_images,
        test=test_images,
        classes=job.spec["classes"],
    )
    train(task)
