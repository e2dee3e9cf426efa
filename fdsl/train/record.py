"""`record.json`: what a finished training leaves for the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdsl.io import records
from fdsl.train import checkpoint, model_card, weights
from fdsl.train.distributed import Processes
from fdsl.train.loop import TrainState
from fdsl.train.metrics import JOURNAL, History
from fdsl.train.task import Task


def result(task: Task, train_state: TrainState, history: History) -> dict[str, Any]:
    """Return what the training found: the part of the record that is the same every time.

    `final_loss` is the mean training objective, `training_correct` of `training_images` the right
    answers on augmented training images, over the updates of the last epoch. With test images:
    `correct` of `images` and `top1_last` (percent) belong to the last epoch and are the headline;
    `top1_best` and `best_epoch` were chosen on the test images and are for comparison with papers
    that report them. With objective binary, `metric` is "mAP", and `map_last`, `map_best` (percent)
    and `average_precision` (of each class, last epoch) stand in the place of `correct` and top-1.
    """
    last = history.last_epoch
    found: dict[str, Any] = {
        "steps": train_state.step,
        "epochs": task.recipe.all_epochs,
        "train_images": len(task.train),
        "classes": task.classes,
        "final_loss": last.loss / last.updates,
        "training_correct": last.correct,
        "training_images": last.images,
    }
    if task.test is None:
        return found
    if task.recipe.objective == "binary":
        return found | _ranked(history)
    final = history.evaluations[-1]
    best = max(history.evaluations, key=lambda entry: (entry["correct"], -entry["epoch"]))
    return found | {
        "metric": "top-1",
        "images": final["images"],
        "correct": final["correct"],
        "top1_last": 100 * final["correct"] / final["images"],
        "top1_best": 100 * best["correct"] / best["images"],
        "best_epoch": best["epoch"],
        "evaluations": history.evaluations,
    }


def _ranked(history: History) -> dict[str, Any]:
    """Return the part of `result` that is about evaluations where images have several labels."""
    final = history.evaluations[-1]
    best = max(
        history.evaluations, key=lambda entry: (entry["mean_average_precision"], -entry["epoch"])
    )
    return {
        "metric": "mAP",
        "images": final["images"],
        "map_last": final["mean_average_precision"],
        "map_best": best["mean_average_precision"],
        "best_epoch": best["epoch"],
        "average_precision": final["average_precision"],
        "evaluations": history.evaluations,
    }


def cost(history: History, *, world: int) -> dict[str, Any]:
    """Return what the training took, over all attempts that left a checkpoint."""
    return {
        "wall_seconds": history.seconds,
        "device_seconds": history.seconds * world,
        "images_per_second": history.training_images / max(history.training_seconds, 1e-9),
        "resumed": history.restarts,
    }


def leave(
    task: Task, train_state: TrainState, history: History, *, processes: Processes, out: Path | None
) -> None:
    """Write the weights (unless `out` is None; a pre-training's with model card), the record, then
    remove the checkpoints.
    """
    if not processes.leads:
        return
    found = result(task, train_state, history)
    if out is not None:
        about = task.identity() | {"image_size_px": task.recipe.image_size_px}
        weights.save(out, train_state.result, metadata=about)
        if task.kind == "pretrain":
            model_card.leave(task, train_state.result, found, folder=out.parent)
    made = [] if out is None else [out]
    if out is not None and task.kind == "pretrain":
        made += [out.with_name(name) for name in (model_card.CONFIG, model_card.CARD)]
    content = {
        **task.names(),
        "result": found,
        "recipe": task.recipe.model_dump(mode="json"),
        **provenance(task, processes),
        "cost": cost(history, world=processes.world),
    }
    records.write(task.record, content, outputs=[*made, task.record.with_name(JOURNAL)])
    checkpoint.discard(task.checkpoints)


def provenance(task: Task, processes: Processes) -> dict[str, Any]:
    """Return the part of a record that says what it was made from and on."""
    return {
        **task.asked,
        "code": task.code,
        "inputs": dict(task.inputs),
        "environment": {**task.environment, **processes.hardware()},
    }
