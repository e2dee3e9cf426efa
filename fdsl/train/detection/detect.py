"""Training a detector on a dataset in COCO's format, from a pre-training or from scratch, and
testing it at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from fdsl.datasets.readers.coco import CocoImages
from fdsl.io import records
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.detection import DetectionRecipe
from fdsl.train import Devices, checkpoint, models
from fdsl.train import weights as weight_files
from fdsl.train.detection import evaluate
from fdsl.train.detection.objective import detection
from fdsl.train.detection.scenes import SceneTransform, TestScenes, TrainingScenes, shown
from fdsl.train.distributed import Processes, loaders, processes
from fdsl.train.fit import exclusive, fit
from fdsl.train.input.loader import evaluation_batches
from fdsl.train.input.samplers import InfiniteSampler
from fdsl.train.loop import TrainState
from fdsl.train.metrics import JOURNAL, History
from fdsl.train.record import cost, provenance
from fdsl.train.schedule import schedule, split
from fdsl.train.start import require_start
from fdsl.train.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectionTask(Task):
    """One detection training: `recipe` is a DetectionRecipe, `train` are CocoImages, and the test
    stands outside.
    """

    def stream(self) -> InfiniteSampler:
        """Return the order of the training pictures, counted among those that show an object."""
        return InfiniteSampler(len(shown(self.train)), seed=self.seed, repeated_aug=1)

    def training_images(self, transform: SceneTransform) -> TrainingScenes:
        """Return the training stream as a map from positions to batches."""
        return TrainingScenes(self.train, transform, seed=self.seed)

    def check(self, *, world: int) -> None:
        """Refuse what cannot work before anything expensive begins; ValueError with value and
        remedy.
        """
        if world > 1:
            raise ValueError(
                f"{self.run}: a detection training runs in one process, not in {world}: start one,"
                f" and reach the recipe's global_batch = {self.recipe.global_batch} with"
                " micro_batch, which accumulates gradients"
            )
        _require_classes(self, self.train, "train")
        schedule(self.recipe, images=self.stream().images)
        split(self.recipe.global_batch, world=1, micro_batch=self.devices.micro_batch)


def detect(
    *,
    run: str,
    scale: str,
    seed: int,
    pretraining: str,
    weights: Path | None,
    dataset: str,
    recipe: DetectionRecipe,
    model: ModelEntry,
    train: CocoImages,
    test: CocoImages,
    classes: int,
    record: Path,
    checkpoints: Path,
    code: str,
    inputs: Mapping[str, str],
    environment: Mapping[str, Any],
    devices: Devices,
    tensorboard: Path | None = None,
    asked: Mapping[str, Any] | None = None,
) -> None:
    """Train Mask R-CNN and leave a record with COCO's numbers on the test pictures, by the weights
    of the last epoch.

    The same recipe serves scratch and pre-trained starts: only the weights below the detector
    differ. Started again after an interruption it goes on from the newest checkpoint. The
    parameters are those of `Task` and of `fdsl.train.finetune.finetune`.

    Raises
    ------
    ValueError
        Before training: if it is shared by several processes, which is not built; if names, classes
        and batch do not fit together; if the weights are not of this network; if the checkpoints
        are of another training.
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time: exit code 85.
    NonFiniteLoss
        If the loss is infinite or not a number.
    """
    require_start(pretraining, weights)
    task = DetectionTask(
        kind="detect",
        run=run,
        scale=scale,
        pretraining=pretraining,
        dataset=dataset,
        seed=seed,
        recipe=recipe,
        model=model,
        train=train,
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
    )
    _require_classes(task, test, "test")

    def prepare(network: nn.Module) -> None:
        if weights is not None:
            weight_files.load(network, weights)

    with processes(devices) as here, exclusive(task, processes=here):
        train_state, history = fit(task, processes=here, prepare=prepare, objective=detection)
        _leave(task, train_state, history, test, here)


def _require_classes(task: Task, source: CocoImages, part: str) -> None:
    if source.classes != task.classes:
        raise ValueError(
            f"{task.run}: {task.dataset} has {source.classes} classes in its {part} pictures,"
            f" {task.classes} are stated"
        )


def _leave(
    task: DetectionTask,
    train_state: TrainState,
    history: History,
    test: CocoImages,
    processes: Processes,
) -> None:
    """Test, write the record, and remove the checkpoints.

    The last checkpoint holds the finished training, so that a kill during the test repeats the test
    alone.
    """
    recipe = task.recipe
    micro = task.devices.micro_batch or recipe.global_batch
    batches = evaluation_batches(
        TestScenes(test, channels=models.channels(task.model)),
        rank=0,
        world=1,
        batch=min(micro, recipe.global_batch),
        workers=loaders(task.devices, device=processes.device),
        pin_memory=processes.device.type == "cuda",
    )
    found = evaluate.detect(
        train_state.result, batches, test, device=processes.device, precision=recipe.precision
    )
    numbers = evaluate.score(test.annotations, found)
    log.info(
        "%s: %d pictures, AP %.2f %% of boxes, %.2f %% of masks",
        task.run,
        numbers["images"],
        numbers["box"]["ap"],
        numbers["mask"]["ap"],
    )
    last = history.last_epoch
    result = {
        "steps": train_state.step,
        "epochs": recipe.all_epochs,
        "train_images": task.stream().images,
        "classes": task.classes,
        "final_loss": last.loss / last.updates,
        "detections": len(found),
        **numbers,
    }
    content = {
        **task.names(),
        "result": result,
        "recipe": recipe.model_dump(mode="json"),
        **provenance(task, processes),
        "cost": cost(history, world=1),
    }
    records.write(task.record, content, outputs=[task.record.with_name(JOURNAL)])
    checkpoint.discard(task.checkpoints)
