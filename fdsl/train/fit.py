"""From a task to a trained network, through any number of restarts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch.amp import GradScaler

from fdsl.augment.crop import EvalTransform
from fdsl.io import storage
from fdsl.io.locks import file_lock
from fdsl.train import checkpoint, evaluate, loop, models, optim
from fdsl.train.classification import batch_transform
from fdsl.train.distributed import Processes, processes
from fdsl.train.input.loader import EvaluationImages, evaluation_batches, training_batches
from fdsl.train.loop import LoopConfig, Objective, TrainState
from fdsl.train.metrics import METRICS_FILE, Display, History, MetricsLog, NonFiniteLoss
from fdsl.train.schedule import schedule, split
from fdsl.train.task import ClassificationTask, TrainingTask

log = logging.getLogger(__name__)

TaskT = TypeVar("TaskT", bound=TrainingTask)
MakeObjective = Callable[[TaskT, Processes], Objective]


@contextmanager
def exclusive(task: TrainingTask) -> Iterator[Processes]:
    """Join the task's processes and hold an exclusive lock on it, until its record is written.

    A job whose Snakemake was killed may still be running, and two writers would spoil each other's
    checkpoints.

    Raises
    ------
    ValueError
        Before anything else, if the task cannot work.
    """
    lock = task.checkpoints.with_name(f"{task.checkpoints.name}.lock")
    with processes(task.devices) as here:
        task.check(world=here.world)
        with file_lock(lock, doing=f"training {task.run}") if here.leads else nullcontext():
            here.wait()  # no process may look for a checkpoint before the other training has ended
            yield here


def fit(
    task: TaskT, *, processes: Processes, objective: MakeObjective[TaskT]
) -> tuple[TrainState, History]:
    """Train to the end of the recipe, from the newest checkpoint if any; inside `exclusive`.

    Parameters
    ----------
    task
        The training.
    processes
        Who shares it.
    objective
        Makes the networks and the loss, with the task's weights loaded.

    Raises
    ------
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time.
    NonFiniteLoss
        If the loss is infinite or not a number; `nonfinite.json` beside the record names the batch.
    ForeignCheckpoint
        If the folder of checkpoints belongs to another training.
    """
    train_state, history = _begin(task, processes, objective)
    with checkpoint.listening(wall_seconds=task.devices.wall_seconds) as stop:
        loop_config = _loop_config(task, processes)
        with closing(_metrics(task, loop_config, train_state, history)) as metrics:
            checkpointer = Checkpointer(task, train_state, metrics, leads=processes.leads)
            evaluate_once = _evaluator(task, loop_config, train_state, metrics)
            try:
                loop.train(
                    train_state,
                    loop_config,
                    batches=_batches(task, loop_config, train_state),
                    metrics=metrics,
                    evaluate=evaluate_once,
                    save=checkpointer.save,
                    wishes=lambda: (stop.reason() is not None, checkpointer.due()),
                )
            except NonFiniteLoss as error:
                if processes.leads:
                    _report(task, loop_config, error)
                raise
            except checkpoint.Interrupted as error:
                # launchers end all processes when the first one leaves: none may leave before the
                # leader has saved
                processes.wait()
                log.warning("%s: %s; saved after update %d", task.run, stop.reason(), error.step)
                raise
            metrics.settle()
            evaluate_once()
            metrics.state()
    return train_state, history


def _begin(
    task: TaskT, processes: Processes, objective: MakeObjective[TaskT]
) -> tuple[TrainState, History]:
    """Make the train state, fresh or from the newest checkpoint."""
    recipe = task.recipe
    snapshot = checkpoint.load(task.checkpoints, identity=task.identity())
    # a snapshot holds all weights, so that those to start from need not be read
    made = objective(task if snapshot is None else replace(task, weights=None), processes)
    scaler = GradScaler(processes.device.type, enabled=recipe.precision == "fp16")
    train_state = TrainState(made, optim.optimizer(made.network, recipe=recipe), scaler)
    history = History()
    if snapshot is not None:
        train_state.restore(snapshot["train_state"])
        history = History.restore(snapshot["history"])
        history.restarts += 1
        log.info("%s: resuming after update %d", task.run, train_state.step)
    _require_agreement(train_state.step, processes)
    if processes.leads:
        checkpoint.remove_leftovers(task.checkpoints)
    parameters = f"{models.parameter_count(made.network):,}"
    log.info("%s: %s with %s parameters", task.run, recipe.model, parameters)
    return train_state, history


def _require_agreement(step: int, processes: Processes) -> None:
    """Raise RuntimeError unless all processes resumed from the same checkpoint."""
    steps = torch.zeros(processes.world, dtype=torch.int64, device=processes.device)
    steps[processes.rank] = step
    found = processes.sum(steps).tolist()
    if len(set(found)) > 1:
        raise RuntimeError(
            f"the processes found checkpoints of updates {found}: the folder must be the same one"
            " on every host"
        )


def _loop_config(task: TrainingTask, processes: Processes) -> LoopConfig:
    """Return the loop's constants."""
    recipe, micro_batch = task.recipe, task.devices.micro_batch
    return LoopConfig(
        recipe=recipe,
        schedule=schedule(recipe, images=task.stream().images),
        split=split(recipe.global_batch, world=processes.world, micro_batch=micro_batch),
        seed=task.seed,
        processes=processes,
        evaluate_every_epochs=task.evaluate_every_epochs,
        compiled=models.compiler(task.devices),
    )


def _batches(task: TrainingTask, loop_config: LoopConfig, train_state: TrainState) -> Iterator[Any]:
    """Yield this process's micro-batches of the remaining updates."""
    here = loop_config.processes
    return training_batches(
        task.training_images(train_state.objective.transform()),
        lambda step: loop_config.split.slices(step, rank=here.rank),
        steps=range(train_state.step, loop_config.schedule.steps),
        workers=here.loaders,
        pin_memory=here.device.type == "cuda",
    )


def _metrics(
    task: TrainingTask, loop_config: LoopConfig, train_state: TrainState, history: History
) -> MetricsLog:
    """Open the metrics; only the leading process has a file and a display."""
    here, schedule, display = loop_config.processes, loop_config.schedule, None
    if here.leads:
        board = task.tensorboard
        display = Display(task.run, schedule, start=train_state.step, tensorboard=board)
    return MetricsLog(
        history,
        schedule=schedule,
        path=task.record.with_name(METRICS_FILE) if here.leads else None,
        display=display,
        lag=int(here.device.type == "cuda"),
        counts=train_state.objective.counts,
    )


class Checkpointer:
    """Saves checkpoints and says when the next one is due."""

    def __init__(
        self, task: TrainingTask, train_state: TrainState, metrics: MetricsLog, *, leads: bool
    ) -> None:
        self._task, self._state, self._metrics, self._leads = task, train_state, metrics, leads
        self._identity = task.identity()
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Say whether this process wants a checkpoint after the update that it has just done."""
        devices, seconds = self._task.devices, time.monotonic() - self._saved
        every = devices.checkpoint_steps or math.inf
        return seconds >= devices.checkpoint_seconds or self._state.step % every == 0

    def save(self) -> None:
        """Store a checkpoint, in the leading process."""
        with self._metrics.paused():
            if self._leads:
                content = {"train_state": self._state.state(), "history": self._metrics.state()}
                folder, step = self._task.checkpoints, self._state.step
                checkpoint.save(folder, content, step=step, identity=self._identity)
            self._saved = time.monotonic()


def _evaluator(
    task: TrainingTask, loop_config: LoopConfig, train_state: TrainState, metrics: MetricsLog
) -> Callable[[], None]:
    """Return the function that evaluates the network, once per epoch at which it is called."""
    if not isinstance(task, ClassificationTask) or task.test is None:
        return lambda: None
    recipe, here, images = task.recipe, loop_config.processes, len(task.test)
    prepared = EvaluationImages(task.test, EvalTransform(recipe))
    batches = evaluation_batches(prepared, here, batch=loop_config.split.micro_batch)
    transform = batch_transform(task, here, train=False)
    several = recipe.objective == "binary"
    score = partial(evaluate.rank, classes=task.classes) if several else evaluate.evaluate

    def evaluate_once() -> None:
        step = train_state.step
        ended = step == loop_config.schedule.steps
        epoch = recipe.all_epochs if ended else loop_config.schedule.epoch_after(step)
        if metrics.has_evaluated(epoch):
            return
        with metrics.paused():
            result = score(
                train_state.result,
                batches,
                transform=lambda batch: transform(batch, step)[0],
                images=images,
                processes=here,
                precision=recipe.precision,
            )
            metrics.evaluated(step, epoch=epoch, result=result)

    return evaluate_once


def _report(task: TrainingTask, loop_config: LoopConfig, error: NonFiniteLoss) -> None:
    """Write which images, of all processes, made up the batch with the non-finite loss."""
    path = task.record.with_name("nonfinite.json")
    batch = loop_config.schedule.global_batch
    keys = task.stream().keys(np.arange(error.step * batch, (error.step + 1) * batch))
    drawn = [dict(zip(("epoch", "index", "repeat"), key, strict=True)) for key in keys.tolist()]
    update = {"run": task.run, "step": error.step, "lr": error.lr, "loss": str(error.loss)}
    storage.write_json(path, {**update, "batch": drawn})
    log.error("%s: %s; the batch's images are listed in %s", task.run, error, path)
