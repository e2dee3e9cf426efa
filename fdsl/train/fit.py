"""What pre-training and fine-tuning have in common: from a task to a trained network, through any
number of restarts.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
from torch.amp import GradScaler

from fdsl.augment.crop import EvalTransform
from fdsl.io import storage
from fdsl.io.locks import file_lock
from fdsl.train import checkpoint, evaluate, interrupt, loop, models, optim, ranking
from fdsl.train.classification import classification, finished
from fdsl.train.compilation import compiler
from fdsl.train.distributed import Processes, loaders
from fdsl.train.input.loader import Batch, EvaluationImages, evaluation_batches, training_batches
from fdsl.train.loop import LoopConfig, TrainState
from fdsl.train.metrics import JOURNAL, History, Journal, NonFiniteLoss
from fdsl.train.objective import MakeObjective, Prepare
from fdsl.train.progress import Display
from fdsl.train.schedule import schedule, split
from fdsl.train.task import Task

log = logging.getLogger(__name__)


@contextmanager
def exclusive(task: Task, *, processes: Processes) -> Iterator[None]:
    """Let nobody else train this while the block runs: from the first checkpoint until results
    stand in its place.

    A job whose Snakemake was killed may still be running, and two writers would spoil each other's
    checkpoints, or remove them where the other one looks for the last.

    Raises
    ------
    ValueError
        Before anything else, if the task cannot work.
    """
    task.check(world=processes.world)
    lock = task.checkpoints.with_name(f"{task.checkpoints.name}.lock")
    with file_lock(lock, doing=f"training {task.run}") if processes.leads else nullcontext():
        processes.wait()  # nobody may look for a checkpoint before the other training has ended
        yield


def fit(
    task: Task,
    *,
    processes: Processes,
    prepare: Prepare,
    objective: MakeObjective = classification,
) -> tuple[TrainState, History]:
    """Train to the end of the recipe, from the newest checkpoint if there is one; inside
    `exclusive`.

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
    train_state, history = _begin(task, processes, prepare, objective)
    devices = task.devices
    with interrupt.listening(wall_seconds=devices.wall_seconds) as stop:
        loop_config = _course(task, processes)
        with _journal(task, loop_config, train_state, history) as journal:
            checkpointer = _Checkpointer(task, train_state, journal, leads=processes.leads)
            judge = _evaluator(task, loop_config, train_state, journal)
            try:
                loop.train(
                    train_state,
                    loop_config,
                    batches=_batches(task, loop_config, train_state),
                    journal=journal,
                    evaluate=judge,
                    save=checkpointer.save,
                    save_due=checkpointer.due,
                    stop=stop,
                )
            except NonFiniteLoss as error:
                if processes.leads:
                    _report(task, loop_config, error)
                raise
            except interrupt.Interrupted as error:
                # whoever started the processes ends all of them when the first one leaves: none
                # may, before the leader has saved
                processes.wait()
                log.warning("%s: %s; saved after update %d", task.run, stop.reason(), error.step)
                raise
            journal.settle()
            judge()
            journal.state()
    return train_state, history


def _begin(
    task: Task, processes: Processes, prepare: Prepare, objective: MakeObjective
) -> tuple[TrainState, History]:
    """Make the train_state, fresh or from the newest checkpoint."""
    recipe, device = task.recipe, processes.device
    snapshot = checkpoint.load(task.checkpoints, identity=task.identity())
    made = objective(task, processes, prepare if snapshot is None else lambda network: None)  # noqa: ARG005
    scaler = GradScaler(device.type, enabled=recipe.precision == "fp16")
    train_state = TrainState(made, optim.optimizer(made.network, recipe=recipe), scaler)
    history = History()
    if snapshot is not None:
        train_state.restore(snapshot["train_state"])
        history = History.restore(snapshot["history"])
        history.restarts += 1
        log.info("%s: going on after update %d", task.run, train_state.step)
    _require_agreement(train_state.step, processes)
    if processes.leads:
        checkpoint.remove_leftovers(task.checkpoints)
    parameters = f"{models.parameter_count(made.network):,}"
    log.info("%s: %s with %s parameters", task.run, recipe.model, parameters)
    return train_state, history


def _require_agreement(step: int, processes: Processes) -> None:
    """Raise RuntimeError unless all processes took up the same checkpoint."""
    import torch

    steps = torch.zeros(processes.world, dtype=torch.int64, device=processes.device)
    steps[processes.rank] = step
    found = processes.sum(steps).tolist()
    if len(set(found)) > 1:
        raise RuntimeError(
            f"the processes found checkpoints of updates {found}: the folder must be the same one"
            " on every host"
        )


def _course(task: Task, processes: Processes) -> LoopConfig:
    """Return the loop's constants."""
    recipe, micro_batch = task.recipe, task.devices.micro_batch
    return LoopConfig(
        recipe=recipe,
        schedule=schedule(recipe, images=task.stream().images),
        split=split(recipe.global_batch, world=processes.world, micro_batch=micro_batch),
        seed=task.seed,
        processes=processes,
        evaluate_every_epochs=task.evaluate_every_epochs,
        compiled=compiler(task.devices),
    )


def _batches(task: Task, loop_config: LoopConfig, train_state: TrainState) -> Iterator[Batch]:
    """Yield this process's micro-batches of the updates that are left."""
    images = task.training_images(train_state.objective.transform())
    rank = loop_config.processes.rank
    return training_batches(
        images,
        lambda step: loop_config.split.slices(step, rank=rank),
        steps=range(train_state.step, loop_config.schedule.steps),
        workers=loaders(task.devices, device=loop_config.processes.device),
        pin_memory=loop_config.processes.device.type == "cuda",
    )


@contextmanager
def _journal(
    task: Task, loop_config: LoopConfig, train_state: TrainState, history: History
) -> Iterator[Journal]:
    """Open the journal and the display; only the leading process has files and a display."""
    leads = loop_config.processes.leads
    display = None
    if leads:
        display = Display(
            task.run,
            steps=loop_config.schedule.steps,
            start=train_state.step,
            images=loop_config.schedule.global_batch,
            tensorboard=task.tensorboard,
        )
    journal = Journal(
        history,
        schedule=loop_config.schedule,
        path=task.record.with_name(JOURNAL) if leads else None,
        display=display,
        lag=int(loop_config.processes.device.type == "cuda"),
        counts=train_state.objective.counts,
    )
    try:
        yield journal
    finally:
        journal.close()
        if display is not None:
            display.close()


class _Checkpointer:
    """Saves checkpoints and knows when the next one is due."""

    def __init__(
        self, task: Task, train_state: TrainState, journal: Journal, *, leads: bool
    ) -> None:
        self._task, self._trainee, self._journal, self._leads = task, train_state, journal, leads
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
                content = {"train_state": self._trainee.state(), "history": self._journal.state()}
                folder, step = self._task.checkpoints, self._trainee.step
                checkpoint.save(folder, content, step=step, identity=self._identity)
            self._saved = time.monotonic()


def _evaluator(
    task: Task, loop_config: LoopConfig, train_state: TrainState, journal: Journal
) -> Callable[[], None]:
    """Return what evaluates the train_state once after each update at which it is called."""
    if task.test is None:
        return lambda: None
    recipe, processes, test = task.recipe, loop_config.processes, task.test
    cuda = processes.device.type == "cuda"
    batches = evaluation_batches(
        EvaluationImages(test, EvalTransform(recipe)),
        rank=processes.rank,
        world=processes.world,
        batch=loop_config.split.micro_batch,
        workers=loaders(task.devices, device=processes.device),
        pin_memory=cuda,
    )
    finish = finished(task, processes, train=False)
    several = recipe.objective == "binary"
    judged = partial(ranking.rank, classes=task.classes) if several else evaluate.evaluate

    def judge() -> None:
        ended = train_state.step == loop_config.schedule.steps
        epoch = recipe.all_epochs if ended else loop_config.schedule.epoch_after(train_state.step)
        if journal.has_evaluated(epoch):
            return
        with journal.paused():
            result = judged(
                train_state.result,
                batches,
                finish=lambda batch: finish(batch, train_state.step)[0],
                images=len(test),
                processes=processes,
                precision=recipe.precision,
            )
            journal.evaluated(train_state.step, epoch=epoch, result=result)

    return judge


def _report(task: Task, loop_config: LoopConfig, error: NonFiniteLoss) -> None:
    """Write which images the update with a non-finite loss was made of, those of all processes."""
    path = task.record.with_name("nonfinite.json")
    batch = loop_config.schedule.global_batch
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
