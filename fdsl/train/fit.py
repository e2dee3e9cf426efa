"""What pre-training and fine-tuning have in common: from a task to a trained network, through any number of restarts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
from torch.amp import GradScaler

from fdsl import storage
from fdsl.data.augment import EvalTransform
from fdsl.data.loader import (
    Batch,
    EvaluationImages,
    evaluation_batches,
    training_batches,
)
from fdsl.locks import alone
from fdsl.train import checkpoint, evaluate, interrupt, loop, models, optim, ranking
from fdsl.train.classification import classification, finished
from fdsl.train.compilation import compiler
from fdsl.train.distributed import Processes, loaders
from fdsl.train.journal import JOURNAL, History, Journal, NonFiniteLoss
from fdsl.train.loop import Course, Trainee
from fdsl.train.objective import MakeObjective, Prepare
from fdsl.train.progress import Display
from fdsl.train.schedule import schedule, split
from fdsl.train.task import Task

log = logging.getLogger(__name__)


@contextmanager
def sole(task: Task, *, processes: Processes) -> Iterator[None]:
    """Let nobody else train this while the block runs: from the first checkpoint until results stand in its place.

    A job whose Snakemake was killed may still be running, and two writers would spoil each other's checkpoints, or remove them
    where the other one looks for the last.

    Raises
    ------
    ValueError
        Before anything else, if the task cannot work.
    """
    task.check(world=processes.world)
    lock = task.checkpoints.with_name(f"{task.checkpoints.name}.lock")
    with alone(lock, doing=f"training {task.run}") if processes.leads else nullcontext():
        processes.wait()  # nobody may look for a checkpoint before the other training has ended
        yield


def fit(
    task: Task,
    *,
    processes: Processes,
    prepare: Prepare,
    objective: MakeObjective = classification,
) -> tuple[Trainee, History]:
    """Train to the end of the recipe, from the newest checkpoint if there is one; inside `sole`.

    Parameters
    ----------
    task
        The training.
    processes
        Who shares it.
    prepare
        Puts pre-trained weights into the fresh network; not called when a checkpoint is taken up.
    objective
        What the network is trained for.

    Raises
    ------
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time.
    NonFiniteLoss
        If the loss is infinite or not a number; `nonfinite.json` beside the record says where.
    ForeignCheckpoint
        If the folder of checkpoints belongs to another training.
    """
    trainee, history = _begin(task, processes, prepare, objective)
    devices = task.devices
    with interrupt.listening(wall_seconds=devices.wall_seconds) as stop:
        course = _course(task, processes)
        with _journal(task, course, trainee, history) as journal:
            keeper = _Keeper(task, trainee, journal, leads=processes.leads)
            judge = _judge(task, course, trainee, journal)
            try:
                loop.train(
                    trainee,
                    course,
                    batches=_batches(task, course, trainee),
                    journal=journal,
                    evaluate=judge,
                    save=keeper.save,
                    save_due=keeper.due,
                    stop=stop,
                )
            except NonFiniteLoss as error:
                if processes.leads:
                    _report(task, course, error)
                raise
            except interrupt.Interrupted as error:
                # whoever started the processes ends all of them when the first one leaves: none may, before the leader has saved
                processes.wait()
                log.warning("%s: %s; saved after update %d", task.run, stop.reason(), error.step)
                raise
            journal.settle()
            judge()
            journal.state()
    return trainee, history


def _begin(
    task: Task, processes: Processes, prepare: Prepare, objective: MakeObjective
) -> tuple[Trainee, History]:
    """Make the trainee, fresh or from the newest checkpoint."""
    recipe, device = task.recipe, processes.device
    snapshot = checkpoint.load(task.checkpoints, identity=task.identity())
    made = objective(task, processes, prepare if snapshot is None else lambda network: None)  # noqa: ARG005
    scaler = GradScaler(device.type, enabled=recipe.precision == "fp16")
    trainee = Trainee(made, optim.optimizer(made.network, recipe=recipe), scaler)
    history = History()
    if snapshot is not None:
        trainee.restore(snapshot["trainee"])
        history = History.restore(snapshot["history"])
        history.restarts += 1
        log.info("%s: going on after update %d", task.run, trainee.step)
    _require_agreement(trainee.step, processes)
    if processes.leads:
        checkpoint.remove_leftovers(task.checkpoints)
    parameters = f"{models.parameter_count(made.network):,}"
    log.info("%s: %s with %s parameters", task.run, recipe.model, parameters)
    return trainee, history


def _require_agreement(step: int, processes: Processes) -> None:
    """Raise RuntimeError unless all processes took up the same checkpoint."""
    import torch

    steps = torch.zeros(processes.world, dtype=torch.int64, device=processes.device)
    steps[processes.rank] = step
    found = processes.sum(steps).tolist()
    if len(set(found)) > 1:
        raise RuntimeError(
            f"the processes found checkpoints of updates {found}: the folder must be the same one on every host"
        )


def _course(task: Task, processes: Processes) -> Course:
    """Return the loop's constants."""
    recipe, micro_batch = task.recipe, task.devices.micro_batch
    return Course(
        recipe=recipe,
        schedule=schedule(recipe, images=task.stream().images),
        split=split(recipe.global_batch, world=processes.world, micro_batch=micro_batch),
        seed=task.seed,
        processes=processes,
        evaluate_every_epochs=task.evaluate_every_epochs,
        compiled=compiler(task.devices),
    )


def _batches(task: Task, course: Course, trainee: Trainee) -> Iterator[Batch]:
    """Yield this process's micro-batches of the updates that are left."""
    images = task.training_images(trainee.objective.transform())
    rank = course.processes.rank
    return training_batches(
        images,
        lambda step: course.split.slices(step, rank=rank),
        steps=range(trainee.step, course.schedule.steps),
        workers=loaders(task.devices, device=course.processes.device),
        pin_memory=course.processes.device.type == "cuda",
    )


@contextmanager
def _journal(task: Task, course: Course, trainee: Trainee, history: History) -> Iterator[Journal]:
    """Open the journal and the display; only the leading process has files and a display."""
    leads = course.processes.leads
    display = None
    if leads:
        display = Display(
            task.run,
            steps=course.schedule.steps,
            start=trainee.step,
            images=course.schedule.global_batch,
            tensorboard=task.tensorboard,
        )
    journal = Journal(
        history,
        schedule=course.schedule,
        path=task.record.with_name(JOURNAL) if leads else None,
        display=display,
        lag=int(course.processes.device.type == "cuda"),
        counts=trainee.objective.counts,
    )
    try:
        yield journal
    finally:
        journal.close()
        if display is not None:
            display.close()


class _Keeper:
    """Saves checkpoints and knows when the next one is due."""

    def __init__(self, task: Task, trainee: Trainee, journal: Journal, *, leads: bool) -> None:
        self._task, self._trainee, self._journal, self._leads = task, trainee, journal, leads
        self._identity = task.identity()
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Say whether this process wants a checkpoint after the update that it has just done."""
        every = self._task.devices.checkpoint_steps or math.inf
        seconds = time.monotonic() - self._saved
        return seconds >= self._task.devices.checkpoint_seconds or self._trainee.step % every == 0

    def save(self) -> None:
        """Store a checkpoint, in the leading process."""
        with self._journal.paused():
            if self._leads:
                content = {"trainee": self._trainee.state(), "history": self._journal.state()}
                folder, step = self._task.checkpoints, self._trainee.step
                checkpoint.save(folder, content, step=step, identity=self._identity)
            self._saved = time.monotonic()


def _judge(task: Task, course: Course, trainee: Trainee, journal: Journal) -> Callable[[], None]:
    """Return what evaluates the trainee once after each update at which it is called."""
    if task.test is None:
        return lambda: None
    recipe, processes, test = task.recipe, course.processes, task.test
    cuda = processes.device.type == "cuda"
    batches = evaluation_batches(
        EvaluationImages(test, EvalTransform(recipe)),
        rank=processes.rank,
        world=processes.world,
        batch=course.split.micro_batch,
        workers=loaders(task.devices, device=processes.device),
        pin_memory=cuda,
    )
    finish = finished(task, processes, train=False)
    several = recipe.objective == "binary"
    judged = partial(ranking.rank, classes=task.classes) if several else evaluate.evaluate

    def judge() -> None:
        ended = trainee.step == course.schedule.steps
        epoch = recipe.all_epochs if ended else course.schedule.epoch_after(trainee.step)
        if journal.has_evaluated(epoch):
            return
        with journal.paused():
            result = judged(
                trainee.result,
                batches,
                finish=lambda batch: finish(batch, trainee.step)[0],
                images=len(test),
                processes=processes,
                precision=recipe.precision,
            )
            journal.evaluated(trainee.step, epoch=epoch, result=result)

    return judge


def _report(task: Task, course: Course, error: NonFiniteLoss) -> None:
    """Write which images the update with a non-finite loss was made of, those of all processes."""
    path = task.record.with_name("nonfinite.json")
    batch = course.schedule.global_batch
    keys = task.stream().keys(np.arange(error.step * batch, (error.step + 1) * batch))
    content = {
        "run": task.run,
        "step": error.step,
        "lr": error.lr,
        "loss": str(error.loss),
        "batch": [
            {"epoch": epoch, "index": index, "repeat": repeat}
            for epoch, index, repeat in keys.tolist()
        ],
    }
    storage.write_json(path, content)
    log.error("%s: %s; the batch's images are listed in %s", task.run, error, path)
